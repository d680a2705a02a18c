//! A call into the store that does not come back: a loop without end, or a deadlock.
//!
//! A thread cannot be ended from outside, so nothing is left but to say what is known and to end the
//! process. To know it the same piece of work is done once more on a thread of its own, which says where
//! it is; a machine that was only slow is told by that too.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use crate::explore::{Start, WatchedPath, prepared};
use crate::invariant::Invariant;
use crate::result::{Outcome, RunResult, Violation};
use crate::run::run_observed;
use crate::scenario::{Scenario, Script};
use crate::subject::AnySubject;
use crate::world::Observer;

use super::call_watch::within;
use super::failing::Failing;
use super::plan::{Piece, Plan};

/// How many storage calls are shown.
const LAST_CALLS: usize = 30;

/// Does a piece of work once more; `None` if it comes back this time.
pub(super) fn look_again(plan: &Plan<'_>, piece: &Piece, limit: Duration) -> Option<Failing> {
    let (scenario, seed) = match piece {
        Piece::Seed { seed, .. } => (plan.scenario.clone(), *seed),
        Piece::Prepare => {
            let steps = prepared(plan.subject);
            let script = Script {
                steps,
                ..Script::default()
            };
            (written(plan.scenario_at(Start::Prepared), script), 0)
        }
        Piece::Workload {
            workloads,
            nth,
            crashes,
            ..
        } => {
            let (start, workload) = workloads[*nth].clone();
            let start = Arc::clone(&plan.starts()[start]);
            let scenario = start.scenario().clone();
            let path = Arc::new(WatchedPath::default());
            let (shown, options) = (Arc::clone(&path), plan.options(*crashes));
            let again = within(limit, move || {
                let never = AtomicBool::new(false);
                drop(start.explore(&workload, &options, &never, None, Some(&shown)));
            });
            if again.is_some() {
                return None;
            }
            (written(scenario, path.script()), 0)
        }
    };
    let observer = Arc::new(Observer::default());
    let (subject, again, shown) = (
        plan.subject.clone(),
        scenario.clone(),
        Arc::clone(&observer),
    );
    let again = within(limit, move || run_observed(&subject, &again, seed, &shown));
    let hangs = again.is_none();
    // A script shows all that a workload does; a seed that comes back does not hang.
    (hangs || scenario.script.is_some()).then(|| {
        failing(
            plan.subject,
            scenario,
            seed,
            hangs.then_some(&*observer),
            limit,
        )
    })
}

fn written(scenario: Scenario, script: Script) -> Scenario {
    Scenario {
        script: Some(script),
        ..scenario
    }
}

/// What is known of a call that does not come back.
fn failing(
    subject: &AnySubject,
    scenario: Scenario,
    seed: u64,
    observer: Option<&Observer>,
    limit: Duration,
) -> Failing {
    let script = observer
        .and_then(Observer::script)
        .or(scenario.script.clone());
    let command = observer.map_or_else(String::new, Observer::command);
    let died = match observer.is_some_and(Observer::has_died) {
        true => ": its process has died in it, so that every storage call fails",
        false => "",
    };
    let calls = observer.map(Observer::calls).unwrap_or_default();
    let steps = script.as_ref().map_or(0, |script| script.steps.len());
    let violation = Violation {
        invariant: Invariant::Progress,
        step: steps as u64,
        command,
        crash_point: None,
        expected: format!("every call into {} to come back", subject.name()),
        found: format!("one has not come back for {} s{died}", limit.as_secs_f64()),
        last_calls: Vec::new(),
    };
    let run = RunResult {
        seed,
        script,
        trace: calls[calls.len().saturating_sub(LAST_CALLS)..].to_vec(),
        outcome: Outcome::Exhausted(violation),
        ..RunResult::default()
    };
    Failing::as_found(&scenario, run)
}

/// What is said before the process ends.
pub(super) fn report(name: &str, failing: Option<&Failing>, folder: Option<&Path>) -> String {
    let mut text = format!("{name}: a call into the store has not come back\n\n");
    match failing {
        Some(failing) => text += &failing.to_string(),
        None => {
            text += "what led there is not known: it came back when the same was done once more, or \
                        it is in a history that was tried to make a finding smaller\n"
        }
    }
    if let Some(folder) = folder {
        text += &format!("\nsaved: {}\n", folder.display());
    }
    text + "\nA thread cannot be ended, so the process is: with exit code 101.\n"
}
