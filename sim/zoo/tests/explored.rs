//! The explorer visits the zoo: it finds bugs without any luck, and every failure that it finds replays from what is saved
//! of it.

#![expect(
    clippy::unwrap_used,
    reason = "a test ends where something unexpected happens, in the functions that it calls too"
)]

use std::num::NonZeroUsize;
use std::sync::atomic::AtomicBool;

use beaver_sim::explore::{FoundFailure, Options, Running, Start, explore_seed, explore_small};
use beaver_sim::invariant::Invariant;
use beaver_sim::run::{Keep, run_seed};
use beaver_sim::scenario::{CrashKind, Profile, Scenario, Step, Survivors};
use beaver_sim::subject::AnySubject;
use beaver_zoo::catalogue::{BUGS, Bug};
use beaver_zoo::interposed::library;
use beaver_zoo::plain::PlainStore;
use beaver_zoo::scenarios::scenarios;

/// Failures, each with the scenario around its script.
type Found = Vec<(Scenario, FoundFailure)>;

fn bug(id: &str) -> &'static Bug {
    BUGS.iter().find(|bug| bug.id == id).unwrap()
}

/// What an exploration of all workloads of up to `ops` commands finds, from every start.
fn small(subject: &AnySubject, ops: usize) -> Found {
    small_from(&Start::ALL, subject, ops)
}

fn small_from(starts: &[Start], subject: &AnySubject, ops: usize) -> Found {
    small_under(Profile::Posix, starts, subject, ops)
}

fn small_under(profile: Profile, starts: &[Start], subject: &AnySubject, ops: usize) -> Found {
    let mut found = Vec::new();
    for start in starts {
        let scenario = start.scenario(profile);
        let options = Options::default();
        let explored = explore_small(subject, &scenario, *start, ops, &options, one_thread());
        found.extend(in_scenario(&scenario, explored.failures));
    }
    found
}

/// What an exploration of the runs of some seeds in the scenario of a bug finds.
fn seeds(bug: &Bug, seeds: std::ops::Range<u64>) -> Found {
    let mut scenarios = scenarios().into_iter();
    let scenario = scenarios.find(|scenario| scenario.name == bug.scenario);
    let (scenario, subject) = (scenario.unwrap(), bug.mutant());
    let options = Options {
        cap: 64,
        ..Options::default()
    };
    let mut found = Vec::new();
    for seed in seeds {
        let explored = explore_seed(&subject, &scenario, seed, &options, one_thread());
        found.extend(in_scenario(&scenario, explored.failures));
    }
    found
}

fn in_scenario(scenario: &Scenario, failures: Vec<FoundFailure>) -> Found {
    let failures = failures.into_iter();
    failures
        .map(|failure| (scenario.clone(), failure))
        .collect()
}

fn one_thread() -> Running<'static> {
    static NEVER: AtomicBool = AtomicBool::new(false);
    Running {
        jobs: NonZeroUsize::MIN,
        progress: &|_, _| {},
        cancel: &NEVER,
    }
}

/// The bug was found, for its reason, and each failure replays from its saved scenario: with the same invariant, or with
/// another one that the bug may violate, because a run looks ahead after each recovery and may see it earlier.
fn check_caught(id: &str, found: &Found) {
    let bug = bug(id);
    let reason = |invariant| bug.invariants.contains(&invariant);
    let mut reasons = found.iter().map(|(_, failure)| failure.finding.invariant);
    assert!(reasons.any(reason), "{id} is not found for its reason");
    for (scenario, failure) in found {
        let finding = &failure.finding;
        let replayed = replayed(bug, scenario, failure);
        // A run also cuts the power of copies, and may see earlier that the same promise is lost.
        let alike = replayed.is_some_and(|found| found == finding.invariant || reason(found));
        assert!(alike, "{id}: {replayed:?}, not {finding:?}");
    }
}

/// The invariant that the saved scenario of a failure violates.
fn replayed(bug: &Bug, scenario: &Scenario, failure: &FoundFailure) -> Option<Invariant> {
    let scenario = Scenario {
        script: Some(failure.script.clone()),
        ..scenario.clone()
    };
    let saved = serde_json::to_string(&scenario).unwrap();
    let saved: Scenario = serde_json::from_str(&saved).unwrap();
    let run = run_seed(&bug.mutant(), &saved, 0, Keep::default());
    run.outcome.failure().map(|violation| violation.invariant)
}

#[test]
#[cfg_attr(
    debug_assertions,
    ignore = "long where nothing is optimised: with --release"
)]
fn bugs_are_found_in_every_workload_of_one_command() {
    for id in ["B06", "B13", "B14", "B16", "B34", "B35", "B40"] {
        check_caught(id, &small(&bug(id).mutant(), 1));
    }
}

