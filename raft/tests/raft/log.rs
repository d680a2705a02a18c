//! The log store by itself: order of answers, failures, and what it refuses.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex};

use beaver::storage::{read_all, write_all};
use beaver::{
    Command, JobId, JobSpec, LogEvent as _, Payload, StateMachine as _, StoreId, inspect,
};
use beaver_disk::{CallEffect, Choice, FailureKind, Fault, FaultPlan};
use beaver_raft::{
    FlushAtOnce, FlushWork, Flusher, IllegalRecord, LogObserver, LogRecord, LogStore, QueueRequest,
    RaftLog, SharedEntry,
};
use openraft::entry::RaftEntry as _;
use openraft::storage::{IOFlushed, RaftLogStorage as _};
use openraft::type_config::TypeConfigExt as _;
use openraft::{AsyncRuntime, EntryPayload, Membership, RaftLogReader as _};
use openraft_rt_tokio::TokioRuntime;

use crate::disks::*;
use crate::support::*;

fn id(term: u64, index: u64) -> LogId {
    openraft::testing::log_id::<QueueConfig>(term, 0, index)
}

fn blank(term: u64, index: u64) -> Entry {
    Entry::new_blank(id(term, index))
}

/// Runs flushes when it is told to.
#[derive(Clone, Default)]
struct ByHand(Arc<Mutex<Vec<FlushWork>>>);

impl Flusher for ByHand {
    fn schedule(&self, work: FlushWork) {
        self.0.lock().unwrap().push(work);
    }
}

impl ByHand {
    fn run(&self) -> usize {
        let scheduled = std::mem::take(&mut *self.0.lock().unwrap());
        let count = scheduled.len();
        scheduled.into_iter().for_each(|work| work());
        count
    }
}

/// Appends, and has `told` note how that went.
async fn append(
    log: &mut QueueLog,
    entries: Vec<Entry>,
    told: &Arc<Mutex<Vec<(u64, bool)>>>,
) -> io::Result<()> {
    let (sender, receiver) = QueueConfig::oneshot();
    let first = entries[0].log_id.index;
    let told = Arc::clone(told);
    drop(TokioRuntime::spawn(async move {
        let result: io::Result<()> = receiver.await.unwrap();
        told.lock().unwrap().push((first, result.is_ok()));
    }));
    log.append(entries, IOFlushed::signal(sender)).await
}

async fn settle() {
    for _ in 0..20 {
        TokioRuntime::sleep(std::time::Duration::from_millis(1)).await;
    }
}

#[test]
fn appends_are_read_at_once_and_answered_in_order_by_one_flush() {
    let (disk, by_hand) = (sim_disk(), ByHand::default());
    let mut log = open_log(disk.storage(), by_hand.clone());
    TokioRuntime::run(async {
        let told = Arc::default();
        append(&mut log, vec![blank(1, 0), blank(1, 1)], &told)
            .await
            .unwrap();
        append(&mut log, vec![blank(1, 2)], &told).await.unwrap();
        append(&mut log, vec![blank(1, 3)], &told).await.unwrap();
        assert_eq!(log.try_get_log_entries(1..).await.unwrap().len(), 3);
        settle().await;
        assert_eq!(*told.lock().unwrap(), []);
        assert_eq!(log.read_durable(RaftLog::last), None);
        let calls = disk.calls();
        assert_eq!(by_hand.run(), 1);
        // A write and a sync, and what is made ahead.
        assert!(disk.calls() - calls <= 3, "{}", disk.calls() - calls);
        settle().await;
        let mut told = told.lock().unwrap().clone();
        told.sort_unstable();
        assert_eq!(told, [(0, true), (2, true), (3, true)]);
        assert_eq!(log.read_durable(RaftLog::last), Some(id(1, 3)));
    });
}

