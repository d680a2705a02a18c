//! Saved failures of a check: where they are written, and how they are run again.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::Failing;
use super::call_watch::{EXIT, within};
use super::say::say;
use crate::failure_folder::{REPLAY_VARIABLE as VARIABLE, SCENARIO, TRACE, quoted, save_found};
use crate::recorder::Fnv;
use crate::result::Outcome;
use crate::run::{Watched, watch};
use crate::scenario::{Scenario, Script};
use crate::subject::AnySubject;

/// The failure that is to be run again and nothing else.
pub(super) fn wanted() -> Option<PathBuf> {
    std::env::var_os(VARIABLE).map(PathBuf::from)
}

/// Runs a saved failure of this store again; those of others are left alone.
pub(super) fn replay(subject: &AnySubject, path: &Path, limit: Duration) {
    let file = match path.is_dir() {
        true => path.join(SCENARIO),
        false => path.to_owned(),
    };
    let text = std::fs::read_to_string(&file);
    let text = text.unwrap_or_else(|error| panic!("{VARIABLE}={}: {error}", file.display()));
    let scenario: Scenario = serde_json::from_str(&text)
        .unwrap_or_else(|error| panic!("{VARIABLE}={}: {error}", file.display()));
    if scenario.name != subject.name() {
        return say(&format!(
            "left alone, it is of `{}` and not of `{}`: {}",
            scenario.name,
            subject.name(),
            path.display()
        ));
    }
    let script = scenario.script.as_ref().unwrap_or_else(|| {
        panic!(
            "{VARIABLE}={}: it has no `script`, so it is no saved failure",
            file.display()
        )
    });
    let (again, of) = (subject.clone(), scenario.clone());
    let Some(watched) = within(limit, move || watch(&again, &of, 0)) else {
        say(&format!("hangs still: {}", path.display()));
        std::process::exit(EXIT);
    };
    if watched.result.outcome == Outcome::Held {
        if let Some(missed) = not_reached(script, &watched) {
            panic!(
                "{VARIABLE}={}: nothing is shown: {missed} was not reached, so the store makes other calls \
                 than when it failed; run the whole check",
                path.display()
            );
        }
        let other = other_calls(&path.join(TRACE), &watched);
        return say(&format!("holds now{other}: {}", path.display()));
    }
    let mut failing = Failing::of(subject, scenario, watched.result);
    failing.replayed_by(command(path));
    panic!("{failing}");
}

/// What of the script did not happen: the first of its faults and crashes.
fn not_reached(script: &Script, watched: &Watched) -> Option<String> {
    let happened = watched.result.script.as_ref()?;
    let fault = script.faults.iter().find(|planned| {
        let mut happened = happened.faults.iter();
        !happened.any(|fault| (fault.step, fault.call) == (planned.step, planned.call))
    });
    let fault = fault.map(|fault| (fault.kind.name().to_owned(), fault.step, fault.call));
    let crash = script.crashes.iter().find(|planned| {
        let mut happened = happened.crashes.iter();
        !happened.any(|crash| (crash.step, crash.at) == (planned.step, planned.at))
    });
    let crash = crash.map(|crash| ("the crash".to_owned(), crash.step, crash.at.call));
    let (what, step, call) = fault.or(crash)?;
    let step = step.map_or_else(String::new, |step| format!(" of step {step}"));
    Some(format!("{what} at call {call}{step}"))
}

/// Whether the store makes other calls than when it failed, so that the crash may fall elsewhere.
fn other_calls(trace: &Path, watched: &Watched) -> String {
    let saved = std::fs::read_to_string(trace).unwrap_or_default();
    let mut now = watched.log.iter().map(|event| event.event.json());
    let first = saved
        .lines()
        .position(|line| now.next().as_deref() != Some(line));
    match first {
        Some(first) if first + 1 < saved.lines().count() => format!(
            ", with other calls from line {} of its {TRACE} on: the crash may fall elsewhere, so run the \
             whole check too",
            first + 1
        ),
        _ => String::new(),
    }
}

/// Writes a failure down as a folder, and those of other kinds too; each then says how it is run again.
pub(super) fn save(subject: &AnySubject, mut failing: Failing) -> Failing {
    for other in &mut failing.others {
        save_one(subject, other);
    }
    save_one(subject, &mut failing);
    failing
}

/// Writes a failure down, and answers with the folder if that worked.
pub(super) fn save_one(subject: &AnySubject, failing: &mut Failing) -> Option<PathBuf> {
    let path = directory().join(folder_name(&subject.name(), failing));
    let otherwise = failing.replay.clone();
    failing.replayed_by(command(&path));
    let explained = failing.explained.as_deref();
    let replay = &failing.replay;
    match save_found(&path, &failing.scenario, &failing.run, explained, replay) {
        Ok(()) => Some(path),
        Err(error) => {
            failing.replayed_by(format!("not saved: {error}; {otherwise}"));
            None
        }
    }
}

/// How many letters of its history a folder is called by.
const SLUG: usize = 48;

/// The name of the folder of a failure: the store, the beginning of the history, and a hash over all of
/// it. So the same failure has the same folder, and no two share one.
fn folder_name(store: &str, failing: &Failing) -> String {
    let mut hash = Fnv::default();
    let history = serde_json::to_vec(&failing.written_history());
    hash.update(&history.expect("a scenario can be written as JSON"));
    let history = slug(&failing.history.join(" "));
    format!("{}-{history}-{:08x}", slug(store), hash.0 >> 32)
}

/// The beginning of a text, as a part of a file name.
fn slug(text: &str) -> String {
    let plain = |letter: char| match letter.is_ascii_alphanumeric() {
        true => letter.to_ascii_lowercase(),
        false => ' ',
    };
    let text: String = text.chars().map(plain).collect();
    let words = text.split_whitespace().scan(0, |letters, word| {
        *letters += word.len() + 1;
        (*letters <= SLUG).then_some(word)
    });
    words.collect::<Vec<_>>().join("-")
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
