//! A directory that a format version has written is opened for ever.
//!
//! The files in `tests/data` are never changed. To see how they came about, read [`write_queue`]
//! (`format-1`) and [`write_tape`] (`format-2`): these are the programs that wrote them.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use beaver::inspect;
use beaver::storage::DiskStorage;
use beaver::wal::LogReader;
use beaver::{
    Clock, Command, Controller, ControllerOptions, Error, Event, EventKind, JobError, JobId,
    JobQueue, JobSpec, JobStatus, ManualClock, Payload, Position, Storage, Store, StoreOptions,
    Wal,
};

use crate::support::*;

pub(crate) fn data(folder: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data")
        .join(folder)
}

/// A copy that may be changed.
pub(crate) fn copy(folder: &str) -> (tempfile::TempDir, Arc<dyn Storage>) {
    let dir = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(data(folder)).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), dir.path().join(entry.file_name())).unwrap();
    }
    let storage = DiskStorage::open(dir.path()).unwrap();
    (dir, Arc::new(storage))
}

pub(crate) fn id(name: &str) -> JobId {
    JobId::new(name).unwrap()
}

pub(crate) fn options(clock: Arc<ManualClock>) -> ControllerOptions {
    ControllerOptions {
        store: StoreOptions {
            wal: beaver::WalOptions { clock, ..plain() },
            ..store_options()
        },
        requeue_in_flight: false,
    }
}

/// What is in the files: two snapshots, a batch of two appends, an append of two events, a marker with
/// an event after it, every type of event but ACK, and strings and numbers that are easily bent.
#[test]
fn the_queue_of_format_1_is_what_it_was() {
    let (_dir, storage) = copy("format-1");
    let clock = Arc::new(ManualClock::new(1_700_000_100_000));
    let (queue, report) = Controller::open(storage, options(clock)).unwrap();
    assert_eq!((report.snapshot, report.replayed), (Some(at(2, 6)), 5));
    assert!(report.torn_tail.is_none() && report.warnings.is_empty() && report.strays.is_empty());
    assert_eq!(
        (queue.applied(), queue.last_position()),
        (at(3, 5), at(3, 5))
    );
    let counts = queue.state().counts();
    assert_eq!(
        (
            counts.pending,
            counts.in_flight,
            counts.completed,
            counts.dead
        ),
        (4, 1, 1, 1)
    );
    assert_eq!((counts.delayed, counts.dropped), (0, 0));
    let pending: Vec<_> = queue.state().pending().map(|(id, _)| id.as_str()).collect();
    assert_eq!(pending, ["e", "job \"ü\"\\\n", "b", "f"]);
    let (flying, job) = queue.state().in_flight().next().unwrap();
    assert_eq!(
        (flying.as_str(), job.attempts(), job.timeout_ms()),
        ("d", 1, 60_000)
    );
    let completed: Vec<_> = queue.state().completed().map(JobId::as_str).collect();
    assert_eq!(completed, ["a"]);
    assert_eq!(queue.state().status(&id("c")), Some(JobStatus::Dead));
    let odd = queue.state().job(&id("job \"ü\"\\\n")).unwrap();
    assert_eq!(
        odd.payload().as_str(),
        r#"{ "n" : 9007199254740993, "e": 1e400, "s": "\u0000\ud83e\uddab" }"#
    );
    assert_eq!((odd.max_attempts().get(), odd.timeout_ms()), (7, u64::MAX));
}

#[test]
fn the_events_of_format_1_are_what_they_were() {
    let (_dir, storage) = copy("format-1");
    let reader = LogReader::<Event>::open(storage).unwrap();
    let start = reader.start().unwrap();
    assert_eq!(start, at(1, 5));
    let mut seen = Vec::new();
    reader
        .replay(start, |position, event| {
            seen.push(format!(
                "{position} {} {} {:?}",
                event.event_type(),
                event.timestamp_ms,
                event.job_id.as_str()
            ));
            Ok::<(), ()>(())
        })
        .unwrap();
    let expected = include_str!("../data/format-1-events.txt");
    assert_eq!(seen.join("\n") + "\n", expected);
}