#[test]
#[cfg_attr(
    debug_assertions,
    ignore = "long where nothing is optimised: with --release"
)]
fn bugs_that_need_failing_calls_are_found_around_a_drawn_run() {
    check_caught("S01", &seeds(bug("S01"), 0..8));
    check_caught("S05", &seeds(bug("S05"), 0..40));
}

#[test]
#[cfg_attr(
    debug_assertions,
    ignore = "long where nothing is optimised: with --release"
)]
fn bugs_of_two_callers_are_found_in_their_interleavings() {
    let find = |id, start, ops| small_from(&[start], &bug(id).mutant(), ops);
    for id in ["B09", "B10", "B11", "B12"] {
        check_caught(id, &find(id, Start::Prepared, 2));
    }
    check_caught("B28", &find("B28", Start::Empty, 3));
}

#[test]
#[cfg_attr(
    debug_assertions,
    ignore = "long where nothing is optimised: with --release"
)]
fn bugs_that_need_a_failing_sync_are_found_with_commands_queued_after_it() {
    let find = |id, ops| small_from(&[Start::FailingSync], &bug(id).mutant(), ops);
    check_caught("B39", &find("B39", 1));
    check_caught("B17", &find("B17", 2));
}

#[test]
#[cfg_attr(
    debug_assertions,
    ignore = "long where nothing is optimised: with --release"
)]
fn a_bug_that_only_a_bad_device_shows_is_found_in_samples_of_one() {
    let subject = bug("B41").mutant();
    let starts = [Start::Prepared];
    assert!(small_under(Profile::Posix, &starts, &subject, 1).is_empty());
    let found = small_under(Profile::HostileDevice, &starts, &subject, 1);
    check_caught("B41", &found);
    for (_, failure) in &found {
        assert!(has_device_extra(failure), "{failure:?}");
    }
    for subject in [library(), PlainStore::sound()] {
        let found = small_under(Profile::HostileDevice, &starts, &subject, 1);
        assert!(found.is_empty(), "{}: {:?}", subject.name(), found[0].1);
    }
}

/// Whether a bad device struck in one of the power cuts of a failure.
fn has_device_extra(failure: &FoundFailure) -> bool {
    let steps = failure.script.steps.iter().filter_map(|step| match step {
        Step::PowerCut { image } => image.as_ref(),
        _ => None,
    });
    let crashes = failure.script.crashes.iter();
    let mut images = steps.chain(crashes.filter_map(|crash| crash.image.as_ref()));
    images.any(|image| matches!(image, Survivors::Named(set) if !set.device.is_empty()))
}

#[test]
#[cfg_attr(
    debug_assertions,
    ignore = "long where nothing is optimised: with --release"
)]
fn failures_of_every_shape_replay() {
    let idle_sync = small(&bug("S07").mutant(), 1);
    check_shown_and_lost(&idle_sync);
    let torn = small(&bug("B06").mutant(), 1);
    let is_kill_inside = |(_, failure): &(Scenario, FoundFailure)| {
        let crashes = failure.script.crashes.iter();
        let mut kills = crashes.filter(|crash| crash.kind == CrashKind::Kill);
        kills.any(|crash| format!("{:?}", crash.progress).contains("Bytes"))
    };
    assert!(torn.iter().any(is_kill_inside));
    check_caught("B06", &torn);
    // The op after a recovery is one more than the workload has.
    let torn = small_from(&[Start::Empty], &bug("B06").mutant(), 1);
    let goes_on = |(_, failure): &(Scenario, FoundFailure)| {
        let steps = failure.script.steps.iter();
        steps.filter(|step| matches!(step, Step::Op(_))).count() == 2
    };
    assert!(torn.iter().any(goes_on));
}

/// What one recovery showed and the next one lost takes two crashes.
fn check_shown_and_lost(found: &Found) {
    let two_crashes = |failure: &FoundFailure| {
        let between = failure.script.steps.iter();
        let ends = between.filter(|step| matches!(step, Step::Kill | Step::PowerCut { .. }));
        ends.count() + failure.script.crashes.len() >= 2
    };
    let twice = found.iter().filter(|(_, failure)| two_crashes(failure));
    let twice: Found = twice.cloned().collect();
    assert!(!twice.is_empty());
    for (scenario, failure) in &twice {
        let replayed = replayed(bug("S07"), scenario, failure);
        assert_eq!(replayed, Some(failure.finding.invariant), "{failure:?}");
    }
}

#[test]
#[cfg_attr(
    debug_assertions,
    ignore = "long where nothing is optimised: with --release"
)]
fn nothing_is_found_without_a_bug() {
    for subject in [library(), PlainStore::sound()] {
        let found = small(&subject, 2);
        assert!(found.is_empty(), "{}: {:?}", subject.name(), found[0].1);
    }
}
