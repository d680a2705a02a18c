//! `--depth 2`: the check itself is interrupted, as a recovery may be.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use beaver_disk::Profile;

use beaver_trace::{CrashedChecks, GuardedFolder, Judgement, crash_the_checks};

use super::first_failing::program_name;
use super::trial::{Trial, Tried};
use super::{CliError, command_line, text, warn};

/// What came of interrupting the checks under a profile.
pub(super) struct Second {
    pub(super) crashed: CrashedChecks,
    /// Where the recording of the first check is that must not be interrupted.
    pub(super) saved: Option<PathBuf>,
    pub(super) profile: Profile,
}

/// Interrupts the check of every image that is good.
pub(super) fn crash_checks(trial: &Trial<'_>, tried: &Tried) -> Result<Second, CliError> {
    let images = 0..tried.found.images.len();
    let good = images.filter(|place| tried.answers[*place] == Judgement::Good);
    let good: Vec<usize> = good.collect();
    let folder = GuardedFolder::new(Some(trial.recording.guard), None);
    let folder = folder.map_err(|error| CliError::at("no place for a recording", error))?;
    let (log, found) = (trial.recording.log, &tried.found);
    let crashed = crash_the_checks(trial.judge, log, found, &good, folder.path(), trial.go_on);
    let crashed = crashed.map_err(CliError::new)?;
    let saved = match crashed.failed.is_empty() {
        true => None,
        false => keep(trial, tried.profile(), &folder.path().join("first")),
    };
    Ok(Second {
        crashed,
        saved,
        profile: tried.profile(),
    })
}

/// Keeps the recording of a check for people to look at. What cannot be kept is only said.
fn keep(trial: &Trial<'_>, profile: Profile, log: &Path) -> Option<PathBuf> {
    let name = program_name(trial.recording.log);
    let folder = command_line::out(trial.recording.args);
    let folder = folder.join(format!("{name}-check-{}", profile.name()));
    let copied = fs::create_dir_all(&folder).and_then(|()| {
        for file in fs::read_dir(log)? {
            let file = file?;
            fs::copy(file.path(), folder.join(file.file_name()))?;
        }
        Ok(())
    });
    if let Err(error) = copied {
        warn(format_args!("not saved: {}: {error}", folder.display()));
        return None;
    }
    Some(folder)
}

impl Second {
    pub(super) fn fails(&self) -> bool {
        !self.crashed.failed.is_empty()
    }

    /// Whether the time ended it.
    pub(super) fn is_cut(&self) -> bool {
        !self.crashed.exhaustive
    }

    pub(super) fn text(&self) -> String {
        let crashed = &self.crashed;
        let sampled = if crashed.exhaustive { "" } else { ", sampled" };
        let mut text = format!(
            "{}: {} checks interrupted, {} images more{sampled}, ",
            text::disk(self.profile),
            crashed.checks,
            crashed.images
        );
        let [first, ..] = &crashed.failed[..] else {
            text.push_str("none fails");
            return text;
        };
        let _ = write!(
            text,
            "{} fail\n  the first: the check of image {} is interrupted before event {} of what it does, and says of what is left: {}",
            crashed.failed.len(),
            first.place + 1,
            first.image.event + 1,
            first.reason
        );
        if let Some(saved) = &self.saved {
            let _ = write!(text, "\n  what it did: {}", saved.display());
        }
        text
    }
}
