//! Looking at a store from beside: statistics, validation, dump, truncation, comparison.

use std::io::ErrorKind;

use beaver::inspect::{self, Difference, LineContent, Stats, StoreProblem};
use beaver::{ChecksumKind, Controller, ControllerOptions, Error, Event, JobId, JobSpec, Payload};

use crate::support::*;

fn stats(disk: &Memory) -> Stats {
    let before = disk.files();
    let stats = inspect::stats::<Line>(&disk.storage()).unwrap();
    assert_eq!(disk.files(), before);
    stats
}

/// File and offset of everything that is wrong.
fn problems(disk: &Memory) -> Vec<(String, u64)> {
    let problems = inspect::validate::<Line>(&disk.storage()).unwrap();
    let place = |StoreProblem { file, offset, .. }: StoreProblem| (file, offset);
    problems.into_iter().map(place).collect()
}

/// What a dump shows, a few words each.
fn dump(disk: &Memory) -> Vec<String> {
    let mut lines = Vec::new();
    inspect::dump(&disk.storage(), &mut |line| {
        lines.push(match &line.content {
            LineContent::Header { epoch, prev, .. } => {
                let prev = prev.map_or(at(0, 0), |prev| prev.position);
                format!("header {epoch} {prev}")
            }
            LineContent::Event {
                position,
                batch,
                more,
                json,
            } => {
                let json = String::from_utf8_lossy(json);
                format!("event {position} batch {batch} more {more} {json}")
            }
            LineContent::Marker(synced) => format!("marker {synced}"),
            LineContent::Lost(from, to) => format!("lost {from} {to}"),
            LineContent::Damage(_) => format!("damage at {}", line.offset),
            LineContent::TornTail(_) => format!("torn tail at {}", line.offset),
            LineContent::Free(bytes) => format!("free {bytes}"),
        });
        Ok(())
    })
    .unwrap();
    lines
}

#[test]
fn statistics_count_what_is_there() {
    let disk = store_with(1, store_options());
    glue(&disk, WAL2, "\n\n");
    disk.put("notes", "x");
    let stats = stats(&disk);
    assert_eq!(
        (stats.segments, stats.snapshots, stats.events, stats.markers),
        (2, 1, 4, 0)
    );
    assert_eq!((stats.first, stats.last), (Some(at(1, 1)), Some(at(2, 2))));
    let bytes = disk.bytes(WAL1).len() + disk.bytes(WAL2).len();
    assert_eq!(
        (stats.segment_bytes as usize, stats.line_bytes as usize),
        (bytes, bytes - 2)
    );
    assert_eq!(
        stats.snapshot_bytes as usize,
        disk.bytes(&snapshot(1)).len()
    );
    assert_eq!(
        (stats.strays, stats.problems, stats.torn_tail),
        (vec!["notes".to_owned()], vec![], None)
    );
}

#[test]
fn statistics_count_events_by_type_and_their_time() {
    let disk = Memory::new();
    let (mut queue, _) = Controller::open(disk.storage(), ControllerOptions::default()).unwrap();
    for id in ["a", "b"] {
        let spec = JobSpec::new(JobId::new(id).unwrap(), Payload::new("1").unwrap());
        queue.enqueue(spec).unwrap();
    }
    let job = queue.dispatch().unwrap().unwrap();
    queue.ack(&job.id, job.attempt).unwrap();
    let stats = inspect::stats::<Event>(&disk.storage()).unwrap();
    let kinds: Vec<_> = stats.by_kind.into_iter().collect();
    assert_eq!(kinds, [("ACK", 1), ("DISPATCH", 1), ("ENQUEUE", 2)]);
    assert!(stats.earliest_ms.unwrap() <= stats.latest_ms.unwrap());
}

#[test]
fn a_whole_store_has_no_problem_and_neither_has_an_unfinished_end() {
    let disk = store_with(3, store_options());
    assert_eq!(problems(&disk), []);
    glue(&disk, &wal(4), "torn");
    assert_eq!(problems(&disk), []);
    assert_eq!(stats(&disk).torn_tail.unwrap().bytes, 4);
}

