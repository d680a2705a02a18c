//! Nodes are killed at random moments under load, and started again.

use std::thread::sleep;
use std::time::Duration;

use crate::load::{Draws, Load};
use crate::nodes::TestCluster;
use crate::{check_agreement, check_history, rounds, seed};

/// How many clients ask.
const CLIENTS: u64 = 6;

#[test]
fn what_clients_saw_is_linearizable_though_nodes_are_killed() {
    let seed = seed();
    let mut draws = Draws::new(seed);
    let mut cluster = TestCluster::running();
    let addresses = cluster.addresses();
    let load = Load::start(CLIENTS, &addresses, seed);
    for _ in 0..rounds() {
        sleep(Duration::from_millis(100 + draws.below(500)));
        let first = 1 + draws.below(3);
        cluster.node(first).kill();
        // Now and then a second one too: no majority, and nothing may be acknowledged.
        let second = (draws.below(4) == 0).then(|| 1 + first % 3);
        if let Some(second) = second {
            sleep(Duration::from_millis(draws.below(200)));
            cluster.node(second).kill();
        }
        sleep(Duration::from_millis(draws.below(800)));
        for id in second.into_iter().chain([first]) {
            cluster.node(id).start();
        }
    }
    cluster.leader();
    let history = load.finish(&addresses);
    check_history(&history);
    check_agreement(&cluster);
}