#[test]
fn a_vote_waits_for_its_sync() {
    let (disk, by_hand) = (sim_disk(), ByHand::default());
    let mut log = open_log(disk.storage(), by_hand.clone());
    TokioRuntime::run(async {
        let vote = Vote::new(3, 1);
        let saved = TokioRuntime::spawn({
            let mut log = log.clone();
            async move { log.save_vote(&vote).await }
        });
        settle().await;
        assert_eq!(log.read_durable(|log| log.vote().copied()), None);
        assert_eq!(by_hand.run(), 1);
        saved.await.unwrap().unwrap();
        assert_eq!(log.read_vote().await.unwrap(), Some(vote));
    });
    disk.power_cut(&Choice::default());
    let log = open_log(disk.storage(), FlushAtOnce);
    assert_eq!(
        log.read_durable(|log| log.vote().copied()),
        Some(Vote::new(3, 1))
    );
}

/// Its conflicting entries must not come back below a snapshot that a power cut has spared: openraft takes
/// such a pair for a corrupt store and does not start.
#[test]
fn a_truncation_waits_for_its_sync() {
    let (disk, by_hand) = (sim_disk(), ByHand::default());
    let mut log = open_log(disk.storage(), by_hand.clone());
    TokioRuntime::run(async {
        let entries = (0..3).map(|index| blank(1, index)).collect();
        append(&mut log, entries, &Arc::default()).await.unwrap();
        by_hand.run();
        let truncated = TokioRuntime::spawn({
            let mut log = log.clone();
            async move { log.truncate_after(Some(id(1, 0))).await }
        });
        settle().await;
        assert_eq!(
            log.get_log_state().await.unwrap().last_log_id,
            Some(id(1, 0))
        );
        assert_eq!(log.read_durable(|log| log.last()), Some(id(1, 2)));
        assert_eq!(by_hand.run(), 1);
        truncated.await.unwrap().unwrap();
    });
    disk.power_cut(&Choice::default());
    let log = open_log(disk.storage(), FlushAtOnce);
    assert_eq!(log.read_durable(|log| log.last()), Some(id(1, 0)));
}

#[test]
fn after_a_flush_that_failed_everything_is_refused() {
    let (disk, by_hand) = (sim_disk(), ByHand::default());
    let mut log = open_log(disk.storage(), by_hand.clone());
    TokioRuntime::run(async {
        let told = Arc::default();
        append(&mut log, vec![blank(1, 0)], &told).await.unwrap();
        let fails = |call| {
            let fault = Fault::Error {
                error: FailureKind::Io,
                effect: CallEffect::Nothing,
                sticky: false,
            };
            (disk.calls() + call, fault)
        };
        disk.set_plan(FaultPlan {
            calls: BTreeMap::from_iter((1..=4).map(fails)),
            ..FaultPlan::default()
        });
        append(&mut log, vec![blank(1, 1)], &told).await.unwrap();
        by_hand.run();
        settle().await;
        let mut told_all = told.lock().unwrap().clone();
        told_all.sort_unstable();
        assert_eq!(told_all, [(0, false), (1, false)]);
        assert!(log.save_vote(&Vote::new(9, 1)).await.is_err());
        assert!(append(&mut log, vec![blank(1, 0)], &told).await.is_err());
        assert!(log.truncate_after(None).await.is_err());
        assert!(log.purge(id(1, 0)).await.is_err());
        assert!(log.save_committed(None).await.is_err());
        assert!(log.read_vote().await.is_err());
        assert!(log.try_get_log_entries(0..9).await.is_err());
        assert!(log.get_log_state().await.is_err());
        assert_eq!(by_hand.run(), 0);
    });
}