#[test]
fn a_segment_that_its_owner_cuts_meanwhile_is_read_again() {
    let disk = store_with(0, store_options());
    // Free space, read in several pieces and twice: most of what there is to read.
    glue(&disk, WAL1, "\n".repeat(1 << 20));
    let (expected, lines) = (stats(&disk), dump(&disk));
    let is_struck_at = |skip| {
        let struck = disk.fired();
        disk.inject(
            Fault::on(Op::Read, "wal-0000000001")
                .kind(ErrorKind::UnexpectedEof)
                .after(skip),
        );
        assert_eq!(
            (stats(&disk), dump(&disk)),
            (expected.clone(), lines.clone()),
            "{skip}"
        );
        disk.fired() > struck
    };
    // The first read is a glance at the header, which is never cut.
    assert!((1..).take_while(|skip| is_struck_at(*skip)).count() > 5);
    // An end that comes every time is an error and not waited for.
    disk.inject(
        Fault::on(Op::Read, "wal-0000000001")
            .kind(ErrorKind::UnexpectedEof)
            .always(),
    );
    let error = inspect::stats::<Line>(&disk.storage()).unwrap_err();
    assert_eq!(error.io_kind(), Some(ErrorKind::UnexpectedEof));
}

#[test]
fn an_unfinished_end_is_no_problem_whatever_has_survived_after_it() {
    for log in [
        Lines::first().event(1, 1).damaged(2, 2).event(3, 2),
        Lines::first().event(1, 1).event(3, 1),
        Lines::first()
            .event(1, 1)
            .more(2, 2)
            .raw("\0\0")
            .event(4, 2),
        Lines::first()
            .event(1, 1)
            .damaged(2, 2)
            .event(3, 2)
            .damaged(4, 2)
            .event(5, 2),
    ] {
        let disk = log.disk();
        assert_eq!(problems(&disk), []);
        let (_, report) = try_read(&disk, at(0, 0)).unwrap();
        assert_eq!(stats(&disk).torn_tail, report.torn_tail);
    }
}

#[test]
fn all_problems_are_found_and_not_only_the_first() {
    let log = Lines::first()
        .damaged(1, 1)
        .event(2, 2)
        .damaged(3, 3)
        .event(4, 4);
    let disk = log.disk();
    Lines::after(2, 5).damaged(1, 1).marker(1).on(&disk);
    Lines::headless(3).raw("junk").on(&disk);
    disk.put(&snapshot(1), "junk");
    let found = problems(&disk);
    let file = |epoch: u64, at: usize| (wal(epoch), at as u64);
    assert!(found.contains(&(snapshot(1), 0)));
    assert!(found.contains(&file(1, log.starts[1])) && found.contains(&file(1, log.starts[3])));
    assert!(found.contains(&file(2, 0)), "the seal does not match");
    assert!(found.contains(&file(2, Lines::after(2, 5).bytes.len())));
    assert!(found.contains(&file(3, 0)), "a header is never torn");
    assert_eq!(found.len(), 6);
}

#[test]
fn what_is_missing_between_files_is_a_problem() {
    let whole = store_with(2, store_options());
    for (lost, named) in [(wal(2), None), (wal(3), Some(snapshot(2)))] {
        let disk = whole.copy();
        disk.lose(&lost);
        let found: Vec<_> = problems(&disk).into_iter().map(|(file, _)| file).collect();
        assert_eq!(found, Vec::from_iter(named), "{lost}");
    }
    let disk = whole.copy();
    disk.lose(&snapshot(1));
    disk.lose(&snapshot(2));
    assert_eq!(
        problems(&disk),
        [(wal(2), 0)],
        "nothing leads to the first segment"
    );
    let disk = Memory::new();
    Lines::first().on(&disk);
    Lines::after(3, 0).on(&disk);
    assert_eq!(problems(&disk), [(wal(3), 0)]);
}

#[test]
fn a_header_that_seals_the_wrong_epoch_is_a_problem() {
    let text =
        r#"{"wal":"beaver","version":1,"epoch":1,"prev":{"epoch":0,"last_seq":0},"created_ms":0"#;
    let disk = Lines::headless(1).line(ChecksumKind::Header, text).disk();
    assert_eq!(problems(&disk), [(WAL1.to_owned(), 0)]);
}

#[test]
fn an_event_that_does_not_decode_and_a_newer_version_are_problems() {
    let log = Lines::first()
        .any_event(1, 1, false, "\"unknown\"")
        .event(2, 2);
    assert_eq!(
        problems(&log.disk()),
        [(WAL1.to_owned(), log.starts[1] as u64)]
    );
    assert_eq!(stats(&log.disk()).events, 2);
    let newer = r#"{"wal":"beaver","version":3,"x":0"#;
    let disk = Lines::headless(1).line(ChecksumKind::Header, newer).disk();
    assert_eq!(problems(&disk), [(WAL1.to_owned(), 0)]);
    disk.put(
        &snapshot(1),
        lines::sealed(
            ChecksumKind::Snapshot,
            1,
            "{\"snapshot\":\"beaver\",\"version\":3,\"x\":0",
        ),
    );
    assert!(problems(&disk).contains(&(snapshot(1), 0)));
}

