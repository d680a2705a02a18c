//! Commitment: what is durable on a majority in the own term is committed; what is committed is applied.

use std::sync::Arc;
use std::time::Duration;

use super::super::bug::PlantedBug;
use super::super::record::RaftRecord;
use super::role::WaitingCall;
use super::state::{HEARTBEAT, RaftCore};
use crate::entry::NodeId;
use crate::observation::Observation;
use crate::operation::ClientResponse;

impl RaftCore {
    /// The records up to this number are durable.
    pub(crate) fn flushed(&mut self, now: Duration, records: u64) {
        self.now = now;
        self.flushed = self.flushed.max(records);
        while let Some((number, term, voted_for)) = self.unsaved_votes.front().copied() {
            if number > self.flushed {
                break;
            }
            self.unsaved_votes.pop_front();
            self.observe(Observation::VoteSaved { term, voted_for });
        }
        if self.log.flushed(self.flushed) {
            let upto = self.log.durable();
            self.observe(Observation::Flushed { upto });
            if self.has_bug(PlantedBug::FlushCallbacksOutOfOrder) {
                self.late_callbacks
                    .push_back((now + 2 * HEARTBEAT, upto.index));
            }
        }
        self.send_flushed();
        self.count_own_vote();
        self.count_commit();
        if self.has_bug(PlantedBug::RestartedLeaderWithStaleState) {
            self.replicate();
        }
    }

    /// For a planted bug: callbacks of flushes say again, and late, up to which index they wrote.
    pub(super) fn late_flush_callbacks(&mut self) {
        while let Some((at, index)) = self.late_callbacks.front().copied() {
            if at > self.now {
                break;
            }
            self.late_callbacks.pop_front();
            self.log.believe_durable(index);
            self.count_commit();
        }
    }

    /// Commits what the leader knows to be durable on a majority.
    pub(super) fn count_commit(&mut self) {
        let own = if self.has_bug(PlantedBug::CommittedBeforeOwnEntryIsDurable) {
            self.log.last().index
        } else {
            self.log.durable().index
        };
        let id = self.id;
        let voters = self.config.1.voters.clone();
        let majority = self.majority();
        let Some(lead) = self.leadership() else {
            return;
        };
        let matched = |node: &NodeId| match lead.peers.get(node) {
            Some(peer) => peer.matched,
            None if *node == id => own,
            None => 0,
        };
        let mut matched: Vec<u64> = voters.iter().map(matched).collect();
        if !self.has_bug(PlantedBug::CommitWithoutQuorum) {
            matched.sort_unstable_by(|a, b| b.cmp(a));
        }
        let index = matched.get(majority - 1).copied().unwrap_or(0);
        // An entry of an earlier term may be on a majority and still be overwritten; one of the own
        // term cannot, and nothing before it.
        let is_own = self.log.term_at(index) == Some(self.term);
        if is_own || self.has_bug(PlantedBug::EarlierTermCommittedByCounting) {
            self.commit_upto(index);
        }
    }

    /// The log up to `index` is committed.
    pub(super) fn commit_upto(&mut self, index: u64) {
        let is_new = index > self.commit;
        if is_new {
            self.commit = index;
            self.observe(Observation::Committed { index });
            self.record(RaftRecord::Committed { index });
        }
        let waits = self.has_bug(PlantedBug::RestartedLeaderWithStaleState) && !is_new;
        if !waits {
            self.apply_committed();
        }
        self.point_reads();
        self.change_on();
        self.leave_if_removed();
        self.snapshot_if_due();
    }

    /// Applies everything that is committed.
    pub(super) fn apply_committed(&mut self) {
        while self.machine.applied.index < self.commit {
            let next = self.machine.applied.index + 1;
            let Some(entry) = self.log.get(next).map(Arc::clone) else {
                break;
            };
            let response = self.machine.apply(&entry);
            let state = self.machine.state.hash();
            let observed = entry.observed();
            self.observe(Observation::Applied {
                entry: observed,
                state,
            });
            let call = self.leadership().and_then(|lead| lead.calls.remove(&next));
            match (call, response) {
                (Some(WaitingCall::Client(call)), Some(response)) => self.answer(call, response),
                (Some(WaitingCall::Client(call)), None) => {
                    let why = "another entry took its place".to_owned();
                    self.answer(call, ClientResponse::Unknown(why));
                }
                (Some(WaitingCall::Admin(call)), _) => self.answer_admin(call, Ok(())),
                (None, _) => {}
            }
        }
    }
}
