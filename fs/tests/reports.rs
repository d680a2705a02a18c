//! What the report of a failure says of stores in directories: where a file is after the crash, and which step is missing.

#![expect(clippy::unwrap_used, reason = "a test stops at its first surprise")]

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use beaver_fs as fs;
use beaver_fs::Mounted;
use beaver_sim::check::{Check, find};
use beaver_sim::subject::{Answer, AnySubject, Durability, Failure, Machine, Subject};

/// What a [`Number`] leaves out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flaw {
    /// `gen-1/data` is written in its place and not synced.
    NotSynced,
    /// The old segment is removed before the directory of the new one is synced.
    RemovedEarly,
    /// The same, where the new one is not renamed but created.
    RemovedEarlyAfterCreate,
    /// The new segment goes into another directory than the old one.
    RemovedEarlyElsewhere,
    /// `l1` is not synced after `l1/l2` was created in it.
    ParentNotSynced,
    /// A checkpoint copies what leads to the data, and does not sync the copy.
    CopyNotSynced,
    /// A file is written after its rename, and not synced.
    WrittenAfterRename,
    /// Each process looks for another file.
    Chance,
}

const FLAWS: [Flaw; 7] = [
    Flaw::NotSynced,
    Flaw::RemovedEarly,
    Flaw::RemovedEarlyAfterCreate,
    Flaw::RemovedEarlyElsewhere,
    Flaw::ParentNotSynced,
    Flaw::CopyNotSynced,
    Flaw::WrittenAfterRename,
];

/// A number, which its files say in as many letters.
#[derive(Debug)]
struct Number(Flaw);

fn sync(path: &Path) -> io::Result<()> {
    fs::File::open(path)?.sync_all()
}

fn write_new(path: &Path, number: u64) -> io::Result<()> {
    let mut file = fs::File::create(path)?;
    file.write_all(&letters(number))?;
    file.sync_all()
}

fn letters(number: u64) -> Vec<u8> {
    vec![b'x'; usize::try_from(number).unwrap()]
}

fn make_directory(path: &Path) -> io::Result<()> {
    fs::create_dir_all(path)?;
    sync(path.parent().unwrap())
}

/// The longest file of a directory that is not a temporary one.
fn longest(directory: &Path) -> io::Result<u64> {
    let mut longest = 0;
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "tmp") {
            fs::remove_file(&path)?;
        } else {
            sync(&path)?;
            longest = longest.max(fs::metadata(&path)?.len());
        }
    }
    sync(directory)?;
    Ok(longest)
}

static PROCESSES: AtomicUsize = AtomicUsize::new(0);

impl Flaw {
    fn open(self, home: &Path) -> io::Result<u64> {
        match self {
            Flaw::Chance => {
                let process = PROCESSES.fetch_add(1, Ordering::Relaxed);
                fs::remove_file(home.join(process.to_string())).unwrap_err();
                write_new(&home.join("data"), 0)?;
                Ok(0)
            }
            Flaw::NotSynced => {
                make_directory(&home.join("gen-1"))?;
                let path = home.join("gen-1/data");
                if !fs::exists(&path)? {
                    fs::File::create(&path)?;
                }
                longest(&home.join("gen-1"))
            }
            Flaw::WrittenAfterRename
            | Flaw::RemovedEarly
            | Flaw::RemovedEarlyAfterCreate
            | Flaw::RemovedEarlyElsewhere => {
                make_directory(&home.join("seg"))?;
                make_directory(&home.join("odd"))?;
                Ok(longest(&home.join("seg"))?.max(longest(&home.join("odd"))?))
            }
            Flaw::ParentNotSynced => {
                fs::create_dir_all(home.join("l1/l2/l3"))?;
                sync(home)?;
                sync(&home.join("l1/l2"))?;
                longest(&home.join("l1/l2/l3"))
            }
            Flaw::CopyNotSynced => match fs::read_to_string(home.join("CURRENT")) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    write_new(&home.join("1.log"), 0)?;
                    write_new(&home.join("CURRENT.tmp"), 1)?;
                    sync(home)?;
                    fs::rename(home.join("CURRENT.tmp"), home.join("CURRENT"))?;
                    sync(home)?;
                    Ok(0)
                }
                current => {
                    let number = current?.len();
                    let path = home.join(format!("{number}.log"));
                    sync(&path)?;
                    sync(home)?;
                    Ok(fs::metadata(&path)?.len())
                }
            },
        }
    }

    fn set(self, home: &Path, number: u64) -> io::Result<()> {
        match self {
            Flaw::Chance => Ok(()),
            Flaw::NotSynced => fs::write(home.join("gen-1/data"), letters(number)),
            Flaw::RemovedEarly | Flaw::RemovedEarlyAfterCreate | Flaw::RemovedEarlyElsewhere => {
                let directory = |number: u64| match self {
                    Flaw::RemovedEarlyElsewhere if number % 2 == 1 => home.join("odd"),
                    _ => home.join("seg"),
                };
                let segment = |number| directory(number).join(format!("{number:08}.seg"));
                let begun = match self {
                    Flaw::RemovedEarlyAfterCreate => segment(number),
                    _ => directory(number).join("new.tmp"),
                };
                write_new(&begun, number)?;
                if begun != segment(number) {
                    fs::rename(&begun, segment(number))?;
                }
                if fs::exists(segment(number - 1))? {
                    fs::remove_file(segment(number - 1))?;
                }
                sync(&directory(number - 1))?;
                sync(&directory(number))
            }
            Flaw::WrittenAfterRename => {
                let mut file = fs::File::create(home.join("seg/new.tmp"))?;
                fs::rename(home.join("seg/new.tmp"), home.join("seg/data"))?;
                sync(&home.join("seg"))?;
                file.write_all(&letters(number))
            }
            Flaw::ParentNotSynced => {
                write_new(&home.join("l1/l2/l3/data"), number)?;
                sync(&home.join("l1/l2/l3"))
            }
            Flaw::CopyNotSynced => {
                let current = fs::read_to_string(home.join("CURRENT"))?.len();
                let path = home.join(format!("{current}.log"));
                let mut file = fs::OpenOptions::new().append(true).open(path)?;
                file.write_all(b"x")?;
                file.sync_all()
            }
        }
    }

    fn checkpoint(self, home: &Path) -> io::Result<()> {
        if self != Flaw::CopyNotSynced {
            return Ok(());
        }
        let current = fs::read_to_string(home.join("CURRENT"))?.len();
        let length = fs::metadata(home.join(format!("{current}.log")))?.len();
        write_new(&home.join(format!("{}.log", current + 1)), length)?;
        write_new(&home.join("CURRENT.tmp"), current as u64 + 1)?;
        sync(home)?;
        fs::copy(home.join("CURRENT.tmp"), home.join("CURRENT"))?;
        fs::remove_file(home.join("CURRENT.tmp"))?;
        sync(home)
    }
}