#[test]
fn lost_events_are_no_problem_because_the_log_says_so_itself() {
    let disk = Lines::first().event(1, 1).lost(2, 4).event(5, 5).disk();
    let stats = stats(&disk);
    assert_eq!(
        (stats.problems, stats.lost.len(), stats.events),
        (vec![], 1, 2)
    );
}

#[test]
fn a_store_has_no_problem_exactly_if_a_strict_reader_reads_it() {
    let disk = store_with(1, store_options());
    let files = disk.files();
    for (name, bytes) in &files {
        for bit in 0..bytes.len() * 8 {
            let disk = Memory::of(&files);
            flip(&disk, name, bit);
            let reads = try_read(&disk, at(0, 0)).is_ok();
            let snapshots = name.starts_with("snapshot");
            assert_eq!(
                problems(&disk).is_empty(),
                reads && !snapshots,
                "{name} bit {bit}"
            );
        }
    }
}

#[test]
fn a_read_error_is_an_error() {
    let disk = store_with(1, store_options());
    for name in ["wal", "snapshot"] {
        disk.inject(Fault::on(Op::Read, name));
        assert!(matches!(
            inspect::stats::<Line>(&disk.storage()),
            Err(Error::Storage { .. })
        ));
    }
}

#[test]
fn a_dump_shows_everything_that_stands_in_the_log() {
    let log = Lines::first()
        .more(1, 1)
        .event(2, 1)
        .marker(2)
        .lost(3, 4)
        .raw("junk\n")
        .event(5, 5);
    let disk = log.clone().raw("\n\n\0").disk();
    let junk = format!("damage at {}", log.starts[5]);
    assert_eq!(
        dump(&disk),
        [
            "header 1 0:0",
            "event 1:1 batch 1 more true 1",
            "event 1:2 batch 1 more false 2",
            "marker 2",
            "lost 3 4",
            &junk,
            "event 1:5 batch 5 more false 5",
            "free 3",
        ]
    );
    Lines::after(2, 5).on(&disk);
    assert_eq!(dump(&disk).last().unwrap(), "header 2 1:5");
}

#[test]
fn the_error_of_whoever_takes_the_dump_comes_back() {
    let disk = log_of(1..=1);
    let result = inspect::dump(&disk.storage(), &mut |_| {
        Err(std::io::ErrorKind::BrokenPipe.into())
    });
    assert_eq!(
        result.unwrap_err().io_kind(),
        Some(std::io::ErrorKind::BrokenPipe)
    );
}

/// The events of a truncated copy.
fn truncated(disk: &Memory, epoch: u64, seq: u64) -> Vec<String> {
    let out = Memory::new();
    inspect::truncate(&disk.storage(), at(epoch, seq), &out.storage(), COPY).unwrap();
    assert_eq!(problems(&out), []);
    for out in [out.copy(), out.power_cut()] {
        drop(recover(&out));
    }
    read(&out)
}

fn check_not_truncated(disk: &Memory, epoch: u64, seq: u64) -> Error {
    let out = Memory::new();
    let error =
        inspect::truncate(&disk.storage(), at(epoch, seq), &out.storage(), COPY).unwrap_err();
    assert_eq!(out.names(), [""; 0], "{error}");
    error
}

#[test]
fn a_truncated_copy_ends_at_the_position() {
    let disk = store_with(2, keeping(9));
    let all = read(&disk);
    for count in 0..all.len() {
        let (epoch, seq) = (count as u64 / 2 + 1, count as u64 % 2);
        assert_eq!(truncated(&disk, epoch, seq), all[..count]);
    }
    assert_eq!(truncated(&disk, 3, 2), all);
}

#[test]
fn a_truncated_copy_begins_with_what_leads_to_the_position() {
    let disk = store_with(3, store_options());
    assert_eq!(disk.names(), [snapshot(2), snapshot(3), wal(3), wal(4)]);
    let out = Memory::new();
    let report = inspect::truncate(&disk.storage(), at(3, 1), &out.storage(), COPY).unwrap();
    assert_eq!(
        (report.events, report.segments, report.snapshots),
        (1, vec![wal(3)], vec![snapshot(2)])
    );
    assert_eq!(tape(&out), numbers(1..=5));
    disk.lose(&wal(3));
    disk.put(&wal(1), "a leftover below a gap");
    let out = Memory::new();
    inspect::truncate(&disk.storage(), at(4, 1), &out.storage(), COPY).unwrap();
    assert_eq!(tape(&out), numbers(1..=7));
}

