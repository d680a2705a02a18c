//! Saved failures of a check: where they are written, and how they are run again.

use std::path::{Path, PathBuf};

use crate::result::Outcome;
use crate::run::{Keep, run_seed_of};
use crate::scenario::Scenario;
use crate::subject::Subject;

use super::Failing;

/// The variable that names a saved failure.
const VARIABLE: &str = "BEAVER_REPLAY";

/// The failure that is to be run again and nothing else.
pub(super) fn wanted() -> Option<PathBuf> {
    std::env::var_os(VARIABLE).map(PathBuf::from)
}

/// Runs a saved failure of this store again; those of others are left alone.
pub(super) fn replay(subject: &Subject, file: &Path) {
    let text = std::fs::read_to_string(file);
    let text = text.unwrap_or_else(|error| panic!("{VARIABLE}={}: {error}", file.display()));
    let scenario: Scenario = serde_json::from_str(&text)
        .unwrap_or_else(|error| panic!("{VARIABLE}={}: {error}", file.display()));
    if scenario.name != subject.name() || scenario.script.is_none() {
        return;
    }
    let run = run_seed_of(subject, &scenario, 0, Keep::default());
    if run.outcome != Outcome::Held {
        panic!("{}", Failing::of(subject, scenario, run));
    }
}

/// Writes a failure down and says how to run it again.
pub(super) fn save(failure: &Scenario) -> String {
    let directory = directory();
    let plain = |letter: char| match letter {
        'a'..='z' | 'A'..='Z' | '0'..='9' | '-' => letter,
        _ => '_',
    };
    let name: String = failure.name.chars().map(plain).take(100).collect();
    let path = directory.join(format!("{name}-{}.json", failure.seeds.start));
    let json = serde_json::to_string_pretty(failure).map_err(std::io::Error::other);
    let saved = std::fs::create_dir_all(&directory)
        .and(json)
        .and_then(|json| std::fs::write(&path, json));
    if let Err(error) = saved {
        return format!("It could not be saved as {}: {error}\n", path.display());
    }
    let thread = std::thread::current();
    let test = thread.name().filter(|name| *name != "main");
    format!(
        "To see it again: {VARIABLE}={} cargo test {}\n",
        path.display(),
        test.unwrap_or_default()
    )
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
