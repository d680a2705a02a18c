//! Nodes are killed at random moments under load, and started again.

use std::thread::sleep;
use std::time::Duration;

use crate::check_under_load;
use crate::nodes::TestCluster;

#[test]
fn what_clients_saw_is_linearizable_though_nodes_are_killed() {
    check_under_load(&mut TestCluster::running(), |cluster, draws| {
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
    });
}