#[test]
fn what_is_no_raft_log_is_refused_and_changes_nothing() {
    let mut log = open_log(sim_disk().storage(), FlushAtOnce);
    TokioRuntime::run(async {
        let told = Arc::default();
        append(&mut log, vec![blank(2, 0), blank(2, 1), blank(3, 2)], &told)
            .await
            .unwrap();
        log.save_vote(&Vote::new_committed(3, 1)).await.unwrap();
        log.save_committed(Some(id(2, 1))).await.unwrap();
        for entries in [
            vec![blank(3, 4)],
            vec![blank(3, 2)],
            vec![blank(2, 3)],
            vec![blank(3, 3), blank(3, 5)],
        ] {
            let error = append(&mut log, entries, &told).await.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput, "{error}");
        }
        assert!(log.truncate_after(Some(id(2, 0))).await.is_err());
        assert!(log.truncate_after(None).await.is_err());
        assert!(log.purge(id(1, 1)).await.is_err());
        assert!(log.save_committed(Some(id(3, 3))).await.is_err());
        assert!(log.save_committed(Some(id(2, 0))).await.is_err());
        for vote in [Vote::new_committed(2, 1), Vote::new(3, 1), Vote::new(3, 2)] {
            assert!(log.save_vote(&vote).await.is_err(), "{vote}");
        }
        // A purge of what is purged does nothing.
        log.purge(id(2, 1)).await.unwrap();
        log.purge(id(2, 0)).await.unwrap();
        assert_eq!(log.try_get_log_entries(..).await.unwrap(), [blank(3, 2)]);
        append(&mut log, vec![blank(3, 3)], &told).await.unwrap();
    });
}

#[test]
fn a_log_that_lost_something_in_a_repair_is_refused() {
    const SEGMENT: &str = "wal-0000000001.jsonl";
    let disk = sim_disk();
    let mut log = open_log(disk.storage(), FlushAtOnce);
    TokioRuntime::run(async {
        log.save_vote(&Vote::new(2, 1)).await.unwrap();
        let entries = vec![blank(2, 0), blank(2, 1)];
        append(&mut log, entries, &Arc::default()).await.unwrap();
    });
    log.close().unwrap();
    let whole = read_all(&*disk.storage(), SEGMENT).unwrap().unwrap();
    let line_ends: Vec<usize> = (0..whole.len()).filter(|at| whole[*at] == b'\n').collect();
    // The vote, which is the first line after the header, and the last of the entries.
    for line in [0, 2] {
        let mut damaged = whole.clone();
        damaged[line_ends[line] + 20] ^= 1;
        let (broken, repaired) = (sim_disk().storage(), sim_disk().storage());
        write_all(&*broken.create(SEGMENT).unwrap(), &damaged, 0).unwrap();
        assert!(try_open_log(Arc::clone(&broken), FlushAtOnce).is_err());
        inspect::repair(&broken, &repaired, StoreId::random()).unwrap();
        let error = try_open_log(repaired, FlushAtOnce)
            .err()
            .unwrap()
            .to_string();
        assert!(error.contains("must not forget"), "line {line}: {error}");
    }
}

#[test]
fn an_append_that_is_too_large_for_one_is_split() {
    let disk = sim_disk();
    let mut log = open_log(disk.storage(), FlushAtOnce);
    let payload = Payload::new(format!("\"{}\"", "x".repeat(1 << 18))).unwrap();
    let entries = (0..280).map(|index| {
        let job = JobSpec::new(JobId::new(index.to_string()).unwrap(), payload.clone());
        let command = Command::Enqueue(vec![job]);
        let request = QueueRequest { command, now_ms: 1 };
        Entry::new(id(1, index), EntryPayload::Normal(request))
    });
    let entries: Vec<Entry> = entries.collect();
    TokioRuntime::run(async {
        let told = Arc::default();
        append(&mut log, entries.clone(), &told).await.unwrap();
        settle().await;
        assert_eq!(*told.lock().unwrap(), [(0, true)]);
    });
    disk.power_cut(&Choice::default());
    let mut log = open_log(disk.storage(), FlushAtOnce);
    let read = TokioRuntime::run(async { log.try_get_log_entries(..).await.unwrap() });
    assert_eq!(read, entries);
}

#[derive(Default)]
struct Notes(Mutex<Vec<String>>);

impl LogObserver<QueueConfig> for Notes {
    fn appended(&self, previous: Option<&LogId>, entry: &Entry) {
        let previous = previous.map_or("-".to_owned(), LogId::to_string);
        let note = format!("append {} after {previous}", entry.log_id);
        self.0.lock().unwrap().push(note);
    }

    fn truncated(&self, after: Option<&LogId>) {
        let note = format!("truncate after {}", after.unwrap());
        self.0.lock().unwrap().push(note);
    }

