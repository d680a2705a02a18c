//! Drafts that are a little smaller: without some commands, crashes or faults, or with plainer ones.

use beaver_disk::{CallEffect, Moment};

use crate::scenario::{CrashKind, Step, Survivors};
use crate::subject::AnySubject;

use super::draft::{Draft, DraftProcess, StepFaults};
use beaver_disk::SurvivorSet;

/// Makes drafts from one, the boldest first.
pub(super) type Edits = fn(&AnySubject, &Draft) -> Vec<Draft>;

/// Without runs of commands: half of them, a quarter, and so on down to one.
pub(super) fn without_commands(subject: &AnySubject, draft: &Draft) -> Vec<Draft> {
    let places = draft.commands();
    let mut drafts = Vec::new();
    let mut chunk = places.len() / 2;
    while chunk > 1 {
        drafts.extend(places.chunks(chunk).map(|gone| without(draft, gone)));
        chunk /= 2;
    }
    drafts.extend(without_one(subject, draft));
    drafts
}

/// Without one command; where it crashed, also with the crash in its place.
pub(super) fn without_one(_subject: &AnySubject, draft: &Draft) -> Vec<Draft> {
    let mut drafts = Vec::new();
    for at in draft.commands() {
        drafts.push(without(draft, &[at]));
        let first = draft.step_faults[at]
            .processes
            .iter()
            .position(|process| process.crash.is_some());
        if let Some(process) = first {
            let (crash, _) = parted(&draft.step_faults[at], process);
            drafts.push(replaced(draft, at, [crash]));
        }
    }
    drafts
}

/// Without two commands, wherever they stand.
pub(super) fn without_two(_subject: &AnySubject, draft: &Draft) -> Vec<Draft> {
    let places = draft.commands();
    if places.len() > 14 {
        return Vec::new();
    }
    let mut drafts = Vec::new();
    for (index, first) in places.iter().enumerate() {
        drafts.extend(
            places[index + 1..]
                .iter()
                .map(|second| without(draft, &[*first, *second])),
        );
    }
    drafts
}

/// Without one fault, or without one crash in a call and what comes after it in the same command.
pub(super) fn less_wrong(_subject: &AnySubject, draft: &Draft) -> Vec<Draft> {
    let mut drafts = Vec::new();
    for (at, process) in processes(draft) {
        for fault in 0..draft.step_faults[at].processes[process].faults.len() {
            let mut less = draft.clone();
            less.step_faults[at].processes[process].faults.remove(fault);
            drafts.push(less);
        }
        if draft.step_faults[at].processes[process].crash.is_some() {
            let mut less = draft.clone();
            less.step_faults[at].processes.truncate(process + 1);
            less.step_faults[at].processes[process].crash = None;
            drafts.push(less);
        }
    }
    drafts
}

/// With a crash between two commands in place of one in a call: after the command, or before it.
pub(super) fn crashes_between(_subject: &AnySubject, draft: &Draft) -> Vec<Draft> {
    let mut drafts = Vec::new();
    for (at, process) in processes(draft) {
        let entry = &draft.step_faults[at];
        if entry.processes[process].crash.is_none() {
            continue;
        }
        let (crash, command) = parted(entry, process);
        drafts.push(replaced(draft, at, [command.clone(), crash.clone()]));
        if process == 0 && entry.step.is_some() {
            let command = StepFaults {
                processes: Vec::new(),
                ..command
            };
            drafts.push(replaced(draft, at, [crash, command]));
        }
    }
    drafts
}

/// With a kill in place of a power cut, in its call or in the one before, or a crash that is not in the
/// middle of a call.
pub(super) fn plainer_crashes(_subject: &AnySubject, draft: &Draft) -> Vec<Draft> {
    let mut drafts = Vec::new();
    for at in draft.commands() {
        if matches!(draft.step_faults[at].step, Some(Step::PowerCut { .. })) {
            let mut plainer = draft.clone();
            plainer.step_faults[at].step = Some(Step::Kill);
            drafts.push(plainer);
        }
    }
    for (at, process) in processes(draft) {
        let Some(crash) = &draft.step_faults[at].processes[process].crash else {
            continue;
        };
        let mut with = |change: fn(&mut DraftProcess)| {
            let mut plainer = draft.clone();
            change(&mut plainer.step_faults[at].processes[process]);
            drafts.push(plainer);
        };
        if crash.kind == CrashKind::PowerCut {
            with(|process| {
                process.left = None;
                if let Some(crash) = &mut process.crash {
                    crash.kind = CrashKind::Kill;
                    crash.progress = Some(CallEffect::Nothing);
                }
            });
            // A write that a power cut tore is also torn by a kill, whatever it writes.
            with(|process| {
                process.left = None;
                if let Some(crash) = process.crash.as_mut().filter(|crash| crash.at.call > 1) {
                    crash.kind = CrashKind::Kill;
                    crash.at.call -= 1;
                    crash.at.moment = Moment::Inside;
                    crash.progress = Some(CallEffect::Bytes(1));
                }
            });
        }
        if crash.at.moment == Moment::Inside {
            with(|process| {
                if let Some(crash) = &mut process.crash {
                    crash.at.moment = Moment::Before;
                    crash.progress = None;
                }
            });
        }
    }
    drafts
}

