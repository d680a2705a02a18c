//! The progress bar: on standard error, on a terminal, and nowhere else.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Shows how many runs of one scenario are done, until it is dropped.
pub(crate) struct Progress(ProgressBar);

impl Progress {
    /// A bar for `runs` runs of the scenario `name`, which is number `at` of `of`.
    pub(crate) fn start(name: &str, at: usize, of: usize, runs: u64) -> Self {
        Progress::counting("runs", name, at, of, runs)
    }

    /// A bar for the exploration `name`, whose units of work are not counted yet.
    pub(crate) fn explore(name: &str, at: usize, of: usize) -> Self {
        Progress::counting("units", name, at, of, 0)
    }

    /// A bar for `images` images under the profile `name`.
    pub(crate) fn images(name: &str, at: usize, of: usize, images: u64) -> Self {
        Progress::counting("images", name, at, of, images)
    }

    fn counting(what: &str, name: &str, at: usize, of: usize, runs: u64) -> Self {
        // Hides itself where standard error is no terminal.
        let bar = ProgressBar::with_draw_target(Some(runs), ProgressDrawTarget::stderr_with_hz(10));
        let template = format!(
            "{{prefix}} {{msg}}  {{bar:30}}  {{pos}}/{{len}} {what}  {{per_sec}}  {{eta}} left"
        );
        if let Ok(style) = ProgressStyle::with_template(&template) {
            bar.set_style(style);
        }
        bar.set_prefix(format!("[{at}/{of}]"));
        bar.set_message(name.to_owned());
        Progress(bar)
    }

    /// Says that `done` of `all` units are done.
    pub(crate) fn done_of(&self, done: u64, all: u64) {
        self.0.set_length(all);
        self.0.set_position(done);
    }

    /// Says that one more is done.
    pub(crate) fn one_more(&self) {
        self.0.inc(1);
    }

    /// Says that `runs` runs are done.
    pub(crate) fn done(&self, runs: u64) {
        self.0.set_position(runs);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
