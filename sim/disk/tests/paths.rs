//! What a program has that works with paths and descriptors: a tree, writes at the end of a file, and
//! locks of files.

#![expect(clippy::unwrap_used, reason = "a test stops at its first surprise")]

use std::io::ErrorKind;
use std::sync::Arc;

use beaver_disk::{
    CallEffect, CrashPoint, Disk, Fault, FaultPlan, FileKind, Moment, Profile, SimDisk, SimOptions,
    TraceMode, is_crash,
};
use beaver_storage::{Access, Stat, Storage, StorageFile, Tree};

fn disk() -> (SimDisk, Arc<dyn Tree>) {
    let options = SimOptions {
        trace: TraceMode::Records,
        ..SimOptions::default()
    };
    let disk = SimDisk::new(Disk::empty(Profile::Posix), options);
    let tree = disk.storage().tree().unwrap();
    (disk, tree)
}

fn kind<T>(done: std::io::Result<T>) -> ErrorKind {
    done.map(drop).unwrap_err().kind()
}

#[test]
fn a_tree_is_reached_by_paths() {
    let (disk, tree) = disk();
    tree.create_dir("d").unwrap();
    tree.create_dir("d/e").unwrap();
    let file = tree.create("d/e/LOCK").unwrap();
    file.write_at(b"text", 0).unwrap();
    tree.symlink("e/LOCK", "d/l").unwrap();
    tree.link("d/e/LOCK", "h").unwrap();
    assert_eq!(disk.live().read("h").unwrap(), b"text");
    let directory = |name: &str| (name.to_owned(), FileKind::Directory);
    let link = |name: &str| (name.to_owned(), FileKind::Symlink);
    assert_eq!(tree.entries("d").unwrap(), [directory("e"), link("l")]);
    let stat = |kind, len| Stat { kind, len };
    assert_eq!(tree.stat("d/e/LOCK").unwrap(), stat(FileKind::File, 4));
    assert_eq!(tree.stat("d/l").unwrap(), stat(FileKind::Symlink, 6));
    assert_eq!(tree.stat("").unwrap(), stat(FileKind::Directory, 0));
    assert_eq!(tree.read_link("d/l").unwrap(), "e/LOCK");
    assert_eq!(kind(tree.read_link("h")), ErrorKind::InvalidInput);
    tree.rename("d/e", "e").unwrap();
    tree.remove("e/LOCK").unwrap();
    tree.remove_dir("e").unwrap();
    assert_eq!(kind(tree.find("e")), ErrorKind::NotFound);
    assert_eq!(kind(tree.find("h/x")), ErrorKind::NotADirectory);
    assert_eq!(kind(tree.create("x/f")), ErrorKind::NotFound);
    assert_eq!(kind(tree.open("d", Access::Read)), ErrorKind::IsADirectory);
    assert_eq!(kind(tree.open_dir("h")), ErrorKind::NotADirectory);
    let below = disk.root().directory("d").unwrap().tree().unwrap();
    assert_eq!(below.find("l").unwrap(), FileKind::Symlink);
}

#[test]
fn the_way_to_a_name_is_no_call_and_what_is_asked_of_it_is_one() {
    let (disk, tree) = disk();
    tree.create_dir("d").unwrap();
    tree.symlink("f", "d/l").unwrap();
    let calls = disk.calls();
    tree.find("d/l").unwrap();
    tree.read_link("d/l").unwrap();
    assert_eq!(disk.calls(), calls);
    tree.stat("d").unwrap();
    tree.open_dir("d").unwrap();
    tree.open_dir("").unwrap();
    let trace = disk.trace().into_iter().skip(2);
    let trace: Vec<String> = trace.map(|record| record.to_string()).collect();
    assert_eq!(trace.len(), 3);
    assert!(trace[0].ends_with("len d = 0"), "{trace:?}");
    assert!(trace[1].ends_with("open d = ok"), "{trace:?}");
    assert!(trace[2].ends_with("open . = ok"), "{trace:?}");
}

