//! The simulated cluster itself, by an engine that has no consensus to be right or wrong about.

#![expect(
    clippy::unwrap_used,
    reason = "a test ends where something unexpected happens, in the functions that it calls too"
)]

mod common;

use std::collections::BTreeMap;
use std::process::Command;

use beaver_cluster::chaos::{
    ChaosAction, ChaosKind, CutSurvivors, Death, Direction, MachineStrike, NetworkRates, Trigger,
};
use beaver_cluster::observation::Observation;
use beaver_cluster::operation::ClientResponse;
use beaver_cluster::run::{ClusterOutcome, ClusterRunOptions, run, run_with};
use beaver_cluster::scenario::ClusterScenario;
use beaver_cluster::{DropCause, MessageFate, draw_chaos};
use beaver_sim::scenario::Range;
use common::{OneWriter, Planted, registers};

fn good(seed: u64) -> ClusterOutcome {
    run(&OneWriter(Planted::Nothing), &registers(), seed, None)
}

fn action(at_ms: u64, what: ChaosKind) -> ChaosAction {
    let at_us = at_ms * 1_000;
    ChaosAction { at_us, what }
}

fn strike(at_ms: u64, machine: u64, strike: MachineStrike) -> ChaosAction {
    action(at_ms, ChaosKind::Strike { machine, strike })
}

#[test]
fn an_engine_that_forgets_nothing_passes_whatever_goes_wrong() {
    let mut all = BTreeMap::new();
    for seed in 0..300 {
        let outcome = good(seed);
        assert_eq!(outcome.violations, [], "seed {seed}");
        let counts = outcome.counts;
        for (what, count) in [
            ("crashes", counts.crashes),
            ("power cuts", counts.power_cuts),
            ("inside", counts.inside),
            ("gave up", counts.gave_up),
            ("skipped", counts.skipped),
            ("dropped", counts.dropped),
            ("duplicated", counts.duplicated),
            ("acknowledged", counts.acknowledged),
            ("reads", counts.reads),
            ("unknown", counts.unknown),
            ("storage calls", counts.storage_calls),
        ] {
            *all.entry(what).or_insert(0) += count;
        }
    }
    assert!(all.values().all(|count| *count > 20), "{all:?}");
}

#[test]
fn equal_seeds_give_equal_runs_and_others_do_not() {
    for seed in 0..10 {
        let (first, second) = (good(seed), good(seed));
        assert_eq!(first.hash, second.hash);
        assert_eq!(first.events, second.events);
        assert_eq!(first.history, second.history);
        assert_ne!(first.hash, good(seed + 1_000).hash);
    }
}

#[test]
fn prints_hashes_for_another_process() {
    let hashes: Vec<u64> = (0..5).map(|seed| good(seed).hash).collect();
    println!("hashes {hashes:?}");
}

#[test]
fn two_processes_get_equal_hashes() {
    let hashes: Vec<u64> = (0..5).map(|seed| good(seed).hash).collect();
    let other = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "prints_hashes_for_another_process",
            "--nocapture",
        ])
        .output()
        .unwrap();
    let printed = String::from_utf8(other.stdout).unwrap();
    assert!(printed.contains(&format!("hashes {hashes:?}")), "{printed}");
}

#[test]
fn many_threads_do_not_disturb_each_other() {
    let alone: Vec<u64> = (0..4).map(|seed| good(seed).hash).collect();
    let threads = (0..4).map(|seed| std::thread::spawn(move || good(seed).hash));
    let threads: Vec<_> = threads.collect();
    let together = threads.into_iter().map(|thread| thread.join().unwrap());
    assert_eq!(together.collect::<Vec<_>>(), alone);
}

#[test]
fn a_run_replays_from_what_it_drew_without_random_numbers() {
    let engine = OneWriter(Planted::Nothing);
    for seed in 0..5 {
        let options = ClusterRunOptions {
            record_draws: true,
            ..ClusterRunOptions::default()
        };
        let first = run_with(&engine, &registers(), seed, options);
        let options = ClusterRunOptions {
            draws: first.draws.clone(),
            ..ClusterRunOptions::default()
        };
        assert_eq!(
            run_with(&engine, &registers(), seed, options).hash,
            first.hash
        );
    }
}

#[test]
fn a_list_of_actions_may_be_cut_anywhere_and_read_back_from_json() {
    let engine = OneWriter(Planted::Nothing);
    for seed in 0..6 {
        let all = draw_chaos(&registers(), seed);
        let whole = run(&engine, &registers(), seed, Some(all.clone()));
        assert_eq!(
            whole.hash,
            good(seed).hash,
            "the same list as the seed draws"
        );
        for keep in 0..4 {
            let places = all.iter().enumerate();
            let some = places.filter(|(place, _)| place % 4 != keep);
            let some: Vec<ChaosAction> = some.map(|(_, action)| action.clone()).collect();
            let text = serde_json::to_string(&some).unwrap();
            let read = serde_json::from_str(&text).unwrap();
            let first = run(&engine, &registers(), seed, Some(some));
            let second = run(&engine, &registers(), seed, Some(read));
            assert_eq!(first.violations, []);
            assert_eq!(first.hash, second.hash);
        }
    }
}

#[test]
fn the_dead_do_nothing() {
    for seed in 0..30 {
        let mut dead = BTreeMap::new();
        for event in good(seed).events {
            let last = dead.get(&event.node).copied().unwrap_or(0);
            assert!(event.process > last, "seed {seed}: {event:?}");
            if matches!(event.what, Observation::Died { .. }) {
                dead.insert(event.node, event.process);
            }
        }
        assert!(!dead.is_empty());
    }
}

