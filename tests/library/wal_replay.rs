//! Reading back: in order, whole appends, strict or lenient.

use beaver::wal::{LogReader, ReplayError};
use beaver::{ChecksumKind, Error, Position, Seq};

use crate::support::*;

/// A log of three segments with two, three and one events.
fn three_segments() -> Memory {
    let disk = log_of(1..=2);
    let mut wal = open(&disk);
    wal.rotate().unwrap();
    append_group(&mut wal, 1..=3);
    wal.rotate().unwrap();
    append(&mut wal, 1..=1);
    disk
}

const ALL: [&str; 6] = ["1:1=1", "1:2=2", "2:1=1", "2:2=2", "2:3=3", "3:1=1"];

fn count_after(disk: &Memory, after: Position) -> usize {
    try_read(disk, after).unwrap().0.len()
}

#[test]
fn events_come_in_order_with_their_positions() {
    let disk = three_segments();
    assert_eq!(read(&disk), ALL);
    let (_, report) = try_read(&disk, Position::default()).unwrap();
    assert_eq!(
        (report.applied, report.first, report.last),
        (6, Some(at(1, 1)), Some(at(3, 1)))
    );
}

#[test]
fn replay_begins_after_any_position() {
    let disk = three_segments();
    for (after, count) in [
        (at(1, 0), 6),
        (at(1, 1), 5),
        (at(1, 2), 4),
        (at(1, 9), 4),
        (at(2, 0), 4),
        (at(2, 2), 2),
        (at(3, 0), 1),
        (at(3, 1), 0),
        (at(9, 9), 0),
    ] {
        assert_eq!(count_after(&disk, after), count, "{after}");
        let (lenient, _) = try_salvage(&disk, after).unwrap();
        assert_eq!(lenient.len(), count, "{after}");
    }
}

#[test]
fn the_handlers_error_stops_and_comes_back_with_its_position() {
    let disk = three_segments();
    let reader = LogReader::<Line>::open(disk.storage()).unwrap();
    for salvage in [false, true] {
        let mut seen = 0;
        let handler = |position, _| {
            seen += 1;
            if position == at(2, 2) {
                Err("no")
            } else {
                Ok(())
            }
        };
        let result = match salvage {
            false => reader.replay(Position::default(), handler),
            true => {
                beaver::inspect::salvage(&reader, Position::default(), handler).map(|it| it.replay)
            }
        };
        let Err(ReplayError::Handler { position, error }) = result else {
            panic!("the handler said no");
        };
        assert_eq!((position, error, seen), (at(2, 2), "no", 4));
    }
}

#[test]
fn segments_that_are_over_are_not_read() {
    let disk = three_segments();
    flip(&disk, WAL1, 800);
    assert_eq!(count_after(&disk, at(2, 0)), 4);
    assert_eq!(
        count_after(&disk, at(1, 2)),
        4,
        "the next segment says that this was the last event"
    );
    try_read(&disk, at(1, 1)).unwrap_err();
}

#[test]
fn what_lies_between_the_position_and_the_log_is_missed() {
    let disk = three_segments();
    disk.lose(WAL1);
    assert_eq!(count_after(&disk, at(1, 2)), 4);
    let reader = LogReader::<Line>::open(disk.storage()).unwrap();
    assert_eq!(reader.start().unwrap(), at(1, 2));
    for after in [Position::default(), at(1, 0), at(1, 1)] {
        let error = try_read(&disk, after).unwrap_err();
        let reason = format!("the events between {after} and {WAL2} were removed");
        assert!(matches!(error, Error::BrokenChain { .. }), "{error}");
        assert!(error.to_string().contains(&reason), "{error}");
        let (seen, report) = try_salvage(&disk, after).unwrap();
        assert_eq!(seen.len(), 4, "from the oldest that is there");
        let skipped = &report.skipped[0];
        assert_eq!(
            (skipped.file.as_str(), skipped.from, skipped.to),
            (WAL1, Seq(after.seq.0 + 1), None)
        );
        assert!(skipped.reason.contains("removed"), "{}", skipped.reason);
        assert_eq!(report.skipped.len(), 1);
    }
    assert_eq!(try_salvage(&disk, at(1, 2)).unwrap().1.skipped, []);
    disk.lose(WAL2);
    let error = try_read(&disk, at(1, 2)).unwrap_err();
    assert!(matches!(error, Error::BrokenChain { .. }), "{error}");
}

