//! Trees of directories as programs use them: several views on one disk, and what calls and faults
//! do there. What a power cut leaves of a tree is checked by vectors and by a reference.

#![expect(clippy::unwrap_used, reason = "a test stops at its first surprise")]

use std::io::ErrorKind;
use std::sync::{Arc, Mutex};

use beaver_disk::{
    CallEffect, CrashPoint, Disk, DiskEvent, FailureKind, Fault, FaultPlan, FaultSource, FileKind,
    Injection, InodeId, Moment, Noticed, Op, Profile, SimDirectory, SimDisk, SimOptions, Space,
    StorageCall, Subset, TraceMode,
};
use beaver_storage::{Access, Storage};

fn disk(profile: Profile) -> SimDisk {
    let options = SimOptions {
        trace: TraceMode::Records,
        ..SimOptions::default()
    };
    SimDisk::new(Disk::empty(profile), options)
}

/// A disk with two durable directories, `a` and `b`, and a durable file `a/f`.
fn two_directories(profile: Profile) -> (SimDisk, SimDirectory, SimDirectory) {
    let disk = disk(profile);
    let root = disk.root();
    let (a, b) = (root.create_dir("a").unwrap(), root.create_dir("b").unwrap());
    root.sync_dir().unwrap();
    let file = a.create_file("f").unwrap();
    file.write_at(b"f", 0).unwrap();
    file.sync_data().unwrap();
    a.sync_dir().unwrap();
    (disk, a, b)
}

/// A call that has to do with two directories.
type CallInTwo = fn(&SimDirectory, &SimDirectory) -> std::io::Result<()>;

/// Every image that a power cut now may leave, as its paths.
fn images(disk: &SimDisk) -> Vec<Vec<String>> {
    let space = disk.crash_between_calls().images();
    let images = space.enumerate(1000).unwrap();
    let paths = images.map(|found| found.image.entries().into_keys().collect());
    paths.collect()
}

#[test]
fn views_of_two_directories_share_a_disk_and_see_their_own_files_alone() {
    let (disk, a, b) = two_directories(Profile::Posix);
    b.create("g").unwrap();
    assert_eq!(a.list().unwrap(), ["f"]);
    assert_eq!(b.list().unwrap(), ["g"]);
    assert_eq!(disk.storage().list().unwrap(), [""; 0]);
    let entries = disk.root().entries().unwrap();
    let directory = |name: &str| (name.to_owned(), FileKind::Directory);
    assert_eq!(entries, [directory("a"), directory("b")]);
    assert_eq!(disk.live().read("a/f").unwrap(), b"f");
    assert_eq!(disk.live().kind("b"), Some(FileKind::Directory));
}

#[test]
fn a_sync_of_one_directory_says_nothing_of_another() {
    let (disk, a, b) = two_directories(Profile::Posix);
    a.create("new").unwrap();
    b.create("new").unwrap();
    a.sync_dir().unwrap();
    let left = images(&disk);
    assert_eq!(
        left,
        [
            vec!["a", "a/f", "a/new", "b"],
            vec!["a", "a/f", "a/new", "b", "b/new"]
        ]
    );
}

#[test]
fn each_directory_has_a_lock_of_its_own() {
    let (disk, a, b) = two_directories(Profile::Posix);
    let first = a.lock().unwrap();
    assert_eq!(a.lock().unwrap_err().kind(), ErrorKind::WouldBlock);
    let _second = b.lock().unwrap();
    drop(first);
    drop(a.lock().unwrap());
    assert!(disk.hold_lock(), "that of the root is another one");
}

#[test]
fn names_that_a_storage_keeps_to_itself_are_files_of_a_tree() {
    let root = disk(Profile::Posix).root();
    assert_eq!(
        root.create("LOCK").unwrap_err().kind(),
        ErrorKind::InvalidInput
    );
    root.create_file("LOCK").unwrap();
    root.create_file("a\\b").unwrap();
    assert_eq!(root.list().unwrap(), ["a\\b"]);
    assert_eq!(root.entries().unwrap().len(), 2);
    root.open_file("LOCK", Access::Read).unwrap();
    root.remove_file("LOCK").unwrap();
    for name in ["", ".", "..", "a/b", "a\0"] {
        let refused = root.create_file(name).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::InvalidInput, "{name:?}");
    }
}

