//! Real nodes, real files, real connections: processes on loopback that are killed, cut off from
//! each other, added and removed, while clients ask. What clients saw must be linearizable.

#![expect(
    clippy::unwrap_used,
    reason = "a test ends where something unexpected happens, in the functions that it calls too"
)]

mod http;
mod kills;
mod load;
mod membership;
mod namespaces;
mod nodes;
mod partitions;
mod proxies;
mod readme;
mod single;

use std::collections::BTreeMap;
use std::thread::sleep;
use std::time::Duration;

use beaver_cluster::linearizability::{DEFAULT_BUDGET, HistoryVerdict, judge};
use beaver_cluster::operation::{ClientResponse, JobAnswer, Operation};

use load::{Draws, Load};
use nodes::{TestCluster, eventually};

/// How often a node is killed or a network cut, unless the environment says more.
fn rounds() -> u64 {
    let asked = std::env::var("BEAVERD_ROUNDS").ok();
    asked.map_or(6, |rounds| {
        rounds.parse().expect("BEAVERD_ROUNDS is a number")
    })
}

/// A seed that is shown, and that the environment can ask for again. It repeats what the clients and
/// the killer decide, not what the machine makes of it.
fn seed() -> u64 {
    let asked = std::env::var("BEAVERD_SEED").ok();
    let seed = asked.map_or_else(
        || u64::from(std::process::id()),
        |seed| seed.parse().expect("BEAVERD_SEED is a number"),
    );
    eprintln!("BEAVERD_SEED={seed}");
    seed
}

/// How many clients ask.
const CLIENTS: u64 = 6;

/// Clients ask while `disturb` is called, round after round. What they saw must be linearizable, and
/// in the end all nodes have applied the same.
fn check_under_load(
    cluster: &mut TestCluster,
    mut disturb: impl FnMut(&mut TestCluster, &mut Draws),
) {
    let seed = seed();
    let mut draws = Draws::new(seed);
    let addresses = cluster.addresses();
    let load = Load::start(CLIENTS, &addresses, seed);
    for _ in 0..rounds() {
        sleep(Duration::from_millis(100 + draws.below(600)));
        disturb(cluster, &mut draws);
    }
    cluster.leader();
    load.wait_for(200);
    check_history(&load.finish(&addresses));
    check_agreement(cluster);
}

/// The history must have an order that explains it, and be about something.
fn check_history(history: &[Operation]) {
    let mut kinds = BTreeMap::<&str, u64>::new();
    for operation in history {
        let kind = match &operation.response {
            Some(ClientResponse::Job(JobAnswer::Dispatched { .. })) => "dispatched",
            Some(ClientResponse::Job(JobAnswer::Accepted { .. })) => "accepted",
            Some(ClientResponse::Job(JobAnswer::Status(_))) => "read",
            Some(ClientResponse::Job(_)) => "nothing or refused",
            Some(ClientResponse::Refused(_) | ClientResponse::NotLeader(_)) => "not done",
            _ => "unknown",
        };
        *kinds.entry(kind).or_default() += 1;
    }
    eprintln!("{} operations: {kinds:?}", history.len());
    for kind in ["dispatched", "accepted", "read"] {
        assert!(
            kinds.get(kind).is_some_and(|count| *count > 20),
            "hardly any {kind}: {kinds:?}"
        );
    }
    match judge(history, DEFAULT_BUDGET) {
        HistoryVerdict::Linearizable => {}
        HistoryVerdict::NotLinearizable(why) => {
            panic!("not linearizable: {why}\n{:#?}", why.operations)
        }
        HistoryVerdict::Undecided { object } => panic!("{object}: the budget is used up"),
    }
}

/// Sooner or later all nodes have applied the same.
fn check_agreement(cluster: &TestCluster) {
    eventually("nodes that agree", || {
        let seen = cluster.nodes.values().map(|node| {
            let mut client = node.client();
            let stats = client.get("/v1/stats?stale=true").ok()?;
            let applied = client.get("/v1/node").ok()?;
            let index = applied.body["applied_index"].as_u64()?;
            Some((index, stats.body.to_string()))
        });
        let seen: Option<Vec<_>> = seen.collect();
        seen?
            .windows(2)
            .all(|pair| pair[0] == pair[1])
            .then_some(())
    });
}