#[test]
fn an_open_directory_is_the_same_one_after_a_rename() {
    let (disk, tree) = disk();
    tree.create_dir("d").unwrap();
    disk.storage().sync_dir().unwrap();
    let directory = tree.open_dir("d").unwrap();
    tree.create("d/f").unwrap();
    tree.rename("d", "e").unwrap();
    directory.sync_dir().unwrap();
    let space = disk.crash_between_calls().images();
    let images = space.enumerate(10).unwrap();
    let paths = images.map(|found| found.image.entries().into_keys().collect::<Vec<_>>());
    assert_eq!(paths.collect::<Vec<_>>(), [["d", "d/f"], ["e", "e/f"]]);
}

#[test]
fn a_tree_is_dead_after_a_crash_even_where_it_asks_nothing() {
    let (disk, tree) = disk();
    tree.create("f").unwrap();
    disk.crash_at(Some(CrashPoint {
        call: 2,
        moment: Moment::Before,
    }));
    assert!(is_crash(&tree.stat("f").unwrap_err()));
    assert!(is_crash(&tree.find("f").unwrap_err()));
    assert!(is_crash(&tree.create("no/way").unwrap_err()));
}

#[test]
fn what_is_appended_goes_to_the_end_wherever_that_is() {
    let (disk, tree) = disk();
    let one = tree.create("f").unwrap();
    let other = tree.open("f", Access::Write).unwrap();
    assert_eq!(one.append(b"one").unwrap(), (0, 3));
    assert_eq!(other.append(b"other").unwrap(), (3, 5));
    one.set_len(1).unwrap();
    disk.set_plan(FaultPlan {
        calls: [(disk.calls() + 1, Fault::ShortWrite { bytes: 2 })].into(),
        ..FaultPlan::default()
    });
    assert_eq!(one.append(b"end").unwrap(), (1, 2));
    assert_eq!(disk.live().read("f").unwrap(), b"oen");
    let reader = tree.open("f", Access::Read).unwrap();
    assert_eq!(kind(reader.append(b"x")), ErrorKind::PermissionDenied);
    disk.kill(CallEffect::Nothing);
    assert!(is_crash(&one.append(b"late").unwrap_err()));
}

#[test]
fn a_lock_of_a_file_belongs_to_its_handle() {
    let (disk, tree) = disk();
    let open = || tree.open("f", Access::Read).unwrap();
    let one = tree.create("f").unwrap();
    let other = open();
    one.lock(false).unwrap();
    one.lock(false).unwrap();
    assert_eq!(kind(other.lock(true)), ErrorKind::WouldBlock);
    tree.create("g").unwrap().lock(false).unwrap();
    one.lock(true).unwrap();
    other.lock(true).unwrap();
    assert_eq!(kind(open().lock(false)), ErrorKind::WouldBlock);
    one.unlock().unwrap();
    other.lock(false).unwrap();
    drop(other);
    one.lock(false).unwrap();
    disk.kill(CallEffect::Nothing);
    let next = disk.storage().open("f", Access::Read).unwrap();
    next.lock(false).unwrap();
    assert!(is_crash(&one.unlock().unwrap_err()));
    assert!(is_crash(&one.lock(false).unwrap_err()));
    drop(one);
    let last = disk.storage().open("f", Access::Read).unwrap();
    assert_eq!(kind(last.lock(true)), ErrorKind::WouldBlock);
}

#[test]
fn another_process_that_owns_the_directory_holds_the_locks_of_its_files() {
    let (disk, tree) = disk();
    let file: Box<dyn StorageFile> = tree.create("f").unwrap();
    assert!(disk.hold_lock());
    assert_eq!(kind(file.lock(false)), ErrorKind::WouldBlock);
    disk.release_lock();
    file.lock(false).unwrap();
}
