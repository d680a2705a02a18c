//! Processes on the simulated disk: call numbers, crash points, budgets, traces and faults.

#![expect(
    clippy::cast_possible_truncation,
    reason = "a test stops at its first surprise, and its sizes are small"
)]

mod nth;

use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::sync::{Arc, Mutex};

use beaver_disk::{
    CallEffect, Change, Choice, Corner, CrashPoint, Disk, DiskEvent, FailedSync, FailureKind,
    Fault, FaultPlan, FaultSource, Image, Injection, InodeId, Moment, Noticed, Op, PAGE_SIZE,
    Profile, SimDisk, SimOptions, Space, StorageCall, Subset, TraceMode, is_crash, is_out_of_calls,
};
use beaver_storage::{Access, Storage};
use nth::fail_nth;

fn at(call: u64, moment: Moment) -> Option<CrashPoint> {
    Some(CrashPoint { call, moment })
}

fn machine(options: SimOptions) -> SimDisk {
    SimDisk::new(Disk::empty(Profile::Posix), options)
}

/// A machine whose call of this number meets `fault`.
fn with_fault(call: u64, fault: Fault) -> SimDisk {
    machine(SimOptions {
        plan: FaultPlan {
            calls: BTreeMap::from([(call, fault)]),
            ..FaultPlan::default()
        },
        trace: TraceMode::Records,
        ..SimOptions::default()
    })
}

/// Creates `f`, writes `abc`, syncs it and the directory: four calls.
fn write_a_file(storage: &dyn Storage) -> io::Result<()> {
    let file = storage.create("f")?;
    file.write_at(b"abc", 0)?;
    file.sync_data()?;
    storage.sync_dir()
}

fn read(storage: &dyn Storage, name: &str) -> io::Result<Vec<u8>> {
    let file = storage.open(name, Access::Read)?;
    let mut bytes = vec![0; 64];
    let count = file.read_at(&mut bytes, 0)?;
    bytes.truncate(count);
    Ok(bytes)
}

fn kind<T>(result: io::Result<T>) -> Option<ErrorKind> {
    result.err().map(|error| error.kind())
}

#[test]
fn nothing_changes_after_the_crash_point_and_old_handles_stay_dead() {
    let disk = machine(SimOptions {
        crash_at: at(3, Moment::Before),
        ..SimOptions::default()
    });
    let storage = disk.storage();
    let file = storage.create("f").unwrap();
    let lock = storage.lock().unwrap();
    assert!(is_crash(&file.write_at(b"abc", 0).unwrap_err()));
    assert!(is_crash(&storage.remove("f").unwrap_err()));
    assert_eq!(disk.frozen_at(), at(3, Moment::Before));
    assert_eq!(disk.calls(), 3);
    disk.kill(CallEffect::Nothing);
    assert!(is_crash(&file.len().unwrap_err()));
    assert!(is_crash(&storage.list().unwrap_err()));
    let next = disk.storage();
    let held = next.lock().unwrap();
    drop(lock);
    assert_eq!(kind(next.lock()), Some(ErrorKind::WouldBlock));
    drop(held);
    assert!(next.lock().is_ok());
    assert_eq!(read(&*next, "f").unwrap(), b"");
    assert_eq!(disk.calls(), 8, "numbers go on");
}

/// Makes one call of each kind, in this order; all of them succeed.
fn one_call_of_each_kind(storage: &dyn Storage) -> io::Result<()> {
    let lock = storage.lock()?;
    let file = storage.create("f")?;
    file.write_at(b"abc", 0)?;
    file.set_len(2)?;
    file.allocate(4)?;
    file.len()?;
    file.read_at(&mut [0; 8], 1)?;
    file.sync_data()?;
    storage.rename("f", "g")?;
    storage.open("g", Access::Read)?;
    storage.list()?;
    storage.sync_dir()?;
    storage.remove("g")?;
    file.drop_cache()?;
    drop(lock);
    Ok(())
}

const ONE_OF_EACH: [Op; 14] = [
    Op::Lock,
    Op::Create,
    Op::WriteAt,
    Op::SetLen,
    Op::Allocate,
    Op::Len,
    Op::ReadAt,
    Op::SyncData,
    Op::Rename,
    Op::Open,
    Op::List,
    Op::SyncDir,
    Op::Remove,
    Op::DropCache,
];

#[test]
fn every_call_can_die_before_inside_and_after() {
    for (call, op) in (1..).zip(ONE_OF_EACH) {
        for moment in [Moment::Before, Moment::Inside, Moment::After] {
            let disk = machine(SimOptions::default());
            disk.crash_at(at(call, moment));
            let error = one_call_of_each_kind(&*disk.storage()).unwrap_err();
            assert!(is_crash(&error) && !is_out_of_calls(&error));
            assert_eq!(disk.frozen_at(), at(call, moment));
            let crash = disk.crash();
            assert_eq!(crash.op(), Some(op));
            let inside = moment == Moment::Inside && op.changes_something();
            assert_eq!(crash.inside().is_some(), inside, "{moment:?} {op}");
        }
    }
    let disk = machine(SimOptions::default());
    one_call_of_each_kind(&*disk.storage()).unwrap();
    assert_eq!(disk.crash().op(), None, "it died between two calls");
}

