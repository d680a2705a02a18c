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
        let next_ms = || machine.read(|jobs| jobs.queue().next_tick_ms(now_ms));
        let is_due = || next_ms().is_some_and(|next_ms| next_ms <= now_ms);
        if raft.is_leader() && is_due() {
            // What failed is tried again in the next period.
            propose(&raft, &Command::Tick).await.ok();
        }
    }
}
