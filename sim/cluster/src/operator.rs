//! The operator: makes those nodes the voters that are to be it, and hands leadership over.

use std::sync::Arc;
use std::time::Duration;

use crate::draws::Purpose;
use crate::entry::NodeId;
use crate::executor::current;
use crate::ready::lock;
use crate::replica::AdminRequest;
use crate::runtime::sleep;
use crate::shared::{SharedRun, WantedVoters};

/// How long the operator waits for a change.
const PATIENCE: Duration = Duration::from_millis(1_500);

/// How long it waits for a node to say who leads.
const SHORT: Duration = Duration::from_millis(50);

fn draw(least: u64, most: u64) -> u64 {
    current().draw(Purpose::Client, least, most)
}

/// Carries out one plan after the other, as long as the run lasts.
pub(crate) async fn operate(shared: Arc<SharedRun>) {
    loop {
        sleep(Duration::from_millis(draw(10, 60))).await;
        let wanted = lock(&shared.wanted).clone();
        if wanted.version != wanted.done && carry_out(&shared, &wanted).await {
            let mut now = lock(&shared.wanted);
            now.done = wanted.version;
            if now.version == wanted.version {
                now.new.clear();
            }
        }
    }
}

async fn carry_out(shared: &SharedRun, wanted: &WantedVoters) -> bool {
    for node in &wanted.new {
        // The cluster may know it already, and may say no for that: the voters decide.
        at_leader(shared, AdminRequest::AddLearner(*node)).await;
    }
    let change = AdminRequest::ChangeVoters(wanted.voters.clone());
    at_leader(shared, change).await
}

/// Asks the node that some node takes for the leader; whether it was done.
pub(crate) async fn at_leader(shared: &SharedRun, request: AdminRequest) -> bool {
    let Some(leader) = find_leader(shared).await else {
        return false;
    };
    let asked = shared.ask(leader, PATIENCE, move |replica| replica.admin(request));
    asked.await == Some(Ok(()))
}

async fn find_leader(shared: &SharedRun) -> Option<NodeId> {
    let nodes = shared.nodes();
    let place = draw(0, nodes.len() as u64 - 1);
    let any = nodes[usize::try_from(place).expect("a few nodes")];
    let asked = shared.ask(any, SHORT, |replica| {
        Box::pin(async move { replica.leader() })
    });
    asked.await.flatten()
}