/// Writes down what it is asked.
#[derive(Debug)]
struct Asked(Arc<Mutex<Vec<String>>>);

impl FaultSource for Asked {
    fn before(&mut self, call: &StorageCall<'_>, _: &mut Injection<'_>) {
        let StorageCall {
            number, op, file, ..
        } = call;
        let inode = call.inode.map_or(0, |inode| inode.0);
        let place = format!("{}+{}", call.offset, call.len);
        let dies = call.dies.map_or(String::new(), |dies| format!(" {dies:?}"));
        let line = format!("{number} {op} {file}#{inode} {place}{dies}");
        self.0.lock().expect("no test panics here").push(line);
    }
}

#[test]
fn the_source_sees_each_call_with_the_file_as_it_is_called_then() {
    let disk = machine(SimOptions::default());
    let asked = Arc::new(Mutex::new(Vec::new()));
    disk.set_faults(Some(Arc::new(Mutex::new(Asked(asked.clone())))));
    let storage = disk.storage();
    let file = storage.create("f").unwrap();
    storage.rename("f", "g").unwrap();
    assert_eq!(file.write_at(b"abc", 2).unwrap(), 3);
    storage.remove("g").unwrap();
    file.set_len(1).unwrap();
    storage.list().unwrap();
    assert!(storage.open("f", Access::Read).is_err());
    disk.fork().storage().list().unwrap();
    disk.crash_at(at(8, Moment::Inside));
    storage.sync_dir().unwrap_err();
    file.sync_data().unwrap_err();
    assert_eq!(
        *asked.lock().unwrap(),
        [
            "1 create f#0 0+0",
            "2 rename g#1 0+0",
            "3 write_at g#1 2+3",
            "4 remove g#1 0+0",
            "5 set_len g#1 1+0",
            "6 list #0 0+0",
            "7 open f#0 0+0",
            "8 sync_dir #0 0+0 Inside",
        ]
    );
}

#[test]
fn an_interrupted_allocate_never_cuts() {
    let disk = machine(SimOptions::default());
    write_a_file(&*disk.storage()).unwrap();
    let file = disk.storage().open("f", Access::Write).unwrap();
    disk.crash_at(at(6, Moment::Inside));
    assert!(file.allocate(1).is_err());
    let change = Change::Allocate {
        inode: InodeId(1),
        len: 1,
    };
    assert_eq!(disk.crash().inside(), Some(&change));
    disk.kill(CallEffect::Everything);
    assert_eq!(read(&*disk.storage(), "f").unwrap(), b"abc");
}

#[test]
fn a_call_that_a_crash_follows_is_done_but_never_answered() {
    let disk = machine(SimOptions {
        crash_at: at(4, Moment::After),
        ..SimOptions::default()
    });
    assert!(is_crash(&write_a_file(&*disk.storage()).unwrap_err()));
    assert_eq!(disk.crash().images().count(), 1);
    let image = disk.power_cut(&Choice::default());
    assert_eq!(image.read("f").unwrap(), b"abc");
}

#[test]
fn a_kill_inside_a_write_leaves_any_prefix() {
    for (progress, expected) in [
        (CallEffect::Nothing, &b""[..]),
        (CallEffect::Bytes(2), b"ab"),
        (CallEffect::Bytes(99), b"abc"),
        (CallEffect::Everything, b"abc"),
    ] {
        let disk = machine(SimOptions {
            crash_at: at(2, Moment::Inside),
            ..SimOptions::default()
        });
        assert!(write_a_file(&*disk.storage()).is_err());
        disk.kill(progress);
        assert_eq!(read(&*disk.storage(), "f").unwrap(), expected);
    }
}

#[test]
fn what_an_interrupted_change_does_is_pending() {
    for (call, images) in [(1, 2), (2, 4), (3, 4), (4, 2)] {
        let disk = machine(SimOptions {
            crash_at: at(call, Moment::Inside),
            ..SimOptions::default()
        });
        assert!(write_a_file(&*disk.storage()).is_err());
        let space = disk.crash().images();
        assert_eq!(space.enumerate(100).unwrap().count(), images, "call {call}");
    }
}

#[test]
fn an_interrupted_sync_may_have_made_any_record_durable_under_strict_too() {
    let count = |call, moment| {
        let options = SimOptions {
            crash_at: at(call, moment),
            ..SimOptions::default()
        };
        let disk = SimDisk::new(Disk::empty(Profile::Strict), options);
        let storage = disk.storage();
        let outcome = (|| {
            let file = storage.create("f")?;
            storage.sync_dir()?;
            file.write_at(&[b'x'; 2 * PAGE_SIZE as usize], 0)?;
            storage.create("g")?;
            file.sync_data()?;
            storage.sync_dir()
        })();
        assert!(is_crash(&outcome.unwrap_err()));
        disk.crash().images().enumerate(100).unwrap().count()
    };
    assert_eq!(count(5, Moment::Before), 1);
    assert_eq!(count(5, Moment::Inside), 7);
    assert_eq!(count(6, Moment::Before), 1);
    assert_eq!(count(6, Moment::Inside), 2);
    assert_eq!(count(6, Moment::After), 1);
}

