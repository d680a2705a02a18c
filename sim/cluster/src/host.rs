//! What a replica gets from the machine that it runs on.

use std::any::Any;
use std::fmt::Debug;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use beaver_storage::Storage;

use crate::entry::NodeId;
use crate::observation::Observation;

/// A boxed future that may go to another thread.
pub type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// A message from one replica to another: one way, of a type that only the engine knows.
#[derive(Clone, Debug)]
pub struct Message {
    /// What it is, for people: `append entries`.
    pub kind: &'static str,
    /// What it says, in a few words, for people; empty where nobody wants it.
    pub summary: String,
    /// What the engine put into it.
    pub body: Arc<dyn Any + Send + Sync>,
}

/// The machine of one process of a node, as the process sees it. When the process dies its tasks are
/// dropped where they stand, and nothing that they hold is run again.
pub trait Host: Debug + Send + Sync {
    /// The node.
    fn node(&self) -> NodeId;
    /// The disk of the log.
    fn log_disk(&self) -> Arc<dyn Storage>;
    /// The disk of the snapshots.
    fn snapshot_disk(&self) -> Arc<dyn Storage>;
    /// The time that the node's own clock shows, which may be off and run fast or slow. It never goes
    /// back within a process; what it shows says nothing about other nodes, or about earlier processes.
    fn now(&self) -> Duration;
    /// The time of day by the node's own reckoning, since the Unix epoch. It may jump, forwards and back.
    fn time_of_day(&self) -> Duration {
        self.now()
    }
    /// Whether somebody reads the summaries of messages; where not, they may be left empty.
    fn wants_summaries(&self) -> bool {
        true
    }
    /// Waits on the node's own clock.
    fn sleep(&self, duration: Duration) -> BoxFuture<()>;
    /// Runs a task of this process. Which of several ready tasks goes next is drawn from the seed.
    fn spawn(&self, task: BoxFuture<()>);
    /// Sends a message. It may arrive late, never, twice or after later ones; nothing tells the sender.
    /// It may arrive at a later process of the node than the one that was up when it was sent, and an
    /// answer to an earlier process may arrive at this one.
    fn send(&self, to: NodeId, message: Message);
    /// A random integer from `least` to `most`, both included.
    fn draw(&self, least: u64, most: u64) -> u64;
    /// How long a sync that begins now takes before it has an effect.
    fn sync_delay(&self) -> Duration;
    /// Says what the replica did.
    fn observe(&self, what: Observation);
}