#[test]
fn a_missing_segment_is_an_error_strictly_and_reported_leniently() {
    let disk = three_segments();
    disk.lose(WAL2);
    assert!(matches!(
        try_read(&disk, Position::default()),
        Err(Error::BrokenChain { .. })
    ));
    let (seen, report) = read_leniently(&disk);
    assert_eq!(seen, ["1:1=1", "1:2=2", "3:1=1"]);
    assert_eq!(
        (report.skipped[0].file.as_str(), report.skipped.len()),
        (WAL2, 1)
    );
}

#[test]
fn an_empty_directory_has_no_events() {
    let (seen, report) = try_read(&Memory::new(), Position::default()).unwrap();
    assert_eq!((seen.len(), report), (0, Default::default()));
}

#[test]
fn readers_take_no_lock_and_change_nothing() {
    let disk = three_segments();
    glue(&disk, &wal(3), "torn");
    let _owner = disk.storage().lock().unwrap();
    disk.take_calls();
    read(&disk);
    read_leniently(&disk);
    assert_eq!(disk.take_changes(), [""; 0]);
}

#[test]
fn lenient_replay_of_a_whole_log_is_strict_replay() {
    let disk = three_segments();
    let (seen, report) = read_leniently(&disk);
    assert_eq!((seen, report.skipped.len()), (read(&disk), 0));
}

/// Lenient replay of one segment hands on these seqs, and says which ones it left out.
fn check_lenient(log: &Lines, seqs: &[u64], skipped: &[(u64, Option<u64>)]) {
    let (seen, report) = read_leniently(&log.disk());
    let expected: Vec<_> = seqs.iter().map(|seq| format!("1:{seq}={seq}")).collect();
    let left_out: Vec<_> = report
        .skipped
        .iter()
        .map(|s| (s.from.0, s.to.map(|to| to.0)))
        .collect();
    assert_eq!((seen, left_out.as_slice()), (expected, skipped));
}

#[test]
fn lenient_replay_leaves_out_what_is_damaged_and_goes_on() {
    let log = Lines::first().event(1, 1).damaged(2, 2).event(3, 3);
    check_lenient(&log, &[1, 3], &[(2, Some(2))]);
    let log = Lines::first()
        .damaged(1, 1)
        .damaged(2, 2)
        .event(3, 3)
        .damaged(4, 4)
        .marker(4)
        .event(5, 5);
    check_lenient(&log, &[3, 5], &[(1, Some(2)), (4, Some(4))]);
}

#[test]
fn lenient_replay_leaves_out_an_append_with_a_damaged_member_whole() {
    let log = Lines::first()
        .event(1, 1)
        .more(2, 2)
        .damaged(3, 2)
        .event(4, 2)
        .event(5, 5);
    check_lenient(&log, &[1, 5], &[(2, Some(4))]);
    let log = Lines::first()
        .event(1, 1)
        .damaged(2, 2)
        .more(3, 2)
        .event(4, 2)
        .event(5, 5);
    check_lenient(&log, &[1, 5], &[(2, Some(4))]);
    let log = Lines::first()
        .event(1, 1)
        .more(2, 2)
        .more(3, 2)
        .damaged(4, 2)
        .event(5, 5);
    check_lenient(&log, &[1, 5], &[(2, Some(4))]);
}

