//! Torn tail or corruption: what lies after the first damaged byte decides.

use beaver::{ChecksumKind, Error, Position, Seq, inspect};

use crate::support::*;

/// Every reader cuts the tail after `kept` events, at the start of line `cut`, without an error.
fn check_torn(log: &Lines, kept: u64, cut: usize) {
    let (_, report) = try_read(&log.disk(), Position::default()).unwrap();
    let torn = report.torn_tail.expect("a torn tail");
    assert_eq!(torn.offset as usize, log.starts[cut]);
    let disk = log.disk();
    let (wal, opened) = try_open(&disk).unwrap();
    assert_eq!(
        (wal.last_seq().0, opened.torn_tail),
        (kept, Some(torn.clone()))
    );
    assert_eq!(disk.bytes(WAL1), log.bytes[..log.starts[cut]]);
    let disk = log.disk();
    let (store, recovered) = recover(&disk);
    assert_eq!(
        (store.state().0.len() as u64, recovered.torn_tail),
        (kept, Some(torn))
    );
    assert_eq!(disk.bytes(WAL1), log.bytes[..log.starts[cut]]);
}

/// Every reader refuses, and nothing changes.
fn check_corrupt(log: &Lines) {
    let disk = log.disk();
    let read = try_read(&disk, Position::default()).unwrap_err();
    let (opened, recovered) = (open_error(&disk), recover_error(&disk));
    assert_eq!(read.to_string(), opened.to_string());
    assert_eq!(read.to_string(), recovered.to_string());
}

#[test]
fn damage_at_the_end_is_a_torn_tail() {
    let log = Lines::first().event(1, 1);
    check_torn(&log.clone().raw("{\"seq\":2,\"ev"), 1, 2);
    check_torn(&log.clone().raw("\u{1}"), 1, 2);
    check_torn(&log.clone().damaged(2, 2), 1, 2);
    check_torn(&log.clone().raw("{\"seq\":2,\"ev\0\0\0\0\n\n"), 1, 2);
    check_torn(&log.raw("\0\0\0half a line\n\n\0"), 1, 2);
}

#[test]
fn a_line_without_its_newline_is_torn() {
    let mut log = Lines::first().event(1, 1).event(2, 2);
    log.bytes.pop();
    check_torn(&log, 1, 2);
    log.bytes.push(0);
    check_torn(&log, 1, 2);
}

#[test]
fn what_was_torn_is_counted_without_free_space() {
    let disk = Lines::first().event(1, 1).raw("torn\n\n\0\0").disk();
    assert_eq!(try_open(&disk).unwrap().1.torn_tail.unwrap().bytes, 4);
}

#[test]
fn damage_with_survivors_of_the_same_batch_is_a_torn_tail() {
    let log = Lines::first().event(1, 1);
    check_torn(
        &log.clone()
            .event(2, 2)
            .damaged(3, 2)
            .event(4, 2)
            .event(5, 2),
        2,
        3,
    );
    check_torn(&log.clone().damaged(2, 2).event(3, 2), 1, 2);
    check_torn(&log.raw("\0\0\0\0\0").event(3, 2), 1, 2);
}

#[test]
fn an_event_of_a_later_batch_is_proof() {
    check_corrupt(
        &Lines::first()
            .event(1, 1)
            .damaged(2, 2)
            .damaged(3, 3)
            .event(4, 3),
    );
}

#[test]
fn the_first_event_of_a_batch_is_proof() {
    check_corrupt(&Lines::first().damaged(1, 1).event(2, 2));
    check_corrupt(&Lines::first().event(1, 1).damaged(2, 1).event(3, 3));
}

#[test]
fn a_marker_is_proof() {
    check_corrupt(&Lines::first().event(1, 1).damaged(2, 2).marker(2));
    check_corrupt(&Lines::first().damaged(1, 1).marker(1));
}

#[test]
fn lost_events_are_no_proof() {
    check_torn(&Lines::first().event(1, 1).damaged(2, 2).lost(3, 4), 1, 2);
}

#[test]
fn a_gap_is_damage_but_not_yet_corruption() {
    let log = Lines::first().event(1, 1).event(2, 2);
    check_torn(&log.clone().event(4, 2), 2, 3);
    check_torn(&log.clone().event(4, 2).event(5, 2), 2, 3);
    check_torn(&log.clone().event(4, 3), 2, 3);
    check_corrupt(&log.clone().event(4, 4));
    check_corrupt(&log.event(5, 4));
}

