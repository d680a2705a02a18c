//! Time passes for the queue: attempts take too long, and delays end.

use std::time::Duration;

use beaver::{Clock, Command, SystemClock};
use tokio::time::sleep;

use crate::proposal::propose;
use crate::types::{JobsMachine, QueueRaft};

/// How late a tick may be.
const PERIOD: Duration = Duration::from_millis(100);

/// Proposes a tick whenever this node leads and something is due. It does not end.
pub(crate) async fn keep_time(raft: QueueRaft, machine: JobsMachine) {
    loop {
        sleep(PERIOD).await;
        let now_ms = SystemClock.now_ms();
        let is_due = || {
            machine.read(|jobs| {
                let planned = jobs.queue().plan(&Command::Tick, now_ms);
                planned.is_ok_and(|events| !events.is_empty())
            })
        };
        if raft.is_leader() && is_due() {
            // What failed is tried again in the next period.
            propose(&raft, &Command::Tick).await.ok();
        }
    }
}