#[test]
fn nothing_is_wrong_with_the_files_of_format_1() {
    let (_dir, storage) = copy("format-1");
    let stats = inspect::stats::<Event>(&storage).unwrap();
    assert_eq!(stats.problems, []);
    assert_eq!(
        (stats.segments, stats.snapshots, stats.events, stats.markers),
        (2, 2, 11, 2)
    );
    assert_eq!((stats.first, stats.last), (Some(at(2, 1)), Some(at(3, 5))));
    assert_eq!((stats.versions, stats.store), ([(1, 4)].into(), None));
}

#[test]
fn an_older_snapshot_of_format_1_is_enough() {
    let (dir, storage) = copy("format-1");
    fs::write(dir.path().join(snapshot(2)), "damaged").unwrap();
    let clock = Arc::new(ManualClock::new(1_700_000_100_000));
    let (queue, report) = Controller::open(storage, options(clock)).unwrap();
    assert_eq!((report.snapshot, report.replayed), (Some(at(1, 5)), 11));
    assert_eq!(queue.state().counts().total(), 7);
}

/// Lost events, a batch whose first event is lost, free space; written by another program.
#[test]
fn a_repaired_log_of_format_1_says_what_is_lost() {
    let (_dir, storage) = copy("format-1-repaired");
    let reader = LogReader::<Event>::open(Arc::clone(&storage)).unwrap();
    let mut seen = Vec::new();
    let report = reader.replay(Position::default(), |position, event| {
        seen.push(format!("{position} {}", event.job_id.as_str()));
        Ok::<(), ()>(())
    });
    let lost = report.unwrap().lost;
    assert_eq!(seen, ["1:1 j1", "1:4 j4", "1:5 j5"]);
    assert_eq!((lost[0].from, lost[0].to.0), (at(1, 2), 3));
    let (mut wal, report) = Wal::<Event>::open(storage, plain()).unwrap();
    assert_eq!((wal.last_position(), report.torn_tail), (at(2, 0), None));
    let event = Event::new(id("more"), 1, EventKind::Ack { attempt: None });
    assert_eq!(wal.append(&[event]).unwrap(), at(2, 1));
}

/// A queue as earlier versions had it: its events name no attempts.
struct OldQueue {
    store: Store<JobQueue>,
    clock: Arc<ManualClock>,
}

impl OldQueue {
    /// The command is queued, for a later flush.
    fn submit(&mut self, command: &Command) {
        let now_ms = self.clock.now_ms();
        let plan = |queue: &JobQueue| {
            let mut events = queue.plan(command, now_ms)?;
            events.iter_mut().for_each(forget_attempt);
            Ok::<_, JobError>((events, ()))
        };
        self.store.submit(plan).unwrap();
    }

    fn run(&mut self, command: &Command) {
        self.submit(command);
        self.store.flush().unwrap();
    }

    fn enqueue<const N: usize>(&mut self, specs: [JobSpec; N]) {
        self.run(&Command::Enqueue(specs.into()));
    }
}

fn forget_attempt(event: &mut Event) {
    if let EventKind::Ack { attempt }
    | EventKind::Retry { attempt, .. }
    | EventKind::Timeout { attempt, .. }
    | EventKind::Dead { attempt } = &mut event.kind
    {
        *attempt = None;
    }
}

/// The program that wrote `format-1`, with a clock that stood where it is put here.
fn write_queue(storage: Arc<dyn Storage>) {
    let clock = Arc::new(ManualClock::new(1_700_000_000_000));
    let open = || OldQueue {
        store: Store::open(Arc::clone(&storage), options(Arc::clone(&clock)).store)
            .unwrap()
            .0,
        clock: Arc::clone(&clock),
    };
    let spec = |name: &str| JobSpec::new(id(name), Payload::new("{\"a\":[1,2,3]}").unwrap());
    let fail = |name: &str, attempt| {
        let id = id(name);
        Command::Fail { id, attempt }
    };
    let mut queue = open();
    queue.enqueue([spec("a")]);
    clock.advance(1);
    queue.enqueue([
        spec("b").with_timeout_ms(50),
        spec("c").with_max_attempts(1.try_into().unwrap()),
    ]);
    queue.run(&Command::Dispatch);
    let (id, attempt) = (id("a"), 1);
    queue.run(&Command::Ack { id, attempt });
    queue.store.checkpoint().unwrap();
    clock.advance(10);
    // Two appends in one batch.
    queue.submit(&Command::Dispatch);
    queue.submit(&Command::Dispatch);
    queue.store.flush().unwrap();
    queue.run(&fail("c", 1));
    clock.advance(1_000);
    queue.run(&Command::Tick);
    queue.enqueue([spec("d"), spec("e")]);
    queue.store.close().unwrap();
    let mut queue = open();
    queue.store.checkpoint().unwrap();
    let odd = r#"{ "n" : 9007199254740993, "e": 1e400, "s": "\u0000\ud83e\uddab" }"#;
    let odd = JobSpec::new(self::id("job \"ü\"\\\n"), Payload::new(odd).unwrap());
    queue.enqueue([odd
        .with_max_attempts(7.try_into().unwrap())
        .with_timeout_ms(u64::MAX)]);
    queue.run(&Command::Dispatch);
    queue.run(&Command::Dispatch);
    queue.run(&fail("b", 2));
    queue.store.close().unwrap();
    let mut queue = open();
    queue.enqueue([spec("f")]);
    drop(queue);
}