/// With less to say about what a power cut left.
pub(super) fn plainer_survivors(_subject: &AnySubject, draft: &Draft) -> Vec<Draft> {
    let mut drafts = Vec::new();
    for (at, process) in processes(draft) {
        let Some(Survivors::Named(left)) = &draft.step_faults[at].processes[process].left else {
            continue;
        };
        let mut with = |left: SurvivorSet| {
            let mut plainer = draft.clone();
            plainer.step_faults[at].processes[process].left = Some(Survivors::Named(left));
            drafts.push(plainer);
        };
        if left.size() == 0 {
            continue;
        }
        with(SurvivorSet::everything());
        with(SurvivorSet::default());
        for name in left.except.keys() {
            let mut less = left.clone();
            less.except.remove(name);
            with(less);
        }
        for tear in 0..left.tears.len() {
            let mut less = left.clone();
            less.tears.remove(tear);
            with(less);
        }
        for extra in 0..left.device.len() {
            let mut less = left.clone();
            less.device.remove(extra);
            with(less);
        }
        with(SurvivorSet {
            fill: beaver_disk::Fill::Zeros,
            ..left.clone()
        });
    }
    drafts
}

/// Whether anything in it could be drawn anew: what a power cut left, or where damage struck.
pub(super) fn is_drawable(draft: &Draft) -> bool {
    let mut processes = draft.step_faults.iter().flat_map(|entry| &entry.processes);
    processes.any(|process| {
        process.left.is_some() || process.faults.iter().any(|fault| fault.kind.damages())
    })
}

/// All processes: entry and process.
fn processes(draft: &Draft) -> Vec<(usize, usize)> {
    let step_faults = draft.step_faults.iter().enumerate();
    let processes = step_faults
        .flat_map(|(at, entry)| (0..entry.processes.len()).map(move |process| (at, process)));
    processes.collect()
}

fn without(draft: &Draft, gone: &[usize]) -> Draft {
    let step_faults = draft.step_faults.iter().enumerate();
    let kept = step_faults.filter(|(at, _)| !gone.contains(at));
    Draft {
        step_faults: kept.map(|(_, entry)| entry.clone()).collect(),
        ..draft.clone()
    }
}

fn replaced(draft: &Draft, at: usize, by: impl IntoIterator<Item = StepFaults>) -> Draft {
    let mut draft = draft.clone();
    draft.step_faults.splice(at..=at, by);
    draft
}

/// Splits an entry that crashes inside process `process`: the command, then a crash between two
/// commands with everything after it.
fn parted(entry: &StepFaults, process: usize) -> (StepFaults, StepFaults) {
    let crashed = &entry.processes[process];
    let kind = crashed
        .crash
        .as_ref()
        .map_or(CrashKind::Kill, |crash| crash.kind);
    let end = DraftProcess {
        left: crashed.left.clone(),
        ..DraftProcess::default()
    };
    let processes = std::iter::once(end).chain(entry.processes[process + 1..].iter().cloned());
    let crash = StepFaults {
        step: Some(match kind {
            CrashKind::Kill => Step::Kill,
            CrashKind::PowerCut => Step::PowerCut { image: None },
        }),
        processes: processes.collect(),
    };
    let mut before = entry.processes[..=process].to_vec();
    if let Some(last) = before.last_mut() {
        last.crash = None;
        last.left = None;
    }
    let command = StepFaults {
        step: entry.step.clone(),
        processes: before,
    };
    (crash, command)
}

#[cfg(test)]
mod tests {
    use beaver_disk::{TraceMode, TraceRecord};

    use super::*;
    use crate::beaver::library;
    use crate::run::{Keep, run_seed, saved_failure};
    use crate::scenario::{PlannedCrash, PlannedFault, Scenario};
    use crate::shrink::rerun::{Replayed, replay};
    use crate::world::ReplayMode;

