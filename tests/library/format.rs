//! What a reader accepts and what it refuses, byte by byte.

use beaver::{ChecksumKind, Error, Position, Wal, inspect};

use crate::support::*;

/// A reader refuses the log in `disk`, and so does every opening for writing; nothing changes.
fn check_refused(disk: &Memory) -> Error {
    let error = try_read(disk, Position::default()).unwrap_err();
    recover_error(disk);
    error
}

/// These bytes after one event, followed by a marker that vouches for them, are refused.
fn check_not_a_line(text: &str) {
    let log = Lines::first().event(1, 1).raw(text).marker(2);
    check_refused(&log.disk());
}

#[test]
fn the_documented_lines_are_read() {
    let text = concat!(
        r#"{"wal":"beaver","version":1,"epoch":1,"prev":null,"created_ms":0,"crc":"4b6da27c"}"#,
        "\n",
        r#"{"seq":1,"more":true,"event":{"type":"ACK","job_id":"j","timestamp":1},"crc":"46043b64"}"#,
        "\n",
        r#"{"seq":2,"batch":1,"event":{"type":"ACK","job_id":"j","timestamp":1},"crc":"bf33c91a"}"#,
        "\n",
        r#"{"synced":2,"crc":"9dc04cf6"}"#,
        "\n",
        r#"{"lost":[3,4],"crc":"09dbe54f"}"#,
        "\n",
    );
    let disk = Memory::new();
    disk.put(WAL1, text);
    let (seen, report) = try_read(&disk, Position::default()).unwrap();
    let event = r#"{"type":"ACK","job_id":"j","timestamp":1}"#.to_owned();
    assert_eq!(seen, [(at(1, 1), event.clone()), (at(1, 2), event)]);
    assert_eq!(report.lost.len(), 1);
    assert_eq!(open(&disk).last_position(), at(1, 4));
}