#[test]
fn a_position_that_is_not_in_the_log_is_refused_and_nothing_is_left_behind() {
    let disk = store_with(2, store_options());
    for (epoch, seq) in [(3, 3), (4, 0), (1, 1), (0, 0), (2, 9)] {
        assert!(matches!(
            check_not_truncated(&disk, epoch, seq),
            Error::Refused { .. }
        ));
    }
    disk.lose(&snapshot(1));
    assert!(matches!(
        check_not_truncated(&disk, 2, 1),
        Error::Refused { .. }
    ));
}

#[test]
fn a_position_inside_an_append_or_inside_lost_events_is_refused() {
    let disk = Lines::first().more(1, 1).event(2, 1).lost(3, 5).disk();
    for seq in [1, 3, 4] {
        assert!(matches!(
            check_not_truncated(&disk, 1, seq),
            Error::Refused { .. }
        ));
    }
    assert_eq!(truncated(&disk, 1, 2), ["1:1=1", "1:2=2"]);
    assert_eq!(truncated(&disk, 1, 5), ["1:1=1", "1:2=2"]);
}

#[test]
fn damage_before_the_position_stops_a_truncation_and_damage_after_it_does_not() {
    let disk = Lines::first().event(1, 1).damaged(2, 2).event(3, 3).disk();
    assert_eq!(truncated(&disk, 1, 1), ["1:1=1"]);
    check_not_truncated(&disk, 1, 3);
    for sealed in [Lines::first().more(1, 1), Lines::first().event(1, 1)] {
        let disk = sealed.disk();
        Lines::after(2, 2).event(1, 1).on(&disk);
        assert!(matches!(
            check_not_truncated(&disk, 2, 1),
            Error::Corrupt { .. }
        ));
    }
}

#[test]
fn a_copy_is_only_written_into_an_empty_directory() {
    let disk = log_of(1..=1);
    let out = Memory::new();
    out.put("notes", "x");
    let refused = [
        inspect::truncate(&disk.storage(), at(1, 1), &out.storage(), COPY).map(drop),
        inspect::repair(&disk.storage(), &out.storage(), COPY).map(drop),
    ];
    assert!(
        refused
            .iter()
            .all(|result| matches!(result, Err(Error::Refused { .. })))
    );
    assert_eq!(out.names(), ["notes"]);
    out.lose("notes");
    let _owner = out.storage().lock().unwrap();
    assert!(matches!(
        inspect::repair(&disk.storage(), &out.storage(), COPY),
        Err(Error::Locked)
    ));
}

fn compare(first: &Memory, second: &Memory) -> Vec<String> {
    let differences = inspect::compare(&first.storage(), &second.storage()).unwrap();
    differences.iter().map(Difference::to_string).collect()
}

#[test]
fn a_log_does_not_differ_from_itself_however_it_was_batched() {
    let one = Lines::first()
        .event(1, 1)
        .event(2, 2)
        .event(3, 3)
        .marker(3)
        .disk();
    let other = Lines::first()
        .more(1, 1)
        .event(2, 1)
        .event(3, 1)
        .raw("\n\n")
        .disk();
    assert_eq!(compare(&one, &one.copy()), [""; 0]);
    assert_eq!(compare(&one, &other), [""; 0]);
}

#[test]
fn every_difference_between_two_logs_is_found() {
    let one = Lines::first()
        .event(1, 1)
        .event(2, 2)
        .event(3, 3)
        .event(4, 4)
        .disk();
    let other = Lines::first()
        .event(1, 1)
        .any_event(2, 2, false, "\"x\"")
        .disk();
    Lines::after(2, 2).event(1, 1).event(2, 2).on(&other);
    assert_eq!(
        compare(&one, &other),
        [
            "1:2 differs: 2 | \"x\"",
            "only in the first: 1:3 to 4",
            "only in the second: 2:1 to 2"
        ]
    );
    let damaged = Lines::first()
        .event(1, 1)
        .damaged(2, 2)
        .event(3, 3)
        .event(4, 4)
        .disk();
    assert_eq!(compare(&one, &damaged), ["only in the first: 1:2 to 2"]);
    assert_eq!(compare(&damaged, &one), ["only in the second: 1:2 to 2"]);
}
