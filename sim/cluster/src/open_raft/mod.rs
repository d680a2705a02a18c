//! openraft as the engine of a simulated cluster.
//!
//! ```text
//! runtime    its tasks, timers and chance, on the executor of the simulation
//! types      its type configuration, and ids and entries in the words of the checkers
//! observer   what it and its storage do, said to the checkers
//! machine    the replicated state on beaver-raft's store of snapshots
//! link       its remote calls as one-way messages
//! replica    the engine
//! ```

mod link;
mod machine;
mod observer;
mod replica;
mod runtime;
mod types;

pub use replica::OpenRaft;
pub use runtime::{DrawnRng, VirtualInstant, VirtualRuntime};
pub use types::{AppliedAnswer, ClusterTypes};
