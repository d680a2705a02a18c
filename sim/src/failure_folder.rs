//! A failure on disk: a folder with everything that one needs to see it again and to look into it.
//!
//! ```text
//! failures/<scenario>-<invariant>-<hash>/
//!   scenario.json   what beaver replay runs: commands, faults, crashes, and what survived
//!   plan.json       the faults and crashes alone
//!   trace.jsonl     commands, storage calls with their results, crashes: one object a line
//!   before/         the files that the last recovery met
//!   after/          the files at the end; both are stores that beaver wal opens
//!   report.txt      the explanation for people
//!   report.json     the same for programs
//!   seen.json       how many runs it stands for, and which
//! ```
//!
//! Equal failures share a folder: the hash is over their [likeness](crate::shrink::Likeness), which
//! holds no number that another history would change. The shortest script that still fails stays.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use beaver_disk::Image;
use serde::{Deserialize, Serialize};

use crate::explain::{Explained, explain};
use crate::invariant::Invariant;
use crate::recorder::Fnv;
use crate::report::FailureReport;
use crate::result::RunResult;
use crate::run::{Keep, run_seed, saved_failure};
use crate::scenario::{PlannedCrash, PlannedFault, Scenario};
use crate::shrink::{Likeness, Limits, Sameness, Shrunk, shrink};
use crate::subject::AnySubject;

/// The file of a folder that replays the failure.
pub const SCENARIO: &str = "scenario.json";

/// The file of a folder that explains the failure to programs.
const REPORT: &str = "report.json";

/// The variable that names a saved failure to the test of a store.
pub(crate) const REPLAY_VARIABLE: &str = "BEAVER_REPLAY";

/// The file of a folder with everything that happened.
pub(crate) const TRACE: &str = "trace.jsonl";

/// A failed run that is about to be saved.
#[derive(Clone, Debug)]
pub struct FailedRun {
    /// What replays it.
    pub scenario: Scenario,
    /// The run.
    pub run: RunResult,
    /// What makes another failure the same; none if the script alone does not show it.
    likeness: Option<Likeness>,
}

/// The runs that a failure stands for: how many, and the seeds of each scenario.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct RunsSeen {
    count: usize,
    seeds: BTreeMap<String, BTreeSet<u64>>,
}

/// The faults and crashes of a script.
#[derive(Debug, Serialize)]
struct ScriptPlan<'s> {
    profile: &'static str,
    faults: &'s [PlannedFault],
    crashes: &'s [PlannedCrash],
}

/// The report for programs.
#[derive(Debug, Serialize)]
struct ReportFile<R> {
    tool: &'static str,
    version: &'static str,
    /// An [`Explanation`](crate::explain::Explanation), or what is told where there is none.
    #[serde(flatten)]
    report: R,
}

/// What every report tells.
#[derive(Debug, Serialize, Deserialize)]
struct ReportedReplay {
    /// The command that replays it.
    replay: String,
}

impl FailedRun {
    /// The failed run of a scenario.
    #[must_use]
    pub fn new(subject: &AnySubject, scenario: &Scenario, run: &RunResult) -> Self {
        let failure = saved_failure(scenario, run);
        let shrunk = shrink(subject, &failure, Limits::runs(0));
        FailedRun {
            scenario: failure,
            run: run.clone(),
            likeness: shrunk.map(|shrunk| shrunk.likeness),
        }
    }

    /// A failure that was shrunk already.
    #[must_use]
    pub fn of(shrunk: Shrunk) -> Self {
        FailedRun {
            scenario: shrunk.scenario,
            run: shrunk.run,
            likeness: Some(shrunk.likeness),
        }
    }

    /// What makes another failure that was shrunk the same; nothing if the script alone does not
    /// show it.
    #[must_use]
    pub fn sameness(&self, subject: &AnySubject) -> Option<Sameness> {
        let likeness = self.likeness.as_ref()?;
        Some(Sameness::of(subject, &self.scenario, likeness))
    }

    /// The folder below `out` that it shares with equal failures: `<scenario>-<invariant>-<hash>`.
    #[must_use]
    pub fn folder(&self, out: &Path) -> PathBuf {
        let invariant = self.run.outcome.failure();
        let invariant = invariant.map_or(Invariant::Progress, |failure| failure.invariant);
        let name = invariant.name().replace(' ', "-");
        let likeness = self.likeness.as_ref();
        let parts = likeness.map(|like| [like.activity, &like.expected, &like.found]);
        let scenario = file_name(&self.scenario.name);
        let hash = short_hash(parts.as_ref().map_or(&[], |parts| &parts[..]));
        out.join(format!("{scenario}-{name}-{hash:08x}"))
    }

