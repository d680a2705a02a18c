//! The same seeds in two processes, compared.
//!
//! The process that was called is one of them. A second one runs the same seeds with another number of threads and prints
//! the hash over all traces. If the hashes differ, two more processes run the seeds one after the other, one of them
//! backwards, and print the hash of each; the first seed that differs runs in both again and prints its trace, so that the
//! first storage call that differs can be shown.
//!
//! What it cannot see: an influence that is the same in both processes, such as a file that both read.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::report::Disagreement;
use beaver_sim::scenario::{Profile, Seeds};

use super::exit::CliError;

/// How many lines before the difference are shown.
const LINES_BEFORE: usize = 5;

/// One scenario that is run a second time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SecondProcess<'a> {
    /// The program.
    pub(crate) program: &'a Path,
    /// The scenario file.
    pub(crate) scenario: &'a Path,
    /// The seeds.
    pub(crate) seeds: Seeds,
    /// The profile in force.
    pub(crate) profile: Profile,
    /// The threads of the first process.
    pub(crate) jobs: NonZeroUsize,
}

/// The program that is running.
///
/// # Errors
/// The operating system does not tell.
pub(crate) fn this_program() -> Result<PathBuf, CliError> {
    std::env::current_exe().map_err(|error| CliError::at("cannot find this program again", error))
}

impl SecondProcess<'_> {
    /// Runs the second process and compares with the hash of the first; `None` if they agree.
    ///
    /// # Errors
    /// A process could not be started or failed.
    pub(crate) fn compare(&self, first_hash: u64) -> Result<Option<Disagreement>, CliError> {
        let jobs = self.jobs.saturating_add(1).to_string();
        let second_hash = self.child(self.program, &["--jobs", &jobs])?.join("");
        if second_hash == format!("{first_hash:016x}") {
            return Ok(None);
        }
        let first_program = this_program()?;
        let first = self.child(&first_program, &["--each"])?;
        let mut second = self.child(self.program, &["--each", "--backwards"])?;
        second.reverse();
        let Some(seed) =
            first_difference(&first, &second).and_then(|at| seed_of(&first, &second, at))
        else {
            return Ok(Some(without_seed(first_hash, second_hash)));
        };
        let calls_of = seed.to_string();
        let first = self.child(&first_program, &["--calls-of", &calls_of])?;
        let second = self.child(self.program, &["--calls-of", &calls_of, "--backwards"])?;
        Ok(Some(compare(seed, &first, &second)))
    }

    /// The lines that `program trace-hashes …` prints.
    fn child(&self, program: &Path, extra: &[&str]) -> Result<Vec<String>, CliError> {
        let output = Command::new(program)
            .arg("trace-hashes")
            .arg(self.scenario)
            .args([
                "--seeds",
                &self.seeds.to_string(),
                "--fs",
                self.profile.name(),
            ])
            .args(extra)
            .stdin(Stdio::null())
            .stderr(Stdio::inherit())
            .output()
            .map_err(|error| CliError::at(program.display(), error))?;
        if !output.status.success() {
            return Err(CliError::at(
                program.display(),
                format_args!("the second process failed: {}", output.status),
            ));
        }
        let text = String::from_utf8_lossy(&output.stdout);
        Ok(text.lines().map(str::to_owned).collect())
    }
}

/// The first line where the two differ; where one ends counts as a difference.
fn first_difference(first: &[String], second: &[String]) -> Option<usize> {
    (0..first.len().max(second.len())).find(|at| first.get(*at) != second.get(*at))
}

/// The seed in line `at` of either list.
fn seed_of(first: &[String], second: &[String], at: usize) -> Option<u64> {
    let line = first.get(at).or_else(|| second.get(at))?;
    line.split(' ').next()?.parse().ok()
}

fn compare(seed: u64, first: &[String], second: &[String]) -> Disagreement {
    let same_again = "the same: the runs differed before, and agree when run again".to_owned();
    let ended = || "the run has ended".to_owned();
    match first_difference(first, second) {
        None => Disagreement {
            seed: Some(seed),
            line: first.len() as u64,
            before: Vec::new(),
            first: same_again.clone(),
            second: same_again,
        },
        Some(at) => Disagreement {
            seed: Some(seed),
            line: at as u64 + 1,
            before: first[at.saturating_sub(LINES_BEFORE)..at].to_vec(),
            first: first.get(at).cloned().unwrap_or_else(ended),
            second: second.get(at).cloned().unwrap_or_else(ended),
        },
    }
}

fn without_seed(first_hash: u64, second_hash: String) -> Disagreement {
    Disagreement {
        seed: None,
        line: 0,
        before: Vec::new(),
        first: format!("{first_hash:016x} over all seeds"),
        second: format!("{second_hash} over all seeds"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<String> {
        text.split(' ').map(str::to_owned).collect()
    }

    #[test]
    fn the_first_call_that_differs_is_shown_with_what_came_before() {
        let found = compare(7, &lines("a b c d e f g h"), &lines("a b c d e f x h"));
        assert_eq!((found.seed, found.line), (Some(7), 7));
        assert_eq!(found.before, lines("b c d e f"));
        assert_eq!((found.first.as_str(), found.second.as_str()), ("g", "x"));
    }

    #[test]
    fn a_run_that_ends_early_differs_there() {
        let found = compare(7, &lines("a b"), &lines("a"));
        assert_eq!((found.line, found.first.as_str()), (2, "b"));
        assert_eq!(found.second, "the run has ended");
    }
}
