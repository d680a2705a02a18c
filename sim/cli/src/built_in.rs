//! The scenarios of the project, inside the program: an installed `beaver` runs them where there is no directory of scenarios.

use std::path::{Path, PathBuf};

/// The directory that they stand for when it is not there.
pub(crate) const DIRECTORY: &str = "scenarios";

/// Declares the files once: their names, in order, and with each its text.
macro_rules! files {
    ($($name:literal)*) => {
        const FILES: &[(&str, &str)] = &[
            $(($name, include_str!(concat!("../scenarios/", $name))),)*
        ];
    };
}

files! {
    "a-batch-at-its-limit-is-synced-unasked.json"
    "a-crash-while-a-failure-is-undone.json"
    "a-failed-checkpoint-leaves-a-usable-log.json"
    "a-failed-sync-poisons.json"
    "a-failed-write-is-undone.json"
    "a-full-disk-loses-nothing.json"
    "a-log-alone-opens-whatever-an-earlier-process-left.json"
    "a-lying-disk-never-yields-wrong-data-in-silence.json"
    "a-read-only-file-system-exposes-nothing.json"
    "a-torn-tail-is-cut-and-never-glued-to.json"
    "a-transient-read-error-is-not-the-end-of-the-log.json"
    "acknowledged-events-survive-a-power-cut.json"
    "crash-at-every-step-of-checkpoint.json"
    "crash-at-every-step-of-rotate.json"
    "crash-inside-recovery-twice.json"
    "files-and-memory-stay-bounded.json"
    "job-rules-hold-under-timeouts-retries-and-dead-letters.json"
    "lenient-replay-skips-only-what-is-damaged.json"
    "long-lines-and-long-free-space-are-read-in-pieces.json"
    "mark-clean-unwritten.json"
    "one-owner-and-foreign-files.json"
    "preallocated-space-is-never-taken-for-events.json"
    "replay-is-idempotent.json"
    "reports-and-clocks-end-no-other-attempt.json"
    "rot-is-reported-and-never-replayed.json"
    "several-old-snapshots-are-kept.json"
    "short-and-interrupted-io-is-carried-on.json"
    "swarm.json"
    "the-worst-case-without-device-faults.json"
    "what-is-not-synced-is-lost-from-its-end-only.json"
    "what-recovery-showed-survives-kill-then-power-cut.json"
    "must-reach.txt"
    "cluster/elections.json"
    "cluster/five-nodes.json"
    "cluster/members-come-and-go.json"
    "cluster/old-messages.json"
    "cluster/snapshots.json"
    "cluster/stale-readers.json"
    "cluster/three-nodes.json"
    "cluster/wiped-machines.json"
}

/// Whether there is no directory of scenarios here, so that these are in its place.
pub(crate) fn are_used() -> bool {
    !Path::new(DIRECTORY).exists()
}

/// Where those would lie that stand for `directory`, sorted by name; none where there is a directory of scenarios.
pub(crate) fn scenarios(directory: &Path) -> Vec<PathBuf> {
    if !are_used() {
        return Vec::new();
    }
    let names = FILES.iter().map(|(name, _)| *name);
    let scenarios = names.filter(|name| name.ends_with(".json"));
    scenarios
        .map(|name| Path::new(DIRECTORY).join(name))
        .filter(|path| path.parent() == Some(directory))
        .collect()
}

/// The text of the file that would lie at `path`; nothing where there is a directory of scenarios.
pub(crate) fn text(path: &Path) -> Option<&'static str> {
    let name = path.strip_prefix(DIRECTORY).ok()?.to_str()?;
    let (_, text) = FILES.iter().find(|(known, _)| *known == name)?;
    are_used().then_some(*text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_scenario_of_the_project_is_built_in() {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scenarios");
        let names_in = |below: &str| -> Vec<String> {
            let entries = std::fs::read_dir(directory.join(below)).unwrap();
            let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
            let files = names.filter(|name| name.contains('.'));
            files.map(|name| format!("{below}{name}")).collect()
        };
        let mut names = names_in("");
        names.extend(names_in("cluster/"));
        names.sort();
        let mut built_in: Vec<&str> = FILES.iter().map(|(name, _)| *name).collect();
        built_in.sort_unstable();
        assert_eq!(names, built_in);
    }
}
