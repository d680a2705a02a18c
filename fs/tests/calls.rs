//! What each call of `beaver_fs` is to the simulated disk: the storage calls that a trace, a fault and a
//! crash point see.

#![expect(clippy::unwrap_used, reason = "a test stops at its first surprise")]

use std::io::{self, ErrorKind, IoSlice, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::Path;

use beaver_disk::{
    CallEffect, CrashPoint, Disk, FailureKind, Fault, FaultPlan, Moment, Op, Profile, SimDisk,
    SimOptions, TraceMode, is_crash,
};
use beaver_fs::{self as fs, File, Mounted, OpenOptions};

fn disk() -> (SimDisk, Mounted) {
    let options = SimOptions {
        trace: TraceMode::Records,
        ..SimOptions::default()
    };
    let disk = SimDisk::new(Disk::empty(Profile::Posix), options);
    let mounted = fs::mount_numbered("calls", disk.storage()).unwrap();
    (disk, mounted)
}

/// The calls that `program` makes after `before`, without their numbers.
#[track_caller]
fn check(before: fn(&Path), program: fn(&Path), expected: &[&str]) {
    let (disk, mounted) = disk();
    before(mounted.path());
    drop(disk.take_trace());
    program(mounted.path());
    let calls = disk.take_trace().into_iter().map(|record| {
        let line = record.to_string();
        // Not the number, and not the hash of the bytes.
        let words = line.split_whitespace().skip(1);
        let words = words.filter(|word| !word.starts_with('['));
        words.collect::<Vec<_>>().join(" ")
    });
    assert_eq!(calls.collect::<Vec<_>>(), expected);
}

fn file(root: &Path) {
    fs::write(root.join("f"), "text").unwrap();
}

#[test]
fn opening_is_one_call_and_truncating_another() {
    check(
        file,
        |root| {
            File::open(root.join("f")).unwrap();
            File::open(root.join("g")).unwrap_err();
            File::create(root.join("g")).unwrap();
            File::create(root.join("f")).unwrap();
            File::create_new(root.join("f")).unwrap_err();
            File::open(root).unwrap();
        },
        &[
            "open f = ok",
            "open g = NotFound",
            "create g = ok",
            "open f = ok",
            "set_len f 0 = ok",
            "create f = AlreadyExists",
            "open . = ok",
        ],
    );
}

#[test]
fn a_read_or_write_is_one_call_at_the_place_of_the_file() {
    check(
        file,
        |root| {
            let mut file = OpenOptions::new();
            let mut file = file.read(true).write(true).open(root.join("f")).unwrap();
            file.read_exact(&mut [0; 2]).unwrap();
            file.write_all(b"abc").unwrap();
            let bufs = [IoSlice::new(b"de"), IoSlice::new(b"f")];
            assert_eq!(file.write_vectored(&bufs).unwrap(), 3);
            file.seek(SeekFrom::Start(1)).unwrap();
            file.try_clone().unwrap().read_exact(&mut [0; 1]).unwrap();
            file.seek(SeekFrom::End(-1)).unwrap();
            file.write_all_at(b"!", 0).unwrap();
            file.sync_data().unwrap();
            file.sync_all().unwrap();
        },
        &[
            "open f = ok",
            "read_at f 0+2 = 2",
            "write_at f 2+3 = 3",
            "write_at f 5+3 = 3",
            "read_at f 1+1 = 1",
            "len f = 8",
            "write_at f 0+1 = 1",
            "sync_data f = ok",
            "sync_data f = ok",
        ],
    );
}

#[test]
fn an_append_is_one_call_at_the_end() {
    check(
        file,
        |root| {
            let mut file = OpenOptions::new();
            let mut file = file.append(true).open(root.join("f")).unwrap();
            file.write_all(b"abc").unwrap();
        },
        &["open f = ok", "write_at f 4+3 = 3"],
    );
}

#[test]
fn a_file_of_synced_writes_has_a_sync_after_each() {
    check(
        file,
        |root| {
            let mut options = OpenOptions::new();
            options.write(true).custom_flags(0o10_000);
            options
                .open(root.join("f"))
                .unwrap()
                .write_all(b"a")
                .unwrap();
        },
        &["open f = ok", "write_at f 0+1 = 1", "sync_data f = ok"],
    );
}

/// One whose way is missing (`create_dir a/b`, at first) is refused before it is a storage call.
#[test]
fn calls_on_names_are_those_of_the_system() {
    check(
        file,
        |root| {
            fs::create_dir_all(root.join("a/b")).unwrap();
            fs::rename(root.join("f"), root.join("a/b/../f")).unwrap();
            fs::unix::symlink("a", root.join("l")).unwrap();
            fs::metadata(root.join("l/f")).unwrap();
            fs::exists(root.join("l/g")).unwrap();
            fs::hard_link(root.join("l/f"), root.join("g")).unwrap();
            fs::read_dir(root.join("l")).unwrap();
            fs::remove_dir_all(root.join("a")).unwrap();
        },
        &[
            "create_dir a = ok",
            "create_dir a/b = ok",
            "rename f a/f = ok",
            "symlink l = ok",
            "len a/f = 4",
            "len a/g = NotFound",
            "link g = ok",
            "list a = 2",
            "len a = 0",
            "list a = 2",
            "list a/b = 0",
            "remove_dir a/b = ok",
            "remove a/f = ok",
            "remove_dir a = ok",
        ],
    );
}

#[test]
fn a_lock_is_a_call_and_giving_it_back_is_none() {
    check(
        file,
        |root| {
            let (one, other) = (File::open(root.join("f")), File::open(root.join("f")));
            let (one, other) = (one.unwrap(), other.unwrap());
            one.try_lock().unwrap();
            let waits = other.lock().unwrap_err();
            assert_eq!(waits.kind(), ErrorKind::Deadlock);
            one.unlock().unwrap();
            other.lock_shared().unwrap();
        },
        &[
            "open f = ok",
            "open f = ok",
            "lock f = ok",
            "lock f = WouldBlock",
            "lock f = ok",
        ],
    );
}

/// Runs `program` on a disk on which a call goes wrong.
fn with_fault(call: u64, fault: Fault, program: fn(&Path)) {
    let (disk, mounted) = disk();
    let calls = [(call, fault)].into();
    disk.set_plan(FaultPlan {
        calls,
        ..FaultPlan::default()
    });
    program(mounted.path());
    assert_eq!(disk.fired().values().sum::<u64>(), 1);
}

fn error(error: FailureKind) -> Fault {
    Fault::Error {
        error,
        effect: CallEffect::Nothing,
        sticky: false,
    }
}

#[test]
fn faults_reach_the_program_as_the_errors_of_the_system() {
    with_fault(2, error(FailureKind::StorageFull), |root| {
        let failed = fs::write(root.join("f"), "text").unwrap_err();
        assert_eq!(failed.kind(), ErrorKind::StorageFull);
        assert_eq!(failed.raw_os_error(), Some(28));
    });
    with_fault(1, error(FailureKind::Io), |root| {
        let failed = fs::metadata(root.join("f")).unwrap_err();
        assert_eq!(failed.raw_os_error(), Some(5));
    });
    with_fault(1, error(FailureKind::PermissionDenied), |root| {
        let failed = File::open(root).unwrap_err();
        assert_eq!(failed.kind(), ErrorKind::PermissionDenied);
    });
    with_fault(2, Fault::ShortWrite { bytes: 1 }, |root| {
        fs::write(root.join("f"), "text").unwrap();
        assert_eq!(fs::read(root.join("f")).unwrap(), b"text");
    });
    with_fault(2, Fault::ShortWrite { bytes: 1 }, |root| {
        let mut file = OpenOptions::new();
        let mut file = file.append(true).create(true).open(root.join("f")).unwrap();
        file.write_all(b"text").unwrap();
        assert_eq!(file.stream_position().unwrap(), 4);
        assert_eq!(fs::read(root.join("f")).unwrap(), b"text");
    });
}

#[test]
fn after_a_crash_every_call_fails_and_changes_nothing() {
    let (disk, mounted) = disk();
    let path = mounted.path().join("f");
    let mut file = File::create(&path).unwrap();
    file.write_all(b"kept").unwrap();
    let point = CrashPoint {
        call: disk.calls() + 1,
        moment: Moment::Before,
    };
    disk.crash_at(Some(point));
    let dead = |done: io::Result<()>| assert!(is_crash(&done.unwrap_err()));
    dead(file.write_all(b"lost"));
    dead(file.sync_all());
    dead(file.metadata().map(drop));
    dead(fs::read(&path).map(drop));
    dead(fs::rename(&path, mounted.path().join("g")));
    dead(fs::canonicalize(&path).map(drop));
    dead(fs::create_dir_all(mounted.path().join("a/b")));
    dead(fs::exists(&path).map(drop));
    disk.kill(CallEffect::Nothing);
    // The next process has a mount of its own.
    dead(fs::read(&path).map(drop));
    let next = fs::mount_numbered("calls", disk.storage()).unwrap();
    assert_eq!(fs::read(next.path().join("f")).unwrap(), b"kept");
    dead(file.write_all(b"lost"));
    let ops = disk.trace();
    assert_eq!(ops.last().map(|record| record.op), Some(Op::ReadAt));
}