#[test]
fn calls_on_directories_fail_as_those_of_the_system_do() {
    let (disk, a, b) = two_directories(Profile::Posix);
    let root = disk.root();
    let kind = |done: std::io::Result<()>| done.unwrap_err().kind();
    assert_eq!(kind(root.remove_dir("a")), ErrorKind::DirectoryNotEmpty);
    assert_eq!(kind(root.remove_file("b")), ErrorKind::IsADirectory);
    assert_eq!(kind(a.remove_dir("f")), ErrorKind::NotADirectory);
    assert_eq!(
        kind(root.create_dir("a").map(drop)),
        ErrorKind::AlreadyExists
    );
    assert_eq!(kind(root.directory("c").map(drop)), ErrorKind::NotFound);
    assert_eq!(kind(a.directory("f").map(drop)), ErrorKind::NotADirectory);
    assert_eq!(
        kind(root.open_file("a", Access::Read).map(drop)),
        ErrorKind::IsADirectory
    );
    assert_eq!(
        kind(root.rename_to("a", &a, "in-itself")),
        ErrorKind::InvalidInput
    );
    assert_eq!(
        kind(root.rename_to("b", &root, "a")),
        ErrorKind::DirectoryNotEmpty
    );
    assert_eq!(kind(a.rename_to("f", &root, "b")), ErrorKind::IsADirectory);
    assert_eq!(kind(root.rename_to("b", &a, "f")), ErrorKind::NotADirectory);
    assert_eq!(kind(root.link("a", &b, "a")), ErrorKind::PermissionDenied);
    assert_eq!(kind(a.link("f", &a, "f")), ErrorKind::AlreadyExists);
    assert_eq!(kind(root.link("a", &a, "f")), ErrorKind::AlreadyExists);
    assert_eq!(
        kind(a.rename_to("f", &root, "a")),
        ErrorKind::DirectoryNotEmpty,
        "a file over the directory that it is in"
    );
    assert_eq!(kind(root.symlink("", "l")), ErrorKind::NotFound);
    root.symlink("a/f", "l").unwrap();
    assert_eq!(
        kind(root.open_file("l", Access::Read).map(drop)),
        ErrorKind::InvalidInput
    );
    assert_eq!(disk.live().read("l").unwrap(), b"a/f");
    root.remove_dir("b").unwrap();
    assert_eq!(kind(b.create("f").map(drop)), ErrorKind::NotFound);
}

#[test]
fn a_handle_stays_with_its_file_through_links_and_renames() {
    let (disk, a, b) = two_directories(Profile::Posix);
    let file = a.open_file("f", Access::Write).unwrap();
    a.link("f", &b, "g").unwrap();
    a.remove_file("f").unwrap();
    b.rename_to("g", &disk.root(), "h").unwrap();
    file.write_at(b"more", 1).unwrap();
    assert_eq!(disk.live().read("h").unwrap(), b"fmore");
    assert_eq!(disk.disk().used(), 5);
    disk.root().remove_file("h").unwrap();
    assert_eq!(disk.disk().used(), 0);
}

#[test]
fn traces_and_faults_name_files_by_their_paths() {
    let (disk, a, b) = two_directories(Profile::Posix);
    drop(disk.take_trace());
    a.rename_to("f", &b, "g").unwrap();
    b.sync_dir().unwrap();
    b.directory("missing").unwrap_err();
    let calls: Vec<String> = disk.trace().iter().map(ToString::to_string).collect();
    assert_eq!(
        calls,
        ["     8 rename a/f b/g = ok", "     9 sync_dir b = ok"]
    );
    assert!(disk.happen(&DiskEvent::Truncate {
        file: "b/g".into(),
        len: 0
    }));
    assert!(disk.happen(&DiskEvent::Stray {
        file: "a/stray".into(),
        bytes: b"x".to_vec()
    }));
    assert_eq!(a.list().unwrap(), ["stray"]);
}

/// Writes down the name that each call's file has.
#[derive(Debug, Default)]
struct NamesOfCalls(Vec<String>);

impl FaultSource for NamesOfCalls {
    fn before(&mut self, call: &StorageCall<'_>, _: &mut Injection<'_>) {
        self.0.push(call.file.to_owned());
    }
}

#[test]
fn a_file_goes_by_its_new_path_after_its_directory_was_renamed() {
    let (disk, a, b) = two_directories(Profile::Posix);
    let file = a.open_file("f", Access::Write).unwrap();
    let names = Arc::new(Mutex::new(NamesOfCalls::default()));
    disk.set_faults(Some(names.clone()));
    disk.root().rename_to("a", &b, "c").unwrap();
    file.sync_data().unwrap();
    assert_eq!(names.lock().unwrap().0, ["b/c", "b/c/f"]);
}