#[test]
fn lenient_replay_leaves_out_nothing_for_damage_that_took_no_event() {
    let line = |seq, batch| Lines::headless(1).event(seq, batch).bytes;
    let log = Lines::first()
        .event(1, 1)
        .event(2, 1)
        .raw(line(2, 1))
        .event(3, 1)
        .event(4, 4);
    check_lenient(&log, &[1, 2, 3, 4], &[(3, Some(2))]);
    let log = Lines::first()
        .event(1, 1)
        .event(2, 1)
        .raw("\n")
        .event(3, 1)
        .event(4, 4);
    check_lenient(&log, &[1, 2, 3, 4], &[(3, Some(2))]);
    let log = Lines::first().event(1, 1).raw("junk\n").event(2, 2);
    check_lenient(&log, &[1, 2], &[(2, Some(1))]);
}

#[test]
fn lenient_replay_steps_over_a_damaged_header() {
    let log = Lines::headless(1).raw("{\"wal\"\n").event(1, 1).event(2, 2);
    check_lenient(&log, &[1, 2], &[(1, Some(0))]);
    // Without a header nothing is a torn tail, also where no line after it proves anything. Event 2
    // may be the end of an append.
    let log = Lines::headless(1).raw("{\"wal\"\n").event(2, 1).event(3, 1);
    check_lenient(&log, &[3], &[(1, Some(2))]);
}

#[test]
fn lenient_replay_says_when_nothing_tells_how_much_is_missing() {
    let disk = Lines::first().event(1, 1).disk();
    glue(&disk, WAL1, "junk");
    Lines::headless(2).raw("junk").on(&disk);
    let (seen, report) = read_leniently(&disk);
    assert_eq!(seen, ["1:1=1"]);
    let left_out: Vec<_> = report
        .skipped
        .iter()
        .map(|s| (s.file.as_str(), s.to))
        .collect();
    assert_eq!(left_out, [(WAL1, None), (WAL2, None)]);
}

#[test]
fn lenient_replay_reports_what_the_next_header_says_is_missing() {
    let disk = Lines::first().event(1, 1).disk();
    Lines::after(2, 3).event(1, 1).on(&disk);
    let (seen, report) = read_leniently(&disk);
    assert_eq!(seen, ["1:1=1", "2:1=1"]);
    assert_eq!(
        (report.skipped[0].from.0, report.skipped[0].to.unwrap().0),
        (2, 3)
    );
}

