//! Faults that were planned strike, stand in the recording, and strike again when it is carried out again.

use beaver_disk::Profile;
use beaver_trace::{LogReplay, ProgramEnd};

use crate::place::{Made, Place, can_record};

/// A script that writes and syncs ten times and says what came of each.
const WRITES: &str = "
f = make('f')
for i in range(10):
    try:
        os.write(f, bytes([65 + i]) * 4096)
        os.fsync(f)
        print('ok', flush=True)
    except OSError as error:
        print(error.strerror, flush=True)
";

fn replayed(made: &Made) -> LogReplay<'_> {
    let mut replay = LogReplay::new(&made.log, Profile::LinuxOrdered);
    while replay.next().is_some() {
        replay.step().unwrap();
    }
    replay
}

/// The replayed disk is the recorded one, and so are its images.
#[track_caller]
pub(crate) fn check_replay(made: &Made) {
    let (replay, disk) = (replayed(made), &made.recorded.disk);
    assert_eq!(replay.disk().live(), disk.live());
    let count = |disk: &beaver_disk::SimDisk| disk.crash_between_calls().images().count();
    assert_eq!(count(replay.disk()), count(disk));
}

#[test]
fn the_third_fsync_fails_once_and_its_pages_count_as_clean() {
    if !can_record() {
        return;
    }
    let made = Place::with_faults(&["eio-at-fsync:3"]).python(WRITES);
    let mut expected = ["ok"; 10];
    expected[2] = "Input/output error";
    assert_eq!(made.acks(), expected);
    assert_eq!(made.recorded.summary.faults, 1);
    check_replay(&made);
    // All is synced, and yet the third page is gone after a power cut.
    let space = made.recorded.disk.crash_between_calls().images();
    let image = space.image(&space.resolve(&[]));
    let bytes = image.read("f").unwrap();
    assert_eq!(bytes[2 * 4096..3 * 4096], [0; 4096]);
    assert_eq!(bytes[3 * 4096], b'D');
    assert_eq!(made.recorded.disk.live().read("f").unwrap()[2 * 4096], b'C');
}

#[test]
fn the_second_write_fails() {
    if !can_record() {
        return;
    }
    let made = Place::with_faults(&["eio-at-write:2"]).python(WRITES);
    assert_eq!(made.acks()[..3], ["ok", "Input/output error", "ok"]);
    assert_eq!(made.recorded.disk.live().len_of("f"), Some(9 * 4096));
    assert_eq!(made.recorded.disk.live().read("f").unwrap()[4096], b'C');
    check_replay(&made);
}

#[test]
fn a_full_disk_takes_what_fits() {
    if !can_record() {
        return;
    }
    let made = Place::with_faults(&["full-disk:10000"]).python(
        "f = make('f')
print(os.write(f, b'x' * 8000))
print(os.write(f, b'x' * 8000))
try:
    os.write(f, b'x')
except OSError as error:
    print(error.strerror)
print(os.statvfs(d).f_bavail)
print(os.pread(f, 20000, 0) == b'x' * 10000)",
    );
    assert_eq!(
        made.acks(),
        ["8000", "2000", "No space left on device", "0", "True"]
    );
    check_replay(&made);
}

#[test]
fn after_the_planned_power_cut_nothing_counts() {
    if !can_record() {
        return;
    }
    let script = "
f = make('f')
while True:
    os.write(f, b'x')
    print('written', flush=True)
";
    let made = Place::with_faults(&["power-cut-at:20"]).python(script);
    assert_eq!(made.recorded.ended, ProgramEnd::PowerCut);
    // One of the twenty is the creation, and nobody hears of the last one.
    let live = made.recorded.disk.live();
    assert_eq!(live.len_of("f"), Some(19));
    assert_eq!(made.acks().len(), 18);
    check_replay(&made);
}

#[test]
fn a_fault_that_did_not_happen_is_said() {
    if !can_record() {
        return;
    }
    let made = Place::with_faults(&["eio-at-fsync:3", "eio-at-write:1", "power-cut-at:100"])
        .python("f = make('f')\nos.fsync(f)");
    let warnings = made.recorded.warnings.iter();
    let warnings = warnings.filter(|warning| warning.contains("did not happen"));
    assert_eq!(
        warnings.collect::<Vec<_>>(),
        [
            "eio-at-fsync:3 did not happen: there were 1 syncs of files",
            "eio-at-write:1 did not happen: there were 0 writes",
            "power-cut-at:100 did not happen: there were 2 changes"
        ]
    );
}