#[test]
fn pending_records_survive_a_kill() {
    let disk = machine(SimOptions::default());
    let storage = disk.storage();
    let file = storage.create("f").unwrap();
    file.write_at(b"abc", 0).unwrap();
    disk.kill(CallEffect::Nothing);
    assert_eq!(read(&*disk.storage(), "f").unwrap(), b"abc");
    assert!(disk.crash().images().count() > 1);
    disk.power_cut(&Choice::default());
    assert_eq!(disk.storage().list().unwrap(), Vec::<String>::new());
}

#[test]
fn every_crash_point_of_one_run_can_be_kept() {
    let disk = machine(SimOptions::default());
    disk.record_crash_points(true);
    write_a_file(&*disk.storage()).unwrap();
    let crashes = disk.take_crash_points();
    let points: Vec<String> = crashes
        .iter()
        .map(|crash| crash.point().to_string())
        .collect();
    assert_eq!(
        points,
        [
            "before call 1",
            "inside call 1",
            "before call 2",
            "inside call 2",
            "before call 3",
            "inside call 3",
            "before call 4",
            "inside call 4",
        ]
    );
    for crash in crashes {
        let again = machine(SimOptions {
            crash_at: Some(crash.point()),
            ..SimOptions::default()
        });
        assert!(write_a_file(&*again.storage()).is_err());
        let (kept, reached) = (crash.images(), again.crash().images());
        let kept: Vec<Image> = kept.enumerate(100).unwrap().map(|c| c.image).collect();
        let reached: Vec<Image> = reached.enumerate(100).unwrap().map(|c| c.image).collect();
        assert_eq!(kept, reached);
        assert_eq!(crash.kill(CallEffect::Everything).live(), {
            again.kill(CallEffect::Everything);
            again.live()
        });
    }
    assert!(disk.take_crash_points().is_empty());
}

#[test]
fn crash_points_are_kept_where_something_changes_and_only_if_asked_for() {
    let disk = machine(SimOptions::default());
    one_call_of_each_kind(&*disk.storage()).unwrap();
    assert!(disk.take_crash_points().is_empty());
    disk.record_crash_points(true);
    one_call_of_each_kind(&*disk.storage()).unwrap();
    let kept = disk.take_crash_points();
    let kept: Vec<Op> = kept.iter().filter_map(beaver_disk::Crash::op).collect();
    let changes = ONE_OF_EACH.into_iter().filter(|op| op.changes_something());
    assert_eq!(kept, changes.flat_map(|op| [op; 2]).collect::<Vec<_>>());
    assert_eq!(kept.len(), 2 * 9);
}

#[test]
fn a_fork_goes_its_own_way() {
    let disk = machine(SimOptions::default());
    write_a_file(&*disk.storage()).unwrap();
    let fork = disk.fork();
    fork.storage().remove("f").unwrap();
    assert_eq!(fork.calls(), 5);
    assert_eq!(disk.calls(), 4);
    assert_eq!(read(&*disk.storage(), "f").unwrap(), b"abc");
}

#[test]
fn a_program_that_does_not_end_runs_out_of_calls() {
    let disk = machine(SimOptions {
        max_calls: Some(10),
        ..SimOptions::default()
    });
    let storage = disk.storage();
    let error = loop {
        if let Err(error) = storage.list() {
            break error;
        }
    };
    assert!(is_out_of_calls(&error) && !is_crash(&error));
    assert!(disk.is_out_of_calls());
    assert!(is_out_of_calls(&storage.sync_dir().unwrap_err()));
    assert_eq!(disk.calls(), 10);
    disk.set_max_calls(Some(11));
    assert!(!disk.is_out_of_calls());
    assert!(storage.list().is_ok());
    assert!(is_out_of_calls(&storage.list().unwrap_err()));
}

#[test]
fn equal_runs_have_equal_traces_and_different_ones_do_not() {
    let run = |bytes: &[u8], mode| {
        let disk = machine(SimOptions {
            trace: mode,
            ..SimOptions::default()
        });
        let storage = disk.storage();
        storage.create("f").unwrap().write_at(bytes, 5).unwrap();
        assert!(storage.open("g", Access::Read).is_err());
        storage.rename("f", "h").unwrap();
        disk
    };
    let one = run(b"abc", TraceMode::Records);
    assert_eq!(one.trace_hash(), run(b"abc", TraceMode::Hash).trace_hash());
    assert_ne!(one.trace_hash(), run(b"abd", TraceMode::Hash).trace_hash());
    assert_eq!(run(b"abc", TraceMode::Off).trace_hash(), 0);
    let lines: Vec<String> = one.take_trace().iter().map(ToString::to_string).collect();
    assert_eq!(lines[0], "     1 create f = ok");
    assert!(lines[1].starts_with("     2 write_at f 5+3 ["), "{lines:?}");
    assert!(lines[1].ends_with("] = 3"), "{lines:?}");
    assert_eq!(lines[2], "     3 open g = NotFound");
    assert_eq!(lines[3], "     4 rename f h = ok");
    assert!(one.take_trace().is_empty());
}