#[test]
fn lenient_replay_reports_a_header_that_seals_another_end_than_there_is() {
    let header = |prev: &str| {
        let text = format!(
            "{{\"wal\":\"beaver\",\"version\":1,\"epoch\":2,\"prev\":{prev},\"created_ms\":0"
        );
        Lines::headless(2).line(ChecksumKind::Header, &text)
    };
    for (prev, sealed) in [
        (r#"{"epoch":1,"last_seq":1}"#, "1:1"),
        (r#"{"epoch":0,"last_seq":9}"#, "0:9"),
        ("null", "nothing"),
    ] {
        let disk = Lines::first().event(1, 1).event(2, 2).disk();
        header(prev).event(1, 1).on(&disk);
        let (seen, report) = read_leniently(&disk);
        assert_eq!(seen, ["1:1=1", "1:2=2", "2:1=1"]);
        let skipped = &report.skipped[0];
        assert_eq!(
            (skipped.file.as_str(), skipped.from.0, skipped.to),
            (WAL2, 1, Some(Seq(0))),
            "no event is missing"
        );
        let reason = format!("the header seals {sealed}, but {WAL1} before it ends at 1:2");
        assert!(skipped.reason.contains(&reason), "{}", skipped.reason);
        assert_eq!(report.skipped.len(), 1);
    }
}

#[test]
fn an_unfinished_end_is_the_same_in_both_modes() {
    for log in [
        Lines::first().event(1, 1).raw("torn"),
        Lines::first().event(1, 1).more(2, 2),
        Lines::first().event(1, 1).more(2, 2).raw("torn\n\n"),
        Lines::first().event(1, 1).raw("\0\0torn\0\0"),
    ] {
        let (seen, lenient) = read_leniently(&log.disk());
        let (_, strict) = try_read(&log.disk(), Position::default()).unwrap();
        assert_eq!(
            (seen, lenient.replay.torn_tail),
            (numbered(1..=1), strict.torn_tail)
        );
    }
}

#[test]
fn replaying_twice_shows_the_same() {
    let disk = three_segments();
    let wal = open(&disk);
    let mut runs = [Vec::new(), Vec::new()];
    for run in &mut runs {
        wal.replay(Position::default(), |position, line| {
            run.push((position, line));
            Ok::<(), ()>(())
        })
        .unwrap();
    }
    assert_eq!(runs[0], runs[1]);
}

#[test]
fn lenient_replay_leaves_out_an_event_that_claims_a_batch_it_cannot_be_of() {
    let log = Lines::first().event(1, 1).marker(1).event(2, 1).event(3, 3);
    check_lenient(&log, &[1, 3], &[(2, Some(2))]);
}

fn last_position(disk: &Memory) -> beaver::Result<Option<Position>> {
    LogReader::<Line>::open(disk.storage())
        .unwrap()
        .last_position()
}

#[test]
fn the_last_position_is_known_without_owning_the_log_or_reading_all_of_it() {
    assert_eq!(last_position(&Memory::new()).unwrap(), None);
    let disk = three_segments();
    assert_eq!(last_position(&disk).unwrap(), Some(at(3, 1)));
    open(&disk).rotate().unwrap();
    assert_eq!(last_position(&disk).unwrap(), Some(at(4, 0)));

    let disk = log_of(1..=6_000);
    let (length, before) = (disk.bytes(WAL1).len(), disk.files());
    disk.take_read_bytes();
    assert_eq!(last_position(&disk).unwrap(), Some(at(1, 6_000)));
    assert!(disk.take_read_bytes() < length);
    assert_eq!(disk.files(), before);
}

#[test]
#[cfg_attr(
    debug_assertions,
    ignore = "long where nothing is optimised: with --release"
)]
fn a_last_batch_of_any_shape_is_found_from_the_end() {
    let (short, long) = (30, 300_000);
    for shape in [
        vec![short; 5_000],
        [vec![short; 2_000], vec![long]].concat(),
        [vec![long], vec![short; 2_000]].concat(),
        [vec![long; 3], vec![short; 10], vec![long], vec![short]].concat(),
        vec![long],
        vec![20 * long, short],
    ] {
        let disk = log_of(1..=20_000);
        let events = shape.iter().map(|length| line("1".repeat(*length)));
        open(&disk).append(&events.collect::<Vec<_>>()).unwrap();
        let batch: usize = shape.iter().sum();
        disk.take_read_bytes();
        let last = at(1, 20_000 + shape.len() as u64);
        assert_eq!(last_position(&disk).unwrap(), Some(last));
        // The piece at the end is read twice, and what comes after it at most sixteenfold.
        let (read, most) = (disk.take_read_bytes(), 3 * batch + 1_200_000);
        assert!(read < most, "{read} bytes for a batch of {batch}");
        assert_eq!(open(&disk).last_position(), last);
    }
}

#[test]
fn the_last_position_is_the_one_that_opening_would_show() {
    let torn = log_of(1..=3);
    glue(&torn, WAL1, "{\"seq\":4,\"ev");
    assert_eq!(last_position(&torn).unwrap(), Some(at(1, 3)));
    assert_eq!(open(&torn).last_position(), at(1, 3));

    let damaged = Lines::first()
        .event(1, 1)
        .damaged(2, 2)
        .event(3, 3)
        .event(4, 4);
    let damaged = damaged.damaged(5, 5).disk();
    for refused in [
        damaged,
        Lines::headless(1).raw("\0\n\0\n").disk(),
        Lines::headless(1).event(1, 1).disk(),
    ] {
        let error = last_position(&refused).unwrap_err();
        assert_eq!(error.to_string(), open_error(&refused).to_string());
    }
}
