//! Plainer steps: fewer ops, simpler ones, no concurrent steps, the default settings.

use crate::scenario::{Around, ConcurrentStep, LogSettings, Step, When};
use crate::subject::{AnyOp, AnySubject};

use super::draft::Draft;

/// With one step that has less inside: an op fewer, or no concurrent step at all.
pub(super) fn less_inside(_subject: &AnySubject, draft: &Draft) -> Vec<Draft> {
    with_one_step(draft, smaller_steps)
}

/// With one op that is simpler.
pub(super) fn simpler_ops(subject: &AnySubject, draft: &Draft) -> Vec<Draft> {
    with_one_step(draft, |step| simpler_steps(subject, step))
}

fn with_one_step(draft: &Draft, others: impl Fn(&Step) -> Vec<Step>) -> Vec<Draft> {
    let mut drafts = Vec::new();
    for at in draft.commands() {
        for other in draft.step_faults[at].step.iter().flat_map(&others) {
            let mut changed = draft.clone();
            changed.step_faults[at].step = Some(other);
            drafts.push(changed);
        }
    }
    drafts
}

fn smaller_steps(step: &Step) -> Vec<Step> {
    let Step::Concurrent(round) = step else {
        return Vec::new();
    };
    let mut smaller = Vec::new();
    match (round.around, &round.ops[..]) {
        (Around::Flush, [only]) => smaller.push(Step::Op(only.op.clone())),
        (Around::Flush | Around::Interval, _) => {}
        (Around::Close, _) => smaller.push(Step::Reopen),
        (Around::Checkpoint, _) => {
            smaller.push(Step::Checkpoint);
            for at in [When::BeforeWrite, When::BeforeFinish] {
                let mut moved = round.clone();
                moved.ops.iter_mut().for_each(|scheduled| scheduled.at = at);
                smaller.push(Step::Concurrent(moved));
            }
        }
    }
    smaller.extend((0..round.ops.len()).map(|gone| {
        let mut ops = round.ops.clone();
        ops.remove(gone);
        Step::Concurrent(ConcurrentStep {
            around: round.around,
            ops,
        })
    }));
    smaller
}

fn simpler_steps(subject: &AnySubject, step: &Step) -> Vec<Step> {
    let mut simpler = Vec::new();
    for (nth, op) in step.ops().into_iter().enumerate() {
        for op in subject.simpler(op) {
            let mut step = step.clone();
            *step.ops_mut()[nth] = op;
            simpler.push(step);
        }
    }
    simpler
}

/// With all ops simpler at once.
pub(super) fn plainer_values(subject: &AnySubject, draft: &Draft) -> Vec<Draft> {
    let ops: Vec<&AnyOp> = draft.steps().flat_map(Step::ops).collect();
    let histories = subject.simpler_together(&ops).into_iter();
    let drafts = histories.map(|history| {
        let mut plainer = draft.clone();
        let steps = plainer
            .step_faults
            .iter_mut()
            .filter_map(|s| s.step.as_mut());
        for (op, simpler) in steps.flat_map(Step::ops_mut).zip(history) {
            *op = simpler;
        }
        plainer
    });
    drafts.filter(|plainer| plainer != draft).collect()
}

/// With the settings of the log as they are by default, all of them or one.
pub(super) fn default_settings(_subject: &AnySubject, draft: &Draft) -> Vec<Draft> {
    let plain = LogSettings::default();
    let (one, each) = (plain.clone(), draft.log.clone());
    let settings = [
        plain,
        LogSettings {
            preallocate_bytes: one.preallocate_bytes,
            ..each.clone()
        },
        LogSettings {
            batch_bytes: one.batch_bytes,
            ..each.clone()
        },
        LogSettings {
            batch_events: one.batch_events,
            ..each.clone()
        },
        LogSettings {
            flush_interval_ms: one.flush_interval_ms,
            ..each.clone()
        },
        LogSettings {
            keep_old_snapshots: one.keep_old_snapshots,
            ..each.clone()
        },
        LogSettings {
            requeue_in_flight: one.requeue_in_flight,
            ..each
        },
    ];
    let plainer = settings.into_iter().filter(|log| *log != draft.log);
    plainer
        .map(|log| Draft {
            log,
            ..draft.clone()
        })
        .collect()
}