    /// Makes it as small as `limits` allow.
    pub fn shrink(&mut self, subject: &AnySubject, limits: Limits<'_>) {
        if let Some(shrunk) = shrink(subject, &self.scenario, limits) {
            self.scenario = shrunk.scenario;
            let seed = self.run.seed;
            self.run = RunResult { seed, ..shrunk.run };
        }
    }

    /// Writes the folder, and says why it failed; nothing if the script alone does not show that.
    /// What lies there already stays if its script is shorter and still fails.
    ///
    /// # Errors
    /// Something could not be written; the path is in the message.
    pub fn save(
        &self,
        path: &Path,
        subject: &AnySubject,
        replay: &str,
    ) -> io::Result<Option<Explained>> {
        let explained = explain(subject, &self.scenario, replay);
        create_dir(path)?;
        count(path, &self.scenario.name, self.run.seed)?;
        if !self.lies_shorter(path, subject) {
            write_failure(path, &self.scenario, &self.run, explained.as_ref(), replay)?;
        }
        Ok(explained)
    }

    /// Whether a failure of the same sort with fewer steps lies in `path`, and still is one.
    fn lies_shorter(&self, path: &Path, subject: &AnySubject) -> bool {
        let text = fs::read(path.join(SCENARIO)).unwrap_or_default();
        let Ok(saved) = serde_json::from_slice::<Scenario>(&text) else {
            return false;
        };
        let sort = |run: &RunResult| run.outcome.failure().map(|violation| violation.invariant);
        // Run again instead of trusted: the saved script may be of an older build that had the bug.
        let fails = || {
            let run = run_seed(subject, &saved, 0, Keep::default());
            sort(&run).is_some() && sort(&run) == sort(&self.run)
        };
        saved.script.is_some() && steps_of(&saved) < steps_of(&self.scenario) && fails()
    }
}

/// Writes the folder of a failure that is explained already; of one whose script alone does not show
/// it there is nothing to explain.
///
/// # Errors
/// Something could not be written; the path is in the message.
pub(crate) fn save_found(
    path: &Path,
    scenario: &Scenario,
    run: &RunResult,
    explained: Option<&Explained>,
    replay: &str,
) -> io::Result<()> {
    create_dir(path)?;
    count(path, &scenario.name, scenario.seeds.start)?;
    write_failure(path, scenario, run, explained, replay)
}

/// Counts a run of `scenario` whose failure is equal to the one in `path`: how many runs that stands
/// for, this one included.
///
/// # Errors
/// The count could not be written.
pub fn count(path: &Path, scenario: &str, seed: u64) -> io::Result<usize> {
    let mut seen = read_seen(path);
    seen.seeds
        .entry(scenario.to_owned())
        .or_default()
        .insert(seed);
    seen.count = seen.seeds.values().map(BTreeSet::len).sum();
    write_json(&path.join("seen.json"), &seen)?;
    Ok(seen.count)
}

/// The command that replays the failure in `path`.
#[must_use]
pub fn replay_command(program: &str, path: &Path) -> String {
    format!("{program} replay {}", quoted(&path.display().to_string()))
}

/// The command that runs the failure in `folder` again, where that is a test of the store itself, as [`check`](crate::check)
/// saves it.
#[must_use]
pub fn replaying_test(folder: &Path) -> Option<String> {
    let report = fs::read(folder.join(REPORT)).ok()?;
    let told: ReportedReplay = serde_json::from_slice(&report).ok()?;
    let command = told.replay.strip_prefix(REPLAY_VARIABLE)?;
    // It was saved elsewhere where a colleague has sent it.
    let (_, test) = command.rsplit_once(" cargo test")?;
    let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    let folder = quoted(&folder.display().to_string());
    Some(format!("{REPLAY_VARIABLE}={folder} cargo test{test}"))
}

