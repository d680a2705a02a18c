//! openraft in the simulated cluster.

use std::process::Command;

use beaver_cluster::open_raft::OpenRaft;
use beaver_cluster::run::{ClusterOutcome, run};
use beaver_cluster::scenario::ClusterScenario;

fn five() -> ClusterScenario {
    ClusterScenario {
        nodes: 5,
        ..ClusterScenario::default()
    }
}

fn clean(scenario: &ClusterScenario, seeds: std::ops::Range<u64>) {
    for seed in seeds {
        let outcome = run(&OpenRaft::new(), scenario, seed, None);
        assert_eq!(outcome.violations, [], "seed {seed}");
    }
}

#[test]
fn three_nodes_keep_every_promise_whatever_goes_wrong() {
    clean(&ClusterScenario::default(), 0..100);
}

#[test]
fn five_nodes_keep_every_promise_whatever_goes_wrong() {
    clean(&five(), 0..60);
}