/// Traces are compared across versions, and saved with failures.
#[test]
fn the_trace_of_a_run_is_the_same_for_ever() {
    let disk = with_fault(
        12,
        Fault::Error {
            error: FailureKind::PermissionDenied,
            effect: CallEffect::Nothing,
            sticky: false,
        },
    );
    assert!(one_call_of_each_kind(&*disk.storage()).is_err());
    assert!(disk.happen(&DiskEvent::FlipBit {
        file: "g".to_owned(),
        offset: 0,
        bit: 3,
    }));
    disk.kill(CallEffect::Nothing);
    disk.boot(disk.disk());
    let lines: Vec<String> = disk.trace().iter().map(ToString::to_string).collect();
    assert_eq!(
        lines,
        [
            "     1 lock . = ok",
            "     2 create f = ok",
            "     3 write_at f 0+3 [e114a98f821bbcb4] = 3",
            "     4 set_len f 2 = ok",
            "     5 allocate f 4 = ok",
            "     6 len f = 4",
            "     7 read_at f 1+8 [a52001576db11f5b] = 3",
            "     8 sync_data f = ok",
            "     9 rename f g = ok",
            "    10 open g = ok",
            "    11 list . = 1",
            "    12 sync_dir . = PermissionDenied (error)",
        ]
    );
    assert_eq!(disk.trace_hash(), 0xe49b_c478_f99b_b6b0);
}

#[test]
fn an_error_strikes_with_or_without_effect() {
    let error = |error, effect| Fault::Error {
        error,
        effect,
        sticky: false,
    };
    for (effect, names) in [(CallEffect::Nothing, 0), (CallEffect::Everything, 1)] {
        let disk = with_fault(1, error(FailureKind::Io, effect));
        let failed = disk.storage().create("f").unwrap_err();
        assert_eq!(failed.raw_os_error(), Some(5));
        assert_eq!(disk.live().names().count(), names);
        let kind = if names == 0 {
            "error"
        } else {
            "error-with-effect"
        };
        assert_eq!(disk.fired(), BTreeMap::from([(kind, 1)]));
        assert_eq!(disk.trace()[0].fault, Some(kind));
    }
    for (effect, len) in [
        (CallEffect::Nothing, 0),
        (CallEffect::Bytes(2), 2),
        (CallEffect::Everything, 3),
    ] {
        let disk = with_fault(2, error(FailureKind::Io, effect));
        assert!(write_a_file(&*disk.storage()).is_err());
        assert_eq!(disk.live().len_of("f"), Some(len));
    }
    for (effect, len) in [(CallEffect::Nothing, 3), (CallEffect::Everything, 1)] {
        let disk = with_fault(6, error(FailureKind::Io, effect));
        let storage = disk.storage();
        write_a_file(&*storage).unwrap();
        let file = storage.open("f", Access::Write).unwrap();
        assert!(file.set_len(1).is_err());
        assert_eq!(disk.live().len_of("f"), Some(len));
    }
    for (effect, name) in [(CallEffect::Nothing, "f"), (CallEffect::Everything, "g")] {
        let disk = with_fault(5, error(FailureKind::StorageFull, effect));
        let storage = disk.storage();
        write_a_file(&*storage).unwrap();
        assert_eq!(kind(storage.rename("f", "g")), Some(ErrorKind::StorageFull));
        assert_eq!(disk.live().names().collect::<Vec<_>>(), [name]);
        assert_eq!(disk.fired()["storage-full"], 1);
    }
    for (effect, names) in [(CallEffect::Nothing, 1), (CallEffect::Everything, 0)] {
        let disk = with_fault(5, error(FailureKind::Interrupted, effect));
        let storage = disk.storage();
        write_a_file(&*storage).unwrap();
        assert_eq!(kind(storage.remove("f")), Some(ErrorKind::Interrupted));
        assert_eq!(disk.live().names().count(), names);
    }
}

#[test]
fn an_error_on_a_sync_is_a_failed_sync() {
    let disk = with_fault(
        3,
        Fault::Error {
            error: FailureKind::Interrupted,
            effect: CallEffect::Nothing,
            sticky: false,
        },
    );
    let failed = write_a_file(&*disk.storage());
    assert_eq!(kind(failed), Some(ErrorKind::Interrupted));
    let storage = disk.storage();
    storage
        .open("f", Access::Write)
        .unwrap()
        .sync_data()
        .unwrap();
    storage.sync_dir().unwrap();
    let image = disk.power_cut(&disk.crash().images().corner(Corner::Everything));
    assert_eq!(image.read("f").unwrap(), [0, 0, 0]);
}

#[test]
fn an_error_on_a_sync_with_effect_comes_after_everything_was_written() {
    let disk = with_fault(
        3,
        Fault::Error {
            error: FailureKind::Io,
            effect: CallEffect::Everything,
            sticky: false,
        },
    );
    let storage = disk.storage();
    write_a_file(&*storage).unwrap_err();
    storage.sync_dir().unwrap();
    let image = disk.power_cut(&Choice::default());
    assert_eq!(image.read("f").unwrap(), b"abc");
}

#[test]
fn an_error_with_effect_cannot_strike_a_call_that_changes_nothing() {
    let disk = with_fault(
        1,
        Fault::Error {
            error: FailureKind::Io,
            effect: CallEffect::Everything,
            sticky: false,
        },
    );
    assert!(disk.storage().list().is_ok());
    assert_eq!(disk.missed(), [1]);
}

