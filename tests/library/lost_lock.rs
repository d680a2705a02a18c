//! The lock is taken away from a store that is open: before every storage call of its work.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use beaver::{Controller, ControllerOptions, JobId, JobSpec, Payload, Storage};
use beaver_disk::{CallEffect, Disk, Profile, SimDisk, SimOptions};

use crate::hooked::hooked;

fn spec(number: u64) -> JobSpec {
    let id = JobId::new(format!("job-{number}")).unwrap();
    JobSpec::new(id, Payload::new("1").unwrap())
}

/// Enqueues jobs and writes checkpoints, and goes on after errors. Answers with the jobs that were
/// acknowledged, each with the number of storage calls made by then.
fn work(storage: Arc<dyn Storage>, calls: &AtomicU64) -> Vec<(u64, u64)> {
    let mut acknowledged = Vec::new();
    let Ok((mut owner, _)) = Controller::open(storage, ControllerOptions::default()) else {
        return acknowledged;
    };
    for number in 0..6 {
        if owner.enqueue(spec(number)).is_ok() {
            acknowledged.push((number, calls.load(Ordering::SeqCst)));
        }
        if number % 2 == 1 {
            let _ = owner.checkpoint();
        }
    }
    let _ = owner.close();
    acknowledged
}

/// Does the work on a disk where the lock is stolen before the given call. `None` if it was not
/// held then.
fn stolen_before(call: u64) -> (SimDisk, Option<Vec<(u64, u64)>>, u64) {
    let disk = SimDisk::new(Disk::empty(Profile::Posix), SimOptions::default());
    let calls = Arc::new(AtomicU64::new(0));
    let stolen = Arc::new(AtomicU64::new(0));
    let storage = {
        let (disk, calls, stolen) = (disk.clone(), Arc::clone(&calls), Arc::clone(&stolen));
        hooked(disk.clone().storage(), move |_, _| {
            if calls.fetch_add(1, Ordering::SeqCst) + 1 == call && disk.steal_lock() {
                stolen.store(disk.live().hash128() as u64, Ordering::SeqCst);
            }
            Ok(())
        })
    };
    let acknowledged = work(storage, &calls);
    let total = calls.load(Ordering::SeqCst);
    let at_theft = stolen.load(Ordering::SeqCst);
    if at_theft == 0 {
        return (disk, None, total);
    }
    let now = disk.live().hash128() as u64;
    assert_eq!(
        now, at_theft,
        "call {call}: a file changed after the lock was lost"
    );
    (disk, Some(acknowledged), total)
}

#[test]
fn a_store_whose_lock_is_lost_acknowledges_nothing_and_changes_nothing() {
    let (_, none, total) = stolen_before(0);
    assert!(none.is_none());
    let mut thefts = 0;
    for call in 1..=total {
        let (disk, acknowledged, _) = stolen_before(call);
        let Some(acknowledged) = acknowledged else {
            continue;
        };
        thefts += 1;
        for (job, calls) in &acknowledged {
            assert!(*calls < call, "call {call}: job {job} was acknowledged");
        }
        disk.kill(CallEffect::Nothing);
        disk.release_lock();
        let (again, _) = Controller::open(disk.storage(), ControllerOptions::default()).unwrap();
        for (job, _) in acknowledged {
            let id = spec(job).id;
            assert!(
                again.state().status(&id).is_some(),
                "call {call}: job {job} is lost"
            );
        }
    }
    assert!(thefts > 40, "only {thefts}");
}
