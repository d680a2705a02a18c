//! A small Raft engine of our own, into which bugs of real engines can be planted.
//!
//! ```text
//! core      the rules: messages, ticks, requests, finished writes → records, messages, answers
//! record    what is kept: one log of votes, entries, truncations and purges, folded
//! storage   that log as a Store, and a SnapshotStore
//! driver    the core on a Host: tasks, delays of syncs, callers that wait
//! bug       what can be planted
//! ```
//!
//! It does elections, replication, commitment, snapshots, membership changes of one voter at a time,
//! leadership transfer and reads by a confirmed commit index; it has no pre-vote and no sessions. An
//! entry costs memory until a snapshot covers it.

mod bug;
mod core;
mod driver;
mod message;
mod record;
mod storage;

pub use bug::{AboutBug, PlantedBug};
pub use driver::SmallRaft;
