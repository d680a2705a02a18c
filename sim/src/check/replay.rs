//! Saved failures of a check: where they are written, and how they are run again.

use std::path::{Path, PathBuf};

use super::Failing;
use crate::failure_folder::{self, SCENARIO, quoted};
use crate::result::Outcome;
use crate::run::{Keep, run_seed};
use crate::scenario::Scenario;
use crate::subject::AnySubject;

/// The variable that names a saved failure.
const VARIABLE: &str = "BEAVER_REPLAY";

/// The failure that is to be run again and nothing else.
pub(super) fn wanted() -> Option<PathBuf> {
    std::env::var_os(VARIABLE).map(PathBuf::from)
}

/// Runs a saved failure of this store again; those of others are left alone.
pub(super) fn replay(subject: &AnySubject, path: &Path) {
    let file = match path.is_dir() {
        true => path.join(SCENARIO),
        false => path.to_owned(),
    };
    let text = std::fs::read_to_string(&file);
    let text = text.unwrap_or_else(|error| panic!("{VARIABLE}={}: {error}", file.display()));
    let scenario: Scenario = serde_json::from_str(&text)
        .unwrap_or_else(|error| panic!("{VARIABLE}={}: {error}", file.display()));
    if scenario.name != subject.name() {
        return;
    }
    assert!(
        scenario.script.is_some(),
        "{VARIABLE}={}: it has no `script`, so it is no saved failure",
        file.display()
    );
    let everything = Keep {
        script: true,
        trace: true,
    };
    let run = run_seed(subject, &scenario, 0, everything);
    if run.outcome != Outcome::Held {
        panic!(
            "{}",
            Failing::of(subject, scenario, run).replayed_by(command(path))
        );
    }
}

/// Writes a failure down as a folder; the failure then says how it is run again.
pub(super) fn save(subject: &AnySubject, failing: Failing) -> Failing {
    let folder = failure_folder::FailedRun::new(subject, &failing.scenario, &failing.run);
    let path = folder.folder(&directory());
    let replay = command(&path);
    match folder.save(&path, subject, &replay) {
        Ok(_) => failing.replayed_by(replay),
        Err(error) => {
            let told = format!("not saved: {error}; {}", failing.replay);
            failing.replayed_by(told)
        }
    }
}

/// What is typed to see the failure in `path` again.
fn command(path: &Path) -> String {
    let thread = std::thread::current();
    let test = thread.name().filter(|name| *name != "main");
    let command = format!(
        "{VARIABLE}={} cargo test",
        quoted(&path.display().to_string())
    );
    match test {
        Some(test) => format!("{command} {test}"),
        None => command,
    }
}

/// `target/debug/failures` for a test or an example; a directory for temporary files where the program
/// that runs lies elsewhere.
fn directory() -> PathBuf {
    let program = std::env::current_exe().unwrap_or_default();
    let parent = program.parent();
    let built = parent.filter(|parent| parent.ends_with("deps") || parent.ends_with("examples"));
    let target = built.and_then(Path::parent).map(Path::to_owned);
    let target = target.unwrap_or_else(|| std::env::temp_dir().join("beaver"));
    target.join("failures")
}
