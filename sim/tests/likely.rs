//! What an explanation calls likely, of stores that each leave out one thing: it names that thing.

use std::io::ErrorKind;
use std::sync::Arc;

use beaver::storage::{Access, Storage, StorageFile, read_all, write_all};
use beaver_sim::explain::{Explanation, MissingStep, explain};
use beaver_sim::result::Outcome;
use beaver_sim::run::{Keep, run_seed, saved_failure};
use beaver_sim::scenario::Scenario;
use beaver_sim::subject::{Answer, AnySubject, Durability, Failure, Machine, Subject};

/// What a [`Cell`] leaves out, or believes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flaw {
    /// The directory is not synced after a removal.
    RemovalNotSynced,
    /// The file is not synced after its length was set.
    LengthNotSynced,
    /// The file is created under its name, and the name is durable before the bytes are.
    NamedBeforeSync,
    /// A rename that fails counts as done.
    RenameErrorIgnored,
    /// A removal that fails counts as done.
    RemoveErrorIgnored,
    /// A read that fails counts as an empty file.
    ReadErrorIgnored,
    /// A write that takes a part counts as one that took all.
    ShortWriteBelieved,
    /// A sync that fails counts as done.
    SyncErrorIgnored,
    /// What a process left that ended is in the way of a new file.
    LeftOver,
    /// The file is emptied and written again.
    WrittenInPlace,
    /// What a process left that ended is emptied to be the new file.
    LeftOverEmptied,
}

/// A number, which is how long a file is; no file is 0.
#[derive(Debug)]
struct Cell(Flaw);

struct OpenCell {
    storage: Arc<dyn Storage>,
    length: u64,
}

const NAME: &str = "cell";

impl Cell {
    /// A new file of this length, under a name of its own until it is whole.
    fn publish(&self, storage: &dyn Storage, length: u64) -> std::io::Result<()> {
        let bytes = vec![b'x'; usize::try_from(length).expect("lengths are short")];
        if !matches!(self.0, Flaw::LeftOver | Flaw::LeftOverEmptied) {
            let _ = storage.remove("new");
        }
        if self.0 == Flaw::WrittenInPlace
            && let Ok(file) = storage.open(NAME, Access::Write)
        {
            file.set_len(0)?;
            return self.fill(&*file, &bytes);
        }
        if self.0 == Flaw::NamedBeforeSync {
            let _ = storage.remove(NAME);
            let file = storage.create(NAME)?;
            write_all(&*file, &bytes, 0)?;
            storage.sync_dir()?;
            return file.sync_data();
        }
        let file = match storage.open("new", Access::Write) {
            Ok(file) if self.0 == Flaw::LeftOverEmptied => {
                file.set_len(0)?;
                file
            }
            _ => storage.create("new")?,
        };
        self.fill(&*file, &bytes)?;
        match storage.rename("new", NAME) {
            Err(_) if self.0 == Flaw::RenameErrorIgnored => {}
            renamed => renamed?,
        }
        storage.sync_dir()
    }

    fn fill(&self, file: &dyn StorageFile, bytes: &[u8]) -> std::io::Result<()> {
        match self.0 {
            Flaw::ShortWriteBelieved => {
                file.write_at(bytes, 0)?;
            }
            _ => write_all(file, bytes, 0)?,
        }
        match file.sync_data() {
            Err(_) if self.0 == Flaw::SyncErrorIgnored => Ok(()),
            synced => synced,
        }
    }

    fn cut(&self, storage: &dyn Storage, length: u64) -> std::io::Result<()> {
        let Ok(file) = storage.open(NAME, Access::Write) else {
            return self.publish(storage, length);
        };
        file.set_len(length)?;
        match self.0 {
            Flaw::LengthNotSynced => Ok(()),
            _ => file.sync_data(),
        }
    }

    fn remove(&self, storage: &dyn Storage) -> std::io::Result<()> {
        match storage.remove(NAME) {
            Err(_) if self.0 == Flaw::RemoveErrorIgnored => {}
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            removed => removed?,
        }
        match self.0 {
            Flaw::RemovalNotSynced => Ok(()),
            _ => storage.sync_dir(),
        }
    }
}

impl Subject for Cell {
    type Op = u64;
    type State = u64;
    type Store = OpenCell;

    fn apply(state: &mut u64, op: &u64) {
        *state = *op;
    }

    fn ops(&self, state: &u64) -> Vec<u64> {
        match state {
            6000 if self.0 == Flaw::WrittenInPlace => vec![7000],
            0 => vec![6000],
            6000..9000 if self.0 == Flaw::LeftOverEmptied => vec![state + 500],
            6000 => vec![1000, 0],
            _ => vec![0],
        }
    }

    fn open(&self, machine: &Machine) -> Result<OpenCell, Failure> {
        let storage = Arc::clone(&machine.storage);
        let read = match read_all(&*storage, NAME) {
            Err(_) if self.0 == Flaw::ReadErrorIgnored => None,
            read => read?,
        };
        if read.as_ref().is_some_and(Vec::is_empty) {
            return Err(std::io::Error::from(ErrorKind::InvalidData).into());
        }
        // What a killed process left in the cache is shown only once it is durable.
        if read.is_some() && self.0 != Flaw::LengthNotSynced {
            storage.open(NAME, Access::Write)?.sync_data()?;
        }
        if self.0 != Flaw::RemovalNotSynced {
            storage.sync_dir()?;
        }
        Ok(OpenCell {
            storage,
            length: read.map_or(0, |bytes| bytes.len() as u64),
        })
    }