#[test]
fn a_sticky_error_lasts_until_the_process_ends() {
    let disk = with_fault(
        5,
        Fault::Error {
            error: FailureKind::Io,
            effect: CallEffect::Nothing,
            sticky: true,
        },
    );
    let storage = disk.storage();
    write_a_file(&*storage).unwrap();
    assert!(storage.list().is_err());
    assert!(storage.list().is_err());
    assert!(storage.open("f", Access::Read).is_ok());
    assert_eq!(disk.fired()["error"], 2);
    disk.kill(CallEffect::Nothing);
    assert!(disk.storage().list().is_ok());
}

#[test]
fn short_and_wrong_reads_strike_once() {
    let cases: [(Fault, &[u8]); 5] = [
        (Fault::ShortRead { bytes: 2 }, b"ab"),
        (Fault::FlippedRead { byte: 1, bit: 0 }, b"acc"),
        (Fault::FlippedRead { byte: 2, bit: 3 }, b"abk"),
        (Fault::FlippedRead { byte: 2, bit: 13 }, b"abC"),
        (Fault::ZeroedRead { sector: 0 }, &[0, 0, 0]),
    ];
    for (fault, expected) in cases {
        let name = fault.word();
        let disk = with_fault(6, fault);
        let storage = disk.storage();
        write_a_file(&*storage).unwrap();
        assert_eq!(read(&*storage, "f").unwrap(), expected);
        assert_eq!(read(&*storage, "f").unwrap(), b"abc");
        assert_eq!(disk.fired(), BTreeMap::from([(name, 1)]));
    }
}

#[test]
fn writes_are_short_or_land_elsewhere() {
    let disk = with_fault(2, Fault::ShortWrite { bytes: 1 });
    let file = disk.storage().create("f").unwrap();
    assert_eq!(file.write_at(b"abc", 0).unwrap(), 1);
    assert_eq!(disk.live().read("f").unwrap(), b"a");

    let disk = with_fault(2, Fault::MisdirectedWrite { offset: 2 });
    let file = disk.storage().create("f").unwrap();
    assert_eq!(file.write_at(b"abc", 0).unwrap(), 3);
    assert_eq!(disk.live().read("f").unwrap(), b"\0\0abc");
}

#[test]
fn a_fault_that_cannot_strike_is_reported_and_the_call_goes_through() {
    let short = Fault::ShortRead { bytes: 3 };
    let plan = FaultPlan {
        calls: BTreeMap::from([
            (1, Fault::ShortWrite { bytes: 1 }),
            (2, Fault::ShortWrite { bytes: 3 }),
            (6, short.clone()),
            (8, Fault::ShortRead { bytes: 0 }),
            (10, Fault::MisdirectedWrite { offset: 0 }),
            (11, Fault::MisdirectedWrite { offset: 9 }),
            (99, short),
        ]),
        events: BTreeMap::from([(5, vec![DiskEvent::Writeback(0)])]),
    };
    let disk = machine(SimOptions {
        plan,
        ..SimOptions::default()
    });
    let storage = disk.storage();
    write_a_file(&*storage).unwrap();
    assert_eq!(read(&*storage, "f").unwrap(), b"abc");
    assert_eq!(
        read(&*storage, "f").unwrap(),
        b"abc",
        "0 bytes are the end of the file"
    );
    let file = storage.open("f", Access::Write).unwrap();
    assert_eq!(file.write_at(b"xyz", 0).unwrap(), 3, "where it should go");
    assert_eq!(file.write_at(b"", 0).unwrap(), 0);
    assert!(disk.fired().is_empty());
    assert_eq!(disk.missed(), [1, 2, 5, 6, 8, 10, 11]);
}

#[test]
fn a_source_may_count_calls_in_its_own_way() {
    let disk = machine(SimOptions::default());
    let short = Fault::ShortWrite { bytes: 1 };
    fail_nth(&disk, Op::WriteAt, [(2, short)]);
    let file = disk.storage().create("f").unwrap();
    assert_eq!(file.write_at(b"abc", 0).unwrap(), 3);
    assert_eq!(file.write_at(b"abc", 0).unwrap(), 1);
    assert_eq!(file.write_at(b"abc", 0).unwrap(), 3);
    assert!(disk.missed().is_empty());
}

#[test]
fn a_full_disk_shortens_a_write_and_refuses_the_next() {
    let disk = machine(SimOptions::default());
    disk.set_space(Some(Space {
        noticed: Noticed::OnWrite,
        ..Space::of(5)
    }));
    let storage = disk.storage();
    let file = storage.create("f").unwrap();
    assert_eq!(file.write_at(b"abc", 0).unwrap(), 3);
    assert_eq!(file.write_at(b"def", 3).unwrap(), 2);
    let full = Some(ErrorKind::StorageFull);
    assert_eq!(kind(file.write_at(b"f", 5)), full);
    assert_eq!(
        file.write_at(b"xyz", 0).unwrap(),
        3,
        "overwriting takes no room"
    );
    assert_eq!(kind(file.allocate(6)), full);
    assert_eq!(kind(storage.create("g")), full);
    assert_eq!(disk.fired()["storage-full"], 4);
    file.set_len(1).unwrap();
    assert!(storage.create("g").is_ok());
    storage.remove("f").unwrap();
    assert_eq!(disk.disk().used(), 0);
    assert_eq!(
        file.write_at(b"abcdefgh", 0).unwrap(),
        8,
        "nobody counts a file without a name"
    );
}