#[test]
fn a_partition_cuts_messages_and_nothing_else() {
    let cut = ChaosKind::Partition {
        machines: [1, 2].into(),
        direction: Direction::Both,
        ms: 500,
    };
    let options = ClusterRunOptions {
        chaos: Some(vec![action(600, cut)]),
        record_messages: true,
        ..ClusterRunOptions::default()
    };
    let outcome = run_with(&OneWriter(Planted::Nothing), &registers(), 1, options);
    assert_eq!(outcome.violations, []);
    let messages = outcome.messages.unwrap();
    assert!(messages.iter().any(|message| message.at > 1_100_000_000));
    for message in messages {
        let during = (600_000_000..1_100_000_000).contains(&message.at);
        let cut = message.fate == MessageFate::Dropped(DropCause::Partition);
        assert_eq!(cut, during && message.to == 3, "{message:?}");
    }
}

#[test]
fn a_dropped_message_does_not_fail_its_call_at_once() {
    let nothing_arrives = NetworkRates {
        drop_per_mille: 1_000,
        ..NetworkRates::CALM
    };
    let chaos = vec![action(0, ChaosKind::Network(nothing_arrives))];
    let outcome = run(&OneWriter(Planted::Nothing), &registers(), 1, Some(chaos));
    assert_eq!(outcome.violations, []);
    let chaos = outcome.history.iter().filter(|op| op.start < 1_400_000_000);
    let chaos: Vec<_> = chaos.collect();
    assert!((3..16).contains(&chaos.len()), "{}", chaos.len());
    assert!(chaos.iter().any(|operation| operation.response.is_none()));
    for operation in chaos {
        let answered = operation
            .end
            .is_some_and(|end| end < operation.start + 400_000_000);
        assert!(!answered, "{operation:?}");
    }
}

#[test]
fn an_aimed_action_strikes_after_what_it_waits_for() {
    let crash = MachineStrike::Crash {
        death: Death::PowerCut(CutSurvivors::Nothing),
        down_ms: 100,
    };
    let aimed = ChaosKind::Aimed {
        when: Trigger::Starts,
        machine: Some(2),
        after_us: 700,
        strike: crash.clone(),
    };
    let chaos = vec![action(100, aimed), strike(500, 2, crash)];
    let outcome = run(&OneWriter(Planted::Nothing), &registers(), 1, Some(chaos));
    assert_eq!(outcome.violations, []);
    let deaths = outcome.events.iter();
    let deaths = deaths.filter(|event| matches!(event.what, Observation::Died { .. }));
    let deaths: Vec<_> = deaths.map(|event| (event.node, event.at / 1_000)).collect();
    assert_eq!(deaths, [(2, 500_000), (2, 600_700)]);
}

#[test]
fn clients_take_a_new_number_after_an_operation_without_an_answer() {
    for seed in 0..10 {
        let mut unknown = std::collections::BTreeSet::new();
        let history = good(seed).history;
        for operation in &history {
            assert!(!unknown.contains(&operation.client), "seed {seed}");
            if matches!(operation.response, None | Some(ClientResponse::Unknown(_))) {
                assert_eq!(operation.end, None);
                unknown.insert(operation.client);
            }
        }
        let mut moments: Vec<u64> = history.iter().map(|operation| operation.start).collect();
        moments.extend(history.iter().filter_map(|operation| operation.end));
        let count = moments.len();
        moments.sort_unstable();
        moments.dedup();
        assert_eq!(moments.len(), count, "no two moments are equal");
    }
}

#[test]
#[cfg_attr(
    debug_assertions,
    ignore = "long where nothing is optimised: with --release"
)]
fn what_is_wrong_with_an_engine_is_found_by_the_check_for_it() {
    let found = [
        (Planted::NoSync, "linearizability"),
        (Planted::AllLead, "election safety"),
        (Planted::StartsOnce, "every restart starts"),
        (Planted::Spins, "no progress"),
        (Planted::Panics, "no panic"),
        (Planted::GivesUp, "no process gives up"),
    ];
    for (planted, checker) in found {
        let runs = (0..20).map(|seed| run(&OneWriter(planted), &registers(), seed, None));
        let violated = runs.filter_map(|outcome| outcome.violations.into_iter().next());
        let checkers: Vec<_> = violated.map(|violation| violation.checker).collect();
        assert!(!checkers.is_empty(), "{planted:?}");
        let expected = checkers.iter().all(|found| *found == checker);
        assert!(expected, "{planted:?}: {checkers:?}");
    }
}

#[test]
fn a_log_that_grows_without_end_is_found() {
    let calm = ClusterScenario {
        disk_bytes: 100 << 10,
        chaos: [].into(),
        ..registers()
    };
    let outcome = run(&OneWriter(Planted::Nothing), &calm, 1, None);
    assert_eq!(outcome.violations, []);
    let outcome = run(&OneWriter(Planted::Grows), &calm, 1, None);
    assert_eq!(outcome.violations[0].checker, "bounded disks");
}

#[test]
fn many_registers_are_read_at_the_end_however_short_the_wait_for_one_is() {
    let scenario = ClusterScenario {
        registers: 1_000,
        heal_s: 1,
        chaos: [].into(),
        ..registers()
    };
    let outcome = run(&OneWriter(Planted::Nothing), &scenario, 1, None);
    assert_eq!(outcome.violations, []);
    assert!(outcome.counts.virtual_ms > 3_300, "{:?}", outcome.counts);
}

#[test]
fn a_client_that_thinks_for_long_ends_with_the_chaos() {
    let scenario = ClusterScenario {
        think_us: Range::new(60_000_000, 60_000_000),
        heal_s: 1,
        chaos: [].into(),
        ..registers()
    };
    let outcome = run(&OneWriter(Planted::Nothing), &scenario, 1, None);
    assert_eq!(outcome.violations, []);
}
