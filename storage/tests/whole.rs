//! Whole reads and writes, on a disk whose calls are short or fail.

use beaver_disk::{CallEffect, Disk, FailureKind, Fault, FaultPlan, Profile, SimDisk, SimOptions};
use beaver_storage::{read_all, write_all};

#[test]
fn short_calls_are_carried_on() {
    let disk = SimDisk::new(Disk::empty(Profile::Posix), SimOptions::default());
    let storage = disk.storage();
    let file = storage.create("f").unwrap();
    let faults = [
        (2, Fault::ShortWrite { bytes: 3 }),
        (6, Fault::ShortRead { bytes: 1 }),
    ];
    disk.set_plan(FaultPlan {
        calls: faults.into(),
        ..FaultPlan::default()
    });
    write_all(&*file, b"abcdef", 1).unwrap();
    let read = read_all(&*storage, "f").unwrap();
    assert_eq!(read.as_deref(), Some(&b"\0abcdef"[..]));
    assert_eq!(disk.calls(), 7, "each short call is followed by another");
    assert_eq!(read_all(&*storage, "g").unwrap(), None);
}

#[test]
fn an_interrupted_read_is_made_again_and_any_other_error_is_the_answer() {
    let disk = SimDisk::new(Disk::empty(Profile::Posix), SimOptions::default());
    let storage = disk.storage();
    write_all(&*storage.create("f").unwrap(), b"abc", 0).unwrap();
    let failing = |error| Fault::Error {
        error,
        effect: CallEffect::Nothing,
        sticky: false,
    };
    let faults = [
        (5, failing(FailureKind::Interrupted)),
        (7, failing(FailureKind::Io)),
        (10, failing(FailureKind::Io)),
    ];
    disk.set_plan(FaultPlan {
        calls: faults.into(),
        ..FaultPlan::default()
    });
    let read = read_all(&*storage, "f").unwrap();
    assert_eq!(read.as_deref(), Some(&b"abc"[..]));
    assert_eq!(disk.calls(), 6, "open, len, and the read twice");
    read_all(&*storage, "f").expect_err("the file cannot be opened");
    read_all(&*storage, "f").expect_err("the file cannot be read");
}