impl Subject for Number {
    type Op = String;
    type State = u64;
    type Store = (u64, PathBuf, Mounted);

    fn apply(state: &mut u64, _: &String) {
        *state += 1;
    }
    fn ops(&self, _: &u64) -> Vec<String> {
        vec!["x".repeat(700)]
    }
    fn open(&self, machine: &Machine) -> Result<Self::Store, Failure> {
        let disk = beaver_fs::mount_numbered("number", machine.storage.clone())?;
        let home = disk.path().to_owned();
        Ok((self.0.open(&home)?, home, disk))
    }
    fn run(&self, (number, home, _): &mut Self::Store, _: &String) -> Result<Answer, Failure> {
        self.0.set(home, *number + 1)?;
        *number += 1;
        Ok(Durability::Durable.into())
    }
    fn state(&self, (number, ..): &mut Self::Store) -> Result<u64, Failure> {
        Ok(*number)
    }
    fn checkpoint(&self, (_, home, _): &mut Self::Store) -> Result<(), Failure> {
        Ok(self.0.checkpoint(home)?)
    }
}

fn report(flaw: Flaw) -> String {
    let subject = AnySubject::new(Number(flaw));
    let failing = find(&subject, &Check::default().explore(2).depth(1)).unwrap_err();
    failing.to_string()
}

#[track_caller]
fn says(flaw: Flaw, words: &[&str]) {
    let report = report(flaw);
    let likely = report
        .lines()
        .find(|line| line.contains("  likely "))
        .unwrap();
    let all = words.iter().all(|words| likely.contains(words));
    let short = !likely.contains(&"x".repeat(20));
    assert!(all && short, "{flaw:?}: {words:?}\n{report}");
}

#[test]
fn a_file_in_a_directory_that_kept_its_name_is_shown_as_the_crash_left_it() {
    let report = report(Flaw::NotSynced);
    let is_wrong = report.contains("no name leads to it") || report.contains("GONE");
    assert!(!is_wrong, "{report}");
    assert!(
        report.contains("gen-1/data: 1 bytes live, 0 durable, 0 after\n"),
        "{report}"
    );
}

#[test]
fn no_bytes_that_were_acknowledged_are_said_to_be_kept_where_some_were_lost() {
    let said = "no bytes that were acknowledged were lost";
    for flaw in FLAWS {
        let report = report(flaw);
        let lost = report.contains("removed with") || report.contains("LOST");
        assert!(!lost || !report.contains(said), "{report}");
    }
}

#[test]
fn a_removal_before_the_sync_of_the_new_name_is_named() {
    says(
        Flaw::RemovedEarly,
        &[
            "sync the directory `seg` after call",
            "(rename)",
            "before call",
            "(remove)",
        ],
    );
    says(
        Flaw::RemovedEarlyAfterCreate,
        &[
            "sync the directory `seg` after call",
            "(create)",
            "before call",
            "(remove)",
        ],
    );
    says(
        Flaw::RemovedEarlyElsewhere,
        &["sync the directory", "(rename)", "before call", "(remove)"],
    );
}

#[test]
fn a_directory_whose_parent_was_not_synced_is_named() {
    says(
        Flaw::ParentNotSynced,
        &["`l1/l2` was created", "the directory `l1` was never synced"],
    );
}

#[test]
fn a_copy_that_was_not_synced_is_named() {
    says(Flaw::CopyNotSynced, &["`CURRENT`", "never synced"]);
}

#[test]
fn a_call_on_a_file_that_was_renamed_has_the_new_path() {
    let report = report(Flaw::WrittenAfterRename);
    assert!(report.contains(" write_at seg/data "), "{report}");
    assert!(!report.contains(" write_at seg/new.tmp "), "{report}");
}

#[test]
fn what_differs_between_two_runs_is_said_in_lines() {
    let report = report(Flaw::Chance);
    assert!(report.contains("determinism"), "{report}");
    assert!(!report.contains("\\n"), "{report}");
    assert!(
        report.contains("\n            The store, or its `Subject`"),
        "{report}"
    );
}
