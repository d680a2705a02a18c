//! The rules of Raft: messages, ticks, requests and finished writes in; records, messages, answers and
//! observations out. No I/O, no clock, no tasks.

mod calls;
mod commit;
mod election;
mod machine;
mod membership;
mod memory_log;
mod output;
mod read;
mod recovery;
mod replication;
mod role;
mod snapshot;
mod state;
mod transfer;

#[cfg(test)]
mod tests;

pub(super) use output::RaftOutput;
pub(super) use recovery::SavedState;
pub(super) use state::RaftCore;