#[test]
fn proof_counts_at_every_offset_also_where_damage_ate_the_newline() {
    for eaten in [
        "",
        "{",
        "{\"",
        "{\"seq\":2,\"event\":",
        "{\"{\"{\"seq\":",
        "\0",
        "xyz",
    ] {
        check_corrupt(
            &Lines::first()
                .event(1, 1)
                .raw(eaten.to_owned() + "junk")
                .event(3, 3),
        );
        check_torn(
            &Lines::first()
                .event(1, 1)
                .raw(eaten.to_owned() + "junk")
                .event(3, 2),
            1,
            2,
        );
    }
}

#[test]
fn a_newline_that_was_eaten_hides_no_proof() {
    let mut log = Lines::first().event(1, 1).event(2, 2).event(3, 3);
    let newline = log.starts[3] - 1;
    log.bytes[newline] = b' ';
    check_corrupt(&log);
}

#[test]
fn a_line_inside_an_event_is_no_proof() {
    let inner = Lines::headless(1).event(9, 9).bytes;
    let body = format!("[{}]", String::from_utf8(inner).unwrap().trim_end());
    let mut log = Lines::first().event(1, 1).any_event(2, 2, false, &body);
    let brace = log.starts[2];
    log.bytes[brace] = b'#';
    check_torn(&log, 1, 2);
}

#[test]
fn a_line_without_its_newline_is_no_proof() {
    let mut log = Lines::first().event(1, 1).damaged(2, 2).event(3, 3);
    log.bytes.pop();
    check_torn(&log, 1, 2);
}

#[test]
fn a_valid_line_of_another_segment_is_no_proof() {
    let other = Lines::headless(2).event(3, 3).marker(3).bytes;
    check_torn(&Lines::first().event(1, 1).damaged(2, 2).raw(other), 1, 2);
}

#[test]
fn proof_is_found_far_after_the_damage() {
    let log = Lines::first().event(1, 1);
    check_corrupt(&log.clone().raw("x".repeat(20 << 20)).event(3, 3));
    check_corrupt(&log.raw("\0".repeat(1 << 20)).event(3, 3));
}

#[test]
fn an_append_is_cut_back_whole() {
    let log = Lines::first().event(1, 1);
    check_torn(&log.clone().more(2, 2), 1, 2);
    check_torn(&log.clone().more(2, 2).more(3, 2).damaged(4, 2), 1, 2);
    check_torn(&log.clone().event(2, 2).more(3, 2).raw("torn"), 2, 3);
    check_torn(&log.clone().event(2, 2).more(3, 2).raw("\0\0"), 2, 3);
    check_torn(&log.more(2, 2).damaged(3, 2).event(4, 2), 1, 2);
}

#[test]
fn an_append_without_its_end_in_front_of_another_batch_is_corruption() {
    check_corrupt(&Lines::first().more(1, 1).event(2, 2));
    check_corrupt(
        &Lines::first()
            .event(1, 1)
            .more(2, 2)
            .damaged(3, 2)
            .event(4, 4),
    );
}

#[test]
fn whole_appends_at_the_start_of_a_torn_batch_stay() {
    check_torn(
        &Lines::first()
            .more(1, 1)
            .event(2, 1)
            .event(3, 1)
            .damaged(4, 1),
        3,
        4,
    );
}

#[test]
fn a_torn_marker_is_a_torn_tail() {
    let mut log = Lines::first().event(1, 1).marker(1);
    log.bytes.truncate(log.starts[2] + 9);
    check_torn(&log, 1, 2);
}

#[test]
fn everything_may_be_torn_but_the_header() {
    check_torn(&Lines::first().raw("{\"seq\""), 0, 1);
    check_torn(&Lines::first().marker(0).damaged(1, 1), 0, 2);
    check_corrupt(&Lines::headless(1).raw("{\"wal\":\"beav"));
}