#[test]
fn every_call_on_a_tree_can_fail_and_be_crashed_in() {
    let calls: [(Op, CallInTwo); 5] = [
        (Op::CreateDir, |a, _| a.create_dir("d").map(drop)),
        (Op::Symlink, |a, _| a.symlink("f", "l")),
        (Op::Link, |a, b| a.link("f", b, "g")),
        (Op::Rename, |a, b| a.rename_to("f", b, "g")),
        (Op::RemoveDir, |a, _| a.remove_dir("empty")),
    ];
    for (op, call) in calls {
        for effect in [CallEffect::Nothing, CallEffect::Everything] {
            let (disk, a, b) = two_directories(Profile::Posix);
            a.create_dir("empty").unwrap();
            let before = disk.live();
            let fault = Fault::Error {
                error: FailureKind::Io,
                effect,
                sticky: false,
            };
            disk.set_plan(FaultPlan {
                calls: [(disk.calls() + 1, fault)].into(),
                ..FaultPlan::default()
            });
            call(&a, &b).unwrap_err();
            assert_eq!(disk.live() == before, effect == CallEffect::Nothing, "{op}");
            assert_eq!(disk.missed(), [0; 0], "{op}");
        }
        let (disk, a, b) = two_directories(Profile::Posix);
        a.create_dir("empty").unwrap();
        let (before, call_number) = (disk.live(), disk.calls() + 1);
        disk.crash_at(Some(CrashPoint {
            call: call_number,
            moment: Moment::Inside,
        }));
        call(&a, &b).unwrap_err();
        let crash = disk.crash();
        assert_eq!(crash.op(), Some(op));
        assert_eq!(crash.kill(CallEffect::Nothing).live(), before);
        assert_ne!(crash.kill(CallEffect::Everything).live(), before, "{op}");
    }
}

#[test]
fn a_full_disk_has_no_room_for_a_directory() {
    let (disk, a, _) = two_directories(Profile::Posix);
    disk.set_space(Some(Space {
        noticed: Noticed::OnWrite,
        ..Space::of(disk.disk().used())
    }));
    let refused = a.create_dir("d").unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::StorageFull);
    let refused = a.symlink("f", "l").unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::StorageFull);
}

#[test]
fn a_failed_sync_of_a_directory_is_about_its_own_names() {
    let (disk, a, b) = two_directories(Profile::Posix);
    a.create("x").unwrap();
    b.create("y").unwrap();
    disk.set_plan(FaultPlan {
        calls: [(
            disk.calls() + 1,
            Fault::FailedSyncDir {
                error: FailureKind::Io,
                durable: Subset::All,
            },
        )]
        .into(),
        ..FaultPlan::default()
    });
    b.sync_dir().unwrap_err();
    let left = images(&disk);
    assert_eq!(
        left,
        [
            vec!["a", "a/f", "b", "b/y"],
            vec!["a", "a/f", "a/x", "b", "b/y"]
        ]
    );
}

#[test]
fn an_image_of_a_tree_starts_a_disk_with_the_same_tree() {
    let (disk, a, b) = two_directories(Profile::Posix);
    a.link("f", &b, "g").unwrap();
    disk.root().symlink("a/f", "l").unwrap();
    for dir in [&disk.root(), &a, &b] {
        dir.sync_dir().unwrap();
    }
    let image = disk.live();
    disk.boot_image(&image);
    assert_eq!(disk.live(), image);
    assert_eq!(disk.live().inode("a/f"), disk.live().inode("b/g"));
    let root = disk.root();
    root.directory("b").unwrap().remove_file("g").unwrap();
    assert_ne!(disk.live(), image);
    assert_eq!(root.inode(), InodeId::ROOT);
}

#[test]
fn trees_with_the_same_files_in_other_directories_are_other_trees() {
    let tree = |files: &[&str]| {
        let files = files.iter().map(|path| (*path, b"x"));
        beaver_disk::Image::from_files(files)
    };
    assert_eq!(tree(&["a/x", "b/x"]), tree(&["b/x", "a/x"]));
    assert_ne!(tree(&["a/x", "b/"]), tree(&["a/", "b/x"]));
    assert_ne!(tree(&["a/b/x"]), tree(&["b/a/x"]));
    assert_ne!(tree(&["a/"]), tree(&[]));
    assert_ne!(tree(&["a"]), tree(&["a/"]));
}

#[test]
fn a_sync_cut_short_takes_nothing_back_that_an_earlier_one_made_durable() {
    let (disk, a, b) = two_directories(Profile::Strict);
    // Older than what the root commits, and of another directory.
    a.create("x").unwrap();
    disk.root().create_dir("r").unwrap();
    disk.root().sync_dir().unwrap();
    b.create("y").unwrap();
    disk.crash_at(Some(CrashPoint {
        call: disk.calls() + 1,
        moment: Moment::Inside,
    }));
    b.sync_dir().unwrap_err();
    let space = disk.crash().images();
    let images = space.enumerate(100).unwrap();
    let paths: Vec<Vec<String>> = images
        .map(|found| found.image.entries().into_keys().collect())
        .collect();
    let durable = ["a", "a/f", "b", "r"];
    assert_eq!(paths, [&durable[..], &["a", "a/f", "b", "b/y", "r"]]);
}
