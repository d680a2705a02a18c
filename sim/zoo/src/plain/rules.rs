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
        Some(PlainBug::BackoffForgotten) if delays(&record.what) => {
            apply(state, record)?;
            apply(
                state,
                &Record {
                    what: What::Readied,
                    ..record.clone()
                },
            )
        }
        // The delay was forgotten, so its end says nothing.
        Some(PlainBug::BackoffForgotten) if is_waiting(state, &record.id) => match record.what {
            What::Readied => Ok(()),
            _ => apply(state, record),
        },
        Some(PlainBug::RevivedWithoutPayload) if record.what == What::Revived => {
            apply(state, record)?;
            change_job(state, &record.id, |job| "null".clone_into(&mut job.payload));
            Ok(())
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
    if bug == Some(PlainBug::RevivedWithoutAttempts) && record.what == What::Revived {
        change_job(state, &record.id, |job| job.attempts_left = 0);
    }
    let retried = matches!(record.what, What::Retried { .. });
    if bug == Some(PlainBug::AttemptCountedTwice) && retried {
        change_job(state, &record.id, |job| {
            job.attempts = (job.attempts + 1).min(job.max_attempts);
            job.attempts_left = job.attempts_left.saturating_sub(1);
        });
    }
}

fn is_waiting(state: &Model, id: &str) -> bool {
    let job = state.job(id);
    job.is_some_and(|job| job.standing == Standing::Waiting)
}

/// Whether a job is delayed.
fn delays(what: &What) -> bool {
    match what {
        What::Retried { delay_ms, .. } | What::TimedOut { delay_ms, .. } => *delay_ms > 0,
        _ => false,
    }
}

fn apply(state: &mut Model, record: &Record) -> Result<(), String> {
    let standing = state.job(&record.id).map(|job| job.standing);
    let allowed = match record.what {
        What::Enqueued { .. } => standing.is_none(),
        What::Dispatched => standing == Some(Standing::Waiting),
        What::Readied => matches!(standing, Some(Standing::Delayed { .. })),
        What::Revived | What::Dropped => standing == Some(Standing::Dead),
        _ => matches!(standing, Some(Standing::InFlight { .. })),
    };
    if !allowed {
        return Err(format!("{record}, but the job is {standing:?}"));
    }
    state.apply(record);
    Ok(())
}

/// Changes one job as no record does.
fn change_job(state: &mut Model, id: &str, change_one: impl FnOnce(&mut ModelJob)) {
    change(state, |jobs, _| {
        if let Some(job) = jobs.iter_mut().find(|job| job.id == id) {
            change_one(job);
        }
    });
}

/// Changes the jobs or the waiting ids of a state as no record does.
fn change(state: &mut Model, change: impl FnOnce(&mut Vec<ModelJob>, &mut Vec<String>)) {
    let mut jobs = state.jobs().cloned().collect();
    let mut waiting = state.waiting().to_vec();
    change(&mut jobs, &mut waiting);
    *state = Model::of(jobs, waiting, state.dead().cloned().collect());
}
