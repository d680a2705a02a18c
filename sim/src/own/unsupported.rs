//! What a scenario must not ask of a store whose commands and files the oracle does not know. Each
//! is refused by name: a step that is left out in silence would look like a promise that was kept.

use super::process::number;
use crate::scenario::{
    CommandKind, Drawn, Effect, FaultKind, Impossible, Scenario, Step, SyncSetting, Target,
};

/// Everything in `scenario` that makes no sense for a store of one's own, in the order of the
/// fields. Empty: it can run.
#[must_use]
pub fn unsupported(scenario: &Scenario) -> Vec<Impossible> {
    let mut found = Vec::new();
    let mut no = |field: String, message: String| found.push(Impossible { field, message });
    match &scenario.script {
        Some(script) => {
            check_steps("script.steps", &script.steps, &mut no);
            for (at, fault) in script.faults.iter().enumerate() {
                let at_rest = fault.is_at_rest() && !matches!(fault.effect, Effect::ReadOnly);
                if at_rest || needs_files(fault.kind) {
                    no(
                        format!("script.faults[{at}].kind"),
                        fault_message(fault.kind),
                    );
                }
            }
        }
        None => {
            let weights = scenario.workload.weights.iter();
            for (kind, _) in weights.filter(|(kind, weight)| **weight > 0 && !has(**kind)) {
                let name = serde_json::to_value(kind).unwrap_or_default();
                let name = name.as_str().unwrap_or_default();
                no(format!("workload.weights.{name}"), step_message(name));
            }
        }
    }
    if scenario.log.sync != SyncSetting::EveryAppend {
        let message = "a store of one's own promises what it answers";
        no("log.sync".to_owned(), message.to_owned());
    }
    for (at, rate) in scenario.faults.iter().enumerate() {
        if needs_files(rate.kind) {
            no(format!("faults[{at}].kind"), fault_message(rate.kind));
        }
        if !matches!(rate.target, Target::Any | Target::Temporary) {
            let message = "only the documented files have such roles: any or temporary";
            no(format!("faults[{at}].target"), message.to_owned());
        }
    }
    found
}

/// Whether such a store can be given this command.
fn has(kind: CommandKind) -> bool {
    use CommandKind::{Checkpoint, CloseQueued, Enqueue, Group, Kill, PowerCut, Reopen};
    matches!(
        kind,
        Enqueue | Group | Checkpoint | Reopen | CloseQueued | Kill | PowerCut
    )
}

/// Whether a fault damages what is durable, or puts something beside documented files: then the
/// oracle must read the files to know what may be lost.
fn needs_files(kind: FaultKind) -> bool {
    let at_rest = kind.drawn() == Drawn::Rest && kind != FaultKind::ReadOnly;
    at_rest || kind.damages()
}

fn check_steps(path: &str, steps: &[Step], no: &mut impl FnMut(String, String)) {
    for (at, step) in steps.iter().enumerate() {
        let path = format!("{path}[{at}]");
        match step {
            Step::Enqueue { jobs } if jobs.len() != 1 => {
                let message = "such a store takes one command at a time: exactly one job";
                no(format!("{path}.enqueue.jobs"), message.to_owned());
            }
            Step::Enqueue { jobs } if number(&jobs[0].id).is_none() => {
                let message = "the id of a job is the number of a command";
                no(format!("{path}.enqueue.jobs[0].id"), message.to_owned());
            }
            Step::Group { steps } => check_steps(&format!("{path}.group.steps"), steps, no),
            Step::CloseQueued { steps } => {
                check_steps(&format!("{path}.close-queued.steps"), steps, no);
            }
            Step::Enqueue { .. }
            | Step::Checkpoint
            | Step::Reopen
            | Step::Kill
            | Step::PowerCut { .. } => {}
            other => {
                let name = serde_json::to_value(other).unwrap_or_default();
                let name = name
                    .as_object()
                    .and_then(|step| step.keys().next().cloned());
                no(
                    path,
                    step_message(&name.unwrap_or_else(|| format!("{other:?}"))),
                );
            }
        }
    }
}

fn step_message(name: &str) -> String {
    format!(
        "a store with commands of its own has no {name}: \
         enqueue (one command), group, checkpoint, reopen, close-queued, kill, power-cut"
    )
}

fn fault_message(kind: FaultKind) -> String {
    format!("{kind} damages or adds files, and only documented files can be judged after that")
}
