//! openraft in the simulated cluster.

use std::process::Command;

use beaver_cluster::chaos::{
    ChaosAction, ChaosKind, CutSurvivors, Death, MachineStrike, NetworkRates, Trigger,
};
use beaver_cluster::open_raft::OpenRaft;
use beaver_cluster::run::{ClusterOutcome, run};
use beaver_cluster::scenario::{ClusterScenario, RequestSort};
use beaver_sim::scenario::Range;

fn nodes(nodes: u64) -> ClusterScenario {
    ClusterScenario {
        nodes,
        ..ClusterScenario::default()
    }
}

fn anything(seed: u64) -> ClusterOutcome {
    run(&OpenRaft::new(), &nodes(3), seed, None)
}

/// All seeds pass, and enough happens in them.
fn check_clean(count: u64, seeds: std::ops::Range<u64>) {
    let scenario = nodes(count);
    let runs = seeds.end - seeds.start;
    let (mut cuts, mut installed, mut acknowledged, mut reads) = (0, 0, 0, 0);
    for seed in seeds {
        let outcome = run(&OpenRaft::new(), &scenario, seed, None);
        assert_eq!(outcome.violations, [], "seed {seed}");
        cuts += outcome.counts.power_cuts;
        installed += outcome.counts.snapshots_installed;
        acknowledged += outcome.counts.acknowledged;
        reads += outcome.counts.reads;
    }
    assert!(cuts > 3 * runs, "{cuts}");
    assert!(installed >= runs.div_ceil(15), "{installed}");
    assert!(acknowledged > 6 * runs, "{acknowledged}");
    assert!(reads > 3 * runs, "{reads}");
}

#[test]
#[cfg_attr(
    debug_assertions,
    ignore = "long where nothing is optimised: with --release"
)]
fn three_nodes_keep_every_promise_whatever_goes_wrong() {
    check_clean(3, 0..150);
}

#[test]
#[cfg_attr(
    debug_assertions,
    ignore = "long where nothing is optimised: with --release"
)]
fn five_nodes_keep_every_promise_whatever_goes_wrong() {
    check_clean(5, 0..100);
}

/// A few seeds, for where nothing is optimised.
#[test]
fn a_few_clusters_keep_every_promise() {
    check_clean(3, 0..12);
    check_clean(5, 0..3);
}

#[test]
fn equal_seeds_give_equal_runs_and_others_do_not() {
    for seed in 0..3 {
        let (first, second) = (anything(seed), anything(seed));
        assert_eq!(first.hash, second.hash);
        assert_eq!(first.events, second.events);
        assert_eq!(first.history, second.history);
        assert_ne!(first.hash, anything(seed + 1_000).hash);
    }
}

fn hashes() -> String {
    let hashes: Vec<u64> = (0..3).map(|seed| anything(seed).hash).collect();
    format!("hashes {hashes:?}")
}

#[test]
fn prints_hashes_for_another_process() {
    println!("{}", hashes());
}

#[test]
fn two_processes_get_equal_hashes() {
    let mut other = Command::new(std::env::current_exe().unwrap());
    let arguments = [
        "--exact",
        "prints_hashes_for_another_process",
        "--nocapture",
    ];
    let other = other.args(arguments).output().unwrap();
    let printed = String::from_utf8(other.stdout).unwrap();
    let own = hashes();
    assert!(printed.contains(&own), "{own}\n{printed}");
}

/// A healthy network and one power cut: the leader loses what it has appended and not synced, when its
/// followers may have it, and is back before anybody misses it.
fn one_power_cut(engine: OpenRaft, seed: u64) -> ClusterOutcome {
    let scenario = ClusterScenario {
        chaos_ms: 1_000,
        network: NetworkRates::CALM,
        workload: [(RequestSort::Write, 1)].into(),
        clients: 8,
        think_us: Range::new(200, 2_000),
        ..nodes(3)
    };
    let cut = ChaosKind::Aimed {
        // Of all that append an entry the leader is the first.
        when: Trigger::Appends,
        machine: None,
        after_us: 200 + seed % 8 * 100,
        strike: MachineStrike::Crash {
            death: Death::PowerCut(CutSurvivors::Nothing),
            down_ms: 5,
        },
    };
    let chaos = vec![ChaosAction {
        at_us: 700_000,
        what: cut,
    }];
    run(&engine, &scenario, seed, Some(chaos))
}

/// openraft's default, `enable_leader_restore`: the leader goes on in its term, and gives the index and
/// term of an entry that it has lost, and that others have, to another command.
#[test]
#[cfg_attr(
    debug_assertions,
    ignore = "long where nothing is optimised: with --release"
)]
fn a_leader_that_takes_its_lead_back_after_a_power_cut_breaks_log_matching_and_one_that_asks_does_not()
 {
    let mut broken = Vec::new();
    let mut cuts = 0;
    for seed in 0..100 {
        let sound = one_power_cut(OpenRaft::new(), seed);
        assert_eq!(sound.violations, [], "seed {seed}");
        cuts += sound.counts.power_cuts;
        let restored = one_power_cut(OpenRaft::with_leader_restore(), seed);
        broken.extend(restored.violations.first().map(|broken| broken.checker));
    }
    assert!(cuts > 80, "{cuts}");
    assert!(broken.contains(&"log matching"), "{broken:?}");
}