    fn purged(&self, upto: &LogId) {
        self.0.lock().unwrap().push(format!("purge {upto}"));
    }

    fn flushed(&self, last: Option<&LogId>) {
        let last = last.map_or("-".to_owned(), LogId::to_string);
        self.0.lock().unwrap().push(format!("flushed {last}"));
    }

    fn vote_saved(&self, vote: &Vote) {
        self.0.lock().unwrap().push(format!("vote {vote}"));
    }
}

#[test]
fn an_observer_learns_what_happens_in_order() {
    let (by_hand, notes) = (ByHand::default(), Arc::new(Notes::default()));
    let storage = sim_disk().storage();
    let opened = LogStore::<QueueConfig>::open_observed(
        storage,
        options(),
        Arc::new(by_hand.clone()),
        Arc::clone(&notes) as _,
    );
    let mut log = opened.unwrap().0;
    TokioRuntime::run(async {
        let told = Arc::default();
        append(&mut log, vec![blank(1, 0), blank(1, 1)], &told)
            .await
            .unwrap();
        let truncation = TokioRuntime::spawn({
            let mut log = log.clone();
            async move { log.truncate_after(Some(id(1, 0))).await }
        });
        settle().await;
        append(&mut log, vec![blank(2, 1)], &told).await.unwrap();
        by_hand.run();
        truncation.await.unwrap().unwrap();
        log.purge(id(2, 1)).await.unwrap();
        let vote = TokioRuntime::spawn({
            let mut log = log.clone();
            async move { log.save_vote(&Vote::new(3, 1)).await }
        });
        settle().await;
        by_hand.run();
        vote.await.unwrap().unwrap();
    });
    let (first, second, replaced) = (id(1, 0), id(1, 1), id(2, 1));
    let expected = [
        format!("append {first} after -"),
        format!("append {second} after {first}"),
        format!("truncate after {first}"),
        format!("append {replaced} after {first}"),
        format!("flushed {replaced}"),
        format!("purge {replaced}"),
        format!("flushed {replaced}"),
        format!("vote {}", Vote::new(3, 1)),
    ];
    let mut noted = notes.0.lock().unwrap().clone();
    // The vote is noted by the task that waited for it, beside the one that flushed.
    noted[6..].sort();
    assert_eq!(noted, expected);
}

#[test]
fn every_record_and_every_log_reads_back() {
    let membership = Membership::new_with_defaults(vec![[1, 2].into(), [2, 3].into()], [9]);
    let records: [LogRecord<QueueConfig>; 7] = [
        LogRecord::Vote(Vote::new(3, 1)),
        LogRecord::Entry(SharedEntry::new(blank(1, 5))),
        LogRecord::Entry(SharedEntry::new(Entry::new_membership(
            id(2, 6),
            membership,
        ))),
        LogRecord::Committed(Some(id(1, 5))),
        LogRecord::Purge(id(1, 5)),
        LogRecord::TruncateAfter(Some(6)),
        LogRecord::Vote(Vote::new_committed(3, 1)),
    ];
    let mut log = RaftLog::<QueueConfig>::initial();
    for record in &records {
        let mut json = Vec::new();
        record.encode(&mut json);
        let read = LogRecord::<QueueConfig>::decode(&json).unwrap();
        log.apply(&read).unwrap();
        let (mut once, mut again) = (Vec::new(), Vec::new());
        log.snapshot(&mut once);
        RaftLog::<QueueConfig>::restore(&once)
            .unwrap()
            .snapshot(&mut again);
        assert_eq!(
            String::from_utf8(once).unwrap(),
            String::from_utf8(again).unwrap()
        );
    }
    let illegal = log.apply(&LogRecord::TruncateAfter(None)).unwrap_err();
    assert!(matches!(illegal, IllegalRecord::Truncation { .. }));
    assert!(LogRecord::<QueueConfig>::decode(b"{\"vote\":1}").is_err());
    assert!(LogRecord::<QueueConfig>::decode(b"{\"truncate\":1}").is_err());
}