/// A store of version 2 whose every checksum was computed by another program.
#[test]
fn the_documented_files_of_version_2_are_read_and_written() {
    let header = r#"{"wal":"beaver","version":2,"store":"6f1d0c5be2a94417","epoch":1,"prev":null,"created_ms":0,"crc":"b31b5cee"}"#;
    let event = r#"{"seq":1,"event":{"type":"ACK","job_id":"j","timestamp":1},"crc":"ea18dc04"}"#;
    let covered = r#"{"snapshot":"beaver","version":2,"store":"6f1d0c5be2a94417","epoch":1,"last_seq":1,"last_crc":"ea18dc04","state":{"applied":{"epoch":1,"seq":1},"machine":[{"type":"ACK","job_id":"j","timestamp":1}]},"crc":"9024fb45"}"#;
    let second = r#"{"wal":"beaver","version":2,"store":"6f1d0c5be2a94417","epoch":2,"prev":{"epoch":1,"last_seq":1,"crc":"ea18dc04"},"created_ms":0,"crc":"059c2680"}"#;
    let third = r#"{"wal":"beaver","version":2,"store":"6f1d0c5be2a94417","epoch":3,"prev":{"epoch":2,"last_seq":0,"crc":"059c2680"},"created_ms":0,"crc":"b06b9ab4"}"#;
    let disk = Memory::new();
    let (mut store, _) = recover(&disk);
    try_commit(&mut store, r#"{"type":"ACK","job_id":"j","timestamp":1}"#).unwrap();
    checkpoint(&mut store);
    drop(store);
    open_after_checkpoint(&disk).rotate().unwrap();
    let written = [WAL1.to_owned(), snapshot(1), wal(2), wal(3)].map(|name| disk.text(&name));
    let lines = [
        format!("{header}\n{event}\n"),
        format!("{covered}\n"),
        format!("{second}\n"),
        format!("{third}\n"),
    ];
    assert_eq!(written, lines);
    assert_eq!(inspect::validate::<Line>(&disk.storage()).unwrap(), []);
}

fn open_after_checkpoint(disk: &Memory) -> Wal<Line> {
    Wal::open_after(disk.storage(), at(1, 1), plain())
        .unwrap()
        .0
}

#[test]
fn the_writer_makes_the_documented_lines() {
    let disk = Memory::new();
    let mut wal = open(&disk);
    let event = r#"{"type":"ACK","job_id":"j","timestamp":1}"#;
    wal.append(&[line(event), line(event)]).unwrap();
    wal.close().unwrap();
    let lines = Lines::first_of(STORE)
        .any_event(1, 1, true, event)
        .any_event(2, 1, false, event);
    assert_eq!(disk.bytes(WAL1), lines.marker(2).bytes);
}

#[test]
fn the_lines_made_by_hand_here_are_those_of_the_writer() {
    let disk = Memory::new();
    let mut wal = open(&disk);
    append(&mut wal, 1..=2);
    append_group(&mut wal, 3..=4);
    wal.rotate().unwrap();
    append(&mut wal, 1..=1);
    wal.rotate().unwrap();
    wal.rotate().unwrap();
    let first = Lines::first_of(STORE)
        .event(1, 1)
        .event(2, 2)
        .more(3, 3)
        .event(4, 3);
    let second = first.next(STORE, 4).event(1, 1);
    let third = second.next(STORE, 1);
    // An epoch without events is sealed by the checksum of its header.
    let fourth = third.next(STORE, 0);
    for (lines, epoch) in [first, second, third, fourth].iter().zip(1..) {
        assert_eq!(disk.bytes(&wal_name(epoch)), lines.bytes, "epoch {epoch}");
    }
}

fn wal_name(epoch: u64) -> String {
    wal(epoch)
}

#[test]
fn other_names_are_strays_reported_and_untouched() {
    let disk = log_of(1..=1);
    let strays = [
        "WAL-0000000001.jsonl",
        "notes",
        "wal-0000000000.jsonl",
        "wal-00000000002.jsonl",
        "wal-2.jsonl",
    ];
    strays.iter().for_each(|name| disk.put(name, "x"));
    let (_, report) = try_open(&disk).unwrap();
    assert_eq!(report.strays, strays);
    let (_, report) = try_recover(&disk).unwrap();
    assert_eq!(report.strays, strays);
    assert!(strays.iter().all(|name| disk.bytes(name) == b"x"));
}

#[test]
fn the_largest_number_in_a_name_is_refused_without_running_over() {
    for name in [
        "snapshot-18446744073709551615.json",
        "wal-18446744073709551615.jsonl",
    ] {
        let disk = log_of(1..=1);
        disk.put(name, "x");
        try_open(&disk).ok();
        recover_error(&disk);
        try_read(&disk, Position::default()).ok();
        try_salvage(&disk, Position::default()).unwrap();
    }
}

#[test]
fn order_is_by_number_not_by_text() {
    let disk = Memory::new();
    Lines::after(9_999_999_999, 0).event(1, 1).on(&disk);
    Lines::after(10_000_000_000, 1).event(1, 1).on(&disk);
    assert_eq!(read(&disk), ["9999999999:1=1", "10000000000:1=1"]);
}

#[test]
fn only_the_canonical_envelope_is_a_line() {
    for text in [
        r#"{"seq":02,"event":2"#,
        r#"{"seq":2.0,"event":2"#,
        r#"{"seq":+2,"event":2"#,
        r#"{"seq": 2,"event":2"#,
        r#" {"seq":2,"event":2"#,
        r#"{"seq":2,"batch":2,"event":2"#,
        r#"{"seq":2,"more":false,"event":2"#,
        r#"{"seq":2,"more":true,"batch":1,"event":2"#,
        r#"{"event":2,"seq":2"#,
        r#"{"batch":1,"seq":2,"event":2"#,
        r#"{"seq":2,"extra":1,"event":2"#,
        r#"{"synced":01"#,
        r#"{"synced":1,"extra":1"#,
        r#"{"lost":[2, 2]"#,
        r#"{"lost":[2,2,2]"#,
        r#"{"seq":18446744073709551618,"event":2"#,
    ] {
        for kind in [
            ChecksumKind::Event,
            ChecksumKind::Marker,
            ChecksumKind::Lost,
        ] {
            check_not_a_line(&lines::sealed(kind, 1, text));
        }
    }
}

#[test]
fn a_checksum_is_eight_lower_case_digits_at_the_end() {
    let good = lines::sealed(ChecksumKind::Event, 1, r#"{"seq":2,"event":2"#);
    check_not_a_line(&good.to_uppercase());
    check_not_a_line(&good.replace("\"}\n", "\" }\n"));
    check_not_a_line(&good.replace("\"}\n", "\"}\r\n"));
    check_not_a_line(&good.replace(",\"crc\"", ", \"crc\""));
}

#[test]
fn a_line_of_another_kind_or_epoch_is_damage() {
    check_not_a_line(&lines::sealed(
        ChecksumKind::Event,
        2,
        r#"{"seq":2,"event":2"#,
    ));
    check_not_a_line(&lines::sealed(
        ChecksumKind::Marker,
        1,
        r#"{"seq":2,"event":2"#,
    ));
    check_not_a_line(&lines::sealed(
        ChecksumKind::Header,
        1,
        r#"{"seq":2,"event":2"#,
    ));
}

#[test]
fn the_body_of_an_event_may_be_any_json_on_one_line() {
    for body in [
        "null",
        "{ }",
        r#"{"a":"\n\u0000"}"#,
        "[1e400, 9007199254740993]",
        r#""{\"seq\":1,\"event\":""#,
        "\"é\u{2028}\"",
    ] {
        let disk = Memory::new();
        open(&disk).append(&[line(body)]).unwrap();
        assert_eq!(read(&disk), [format!("1:1={body}")]);
    }
}

#[test]
fn an_event_that_looks_like_the_end_of_a_line_is_read_back() {
    let body = r#"{"seq":1,"event":1,"crc":"00000000"}"#;
    let disk = Memory::new();
    let mut wal = open(&disk);
    wal.append(&[line(body), line(body)]).unwrap();
    assert_eq!(read(&disk), [format!("1:1={body}"), format!("1:2={body}")]);
}

#[test]
fn a_batch_is_at_least_one_and_that_of_the_line_before_or_its_own_seq() {
    let cases = [
        Lines::first().event(1, 0).marker(1),
        Lines::first().event(1, 2).marker(1),
        Lines::first().event(1, 1).event(2, 3).marker(2),
        Lines::first().event(1, 1).event(2, 2).event(3, 1).marker(3),
        Lines::first().event(1, 1).marker(1).event(2, 1).marker(2),
        Lines::after(2, 0).event(1, 0).marker(1),
    ];
    for log in &cases[..5] {
        check_refused(&log.disk());
    }
    let good = Lines::first()
        .event(1, 1)
        .event(2, 1)
        .event(3, 3)
        .event(4, 3)
        .marker(4);
    assert_eq!(read(&good.disk()), numbered(1..=4));
}

#[test]
fn seqs_run_without_gap_or_repeat() {
    let gap = Lines::first().event(1, 1).event(3, 3).disk();
    assert!(
        matches!(check_refused(&gap), Error::SequenceGap { expected, found, .. } if (expected.0, found.0) == (2, 3))
    );
    let repeat = Lines::first().event(1, 1).event(1, 1).disk();
    assert!(matches!(check_refused(&repeat), Error::SequenceGap { .. }));
    let from_two = Lines::first().event(2, 2).disk();
    assert!(matches!(
        check_refused(&from_two),
        Error::SequenceGap { .. }
    ));
}

#[test]
fn an_append_lies_in_one_batch() {
    check_refused(&Lines::first().more(1, 1).event(2, 2).disk());
    check_refused(&Lines::first().more(1, 1).marker(1).disk());
    check_refused(&Lines::first().more(1, 1).lost(2, 3).marker(3).disk());
}

#[test]
fn markers_never_come_twice_and_name_the_last_seq() {
    check_refused(&Lines::first().event(1, 1).marker(1).marker(1).disk());
    check_refused(&Lines::first().marker(0).marker(0).disk());
    check_refused(&Lines::first().event(1, 1).marker(2).disk());
    check_refused(&Lines::first().event(1, 1).marker(0).disk());
    let good = Lines::first()
        .marker(0)
        .event(1, 1)
        .marker(1)
        .event(2, 2)
        .disk();
    assert_eq!(read(&good), numbered(1..=2));
}

#[test]
fn lost_events_are_accepted_and_reported_and_any_batch_may_go_on() {
    let log = Lines::first()
        .event(1, 1)
        .lost(2, 4)
        .event(5, 3)
        .event(6, 3)
        .lost(7, 7)
        .event(8, 8);
    let disk = log.disk();
    let (_, report) = try_read(&disk, Position::default()).unwrap();
    let lost: Vec<_> = report
        .lost
        .iter()
        .map(|lost| (lost.from, lost.to.0))
        .collect();
    assert_eq!(lost, [(at(1, 2), 4), (at(1, 7), 7)]);
    assert_eq!(recover(&disk).1.lost, report.lost);
    assert_eq!(read(&disk), ["1:1=1", "1:5=5", "1:6=6", "1:8=8"]);
}

#[test]
fn lost_events_must_fit() {
    check_refused(&Lines::first().event(1, 1).lost(3, 4).marker(4).disk());
    check_refused(&Lines::first().event(1, 1).lost(2, 1).marker(1).disk());
    check_refused(&Lines::first().event(1, 1).lost(1, 2).marker(2).disk());
    check_refused(&Lines::first().lost(1, 3).event(4, 5).marker(4).disk());
    check_refused(&Lines::first().lost(1, 3).event(4, 0).marker(4).disk());
    check_refused(&Lines::first().lost(1, u64::MAX).marker(1).disk());
    for text in [r#"{"lost":[1,2"#, r#"{"lost":[1,2],"to":2"#] {
        let log = Lines::first().line(ChecksumKind::Lost, text);
        check_refused(&log.marker(2).disk());
    }
}

#[test]
fn the_largest_seq_is_one_and_nothing_comes_after_it() {
    let max = u64::MAX - 1;
    let log = Lines::first().lost(1, max - 2).event(max - 1, max - 1);
    let log = log.event(max, max);
    assert_eq!(read(&log.disk()).len(), 2);
    check_refused(&log.event(max + 1, max + 1).event(1, 1).disk());
}

#[test]
fn free_space_is_newlines_and_zeros_in_any_mixture() {
    for space in ["\n\n\n", "\0\0\0", "\n\0\n\0\0\n", "\0\n"] {
        let disk = Lines::first().event(1, 1).raw(space).disk();
        assert_eq!(read(&disk), numbered(1..=1));
        let (mut wal, report) = try_open(&disk).unwrap();
        assert_eq!(report.torn_tail, None);
        append(&mut wal, 2..=2);
        assert_eq!(read(&disk), numbered(1..=2));
    }
}

#[test]
fn a_hole_is_damage() {
    for blank in ["\n", "\0", "\n\0\n\n"] {
        let error = check_refused(&Lines::first().event(1, 1).raw(blank).event(2, 2).disk());
        assert!(matches!(error, Error::Corrupt { .. }), "{error}");
        let torn = Lines::first().event(1, 1).raw(blank).event(2, 1).disk();
        assert_eq!(
            try_open(&torn).unwrap().1.torn_tail.unwrap().offset as usize,
            Lines::first().event(1, 1).bytes.len()
        );
    }
}

#[test]
fn a_header_that_is_not_valid_is_corruption_also_in_the_active_segment() {
    let header = |text: &str| {
        Lines::headless(1)
            .line(ChecksumKind::Header, text)
            .event(1, 1)
    };
    let headers = [
        header(r#"{"wal":"beaver","version":1,"epoch":2,"prev":null,"created_ms":0"#),
        header(r#"{"wal":"beaver","version":1,"epoch":1,"prev":null"#),
        header(r#"{"wal":"beaver","version":1,"epoch":1,"prev":null,"created_ms":0,"x":0"#),
        header(
            r#"{"wal":"beaver","version":1,"epoch":1,"prev":{"epoch":0,"last_seq":0},"created_ms":0"#,
        ),
        header(r#"{"wal":"badger","version":1,"epoch":1,"prev":null,"created_ms":0"#),
        header(r#"{"wal":"beaver","version":0,"epoch":1,"prev":null,"created_ms":0,"x":0"#),
        // What belongs to one version in the other one, and a store that is not spelled as it is written.
        header(r#"{"wal":"beaver","version":2,"epoch":1,"prev":null,"created_ms":0"#),
        header(
            r#"{"wal":"beaver","version":1,"store":"6f1d0c5be2a94417","epoch":1,"prev":null,"created_ms":0"#,
        ),
        header(
            r#"{"wal":"beaver","version":2,"store":"6F1D0C5BE2A94417","epoch":1,"prev":null,"created_ms":0"#,
        ),
        header(
            r#"{"wal":"beaver","version":2,"store":"6f1d0c5be2a9441","epoch":1,"prev":null,"created_ms":0"#,
        ),
        header(
            r#"{"wal":"beaver","version":2,"epoch":1,"store":"6f1d0c5be2a94417","prev":null,"created_ms":0"#,
        ),
        Lines::headless(2).line(
            ChecksumKind::Header,
            r#"{"wal":"beaver","version":2,"store":"6f1d0c5be2a94417","epoch":2,"prev":{"epoch":1,"last_seq":0},"created_ms":0"#,
        ),
        Lines::headless(2).line(
            ChecksumKind::Header,
            r#"{"wal":"beaver","version":1,"epoch":2,"prev":{"epoch":1,"last_seq":0,"crc":"00000000"},"created_ms":0"#,
        ),
        Lines::headless(1).event(1, 1),
        Lines::headless(1).marker(0),
        Lines::headless(1),
        Lines::headless(1).raw("\0\0\0\0"),
        Lines::headless(1).raw("\n"),
    ];
    for log in headers {
        check_refused(&log.disk());
    }
}

#[test]
fn a_header_with_a_flipped_bit_is_a_checksum_mismatch_at_byte_0() {
    let disk = log_of(1..=1);
    let text = disk.text(WAL1);
    let created = text.find("\"created_ms\":").unwrap() + "\"created_ms\":".len();
    disk.edit(WAL1, |bytes| bytes[created] ^= 1);
    let error = check_refused(&disk);
    assert!(
        matches!(error, Error::ChecksumMismatch { offset: 0, .. }),
        "{error}"
    );
    disk.edit(WAL1, |bytes| bytes[0] ^= 1);
    let error = check_refused(&disk);
    assert!(
        matches!(&error, Error::Corrupt { offset: 0, reason, .. } if reason.contains("header")),
        "{error}"
    );
}

#[test]
fn a_second_header_is_corruption() {
    let header = Lines::first().bytes;
    check_refused(&Lines::first().event(1, 1).raw(&header).event(2, 2).disk());
    check_refused(&Lines::first().event(1, 1).raw(&header).event(1, 1).disk());
    let error = open_error(&Lines::first().event(1, 1).raw(&header).event(1, 1).disk());
    assert!(matches!(error, Error::Corrupt { .. }), "{error}");
    // Also where the end of the log is read alone.
    let body = format!("\"{}\"", "x".repeat(300_000));
    let log = Lines::first().any_event(1, 1, false, &body).raw(&header);
    let error = open_error(&log.event(2, 2).disk());
    assert!(matches!(error, Error::Corrupt { .. }), "{error}");
}

#[test]
fn a_newer_version_is_a_typed_error_and_nothing_is_cut() {
    let newer = Lines::headless(1).line(
        ChecksumKind::Header,
        r#"{"wal":"beaver","version":3,"new":[]"#,
    );
    let disk = newer.event(1, 1).raw("torn").disk();
    assert!(matches!(
        check_refused(&disk),
        Error::Version {
            found: 3,
            supported: 2,
            ..
        }
    ));
    assert!(matches!(open_error(&disk), Error::Version { found: 3, .. }));
    assert!(matches!(
        try_salvage(&disk, Position::default()),
        Err(Error::Version { .. })
    ));
}

#[test]
fn an_unknown_event_is_a_typed_error_never_skipped_never_cut() {
    let log = Lines::first()
        .event(1, 1)
        .any_event(2, 2, false, "\"unknown\"")
        .raw("torn");
    let disk = log.disk();
    let strict = try_read(&disk, Position::default()).unwrap_err();
    let salvaged = try_salvage(&disk, Position::default()).unwrap_err();
    for error in [strict, salvaged] {
        assert!(matches!(error, Error::UnknownEvent { position, .. } if position == at(1, 2)));
    }
    assert!(
        matches!(recover_error(&disk), Error::UnknownEvent { offset, .. } if offset as usize == log.starts[2])
    );
}

#[test]
#[cfg_attr(
    debug_assertions,
    ignore = "long where nothing is optimised: with --release"
)]
fn a_line_longer_than_the_limit_is_damage() {
    let body = format!("\"{}\"", "x".repeat(16 << 20));
    let long = Lines::first().event(1, 1).any_event(2, 2, false, &body);
    assert_eq!(
        try_open(&long.disk()).unwrap().1.torn_tail.unwrap().offset as usize,
        long.starts[2]
    );
    check_refused(&long.event(3, 3).disk());
    // A line of exactly the limit is one, and a byte more is too much.
    let envelope = Lines::headless(1).any_event(1, 1, false, "").bytes.len();
    for (more, is_line) in [(0, true), (1, false)] {
        let body = "1".repeat((16 << 20) - envelope + more);
        let log = Lines::first().any_event(1, 1, false, &body);
        let read = try_read(&log.event(2, 2).disk(), Position::default());
        assert_eq!(read.is_ok(), is_line, "{more} over the limit");
    }
    // Where no newline follows the search ends at the limit, too.
    let disk = Lines::first().raw("x".repeat(40 << 20)).disk();
    Lines::after(2, 0).on(&disk);
    let error = check_refused(&disk);
    assert!(error.to_string().contains("longer than"), "{error}");
}

#[test]
fn everything_wrong_in_a_sealed_segment_is_corruption() {
    let sealed = Lines::first().event(1, 1);
    for log in [
        sealed.clone().raw("torn"),
        sealed.clone().more(2, 2),
        sealed.event(2, 2).damaged(3, 2),
    ] {
        let disk = log.disk();
        Lines::after(2, 1).on(&disk);
        check_refused(&disk);
    }
}

#[test]
fn a_seal_that_does_not_match_is_corruption() {
    for last_seq in [0, 1, 3] {
        let disk = Lines::first().event(1, 1).event(2, 2).disk();
        Lines::after(2, last_seq).event(1, 1).on(&disk);
        let error = check_refused(&disk);
        assert!(
            matches!(&error, Error::Corrupt { file, offset: 0, .. } if file == WAL2),
            "{error}"
        );
    }
    let disk = Lines::first().event(1, 1).disk();
    let other =
        r#"{"wal":"beaver","version":1,"epoch":2,"prev":{"epoch":0,"last_seq":1},"created_ms":0"#;
    Lines::headless(2)
        .line(ChecksumKind::Header, other)
        .on(&disk);
    check_refused(&disk);
    open_error(&disk);
}
