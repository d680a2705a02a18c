//! What replicas say to each other: the messages of the Raft paper.

use std::sync::Arc;

use super::record::SmallEntry;
use crate::entry::EntryId;

/// A message, with the term of its sender.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RaftMessage {
    pub(crate) term: u64,
    pub(crate) body: RaftBody,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum RaftBody {
    RequestVote {
        last: EntryId,
        /// The leader has asked for this election, so it is no disturbance.
        transfer: bool,
    },
    Vote {
        granted: bool,
    },
    Append {
        previous: EntryId,
        entries: Vec<Arc<SmallEntry>>,
        commit: u64,
        /// The leader's round of heartbeats, for reads.
        round: u64,
    },
    /// The log agrees up to `matched`, and is durable up to there.
    Appended {
        matched: u64,
        round: u64,
    },
    /// The log has no entry as `previous` was.
    Conflict {
        /// Where the leader may try next: an index at which the logs can agree.
        hint: u64,
        round: u64,
    },
    Install {
        snapshot: SnapshotFile,
        round: u64,
    },
    TimeoutNow,
}

/// A snapshot of the state machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SnapshotFile {
    pub(crate) last: EntryId,
    /// JSON on one line.
    pub(crate) state: Arc<[u8]>,
}

impl RaftBody {
    /// What it is, for people.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            RaftBody::RequestVote { .. } => "request vote",
            RaftBody::Vote { .. } => "vote",
            RaftBody::Append { entries, .. } if entries.is_empty() => "heartbeat",
            RaftBody::Append { .. } => "append entries",
            RaftBody::Appended { .. } => "appended",
            RaftBody::Conflict { .. } => "conflict",
            RaftBody::Install { .. } => "install snapshot",
            RaftBody::TimeoutNow => "timeout now",
        }
    }
}

impl RaftMessage {
    /// What it says, in a few words.
    pub(crate) fn summary(&self) -> String {
        let said = match &self.body {
            RaftBody::RequestVote { last, transfer } => {
                format!("last {last}{}", if *transfer { ", transfer" } else { "" })
            }
            RaftBody::Vote { granted } => if *granted { "yes" } else { "no" }.to_owned(),
            RaftBody::Append {
                previous,
                entries,
                commit,
                round,
            } => {
                let last = entries.last().map_or(*previous, |entry| entry.id);
                format!("after {previous} to {last}, commit {commit}, round {round}")
            }
            RaftBody::Appended { matched, round } => format!("matched {matched}, round {round}"),
            RaftBody::Conflict { hint, round } => format!("try {hint}, round {round}"),
            RaftBody::Install { snapshot, .. } => {
                let (last, bytes) = (snapshot.last, snapshot.state.len());
                format!("last {last}, {bytes} bytes")
            }
            RaftBody::TimeoutNow => String::new(),
        };
        format!("term {} {said}", self.term).trim_end().to_owned()
    }
}