#[test]
fn a_damaged_line_in_the_middle_names_place_and_reason() {
    let mut log = Lines::first().event(1, 1).event(2, 2).event(3, 3);
    let digit = log.starts[3] - 5;
    log.bytes[digit] ^= 1;
    let error = open_error(&log.disk());
    let Error::ChecksumMismatch {
        file,
        offset,
        seq,
        expected,
        found,
    } = error
    else {
        panic!("{error}");
    };
    assert_eq!(
        (file.as_str(), offset as usize, seq.0),
        (WAL1, log.starts[2], 2)
    );
    assert_ne!(expected, found);
}

#[test]
fn what_was_cut_never_comes_back_and_its_place_is_used_again() {
    let disk = Lines::first().event(1, 1).damaged(2, 2).event(3, 2).disk();
    let mut wal = open(&disk);
    append(&mut wal, 2..=2);
    drop(wal);
    assert_eq!(read(&disk.power_cut()), numbered(1..=2));
    assert_eq!(
        disk.bytes(WAL1),
        Lines::first().event(1, 1).event(2, 2).bytes
    );
}

#[test]
#[cfg_attr(
    debug_assertions,
    ignore = "long where nothing is optimised: with --release"
)]
fn a_batch_that_outgrows_the_limit_is_damage() {
    let body = format!("\"{}\"", "x".repeat(15 << 20));
    let mut log = Lines::first();
    for seq in 1..=6 {
        log = log.any_event(seq, 1, false, &body);
    }
    let (wal, report) = try_open(&log.disk()).unwrap();
    assert_eq!((wal.last_seq().0, report.torn_tail.is_some()), (5, true));
    open_error(&log.marker(6).disk());
}

/// A log of version 2 with event 1 and the first page of the next append, whose payload is `inner`
/// and the page ends with it: what the disk kept of it in a power cut, then free space.
pub(crate) fn torn_after(inner: &str) -> Memory {
    let disk = log_of(1..=1);
    let body = format!("[{},\"and more\"]", inner.trim_end());
    open(&disk).append(&[line(&body)]).unwrap();
    let kept = disk.text(WAL1).find(inner.trim_end()).unwrap() + inner.trim_end().len();
    cut(&disk, WAL1, kept);
    glue(&disk, WAL1, "\n\n\n");
    disk
}

/// What a client can put into a payload: lines that are valid as far as it can tell, because it knows
/// everything that their checksums cover but the store.
pub(crate) fn forged() -> [String; 4] {
    [
        (ChecksumKind::Marker, "{\"synced\":2"),
        (ChecksumKind::Event, "{\"seq\":2,\"event\":\"forged\""),
        (ChecksumKind::Event, "{\"seq\":3,\"event\":\"forged\""),
        (ChecksumKind::Lost, "{\"lost\":[2,3]"),
    ]
    .map(|(kind, text)| lines::sealed(kind, 1, text))
}

#[test]
fn a_line_that_a_client_has_made_proves_nothing() {
    for inner in forged() {
        let disk = torn_after(&inner);
        let (_, report) = try_read(&disk, Position::default()).unwrap();
        let (wal, opened) = try_open(&disk).unwrap();
        assert_eq!(opened.torn_tail, report.torn_tail, "{inner}");
        assert!(opened.torn_tail.is_some(), "{inner}");
        assert_eq!(wal.last_position(), at(1, 1), "{inner}");
        assert_eq!(disk.bytes(WAL1), log_of(1..=1).bytes(WAL1), "{inner}");
    }
}

#[test]
fn an_event_that_a_client_has_made_is_not_shown_leniently() {
    for inner in forged() {
        let disk = torn_after(&inner);
        let (seen, report) = read_leniently(&disk);
        assert_eq!(seen, numbered(1..=1), "{inner}");
        assert_eq!((report.skipped, report.replay.lost), (vec![], vec![]));
        // Where more of the log follows, what is missing is reported, and nothing is made up.
        glue(&disk, WAL1, Lines::headless_of(STORE, 1).marker(5).bytes);
        let (seen, report) = read_leniently(&disk);
        assert_eq!(seen, numbered(1..=1), "{inner}");
        let missing = report.skipped.iter().map(|it| (it.from.0, it.to));
        assert_eq!(Vec::from_iter(missing), [(2, Some(Seq(5)))], "{inner}");
        let out = Memory::new();
        let repaired = inspect::repair(&disk.storage(), &out.storage(), COPY).unwrap();
        assert_eq!((repaired.events, read(&out)), (1, numbered(1..=1)));
    }
}
