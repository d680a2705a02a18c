//! openraft's own suite of storage tests, on both disks.

use std::sync::atomic::{AtomicU32, Ordering};

use beaver_raft::{FlushAtOnce, FlushThread, StateMachineStore};
use openraft::AsyncRuntime;
use openraft::StorageError;
use openraft::testing::log::{StoreBuilder, Suite};
use openraft_rt_tokio::TokioRuntime;

use crate::disks::*;
use crate::support::*;

/// How many pairs of stores its 45 functions build: one moves a snapshot from one pair to another.
const PAIRS: u32 = 46;

/// Stores on simulated disks, whose flushes run at once.
#[derive(Default)]
struct Simulated(AtomicU32);

impl StoreBuilder<QueueConfig, QueueLog, QueueMachine> for Simulated {
    async fn build(&self) -> Result<((), QueueLog, QueueMachine), StorageError<QueueConfig>> {
        self.0.fetch_add(1, Ordering::Relaxed);
        let log = open_log(sim_disk().storage(), FlushAtOnce);
        let machine = StateMachineStore::open(sim_disk().storage()).unwrap();
        Ok(((), log, machine))
    }
}

/// Stores on real files, whose flushes run on a thread.
#[derive(Default)]
struct Real(AtomicU32);

impl StoreBuilder<QueueConfig, QueueLog, QueueMachine, [tempfile::TempDir; 2]> for Real {
    async fn build(
        &self,
    ) -> Result<([tempfile::TempDir; 2], QueueLog, QueueMachine), StorageError<QueueConfig>> {
        self.0.fetch_add(1, Ordering::Relaxed);
        let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
        let log = open_log(real(folders[0].path()), FlushThread::start().unwrap());
        let machine = StateMachineStore::open(real(folders[1].path())).unwrap();
        Ok((folders, log, machine))
    }
}

#[test]
fn the_suite_passes_on_the_simulated_disk() {
    let built = std::sync::Arc::new(Simulated::default());
    TokioRuntime::run(async {
        let counted = Counted(std::sync::Arc::clone(&built));
        Suite::test_all(counted).await.unwrap();
    });
    assert_eq!(built.0.load(Ordering::Relaxed), PAIRS);
}

#[test]
fn the_suite_passes_on_real_files() {
    let built = std::sync::Arc::new(Real::default());
    TokioRuntime::run(async {
        let counted = Counted(std::sync::Arc::clone(&built));
        Suite::test_all(counted).await.unwrap();
    });
    assert_eq!(built.0.load(Ordering::Relaxed), PAIRS);
}

/// A builder that outlives the suite.
struct Counted<B>(std::sync::Arc<B>);

impl<B, G> StoreBuilder<QueueConfig, QueueLog, QueueMachine, G> for Counted<B>
where
    B: StoreBuilder<QueueConfig, QueueLog, QueueMachine, G>,
    G: Send + Sync,
{
    async fn build(&self) -> Result<(G, QueueLog, QueueMachine), StorageError<QueueConfig>> {
        self.0.build().await
    }
}