    fn run(&self, cell: &mut OpenCell, op: &u64) -> Result<Answer, Failure> {
        match op {
            0 => self.remove(&*cell.storage)?,
            1000 => self.cut(&*cell.storage, *op)?,
            _ => self.publish(&*cell.storage, *op)?,
        }
        cell.length = *op;
        Ok(Durability::Durable.into())
    }

    fn state(&self, cell: &mut OpenCell) -> Result<u64, Failure> {
        Ok(cell.length)
    }
}

/// The flaw is named by this rule in failures that it causes, and no other rule is the first to speak.
#[track_caller]
fn check(flaw: Flaw, faults: &str, power_cuts: bool, rule: &str, words: &str) {
    let (commands, cuts) = match (flaw, power_cuts) {
        // Two power cuts in the right places are rare.
        (Flaw::LeftOverEmptied, _) => (40, 600),
        (_, true) => (8, 200),
        (_, false) => (8, 0),
    };
    let ends = if power_cuts {
        r#""power-cut": 1"#
    } else {
        r#""reopen": 1"#
    };
    let scenario = format!(
        r#"{{"claim": "c", "seeds": "0..300", "profile": "posix", "faults": [{faults}],
            "workload": {{"commands": {commands}, "weights": {{"op": 3, {ends}}}}},
            "crashes": {{"power_cut_in_command_per_mille": {cuts}, "images": 0}}}}"#
    );
    let scenario: Scenario = serde_json::from_str(&scenario).expect("it is a scenario");
    let subject = AnySubject::new(Cell(flaw));
    let runs = (0..300).map(|seed| run_seed(&subject, &scenario, seed, Keep::default()));
    let failed = runs.filter(|run| run.outcome != Outcome::Held).take(5);
    let failures: Vec<Scenario> = failed.map(|run| saved_failure(&scenario, &run)).collect();
    assert!(!failures.is_empty(), "{flaw:?} is not caught");
    let explained = failures
        .iter()
        .map(|failure| explain(&subject, failure, ""));
    let explained = explained.map(|explained| explained.expect("it fails").explanation);
    let explained: Vec<Explanation> = explained.collect();
    let first = |explanation: &Explanation| explanation.missing[0].clone();
    let is_right = |said: &MissingStep| said.rule == rule && said.text.contains(words);
    let said: Vec<MissingStep> = explained.iter().map(first).collect();
    let right = said.iter().filter(|said| is_right(said)).count();
    let mut others = said.iter().filter(|said| !is_right(said));
    // A file that is emptied by its other name is emptied in its place.
    let is_so_too =
        |said: &MissingStep| flaw == Flaw::LeftOverEmptied && said.rule == "cut-in-place";
    let silent = others.all(|said| GENERIC.contains(&said.rule) || is_so_too(said));
    let texts: Vec<String> = explained.iter().map(Explanation::to_string).collect();
    assert!(right > 0 && silent, "{flaw:?}: {}", texts.join("\n"));
}

/// What is said where no rule proves anything.
const GENERIC: [&str; 3] = ["nothing-lost", "lost", "failed-call"];

fn fault(kind: &str) -> String {
    format!(r#"{{"kind": "{kind}", "per_mille": 200}}"#)
}

#[test]
fn a_removed_name_that_came_back_is_named() {
    check(
        Flaw::RemovalNotSynced,
        "",
        true,
        "removed-name-back",
        "brought it back",
    );
}

#[test]
fn a_length_that_was_lost_is_named() {
    check(
        Flaw::LengthNotSynced,
        "",
        true,
        "set-len-lost",
        "took it back",
    );
}

#[test]
fn a_name_before_the_first_sync_is_named() {
    check(
        Flaw::NamedBeforeSync,
        "",
        true,
        "named-before-sync",
        "before its first sync",
    );
}

#[test]
fn a_failed_rename_that_is_swallowed_is_named() {
    let faults = fault("rename-error");
    let words = "the command answered all the same";
    check(
        Flaw::RenameErrorIgnored,
        &faults,
        false,
        "error-swallowed",
        words,
    );
}

#[test]
fn a_failed_removal_that_is_swallowed_is_named() {
    let faults = fault("remove-error");
    let words = "the command answered all the same";
    check(
        Flaw::RemoveErrorIgnored,
        &faults,
        false,
        "error-swallowed",
        words,
    );
}

#[test]
fn a_read_error_that_is_ignored_is_named() {
    let faults = fault("read-error");
    check(
        Flaw::ReadErrorIgnored,
        &faults,
        false,
        "read-error-ignored",
        "the store opened",
    );
}

#[test]
fn a_short_write_that_is_believed_is_named() {
    let faults = fault("short-write");
    check(
        Flaw::ShortWriteBelieved,
        &faults,
        false,
        "short-write",
        "took only",
    );
}

#[test]
fn a_file_that_was_left_over_is_named() {
    check(Flaw::LeftOver, "", true, "left-over", "`new` is left over");
}

#[test]
fn a_file_that_is_written_in_its_place_is_named() {
    let words = "`cell` was cut to 0 bytes";
    check(Flaw::WrittenInPlace, "", true, "cut-in-place", words);
}

#[test]
fn a_file_that_is_emptied_by_its_other_name_is_named() {
    let words = "`cell` and `new` are one file";
    check(Flaw::LeftOverEmptied, "", true, "two-names", words);
}

#[test]
fn a_sync_that_failed_is_named_as_one() {
    let faults = fault("sync-mark-clean-size-lost");
    check(
        Flaw::SyncErrorIgnored,
        &faults,
        true,
        "sync-failed",
        "failed",
    );
}
