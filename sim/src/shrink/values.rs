//! Plainer commands: fewer jobs, shorter payloads, smaller numbers, no groups, the default settings.

use std::collections::BTreeSet;

use crate::scenario::{Job, LogSettings, Step};

use super::draft::Draft;
use super::size::inner;

/// With one step that has less inside: a command fewer, a job fewer, or no wrapping at all.
pub(super) fn less_inside(draft: &Draft) -> Vec<Draft> {
    let mut drafts = Vec::new();
    for at in draft.commands() {
        let Some(step) = &draft.scenes[at].step else {
            continue;
        };
        for less in smaller_steps(step) {
            let mut smaller = draft.clone();
            smaller.scenes[at].step = Some(less);
            drafts.push(smaller);
        }
    }
    drafts
}

fn smaller_steps(step: &Step) -> Vec<Step> {
    let mut smaller = Vec::new();
    match step {
        Step::Group { steps } => {
            if let [only] = &steps[..] {
                smaller.push(only.clone());
            }
            smaller.extend(less(steps).map(|steps| Step::Group { steps }));
        }
        Step::CloseQueued { steps } => {
            smaller.push(Step::Reopen);
            smaller.extend(less(steps).map(|steps| Step::CloseQueued { steps }));
        }
        Step::SlowCheckpoint {
            before_write,
            before_finish,
        } => {
            smaller.push(Step::Checkpoint);
            smaller.extend(less(before_write).map(|before_write| Step::SlowCheckpoint {
                before_write,
                before_finish: before_finish.clone(),
            }));
            smaller.extend(
                less(before_finish).map(|before_finish| Step::SlowCheckpoint {
                    before_write: before_write.clone(),
                    before_finish,
                }),
            );
        }
        Step::QueuedCheckpoint {
            steps,
            before_write,
            before_finish,
        } => {
            smaller.push(Step::SlowCheckpoint {
                before_write: before_write.clone(),
                before_finish: before_finish.clone(),
            });
            smaller.extend(less(steps).map(|steps| Step::QueuedCheckpoint {
                steps,
                before_write: before_write.clone(),
                before_finish: before_finish.clone(),
            }));
        }
        Step::CheckpointAmid { during_write } => {
            smaller.push(Step::Checkpoint);
            let steps = || during_write.iter().map(|amid| amid.step.clone()).collect();
            smaller.push(Step::SlowCheckpoint {
                before_write: steps(),
                before_finish: Vec::new(),
            });
            smaller.push(Step::SlowCheckpoint {
                before_write: Vec::new(),
                before_finish: steps(),
            });
            smaller.extend(
                less(during_write).map(|during_write| Step::CheckpointAmid { during_write }),
            );
        }
        Step::Enqueue { jobs } if jobs.len() > 1 => {
            smaller.extend(less(jobs).map(|jobs| Step::Enqueue { jobs }));
        }
        _ => {}
    }
    smaller
}

/// The list without each of its items.
fn less<T: Clone>(items: &[T]) -> impl Iterator<Item = Vec<T>> + '_ {
    (0..items.len()).map(|gone| {
        let mut items = items.to_vec();
        items.remove(gone);
        items
    })
}

/// With payloads of one digit, times of one millisecond, one attempt and short ids: all at once,
/// then each on its own.
pub(super) fn plainer_values(draft: &Draft) -> Vec<Draft> {
    let changes: [fn(&mut Job); 3] = [plain_payload, plain_attempts, plain_timeout];
    let mut drafts = Vec::new();
    let mut all = draft.clone();
    changes
        .iter()
        .for_each(|change| for_jobs(&mut all, None, *change));
    drafts.push(all);
    for change in changes {
        let mut one = draft.clone();
        for_jobs(&mut one, None, change);
        drafts.push(one);
    }
    for at in draft.commands() {
        for change in [plain_payload, half_payload, plain_attempts, plain_timeout] {
            let mut one = draft.clone();
            for_jobs(&mut one, Some(at), change);
            drafts.push(one);
        }
    }
    let mut ticks = draft.clone();
    for_steps(&mut ticks, None, &mut |step| {
        if let Step::Tick { ms } = step {
            *ms /= 2;
        }
    });
    drafts.push(ticks);
    drafts.push(with_short_ids(draft));
    drafts.retain(|plainer| plainer != draft);
    drafts
}

fn plain_payload(job: &mut Job) {
    "1".clone_into(&mut job.payload);
}

fn half_payload(job: &mut Job) {
    if job.payload.len() > 8 {
        job.payload = format!("\"{}\"", "x".repeat(job.payload.len() / 2 - 2));
    }
}

fn plain_attempts(job: &mut Job) {
    job.max_attempts = 1;
}

fn plain_timeout(job: &mut Job) {
    job.timeout_ms = 1;
}

/// With the settings of the log as they are by default.
pub(super) fn default_settings(draft: &Draft) -> Vec<Draft> {
    let mut plain = draft.clone();
    plain.log = LogSettings::default();
    vec![plain]
}

/// With ids `a`, `b` and so on, in the same order of the alphabet.
fn with_short_ids(draft: &Draft) -> Draft {
    let mut ids = BTreeSet::new();
    let mut short = draft.clone();
    for_steps(&mut short, None, &mut |step| {
        ids.extend(ids_in(step).map(|id| id.clone()))
    });
    if ids.len() > 26 {
        return short;
    }
    let ids: Vec<String> = ids.into_iter().collect();
    for_steps(&mut short, None, &mut |step| {
        for id in ids_in(step) {
            let place = ids.iter().position(|known| known == id).unwrap_or(0);
            let letter = u8::try_from(place).map_or('z', |place| char::from(b'a' + place));
            *id = letter.to_string();
        }
    });
    short
}

fn ids_in(step: &mut Step) -> Box<dyn Iterator<Item = &mut String> + '_> {
    match step {
        Step::Enqueue { jobs } => Box::new(jobs.iter_mut().map(|job| &mut job.id)),
        Step::Ack { id } | Step::Fail { id } => Box::new(std::iter::once(id)),
        _ => Box::new(std::iter::empty()),
    }
}

fn for_jobs(draft: &mut Draft, only: Option<usize>, change: fn(&mut Job)) {
    for_steps(draft, only, &mut |step| {
        if let Step::Enqueue { jobs } = step {
            jobs.iter_mut().for_each(change);
        }
    });
}

/// Does something to every step, those inside of others included, or to those of one scene.
fn for_steps(draft: &mut Draft, only: Option<usize>, change: &mut dyn FnMut(&mut Step)) {
    for (at, scene) in draft.scenes.iter_mut().enumerate() {
        if only.is_none_or(|only| only == at)
            && let Some(step) = &mut scene.step
        {
            debug_assert!(inner(step).iter().all(|step| inner(step).is_empty()));
            match step {
                Step::Group { steps } | Step::CloseQueued { steps } => {
                    steps.iter_mut().for_each(&mut *change);
                }
                Step::SlowCheckpoint {
                    before_write,
                    before_finish,
                } => {
                    before_write.iter_mut().for_each(&mut *change);
                    before_finish.iter_mut().for_each(&mut *change);
                }
                Step::CheckpointAmid { during_write } => {
                    during_write
                        .iter_mut()
                        .for_each(|amid| change(&mut amid.step));
                }
                Step::QueuedCheckpoint {
                    steps,
                    before_write,
                    before_finish,
                } => {
                    let inside = steps.iter_mut().chain(before_write);
                    inside.chain(before_finish).for_each(&mut *change);
                }
                step => change(step),
            }
        }
    }
}