/// `text` as one word of a shell.
#[must_use]
pub fn quoted(text: &str) -> String {
    let plain = |letter: char| letter.is_alphanumeric() || "/._-+:=@".contains(letter);
    if !text.is_empty() && text.chars().all(plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

fn write_failure(
    path: &Path,
    failure: &Scenario,
    run: &RunResult,
    explained: Option<&Explained>,
    replay: &str,
) -> io::Result<()> {
    write_json(&path.join(SCENARIO), failure)?;
    let script = failure.script.as_ref();
    let plan = ScriptPlan {
        profile: failure.profile.name(),
        faults: script.map_or(&[], |script| &script.faults),
        crashes: script.map_or(&[], |script| &script.crashes),
    };
    write_json(&path.join("plan.json"), &plan)?;
    let Some(explained) = explained else {
        return write_unexplained(path, failure, run, replay);
    };
    let mut lines = String::new();
    for event in &explained.log {
        lines += &event.event.json();
        lines.push('\n');
    }
    write(&path.join(TRACE), lines.as_bytes())?;
    write_image(&path.join("before"), &explained.before)?;
    write_image(&path.join("after"), &explained.after)?;
    let explanation = &explained.explanation;
    write(&path.join("report.txt"), explanation.to_string().as_bytes())?;
    let report = ReportFile {
        tool: "beaver",
        version: env!("CARGO_PKG_VERSION"),
        report: explanation,
    };
    write_json(&path.join(REPORT), &report)
}

/// What is known of a failure that its script alone does not show.
fn write_unexplained(
    path: &Path,
    failure: &Scenario,
    run: &RunResult,
    replay: &str,
) -> io::Result<()> {
    let report = FailureReport {
        scenario: &failure.name,
        run,
        profile: failure.profile,
        weakest: None,
        replay: None,
    };
    let mut text = String::new();
    for line in &run.trace {
        text += line;
        text.push('\n');
    }
    text += &format!("\n{report}The script alone does not show it.\n");
    write(&path.join("report.txt"), text.as_bytes())?;
    let report = ReportFile {
        tool: "beaver",
        version: env!("CARGO_PKG_VERSION"),
        report: ReportedReplay {
            replay: replay.to_owned(),
        },
    };
    write_json(&path.join(REPORT), &report)
}

/// The name of a scenario as part of a file name: it comes from a file that anyone may have written.
#[must_use]
pub fn file_name(name: &str) -> String {
    let plain = |letter: char| match letter {
        'a'..='z' | 'A'..='Z' | '0'..='9' | '_' | '-' => letter,
        _ => '_',
    };
    name.chars().map(plain).take(100).collect()
}

/// The files of an image as real files, in place of whatever lay there.
fn write_image(path: &Path, image: &Image) -> io::Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(at(path, error)),
        _ => create_dir(path)?,
    }
    for (name, bytes) in image.to_files() {
        write(&path.join(file_of_disk(&name)), &bytes)?;
    }
    Ok(())
}

/// A name of the simulated disk as a name of the real one. Only a stray file may have one that is
/// not plain already.
fn file_of_disk(name: &str) -> String {
    let plain = name.replace(['/', '\\', '\0'], "_");
    if plain.trim_matches('.').is_empty() {
        format!("_{plain}")
    } else {
        plain
    }
}

fn read_seen(path: &Path) -> RunsSeen {
    let text = fs::read(path.join("seen.json")).unwrap_or_default();
    serde_json::from_slice(&text).unwrap_or_default()
}

fn steps_of(scenario: &Scenario) -> usize {
    let script = scenario.script.as_ref();
    script.map_or(usize::MAX, |script| script.steps.len())
}

fn create_dir(path: &Path) -> io::Result<()> {
    fs::create_dir_all(path).map_err(|error| at(path, error))
}

/// Writes a value as JSON for people.
///
/// # Errors
/// It could not be written; the path is in the message.
pub fn write_json(path: &Path, value: &impl Serialize) -> io::Result<()> {
    let mut json = serde_json::to_vec_pretty(value).map_err(|error| at(path, error.into()))?;
    json.push(b'\n');
    write(path, &json)
}

/// Writes a file of a failure.
///
/// # Errors
/// It could not be written; the path is in the message.
pub fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    fs::write(path, bytes).map_err(|error| at(path, error))
}

/// An error with the path that it is about.
#[must_use]
pub fn at(path: &Path, error: io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

/// What tells the folders of different failures apart: a hash of what makes them different.
#[must_use]
pub fn short_hash(parts: &[&str]) -> u64 {
    let mut hash = Fnv::default();
    for part in parts {
        hash.update(part.as_bytes());
    }
    hash.0 >> 32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_from_a_file_cannot_leave_the_directory() {
        assert_eq!(file_name("../a b/ü"), "___a_b__");
        assert_eq!(file_of_disk(".."), "_..");
        assert_eq!(file_of_disk("a/b"), "a_b");
    }

    #[test]
    fn words_with_blanks_are_quoted() {
        assert_eq!(quoted("failures/a-7"), "failures/a-7");
        assert_eq!(quoted("it's here"), r"'it'\''s here'");
    }
}