/// What stands in a file after its first words, which are those of its format version, without the
/// checksums, which cover whose it is.
fn content(file: &str) -> Vec<&str> {
    let end = match file.starts_with("{\"wal\"") {
        true => "\n",
        false => ",\"state\":",
    };
    let (start, after) = file.split_once(end).unwrap();
    assert!(start.contains("\"version\":"), "{start}");
    let lines = after.lines();
    lines
        .map(|line| line.rsplit_once(",\"crc\":").unwrap().0)
        .collect()
}

/// The reports of earlier versions are not checked, those that are made now are.
#[test]
fn a_job_that_format_1_has_handed_out_is_reported_with_its_attempt() {
    let (_dir, storage) = copy("format-1");
    let clock = Arc::new(ManualClock::new(1_700_000_002_000));
    let (mut queue, _) = Controller::open(storage, options(clock)).unwrap();
    let late = queue.ack(&id("d"), 2).unwrap_err().to_string();
    assert_eq!(late, "ACK of attempt 2 of job \"d\", which is at attempt 1");
    queue.ack(&id("d"), 1).unwrap();
    assert_eq!(queue.state().status(&id("d")), Some(JobStatus::Completed));
}

#[test]
fn the_program_that_wrote_format_1_writes_the_same_events_and_states_still() {
    let dir = tempfile::tempdir().unwrap();
    write_queue(Arc::new(DiskStorage::open(dir.path()).unwrap()));
    let mut files = 0;
    for entry in fs::read_dir(data("format-1")).unwrap() {
        let kept = entry.unwrap();
        let written = fs::read_to_string(dir.path().join(kept.file_name())).unwrap();
        let kept = fs::read_to_string(kept.path()).unwrap();
        assert_eq!(content(&written), content(&kept));
        files += 1;
    }
    assert_eq!(files, 4);
}