#[test]
fn a_fault_that_is_planned_comes_before_a_full_disk() {
    let disk = with_fault(
        1,
        Fault::Error {
            error: FailureKind::PermissionDenied,
            effect: CallEffect::Nothing,
            sticky: false,
        },
    );
    disk.set_space(Some(Space {
        noticed: Noticed::OnWrite,
        ..Space::of(0)
    }));
    let storage = disk.storage();
    let refused = Some(ErrorKind::PermissionDenied);
    assert_eq!(kind(storage.create("f")), refused);
    assert!(disk.missed().is_empty());
    assert_eq!(kind(storage.create("f")), Some(ErrorKind::StorageFull));
}

#[test]
fn a_sync_fails_for_want_of_room_only_if_new_pages_found_none() {
    let sync = |capacity, noticed, offset, len| {
        let disk = machine(SimOptions::default());
        let storage = disk.storage();
        let file = storage.create("f").unwrap();
        file.write_at(&[1; 100], 0).unwrap();
        file.sync_data().unwrap();
        file.write_at(&vec![2; len], offset).unwrap();
        disk.set_space(Some(Space {
            noticed,
            ..Space::of(capacity)
        }));
        kind(file.sync_data())
    };
    let (late, full) = (Noticed::OnSync, Some(ErrorKind::StorageFull));
    assert_eq!(sync(4195, late, 100, 4096), full);
    assert_eq!(sync(4196, late, 100, 4096), None, "all of it has room");
    assert_eq!(sync(50, late, 0, 100), None, "nothing is new");
    assert_eq!(
        sync(50, Noticed::OnWrite, 100, 4096),
        None,
        "the write would have said it"
    );
}

#[test]
fn a_full_disk_may_be_noticed_only_by_the_sync() {
    let disk = machine(SimOptions::default());
    let storage = disk.storage();
    write_a_file(&*storage).unwrap();
    disk.set_space(Some(Space {
        noticed: Noticed::OnSync,
        ..Space::of(PAGE_SIZE)
    }));
    let file = storage.open("f", Access::Write).unwrap();
    assert_eq!(file.write_at(&[7; 5000], 3).unwrap(), 5000);
    assert_eq!(kind(file.sync_data()), Some(ErrorKind::StorageFull));
    let image = disk.power_cut(&Choice::default());
    let bytes = image.read("f").unwrap();
    assert_eq!(bytes.len(), 5003);
    assert!(
        bytes[3..4096].iter().all(|byte| *byte == 7),
        "this page had its place"
    );
    assert!(bytes[4096..].iter().all(|byte| *byte == 0));
}

#[test]
fn the_lock_may_be_held_by_another_process() {
    let disk = machine(SimOptions::default());
    assert!(disk.hold_lock());
    assert!(!disk.hold_lock());
    let storage = disk.storage();
    assert_eq!(kind(storage.lock()), Some(ErrorKind::WouldBlock));
    assert_eq!(disk.fired()["second-opener"], 1);
    disk.kill(CallEffect::Nothing);
    assert_eq!(kind(disk.storage().lock()), Some(ErrorKind::WouldBlock));
    disk.release_lock();
    let storage = disk.storage();
    let held = storage.lock().unwrap();
    assert!(!disk.hold_lock());
    drop(held);
    assert!(disk.hold_lock());
    disk.power_cut(&Choice::default());
    assert!(disk.storage().lock().is_ok());
}

#[test]
fn a_process_whose_lock_was_stolen_changes_nothing_until_it_gives_it_back() {
    let disk = machine(SimOptions::default());
    assert!(!disk.steal_lock(), "it holds none");
    let storage = disk.storage();
    let held = storage.lock().unwrap();
    let file = storage.create("f").unwrap();
    file.write_at(b"text", 0).unwrap();
    assert!(disk.steal_lock());
    let before = disk.live();
    let lost = Some(ErrorKind::ResourceBusy);
    assert_eq!(kind(file.write_at(b"more", 0)), lost);
    assert_eq!(kind(file.set_len(0)), lost);
    assert_eq!(kind(file.sync_data()), lost);
    assert_eq!(kind(storage.create("g")), lost);
    assert_eq!(kind(storage.rename("f", "g")), lost);
    assert_eq!(kind(storage.remove("f")), lost);
    assert_eq!(kind(storage.sync_dir()), lost);
    assert_eq!(disk.fired()["lost-lock"], 7);
    assert_eq!(file.len().unwrap(), 4, "it may still look");
    assert_eq!(disk.live(), before);
    assert_eq!(kind(storage.lock()), Some(ErrorKind::WouldBlock));
    drop(held);
    assert_eq!(kind(storage.lock()), Some(ErrorKind::WouldBlock));
    disk.release_lock();
    let _held = storage.lock().unwrap();
    file.write_at(b"more", 0).unwrap();
}

fn flip(file: &str, offset: u64, bit: u8) -> DiskEvent {
    let file = file.to_owned();
    DiskEvent::FlipBit { file, offset, bit }
}

fn zero(sector: u64, count: u64) -> DiskEvent {
    let file = "f".to_owned();
    DiskEvent::ZeroSectors {
        file,
        sector,
        count,
    }
}

fn truncate(len: u64) -> DiskEvent {
    let file = "f".to_owned();
    DiskEvent::Truncate { file, len }
}

