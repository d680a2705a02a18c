//! The rules of a reader without which the protocols lose data or refuse
//! without need: each is shown by the bytes that a crash, or damage, leaves where it matters.
//!
//! A rule that is left out has the same bytes judged the other way round, so each of these tests
//! fails with it.

use beaver::{
    ChecksumKind, Controller, ControllerOptions, Epoch, Error, JobId, calculate_checksum,
};
use beaver_disk::{Disk, Image, Profile, SimDisk, SimOptions};

/// A line with its checksum in the place of the zeros.
fn line(kind: ChecksumKind, epoch: u64, text: &str) -> String {
    let text = format!("{text},\"crc\":\"00000000\"}}");
    let crc = calculate_checksum(kind, Epoch(epoch), text.as_bytes())
        .expect("the lines of these tests are well formed");
    text.replace("00000000", &format!("{crc:08x}")) + "\n"
}

fn header(epoch: u64, prev: &str) -> String {
    let text = format!(
        "{{\"wal\":\"beaver\",\"version\":1,\"epoch\":{epoch},\"prev\":{prev},\"created_ms\":0"
    );
    line(ChecksumKind::Header, epoch, &text)
}

/// The event that enqueues job `jN`, N being its seq.
fn event(epoch: u64, seq: u64, batch: u64) -> String {
    let batch = match batch == seq {
        true => String::new(),
        false => format!(",\"batch\":{batch}"),
    };
    let event =
        format!("{{\"type\":\"ENQUEUE\",\"job_id\":\"j{seq}\",\"timestamp\":1,\"payload\":{seq}}}");
    let text = format!("{{\"seq\":{seq}{batch},\"event\":{event}");
    line(ChecksumKind::Event, epoch, &text)
}

fn marker(epoch: u64, synced: u64) -> String {
    line(
        ChecksumKind::Marker,
        epoch,
        &format!("{{\"synced\":{synced}"),
    )
}

/// The line as damage leaves it, its newline included or not.
fn spoiled(line: &str, newline_too: bool) -> String {
    let kept = if newline_too {
        line.len()
    } else {
        line.len() - 1
    };
    line.char_indices()
        .map(|(at, c)| if at > 3 && at < kept { '#' } else { c })
        .collect()
}

/// Opens a store of these files; which of the jobs j1 … j9 are there.
fn open(files: &[(&str, String)]) -> Result<Vec<u64>, Error> {
    let image = Image::from_files(files.iter().map(|(name, bytes)| (*name, bytes.as_bytes())));
    let disk = SimDisk::new(
        Disk::from_image(&image, Profile::Posix),
        SimOptions::default(),
    );
    let (controller, _) = Controller::open(disk.storage(), ControllerOptions::default())?;
    let there = |seq: &u64| {
        let id = JobId::new(format!("j{seq}")).expect("the lines of these tests are well formed");
        controller.state().job(&id).is_some()
    };
    Ok((1..10).filter(there).collect())
}

/// Opens a first segment of these lines.
fn open_lines(lines: &[String]) -> Result<Vec<u64>, Error> {
    let segment = header(1, "null") + &lines.concat();
    open(&[("wal-0000000001.jsonl", segment)])
}

#[track_caller]
fn check_refused(lines: &[String]) {
    match open_lines(lines) {
        Err(
            error @ (Error::Corrupt { .. }
            | Error::ChecksumMismatch { .. }
            | Error::SequenceGap { .. }),
        ) => {
            assert!(
                error.to_string().contains("wal-0000000001.jsonl"),
                "{error}"
            );
        }
        other => panic!("acknowledged events are damaged, but: {other:?}"),
    }
}

#[test]
fn a_gap_in_the_last_batch_is_a_torn_tail() {
    // One write of three lines; the middle one never reached the disk.
    let lost = event(1, 3, 2).len();
    let hole = "\0".repeat(lost);
    for middle in [hole, String::new()] {
        let lines = [event(1, 1, 1), event(1, 2, 2), middle, event(1, 4, 2)];
        assert_eq!(
            open_lines(&lines).expect("the lines of these tests are well formed"),
            [1, 2]
        );
    }
}

#[test]
fn an_event_of_a_later_batch_proves_what_is_damaged_before_it() {
    let damaged = spoiled(&event(1, 2, 2), false);
    check_refused(&[event(1, 1, 1), damaged, event(1, 3, 3)]);
}

#[test]
fn proof_is_looked_for_where_damage_has_eaten_the_newline() {
    let glued = spoiled(&event(1, 2, 2), true);
    assert!(!glued.contains('\n'));
    check_refused(&[event(1, 1, 1), glued, event(1, 3, 3)]);
}

#[test]
fn a_marker_is_proof() {
    let damaged = spoiled(&event(1, 2, 2), false);
    check_refused(&[event(1, 1, 1), damaged.clone(), marker(1, 2)]);
    // Without it the same damage lies in a batch that was never acknowledged.
    assert_eq!(
        open_lines(&[event(1, 1, 1), damaged]).expect("the lines of these tests are well formed"),
        [1]
    );
}

#[test]
fn the_first_event_of_a_batch_is_proof() {
    // What is damaged is a marker, so the event after it has the very seq that is expected there.
    let damaged = spoiled(&marker(1, 2), false);
    check_refused(&[event(1, 1, 1), event(1, 2, 1), damaged, event(1, 3, 3)]);
}

#[test]
fn only_segments_above_the_snapshot_must_be_without_a_gap() {
    // A prune was interrupted by a power cut that undid one removal and not the other.
    let state = "{\"applied\":{\"epoch\":2,\"seq\":1},\"machine\":".to_owned();
    let disk = SimDisk::new(Disk::empty(Profile::Posix), SimOptions::default());
    let options = ControllerOptions::default();
    let (controller, _) = Controller::open(disk.storage(), options)
        .expect("the lines of these tests are well formed");
    let mut machine = Vec::new();
    beaver::StateMachine::snapshot(controller.state(), &mut machine);
    drop(controller);
    let machine = String::from_utf8(machine).expect("the lines of these tests are well formed");
    let text = format!(
        "{{\"snapshot\":\"beaver\",\"version\":1,\"epoch\":3,\"last_seq\":0,\"state\":{state}{machine}}}"
    );
    let files = [
        (
            "snapshot-0000000003.json",
            line(ChecksumKind::Snapshot, 3, &text),
        ),
        ("wal-0000000001.jsonl", header(1, "null")),
        (
            "wal-0000000004.jsonl",
            header(4, "{\"epoch\":3,\"last_seq\":0}") + &event(4, 1, 1),
        ),
    ];
    assert_eq!(
        open(&files).expect("the lines of these tests are well formed"),
        [1]
    );
    // Above the snapshot a gap is a loss.
    let [_, first, _] = &files;
    let last = (
        "wal-0000000003.jsonl",
        header(3, "{\"epoch\":2,\"last_seq\":0}"),
    );
    let error = open(&[first.clone(), last]).unwrap_err();
    assert!(matches!(error, Error::BrokenChain { .. }), "{error}");
}

#[test]
fn the_lines_of_these_tests_are_the_ones_of_the_format() {
    assert_eq!(
        header(1, "null"),
        "{\"wal\":\"beaver\",\"version\":1,\"epoch\":1,\"prev\":null,\"created_ms\":0,\"crc\":\"4b6da27c\"}\n"
    );
    assert_eq!(marker(1, 2), "{\"synced\":2,\"crc\":\"9dc04cf6\"}\n");
}
