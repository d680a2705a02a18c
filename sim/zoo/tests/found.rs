//! Every bug is caught for its reason and shrinks to a small history; without bugs nothing is caught.

#![expect(
    clippy::unwrap_used,
    reason = "a test ends where something unexpected happens, in the functions that it calls too"
)]

use std::num::NonZeroUsize;
use std::sync::atomic::AtomicBool;

use beaver_sim::invariant::Invariant;
use beaver_sim::result::Outcome;
use beaver_sim::run::{Keep, run_script, run_seed, saved_failure};
use beaver_sim::scenario::{Profile, Scenario};
use beaver_sim::shrink::{Ended, Limits, Shrunk, shrink};
use beaver_zoo::catalogue::{BUGS, Bug};
use beaver_zoo::false_alarms::{ControlPlan, run_controls};
use beaver_zoo::find::{Effort, find, find_all};
use beaver_zoo::scenarios::{scenario, scenarios};

fn jobs() -> NonZeroUsize {
    std::thread::available_parallelism().unwrap()
}

fn bug(id: &str) -> &'static Bug {
    BUGS.iter().find(|bug| bug.id == id).unwrap()
}

#[test]
#[ignore = "minutes; `beaver zoo` says of each bug whether it is caught for its reason, and the night how small it gets"]
fn every_bug_is_caught_for_its_reason_and_shrinks_to_six_commands_and_one_crash() {
    let all: Vec<_> = BUGS.iter().collect();
    let go_on = AtomicBool::new(false);
    let results = find_all(&all, Effort::default(), jobs(), &|_| {}, &go_on);
    assert_eq!(results.len(), BUGS.len());
    for result in &results {
        let id = result.bug.id;
        assert!(result.is_right(), "{id}: {result:#?}");
        let shrunk = &result.caught.as_ref().unwrap().shrunk;
        assert_eq!(shrunk.ended, Ended::NothingSmaller, "{id}");
        let small = shrunk.after.commands <= 6 && shrunk.after.crashes <= 1;
        assert!(small, "{id}: {}", shrunk.after);
        let original = result.bug.original();
        let run = run_script(&original, &shrunk.scenario, Keep::default());
        assert_eq!(run.outcome, Outcome::Held, "{id}");
    }
}

#[test]
#[ignore = "minutes; `beaver zoo` runs the stores without bugs at more places"]
fn without_bugs_nothing_is_caught() {
    let plan = ControlPlan::everywhere(60).and_explore(Profile::Posix);
    let go_on = AtomicBool::new(false);
    let controls = run_controls(&plan, jobs(), &|_| {}, &go_on);
    assert!(controls.false_alarms.is_empty(), "{controls:#?}");
    assert_eq!(controls.runs, 2 * 60 * scenarios().len() as u64);
    assert!(controls.explored.recoveries > 10_000, "{controls:#?}");
}

#[test]
#[cfg_attr(
    debug_assertions,
    ignore = "long where nothing is optimised: with --release"
)]
fn the_stores_without_bugs_run_wherever_bugs_were_looked_for() {
    let effort = Effort {
        seeds: 3,
        shrink_runs: 10,
        explore: false,
    };
    let found = find(bug("B05a"), effort, &AtomicBool::new(false));
    assert!(found.explored.is_some(), "three seeds do not find it");
    let plan = ControlPlan::after(std::slice::from_ref(&found), 2);
    let places = found.sampled.len();
    assert_eq!(plan.tasks(), 2 * (places + 1));
    let controls = run_controls(&plan, jobs(), &|_| {}, &AtomicBool::new(false));
    assert_eq!(controls.runs, 2 * found.sampled.values().sum::<u64>());
    assert!(controls.explored.workloads > 0);
}

#[test]
fn a_bug_that_no_seed_finds_is_left_to_the_explorer() {
    let effort = Effort {
        seeds: 0,
        ..Effort::default()
    };
    let found = find(bug("B34"), effort, &AtomicBool::new(false));
    assert!(found.is_right(), "{found:#?}");
    assert_eq!(
        found.explored.unwrap().invariant,
        Some(Invariant::Durability)
    );
}

/// The first failure of a bug in its scenario.
fn failure(bug: &Bug) -> Scenario {
    let (subject, scenario) = (bug.mutant(), scenario(bug.scenario));
    let mut runs = (0..3000).map(|seed| run_seed(&subject, &scenario, seed, Keep::default()));
    let run = runs.find(|run| run.outcome != Outcome::Held).unwrap();
    saved_failure(&scenario, &run)
}

fn shrunk(id: &str, limits: Limits<'_>) -> Shrunk {
    let bug = bug(id);
    shrink(&bug.mutant(), &failure(bug), limits).unwrap()
}

#[test]
#[cfg_attr(
    debug_assertions,
    ignore = "long where nothing is optimised: with --release"
)]
fn the_same_failure_shrinks_to_the_same_history() {
    let (one, other) = (
        shrunk("B36", Limits::runs(400)),
        shrunk("B36", Limits::runs(400)),
    );
    assert_eq!(one.scenario, other.scenario);
    assert_eq!(one.run.trace_hash, other.run.trace_hash);
}

#[test]
#[cfg_attr(
    debug_assertions,
    ignore = "long where nothing is optimised: with --release"
)]
fn a_shrunk_failure_replays_from_its_script_and_shrinks_no_further() {
    for id in ["B13", "B41", "S06"] {
        let first = shrunk(id, Limits::runs(10_000));
        assert_eq!(first.ended, Ended::NothingSmaller);
        let subject = bug(id).mutant();
        let text = serde_json::to_string(&first.scenario).unwrap();
        let read: Scenario = serde_json::from_str(&text).unwrap();
        let again = shrink(&subject, &read, Limits::runs(10_000)).unwrap();
        assert_eq!(again.scenario, first.scenario, "{id}");
        assert_eq!(again.likeness, first.likeness, "{id}");
    }
}

#[test]
#[cfg_attr(
    debug_assertions,
    ignore = "long where nothing is optimised: with --release"
)]
fn a_limit_ends_the_search_with_what_there_is() {
    let stopped = shrunk("B36", Limits::runs(3));
    assert_eq!((stopped.runs, stopped.ended), (3, Ended::Limit));
    assert!(stopped.run.outcome != Outcome::Held);
    let limits = Limits {
        runs: 1000,
        go_on: &|| false,
    };
    let untouched = shrunk("B36", limits);
    assert_eq!((untouched.runs, untouched.ended), (0, Ended::Limit));
    assert_eq!(untouched.before, untouched.after);
}

#[test]
#[cfg_attr(
    debug_assertions,
    ignore = "long where nothing is optimised: with --release"
)]
fn a_history_that_holds_is_not_shrunk() {
    let bug = bug("B36");
    let limits = Limits::runs(1000);
    let result = shrink(&bug.original(), &failure(bug), limits);
    assert!(result.is_none());
}
