//! `beaver wal`: tools for logs on real disks.

use std::path::Path;
use std::sync::Arc;

use beaver::storage::DiskStorage;
use beaver::{
    Controller, ControllerOptions, DecodeError, JobId, JobSpec, LogEvent, ManualClock, Payload,
    StoreId, Wal, WalOptions,
};

use crate::beaver::{Place, Ran};
use crate::golden::check_golden;

/// A store with a snapshot, two segments and seven events, in `log`.
pub(crate) fn place_with_log() -> Place {
    let place = Place::empty();
    write_log(&place.path().join("log"), "job-3");
    place
}

fn write_log(directory: &Path, last_job: &str) {
    let mut options = ControllerOptions::default();
    options.store.wal.clock = Arc::new(ManualClock::new(1_700_000_000_000));
    options.store.wal.store_id = Some(StoreId(0x6f1d_0c5b_e2a9_4417));
    let storage = Arc::new(DiskStorage::open(directory).unwrap());
    let (mut queue, _) = Controller::open(storage, options).unwrap();
    queue.enqueue_all(vec![job("job-1"), job("job-2")]).unwrap();
    queue.dispatch().unwrap();
    queue.checkpoint().unwrap();
    queue.ack(&JobId::new("job-1").unwrap(), 1).unwrap();
    queue.enqueue(job(last_job)).unwrap();
    queue.dispatch().unwrap();
    queue.fail(&JobId::new("job-2").unwrap(), 1).unwrap();
    queue.close().unwrap();
}

pub(crate) fn job(id: &str) -> JobSpec {
    JobSpec::new(
        JobId::new(id).unwrap(),
        Payload::new(r#"{"n": 1}"#).unwrap(),
    )
}

/// Changes one byte of the event `number` (from 1) of the segment of `epoch`.
fn damage(place: &Place, epoch: u32, number: usize) {
    let path = place.path().join(format!("log/wal-{epoch:010}.jsonl"));
    let mut bytes = std::fs::read(&path).unwrap();
    let starts: Vec<usize> = (0..bytes.len())
        .filter(|at| *at == 0 || bytes[at - 1] == b'\n')
        .collect();
    bytes[starts[number] + 30] ^= 1;
    std::fs::write(&path, bytes).unwrap();
}

/// Every file in `directory` but the lock, with its bytes.
pub(crate) fn files(directory: &Path) -> Vec<(String, Vec<u8>)> {
    let entries = std::fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap());
    let named = entries.map(|entry| (entry.file_name().into_string().unwrap(), entry.path()));
    let mut files: Vec<(String, Vec<u8>)> = named
        .filter(|(name, _)| name != "LOCK")
        .map(|(name, path)| (name, std::fs::read(path).unwrap()))
        .collect();
    files.sort();
    files
}

/// Runs a tool that must not change the log.
#[track_caller]
pub(crate) fn look(place: &Place, line: &str) -> Ran {
    let before = files(&place.path().join("log"));
    let ran = place.beaver(line);
    assert_eq!(
        files(&place.path().join("log")),
        before,
        "{line} changed the log"
    );
    ran
}

#[test]
fn stats_of_a_whole_log() {
    let place = place_with_log();
    check_golden(
        "wal_stats.txt",
        &look(&place, "wal stats log").ends_with(0).stdout,
    );
    let stats = look(&place, "wal stats log --format json")
        .ends_with(0)
        .json();
    assert_eq!(stats["events"], 7);
    assert_eq!(stats["by_kind"]["ENQUEUE"], 3);
    assert_eq!(stats["first"], "1:1");
    assert_eq!(stats["last"], "2:4");
    assert_eq!(stats["earliest_ms"], 1_700_000_000_000_u64);
    assert!(stats["problems"].as_array().unwrap().is_empty());
}

#[test]
fn validate_says_that_a_log_is_whole() {
    let ran = look(&place_with_log(), "wal validate log").ends_with(0);
    assert_eq!(
        ran.stdout,
        "7 events in 2 segments: whole (store 6f1d0c5be2a94417, of format version 2)\n"
    );
}

#[test]
fn validate_lists_every_problem_and_ends_with_1() {
    let place = place_with_log();
    damage(&place, 1, 2);
    damage(&place, 2, 1);
    check_golden(
        "wal_validate_damaged.txt",
        &look(&place, "wal validate log").ends_with(1).stdout,
    );
    let found = look(&place, "wal validate log --format json")
        .ends_with(1)
        .json();
    assert_eq!(found["problems"].as_array().unwrap().len(), 2);
    assert_eq!(found["problems"][0]["file"], "wal-0000000001.jsonl");
    look(&place, "wal stats log").ends_with(1);
}

#[test]
fn a_torn_tail_is_no_damage() {
    let place = place_with_log();
    let path = place.path().join("log/wal-0000000002.jsonl");
    let mut bytes = std::fs::read(&path).unwrap();
    bytes.extend_from_slice(b"{\"seq\":5,\"ev");
    std::fs::write(&path, bytes).unwrap();
    look(&place, "wal validate log")
        .ends_with(0)
        .says("12 bytes from byte")
        .says("torn or in flight");
    let found = look(&place, "wal validate log --format json")
        .ends_with(0)
        .json();
    assert_eq!(found["torn_tail"]["bytes"], 12);
    look(&place, "wal dump log")
        .ends_with(0)
        .says("torn tail, torn or in flight: the last line has no newline");
}