fn stray(file: &str, bytes: &[u8]) -> DiskEvent {
    let (file, bytes) = (file.to_owned(), bytes.to_vec());
    DiskEvent::Stray { file, bytes }
}

/// A disk with a file of 5,000 bytes at rest.
fn at_rest() -> SimDisk {
    let image = Image::from_files([("f", vec![1u8; 5000])]);
    SimDisk::new(image.disk(Profile::Posix), SimOptions::default())
}

#[test]
fn damage_at_rest_strikes_file_and_cache() {
    let replace = DiskEvent::Replace {
        file: "f".to_owned(),
        bytes: b"old".to_vec(),
    };
    let cases: Vec<(DiskEvent, Vec<u8>)> = vec![
        (flip("f", 4999, 3), [vec![1; 4999], vec![9]].concat()),
        (
            zero(7, 2),
            [vec![1; 3584], vec![0; 1024], vec![1; 392]].concat(),
        ),
        (zero(0, 1), [vec![0; 512], vec![1; 4488]].concat()),
        (flip("f", 0, 8), [vec![0], vec![1; 4999]].concat()),
        (zero(9, 99), [vec![1; 4608], vec![0; 392]].concat()),
        (truncate(4097), vec![1; 4097]),
        (replace, b"old".to_vec()),
    ];
    for (event, expected) in cases {
        let disk = at_rest();
        assert!(disk.happen(&event));
        assert_eq!(disk.live().read("f").unwrap(), expected);
        assert_eq!(disk.fired(), BTreeMap::from([(event.word(), 1)]));
        let cut = disk.power_cut(&Choice::default());
        assert_eq!(cut.read("f").unwrap(), expected);
    }
}

#[test]
fn damage_that_changes_nothing_has_not_happened() {
    let disk = at_rest();
    for nothing in [
        flip("f", 5000, 0),
        flip("g", 0, 0),
        zero(10, 1),
        truncate(5000),
        stray("f", b""),
        stray("a/b", b""),
    ] {
        assert!(!disk.happen(&nothing), "{nothing:?}");
    }
    assert!(disk.happen(&stray("x.tmp", b"left")));
    assert_eq!(
        disk.power_cut(&Choice::default()).read("x.tmp").unwrap(),
        b"left"
    );
    assert_eq!(disk.fired(), BTreeMap::from([("stray-file", 1)]));
}

#[test]
fn damage_strikes_what_is_pending_too() {
    let image = Image::from_files([("f", [b'a'; 2 * PAGE_SIZE as usize])]);
    let disk = SimDisk::new(image.disk(Profile::Posix), SimOptions::default());
    let file = disk.storage().open("f", Access::Write).unwrap();
    file.write_at(b"b", 0).unwrap();
    file.write_at(b"b", PAGE_SIZE).unwrap();
    assert!(disk.happen(&DiskEvent::FlipBit {
        file: "f".to_owned(),
        offset: 0,
        bit: 3,
    }));
    let first_bytes = |corner| {
        let space = disk.disk().images();
        let bytes = space.image(&space.corner(corner)).read("f").unwrap();
        [bytes[0], bytes[1], bytes[PAGE_SIZE as usize]]
    };
    assert_eq!(first_bytes(Corner::Nothing), *b"iaa");
    assert_eq!(first_bytes(Corner::Everything), *b"jab");
    file.sync_data().unwrap();
    assert_eq!(first_bytes(Corner::Nothing), *b"jab");
}

#[test]
fn a_lost_length_leaves_the_cache_when_no_handle_of_its_file_is_open() {
    let drop_all = DiskEvent::CacheDrop(Subset::All);
    let lost = |planned: bool| {
        let disk = machine(SimOptions::default());
        let storage = disk.storage();
        write_a_file(&*storage).unwrap();
        let other = storage.create("other").unwrap();
        let file = storage.open("f", Access::Write).unwrap();
        file.write_at(&[0; 9], 3).unwrap();
        disk.set_plan(FaultPlan {
            calls: BTreeMap::from([(
                8,
                Fault::FailedSync(FailedSync {
                    behaviour: beaver_disk::Behaviour::MarkCleanSizeLost,
                    ..FailedSync::default()
                }),
            )]),
            events: BTreeMap::from([(9, vec![drop_all.clone()]), (10, vec![drop_all.clone()])]),
        });
        file.sync_data().unwrap_err();
        assert_eq!(disk.live().len_of("f"), Some(12));
        // While `f` is open, and when `other` alone is.
        if planned {
            storage.list().unwrap();
        } else {
            assert!(!disk.happen(&drop_all));
        }
        assert_eq!(disk.live().len_of("f"), Some(12));
        drop(file);
        if planned {
            storage.list().unwrap();
        } else {
            assert!(disk.happen(&drop_all));
        }
        drop(other);
        disk.live().len_of("f")
    };
    assert_eq!(lost(false), Some(3));
    assert_eq!(lost(true), Some(3));
}

