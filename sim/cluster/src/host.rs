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

/// A future without a name.
pub type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// A message from one replica to another: one way, of a type that only the engine knows.
#[derive(Clone, Debug)]
pub struct Message {
    /// What it is, for people: `append entries`.
    pub kind: &'static str,
    /// What it says, in a few words, for people and for the hash of a run.
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
    /// The time that the node's own clock shows, which may be off and run fast or slow.
    fn now(&self) -> Duration;
    /// Waits on the node's own clock.
    fn sleep(&self, duration: Duration) -> BoxFuture<()>;
    /// Runs a task of this process. Which of several ready tasks goes next is drawn from the seed.
    fn spawn(&self, task: BoxFuture<()>);
    /// Sends a message. It may arrive late, never, twice or after later ones; nothing tells the sender.
    fn send(&self, to: NodeId, message: Message);
    /// A random integer from `least` to `most`, both included.
    fn draw(&self, least: u64, most: u64) -> u64;
    /// How long a sync that begins now takes before it has an effect.
    fn sync_delay(&self) -> Duration;
    /// Says what the replica did.
    fn observe(&self, what: Observation);
}