#[test]
fn dump_shows_every_line_with_its_place() {
    let place = place_with_log();
    damage(&place, 2, 2);
    check_golden(
        "wal_dump.txt",
        &look(&place, "wal dump log").ends_with(1).stdout,
    );
    check_golden(
        "wal_dump.jsonl",
        &look(&place, "wal dump log --format json")
            .ends_with(1)
            .stdout,
    );
}

#[test]
fn repair_writes_a_copy_that_is_whole() {
    let place = place_with_log();
    damage(&place, 2, 2);
    check_golden(
        "wal_repair.txt",
        &look(&place, "wal repair log repaired").ends_with(1).stdout,
    );
    place
        .beaver("wal validate repaired")
        .ends_with(0)
        .says("as an earlier repair says");
    let compared = look(&place, "wal compare log repaired");
    assert_eq!(compared.code, Some(0), "{}", compared.stdout);
}

#[test]
fn repair_of_a_whole_log_ends_with_0() {
    look(&place_with_log(), "wal repair log repaired")
        .ends_with(0)
        .says("7 events");
}

#[test]
fn truncate_writes_a_copy_that_ends_at_a_position() {
    let place = place_with_log();
    look(&place, "wal truncate log 2:1 cut")
        .ends_with(0)
        .says("up to 2:1");
    let stats = place
        .beaver("wal stats cut --format json")
        .ends_with(0)
        .json();
    assert_eq!(stats["last"], "2:1");
    check_golden(
        "wal_compare.txt",
        &look(&place, "wal compare log cut").ends_with(1).stdout,
    );
    look(&place, "wal truncate log 9:1 beyond").ends_with(2);
    // A refusal leaves nothing behind.
    assert!(!place.path().join("beyond").exists());
}

#[test]
fn compare_shows_events_that_differ() {
    let place = place_with_log();
    write_log(&place.path().join("other"), "job-4");
    let compared = look(&place, "wal compare log other --format json")
        .ends_with(1)
        .json();
    assert_eq!(compared["differences"][0]["kind"], "content");
    assert_eq!(compared["differences"][0]["position"], "2:2");
    look(&place, "wal compare log log").ends_with(0);
}

#[test]
fn a_copy_never_overwrites_anything() {
    let place = place_with_log();
    place.write("taken/file", "mine");
    for line in [
        "wal repair log taken",
        "wal truncate log 2:1 taken",
        "wal repair log log",
    ] {
        look(&place, line)
            .ends_with(2)
            .complains("is not empty, and nothing is overwritten");
    }
    assert_eq!(
        files(&place.path().join("taken")),
        [("file".to_owned(), b"mine".to_vec())]
    );
}

#[test]
fn a_directory_that_is_no_log_ends_with_2() {
    let place = place_with_log();
    place.write("other/file", "text");
    for tool in ["stats", "validate", "dump"] {
        place
            .beaver(&format!("wal {tool} nowhere"))
            .ends_with(2)
            .complains("nowhere");
        place
            .beaver(&format!("wal {tool} other"))
            .ends_with(2)
            .complains("other: no segment and no snapshot");
    }
    place
        .beaver("wal compare log nowhere")
        .ends_with(2)
        .complains("nowhere");
    place
        .beaver("wal repair nowhere out")
        .ends_with(2)
        .complains("nowhere");
    place
        .beaver("wal truncate log 2-1 out")
        .ends_with(2)
        .complains("EPOCH:SEQ");
    place.beaver("wal").ends_with(2);
}

#[test]
fn a_log_of_another_state_machine_needs_to_be_told() {
    let place = Place::empty();
    let storage = Arc::new(DiskStorage::open(place.path().join("log")).unwrap());
    let (mut log, _) = Wal::<Note>::open(storage, WalOptions::default()).unwrap();
    log.append(&[Note, Note]).unwrap();
    log.close().unwrap();
    look(&place, "wal validate log")
        .ends_with(1)
        .says("event 1:1 cannot be decoded")
        .says("none of 2 valid events is one of the job queue; is this the log of another program")
        .says("2 events in 1 segment: 1 problem");
    look(&place, "wal validate log --any-event")
        .ends_with(0)
        .says("2 events in 1 segment: whole");
    let stats = look(&place, "wal stats log --any-event --format json")
        .ends_with(0)
        .json();
    assert_eq!(stats["by_kind"]["event"], 2);
    look(&place, "wal dump log")
        .ends_with(0)
        .says("1:1 more {\"note\":true}");
}

/// An event that is none of the job queue's.
struct Note;

impl LogEvent for Note {
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(br#"{"note":true}"#);
    }

    fn decode(_: &[u8]) -> Result<Self, DecodeError> {
        Ok(Note)
    }
}

#[test]
fn a_log_in_use_can_be_looked_at() {
    let place = Place::empty();
    let storage = Arc::new(DiskStorage::open(place.path().join("log")).unwrap());
    let (mut queue, _) = Controller::open(storage, ControllerOptions::default()).unwrap();
    queue.enqueue(job("job-1")).unwrap();
    look(&place, "wal validate log")
        .ends_with(0)
        .says("1 event in 1 segment: whole");
    queue.enqueue(job("job-2")).unwrap();
}

#[test]
fn a_copy_inside_the_log_is_refused() {
    let place = place_with_log();
    let before = files(&place.path().join("log"));
    for copy in ["log/copy", "log/../log/deep/copy"] {
        for line in [
            format!("wal repair log {copy}"),
            format!("wal truncate log 2:1 {copy}"),
        ] {
            let ran = place.beaver(&line).ends_with(2);
            ran.complains(&format!("{copy}: lies in log, in which nothing is changed"));
        }
    }
    assert_eq!(files(&place.path().join("log")), before);
    place.beaver("wal repair log log-copy").ends_with(0);
}
