//! The state of one node, and the few things that all rules need.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use beaver_sim::stream::Stream;

use super::super::bug::PlantedBug;
use super::super::message::{RaftBody, RaftMessage, SnapshotFile};
use super::super::record::{RaftConfig, RaftPayload, RaftRecord, SmallEntry};
use super::machine::CoreMachine;
use super::memory_log::MemoryLog;
use super::output::RaftOutput;
use super::role::{Leadership, RaftRole};
use crate::entry::{EntryId, NodeId};
use crate::observation::Observation;

/// How often a leader is heard of.
pub(super) const HEARTBEAT: Duration = Duration::from_millis(50);
/// After this time without a leader, or twice that, a node campaigns.
pub(super) const ELECTION: Duration = Duration::from_millis(150);

/// One node's Raft.
#[derive(Debug)]
pub(crate) struct RaftCore {
    pub(super) id: NodeId,
    pub(super) bug: Option<PlantedBug>,
    pub(super) random: Stream,
    pub(super) now: Duration,

    pub(super) term: u64,
    pub(super) voted_for: Option<NodeId>,
    pub(super) log: MemoryLog,
    /// The membership that counts, with the index of its entry.
    pub(super) config: (u64, RaftConfig),
    pub(super) commit: u64,
    pub(super) machine: CoreMachine,
    /// The newest durable snapshot.
    pub(super) snapshot: Option<SnapshotFile>,
    pub(super) saving: Option<SnapshotSave>,

    /// How many records were asked for, how many of them are waited for, and how many are durable.
    pub(super) records: u64,
    pub(super) awaited: u64,
    pub(super) flushed: u64,
    /// Messages that may be sent when this many records are durable.
    pub(super) unsent: VecDeque<(u64, NodeId, RaftMessage)>,
    /// Votes that are durable when this many records are.
    pub(super) unsaved_votes: VecDeque<(u64, u64, Option<NodeId>)>,
    /// For a planted bug: callbacks of flushes that come late, with what they say.
    pub(super) late_callbacks: VecDeque<(Duration, u64)>,

    pub(super) role: RaftRole,
    pub(super) leader: Option<NodeId>,
    /// When the leader was heard of; a leader: a majority.
    pub(super) heard: Duration,
    pub(super) election_at: Duration,
    pub(super) outputs: Vec<RaftOutput>,
}

/// A snapshot that is being written.
#[derive(Debug)]
pub(super) struct SnapshotSave {
    pub(super) file: SnapshotFile,
    /// The round of the leader that sent it; nothing for the own one.
    pub(super) install: Option<u64>,
    /// The operator who waits for it.
    pub(super) call: Option<u64>,
}

impl RaftCore {
    /// What is to be done since the last time this was asked.
    pub(crate) fn take_outputs(&mut self) -> Vec<RaftOutput> {
        std::mem::take(&mut self.outputs)
    }

    /// Whether something waits for records that are not durable yet.
    pub(crate) fn wants_flush(&self) -> bool {
        self.awaited > self.flushed
    }

    /// The node that this one takes for the leader.
    pub(crate) fn leader(&self) -> Option<NodeId> {
        self.leader
    }

    /// A hash of the data, and the last index that they have applied.
    pub(crate) fn applied(&self) -> (u64, u64) {
        (self.machine.state.hash(), self.machine.applied.index)
    }

    pub(super) fn has_bug(&self, bug: PlantedBug) -> bool {
        self.bug == Some(bug)
    }

    pub(super) fn observe(&mut self, what: Observation) {
        self.outputs.push(RaftOutput::Observe(what));
    }

    /// Asks for a record; its number.
    pub(super) fn record(&mut self, record: RaftRecord) -> u64 {
        self.records += 1;
        // A hint may wait for the next write.
        if !matches!(record, RaftRecord::Committed { .. }) {
            self.awaited = self.records;
        }
        self.outputs.push(RaftOutput::Record(record));
        self.records
    }