    /// Ops, a checkpoint and a reopen; a write fails in the second enqueue, the machine is restarted
    /// inside the checkpoint and its recovery meets a failing read.
    const STEPS: &str = r#"[
        {"enqueue": {"jobs": [{"id": "a", "payload": "1", "max_attempts": 1, "timeout_ms": 1}]}},
        "dispatch",
        {"enqueue": {"jobs": [{"id": "b", "payload": "2", "max_attempts": 1, "timeout_ms": 1}]}},
        {"enqueue": {"jobs": [{"id": "c", "payload": "3", "max_attempts": 1, "timeout_ms": 1}]}},
        "kill",
        "checkpoint",
        "reopen"]"#;

    fn scenario() -> Scenario {
        let text = format!(
            r#"{{"claim": "c", "script": {{"steps": {STEPS},
                "faults": [
                    {{"step": 3, "call": 1, "kind": "write-error",
                        "effect": {{"call": {{"error": {{"error": "io", "effect": "nothing"}}}}}}}},
                    {{"step": 6, "process": 1, "call": 3, "kind": "read-error",
                        "effect": {{"call": {{"error": {{"error": "io", "effect": "nothing"}}}}}}}}],
                "crashes": [
                    {{"step": 6, "at": {{"call": 2, "moment": "after"}}, "kind": "power-cut"}}]}}}}"#
        );
        serde_json::from_str(&text).unwrap()
    }

    fn run(scenario: &Scenario) -> Replayed {
        let subject = library(scenario);
        replay(&subject, scenario, ReplayMode::Exact, TraceMode::Records)
    }

    /// What went wrong, each with the step that it hit and the call, but not its numbers.
    fn hit(run: &Replayed) -> Vec<String> {
        let step = |number: Option<u32>| {
            let before = number.and_then(|number| number.checked_sub(1));
            before.map(|at| run.script.steps[at as usize].to_string())
        };
        let record = |call: u64| -> Option<&TraceRecord> {
            run.calls.iter().find(|record| record.call == call)
        };
        let faults = run.script.faults.iter().map(|fault: &PlannedFault| {
            let number = fault.step.expect("it says in which step it happens");
            let before = run.calls_before(number as usize, fault.process as usize);
            let call = record(before + fault.call).expect("a call that fails is in the trace");
            let place = format!("{} {}", call.op.name(), call.file);
            let struck = call.fault.unwrap_or("nothing");
            format!("{:?}: {struck} at {place}", step(fault.step))
        });
        let crashes = run.script.crashes.iter().map(|crash: &PlannedCrash| {
            let at = (crash.process, crash.at);
            format!("{:?}: {at:?}", step(crash.step))
        });
        faults.chain(crashes).collect()
    }

    #[test]
    fn a_step_that_is_taken_out_leaves_the_faults_of_the_others_where_they_were() {
        let scenario = scenario();
        let whole = run(&scenario);
        let hits = hit(&whole);
        assert_eq!(hits.len(), 3, "{hits:#?}");
        let draft = Draft::of(&scenario, &whole.script);
        let untouched = |at: &usize| {
            let processes = &draft.step_faults[*at].processes;
            processes
                .iter()
                .all(|process| *process == DraftProcess::default())
        };
        let places: Vec<usize> = draft.commands().into_iter().filter(untouched).collect();
        assert!(places.len() >= 4, "{places:?}");
        for at in places {
            let fewer = run(&without(&draft, &[at]).to_scenario(&scenario));
            assert_eq!(fewer.script.steps.len(), whole.script.steps.len() - 1);
            assert_ne!(fewer.calls.len(), whole.calls.len(), "step {at} made calls");
            assert_eq!(hit(&fewer), hits, "without step {at}");
        }
    }

    #[test]
    fn a_fault_or_crash_that_its_step_does_not_reach_happens_nowhere_else() {
        let mut scenario = scenario();
        let script = scenario.script.as_mut().unwrap();
        script.faults[0].call = 40;
        script.crashes[0].at.call = 400;
        script.faults.truncate(1);
        let run = run(&scenario);
        assert_eq!(run.script.faults, []);
        assert_eq!(run.script.crashes, []);
    }

    #[test]
    fn a_draft_is_the_script_that_it_was_made_of() {
        let keep = Keep {
            script: true,
            trace: false,
        };
        let swarm = include_str!("../../../scenarios/swarm.json");
        let swarm: Scenario = serde_json::from_str(swarm).unwrap();
        for seed in 0..40 {
            let saved = saved_failure(&swarm, &run_seed(&library(&swarm), &swarm, seed, keep));
            let script = saved.script.clone().unwrap();
            let again = Draft::of(&saved, &script)
                .to_scenario(&saved)
                .script
                .unwrap();
            assert_eq!(again.steps, script.steps, "seed {seed}");
            assert_eq!(again.faults, script.faults, "seed {seed}");
            assert_eq!(again.crashes, script.crashes, "seed {seed}");
        }
    }
}