/// The program that wrote `format-2`, and from it `format-2-repaired`.
fn write_tape(storage: &Arc<dyn Storage>, repaired: &Arc<dyn Storage>) {
    let open = || {
        Store::<Tape>::open(Arc::clone(storage), keeping(2))
            .unwrap()
            .0
    };
    let submit = |store: &mut Store<Tape>, texts: &[&str]| {
        let events: Vec<Line> = texts.iter().map(line).collect();
        store
            .submit(|_| Ok::<_, Error>((events.clone(), ())))
            .unwrap();
    };
    let mut store = open();
    submit(&mut store, &["1"]);
    submit(
        &mut store,
        &["{ \"n\" : 9007199254740993, \"e\": 1e400 }", "null"],
    );
    store.flush().unwrap();
    checkpoint(&mut store);
    // Two appends in one batch, a marker, an event after it.
    submit(&mut store, &[r#""ü\"\\\n\u0000 ,\"crc\":\"00000000\"}""#]);
    submit(&mut store, &["[1,2]", "3"]);
    store.flush().unwrap();
    store.close().unwrap();
    let mut store = open();
    commit(&mut store, 4..=4);
    checkpoint(&mut store);
    drop(store);
    // An epoch without events.
    let covered = Wal::<Line>::open_after(Arc::clone(storage), at(2, 4), plain());
    covered.unwrap().0.rotate().unwrap();
    let mut store = open();
    checkpoint(&mut store);
    commit(&mut store, 5..=6);
    store.close().unwrap();
    let mut store = open();
    commit(&mut store, 7..=7);
    drop(store);
    inspect::repair(storage, repaired, COPY).unwrap();
}

fn new_directory() -> (tempfile::TempDir, Arc<dyn Storage>) {
    let dir = tempfile::tempdir().unwrap();
    let storage = DiskStorage::open(dir.path()).unwrap();
    (dir, Arc::new(storage))
}

#[test]
fn the_same_program_writes_the_same_files_still() {
    let ((dir, storage), (copy_dir, repaired)) = (new_directory(), new_directory());
    write_tape(&storage, &repaired);
    for (folder, dir) in [("format-2", dir), ("format-2-repaired", copy_dir)] {
        let mut names = Vec::new();
        for entry in fs::read_dir(data(folder)).unwrap() {
            let kept = entry.unwrap();
            let written = fs::read_to_string(dir.path().join(kept.file_name())).unwrap();
            assert_eq!(written, fs::read_to_string(kept.path()).unwrap());
            names.push(kept.file_name());
        }
        let written = fs::read_dir(dir.path()).unwrap();
        let written = written.map(|entry| entry.unwrap().file_name());
        let mut written: Vec<_> = written.filter(|name| name != "LOCK").collect();
        names.sort_unstable();
        written.sort_unstable();
        assert_eq!(names, written, "{folder}");
    }
}

/// What the program has written.
const TAPE: [&str; 10] = [
    "1",
    "{ \"n\" : 9007199254740993, \"e\": 1e400 }",
    "null",
    r#""ü\"\\\n\u0000 ,\"crc\":\"00000000\"}""#,
    "[1,2]",
    "3",
    "4",
    "5",
    "6",
    "7",
];

#[test]
fn the_files_of_format_2_are_what_they_were() {
    for (folder, store, last) in [
        ("format-2", STORE, at(4, 3)),
        ("format-2-repaired", COPY, at(5, 0)),
    ] {
        let (dir, storage) = copy(folder);
        let stats = inspect::stats::<Line>(&storage).unwrap();
        assert_eq!((stats.problems, stats.store), (vec![], Some(store)));
        let files = stats.segments + stats.snapshots;
        assert_eq!(stats.versions, [(2, files)].into());
        assert_eq!((stats.events, stats.snapshots, stats.markers), (7, 3, 2));
        let reader = LogReader::<Line>::open(Arc::clone(&storage)).unwrap();
        let (start, mut seen) = (reader.start().unwrap(), Vec::new());
        let report = reader.replay(start, |_, Line(text)| {
            seen.push(text);
            Ok::<(), ()>(())
        });
        assert_eq!((start, report.unwrap().applied), (at(1, 3), 7));
        assert_eq!(seen, TAPE[3..]);
        // With each snapshot, the oldest alone at last.
        for epoch in [3, 2, 1] {
            let (state, ..) = beaver::store::read_state::<Tape>(&storage).unwrap();
            assert_eq!(state.0, TAPE, "{folder} from {epoch}");
            let (opened, report) = Store::<Tape>::open(Arc::clone(&storage), keeping(2)).unwrap();
            assert_eq!(
                (&opened.state().0[..], opened.last_position()),
                (&state.0[..], last)
            );
            assert_eq!(
                report.snapshot.map(|snapshot| snapshot.epoch.0),
                Some(epoch)
            );
            assert!(report.warnings.is_empty() && report.torn_tail.is_none());
            drop(opened);
            fs::write(dir.path().join(snapshot(epoch)), "damaged").unwrap();
        }
    }
}

#[test]
fn a_store_of_format_1_goes_on_in_format_2_from_its_next_rotate_on() {
    let (_dir, storage) = copy("format-1");
    let clock = Arc::new(ManualClock::new(1_700_000_100_000));
    let open = || {
        let opened = Controller::open(Arc::clone(&storage), options(Arc::clone(&clock)));
        opened.unwrap().0
    };
    let mut queue = open();
    queue.ack(&id("d"), 1).unwrap();
    let state = queue.state().clone();
    drop(queue);
    let mut queue = open();
    assert_eq!(queue.state(), &state);
    queue.checkpoint().unwrap();
    drop(queue);
    let stats = inspect::stats::<Event>(&storage).unwrap();
    // Of the old files only what the fall-back needs is left.
    assert_eq!(
        (stats.problems, stats.versions, stats.store),
        (vec![], [(1, 2), (2, 2)].into(), Some(STORE))
    );
    assert_eq!(open().state(), &state);
}