    /// Saves term and vote; the number of the record.
    pub(super) fn save_vote(&mut self) -> u64 {
        let (term, voted_for) = (self.term, self.voted_for);
        let number = if self.has_bug(PlantedBug::TermAndVoteInTwoWrites) {
            self.record(RaftRecord::VoteAlone { voted_for });
            self.outputs.push(RaftOutput::OwnWrite);
            self.record(RaftRecord::TermAlone { term })
        } else {
            self.record(RaftRecord::Vote { term, voted_for })
        };
        self.unsaved_votes.push_back((number, term, voted_for));
        number
    }

    /// Sends now.
    pub(super) fn send(&mut self, to: NodeId, body: RaftBody) {
        let term = self.term;
        let message = RaftMessage { term, body };
        self.outputs.push(RaftOutput::Send { to, message });
    }

    /// Sends when everything that was recorded so far is durable.
    pub(super) fn send_durable(&mut self, to: NodeId, body: RaftBody) {
        let term = self.term;
        let message = RaftMessage { term, body };
        self.unsent.push_back((self.awaited, to, message));
        self.send_flushed();
    }

    /// Sends what has waited for records that are durable by now. What was to be said in an earlier
    /// term is not said any more: its leader would count on a node that has promised not to help it.
    pub(super) fn send_flushed(&mut self) {
        let ready = self
            .unsent
            .partition_point(|(records, ..)| *records <= self.flushed);
        let term = self.term;
        let ready = self.unsent.drain(..ready);
        let current = ready.filter(|(_, _, message)| message.term == term);
        let sent = current.map(|(_, to, message)| RaftOutput::Send { to, message });
        self.outputs.extend(sent);
    }

    /// Puts an entry at the end of the log.
    pub(super) fn append(&mut self, entry: Arc<SmallEntry>) {
        let previous = self.log.last();
        let observed = entry.observed();
        self.observe(Observation::Appended {
            previous,
            entry: observed,
        });
        let record = if self.has_bug(PlantedBug::TruncationNotLogged) {
            self.record(RaftRecord::Overwrite(Arc::clone(&entry)))
        } else {
            self.record(RaftRecord::Entry(Arc::clone(&entry)))
        };
        if let RaftPayload::Config(config) = &entry.payload {
            self.config = (entry.id.index, config.clone());
        }
        self.log.push(record, entry);
    }

    /// Removes the entries after `after`.
    pub(super) fn truncate(&mut self, after: u64) {
        if !self.has_bug(PlantedBug::TruncationNotLogged) {
            self.record(RaftRecord::Truncate { after });
        }
        self.log.truncate(after);
        self.config = self.log.config();
        self.observe(Observation::Truncated { after });
    }

    pub(super) fn purge(&mut self, upto: EntryId) {
        if upto.index <= self.log.purged().index {
            return;
        }
        self.record(RaftRecord::Purge { upto });
        self.log.purge(upto);
        self.observe(Observation::Purged { upto });
    }

    pub(super) fn leadership(&mut self) -> Option<&mut Leadership> {
        match &mut self.role {
            RaftRole::Leader(leadership) => Some(leadership),
            _ => None,
        }
    }

    pub(super) fn is_voter(&self) -> bool {
        self.config.1.voters.contains(&self.id)
    }

    /// How many voters are a majority.
    pub(super) fn majority(&self) -> usize {
        self.config.1.voters.len() / 2 + 1
    }

    /// The other members, learners too.
    pub(super) fn others(&self) -> Vec<NodeId> {
        let RaftConfig { voters, learners } = &self.config.1;
        let all = voters.union(learners).copied();
        all.filter(|node| *node != self.id).collect()
    }

    pub(super) fn draw_election(&mut self) {
        let most = u64::try_from(ELECTION.as_micros()).unwrap_or(u64::MAX);
        let more = Duration::from_micros(self.random.draw(0, most));
        self.election_at = self.now + ELECTION + more;
    }
}
