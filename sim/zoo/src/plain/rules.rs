//! Records of the plain store change its state, if the rules of the queue allow them.

use super::bug::PlainBug;
use beaver_sim::beaver::model::{Model, ModelJob, Record, Standing, What};

/// Applies a record that was read from the log.
///
/// # Errors
/// The rules do not allow it.
pub(super) fn replay(
    state: &mut Model,
    record: &Record,
    now_ms: u64,
    bug: Option<PlainBug>,
) -> Result<(), String> {
    let dispatched = record.what == What::Dispatched;
    match bug {
        // It has nothing to put into the queue.
        Some(PlainBug::EnqueueWithoutPayload) if matches!(&record.what, What::Enqueued { .. }) => {
            Ok(())
        }
        Some(PlainBug::ClockInReplay) if dispatched => {
            let now = Record {
                at_ms: now_ms,
                ..record.clone()
            };
            apply(state, &now)
        }
        Some(PlainBug::ReplayLeavesReady) if dispatched => {
            apply(state, record)?;
            change(state, |_, waiting| waiting.insert(0, record.id.clone()));
            Ok(())
        }
        _ => apply(state, record),
    }
}

/// Applies a record that is about to be written.
pub(super) fn apply_live(state: &mut Model, record: &Record, bug: Option<PlainBug>) {
    apply(state, record).expect("it follows from the state");
    if bug == Some(PlainBug::AttemptCountedTwice) && record.what == What::Retried {
        change(state, |jobs, _| {
            let mut jobs = jobs.iter_mut();
            if let Some(job) = jobs.find(|job| job.id == record.id) {
                job.attempts = (job.attempts + 1).min(job.max_attempts);
            }
        });
    }
}

fn apply(state: &mut Model, record: &Record) -> Result<(), String> {
    let standing = state.job(&record.id).map(|job| job.standing);
    let allowed = match record.what {
        What::Enqueued { .. } => standing.is_none(),
        What::Dispatched => standing == Some(Standing::Waiting),
        _ => matches!(standing, Some(Standing::InFlight { .. })),
    };
    if !allowed {
        return Err(format!("{record}, but the job is {standing:?}"));
    }
    state.apply(record);
    Ok(())
}

/// Changes the jobs or the waiting ids of a state as no record does.
fn change(state: &mut Model, change: impl FnOnce(&mut Vec<ModelJob>, &mut Vec<String>)) {
    let mut jobs = state.jobs().cloned().collect();
    let mut waiting = state.waiting().to_vec();
    change(&mut jobs, &mut waiting);
    *state = Model::of(jobs, waiting, state.dead().cloned().collect());
}
