//! `beaverd`: the job queue of Beaver, replicated by Raft, as a server.
//!
//! ```text
//! arguments ─▶ node ─┬─ storage, identity      a directory, and whose it is
//!                    ├─ port ─┬─ http ──▶ service ──▶ proposal, members, queue_view
//!                    │        └─ greeter ▶ service, the replica
//!                    ├─ network ─▶ peers ─▶ frame, wire      what openraft says to other nodes
//!                    ├─ founding                             how a cluster begins
//!                    └─ timekeeper                           time passes for the queue
//! ```
//!
//! The replica is openraft's, on the log and the snapshots of `beaver-raft`.

mod addresses;
mod answer;
pub mod arguments;
mod call;
mod founding;
mod frame;
mod greeter;
mod http;
mod identity;
mod members;
mod network;
pub mod node;
mod peers;
mod port;
mod proposal;
mod queue_view;
mod service;
mod storage;
mod timekeeper;
mod types;
mod wire;
