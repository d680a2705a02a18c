//! The crash suite: Beaver's log passes it, and a plain store with a planted bug does not.

#![expect(
    clippy::unwrap_used,
    reason = "a test ends where something unexpected happens"
)]

#[path = "../raft/support.rs"]
mod support;

mod plain;

use std::io;
use std::mem;
use std::sync::{Arc, Mutex};

use beaver::Storage;
use beaver_raft::suite::{LogUnderTest, SuiteOptions, check_log_store};
use beaver_raft::{FlushAtOnce, FlushWork, Flusher};

use plain::{PlainLog, Planted};
use support::*;

/// Beaver's log, whose flushes run at once.
struct AtOnce;

impl LogUnderTest<QueueConfig> for AtOnce {
    type Store = QueueLog;

    fn open(&self, storage: Arc<dyn Storage>) -> io::Result<QueueLog> {
        try_open_log(storage, FlushAtOnce)
    }
}

/// Beaver's log, whose flushes run when the suite waits.
#[derive(Clone, Default)]
struct Later(Arc<Mutex<Vec<FlushWork>>>);

impl Flusher for Later {
    fn schedule(&self, work: FlushWork) {
        self.0.lock().unwrap().push(work);
    }
}

impl LogUnderTest<QueueConfig> for Later {
    type Store = QueueLog;

    fn open(&self, storage: Arc<dyn Storage>) -> io::Result<QueueLog> {
        try_open_log(storage, self.clone())
    }

    fn run_scheduled(&self) {
        let scheduled = mem::take(&mut *self.0.lock().unwrap());
        scheduled.into_iter().for_each(|work| work());
    }
}

fn check<S: LogUnderTest<QueueConfig>>(subject: &S) {
    let report = check_log_store(subject, &SuiteOptions::default());
    let report = report.unwrap_or_else(|broken| panic!("{broken}"));
    assert!(report.crashes > 300 && report.images > 500, "{report:?}");
    assert!(report.failed_calls > 100, "{report:?}");
}

#[test]
fn the_log_keeps_its_promises_when_every_append_is_flushed() {
    check(&AtOnce);
}

#[test]
fn the_log_keeps_its_promises_when_appends_share_flushes() {
    check(&Later::default());
}

#[test]
fn a_plain_log_without_a_bug_keeps_them_too() {
    check(&PlainLog::new(None));
}

#[test]
#[cfg_attr(
    debug_assertions,
    ignore = "long where nothing is optimised: with --release"
)]
fn every_planted_bug_is_caught_for_its_reason() {
    let planted = [
        (Planted::VoteNotSynced, "vote"),
        // What is appended after a crash is not there after the next one.
        (Planted::CallbackBeforeFlush, "goes on"),
        (Planted::TruncationNotLogged, "log"),
        (Planted::PurgeBeforeCopy, "vote"),
        (Planted::CommittedAhead, "commit index"),
        (Planted::ShowsUnsynced, "once shown"),
        (Planted::ErrorSwallowed, "log"),
    ];
    let caught = planted.map(|(bug, _)| {
        let found = check_log_store(&PlainLog::new(Some(bug)), &SuiteOptions::default());
        (bug, found.expect_err("a planted bug").promise)
    });
    assert_eq!(caught, planted);
}