#[test]
fn background_writeback_is_an_event_that_a_plan_can_hold() {
    let events = BTreeMap::from([(
        3,
        vec![
            DiskEvent::Writeback(0),
            DiskEvent::WritebackSize {
                file: "f".to_owned(),
            },
        ],
    )]);
    let image = Image::from_files([("f", b"")]);
    let plan = FaultPlan {
        events,
        ..FaultPlan::default()
    };
    let disk = SimDisk::new(
        image.disk(Profile::Posix),
        SimOptions {
            plan,
            ..SimOptions::default()
        },
    );
    let storage = disk.storage();
    let file = storage.open("f", Access::Write).unwrap();
    file.write_at(b"abc", 0).unwrap();
    storage.list().unwrap();
    assert_eq!(disk.disk().images().count(), 1);
    assert_eq!(
        disk.power_cut(&Choice::default()).read("f").unwrap(),
        b"abc"
    );
    assert_eq!(disk.fired()["writeback"], 2);
}

#[test]
fn a_plan_is_written_and_read_as_text() {
    let text = r#"{
      "calls": {
        "12": {"failed-sync": {"behaviour": "mark-clean-size-lost", "failed": {"mask": 5}, "left": {"3": 1}}},
        "13": {"error": {"error": "storage-full", "effect": {"bytes": 3}, "sticky": true}},
        "14": {"failed-sync-dir": {"durable": {"only": [7]}}}
      },
      "events": {"20": [{"cache-drop": "all"}, {"writeback": 3},
                        {"replace": {"file": "f", "bytes": "old"}},
                        {"stray": {"file": "g", "bytes": "hex:00ff"}}]}
    }"#;
    let plan: FaultPlan = serde_json::from_str(text).unwrap();
    let bytes = vec![0x00, 0xff];
    let file = "g".to_owned();
    assert_eq!(plan.events[&20][3], DiskEvent::Stray { file, bytes });
    let written = serde_json::to_string(&plan).unwrap();
    assert_eq!(serde_json::from_str::<FaultPlan>(&written).unwrap(), plan);
    let replace = |bytes: &[u8]| DiskEvent::Replace {
        file: "f".to_owned(),
        bytes: bytes.to_vec(),
    };
    for (bytes, text) in [
        (&b"old"[..], r#"{"replace":{"file":"f","bytes":"old"}}"#),
        (b"", r#"{"replace":{"file":"f","bytes":""}}"#),
        (
            b"\xff\x01",
            r#"{"replace":{"file":"f","bytes":"hex:ff01"}}"#,
        ),
        (
            b"hex:00",
            r#"{"replace":{"file":"f","bytes":"hex:6865783a3030"}}"#,
        ),
    ] {
        assert_eq!(serde_json::to_string(&replace(bytes)).unwrap(), text);
        assert_eq!(
            serde_json::from_str::<DiskEvent>(text).unwrap(),
            replace(bytes)
        );
    }
    for wrong in [
        r#"{"call": {}}"#,
        r#"{"calls": {"1": {"short-write": {"bytes": 1, "more": 2}}}}"#,
        r#"{"calls": {"1": {"failed-sync": {"behavior": "revert"}}}}"#,
        r#"{"events": {"1": [{"stray": {"file": "g", "bytes": "hex:0"}}]}}"#,
    ] {
        assert!(serde_json::from_str::<FaultPlan>(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn every_profile_has_a_name_and_a_line_of_its_own() {
    let mut lines = Vec::new();
    for profile in Profile::ALL {
        let name = profile.to_string();
        assert_eq!(name, profile.name());
        assert_eq!(Profile::named(&name), Some(profile));
        assert_eq!(
            serde_json::to_string(&profile).unwrap(),
            format!("{name:?}")
        );
        assert!(profile.description().contains(' '));
        lines.push(profile.description());
    }
    lines.sort_unstable();
    lines.dedup();
    assert_eq!(lines.len(), Profile::ALL.len());
    assert_eq!(Profile::named("ext4"), None);
}

/// What an assertion prints that fails.
#[test]
fn debug_output_shows_names_and_lengths_and_no_bytes() {
    let disk = machine(SimOptions::default());
    let storage = disk.storage();
    let file = storage.create("f").unwrap();
    file.write_at(&[7; 5000], 0).unwrap();
    let lock = storage.lock().unwrap();
    assert_eq!(
        format!("{storage:?} {file:?} {lock:?}"),
        "SimDirectory(\"\", process 1) SimFile(\"f\") SimLock"
    );
    let image = format!("{:?}", disk.live());
    assert!(image.starts_with("{\"f\": \"#1: 5000 bytes, "), "{image}");
    assert_eq!(image.len(), "{\"f\": \"#1: 5000 bytes, 01234567\"}".len());
    let machine = format!("{disk:?}");
    assert_eq!(
        machine,
        format!("SimDisk {{ process: 1, calls: 3, live: {image}, .. }}")
    );
    assert!(format!("{:?}", disk.disk()).contains("page: Some(Page("));
}

#[test]
fn handles_may_be_shared_by_threads() {
    let disk = machine(SimOptions::default());
    let storage = disk.storage();
    let file: Arc<dyn beaver_storage::StorageFile> = storage.create("f").unwrap().into();
    std::thread::scope(|scope| {
        for thread in 0..4u8 {
            let file = file.clone();
            scope.spawn(move || {
                for place in 0..100u64 {
                    file.write_at(&[thread], place * 4 + u64::from(thread))
                        .unwrap();
                }
            });
        }
    });
    let expected: Vec<u8> = (0..400).map(|place| (place % 4) as u8).collect();
    assert_eq!(disk.live().read("f").unwrap(), expected);
}
