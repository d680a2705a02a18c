//! Linearizable reads without a log entry: the commit index of a leader that a majority confirms
//! *after* the read began, once an entry of its term is committed.

use std::time::Duration;

use super::super::bug::PlantedBug;
use super::role::PendingRead;
use super::state::{ELECTION, RaftCore};
use crate::entry::NodeId;
use crate::operation::{ClientRequest, ClientResponse};

impl RaftCore {
    /// A client asks the leader to look at the state.
    pub(super) fn read(&mut self, call: u64, request: ClientRequest) {
        if self.has_bug(PlantedBug::ReadWithoutQuorum) && self.has_own_commit() {
            self.answer_read(call, &request);
            return;
        }
        let lease = self.majority_heard() + ELECTION;
        let has_lease = self.now < lease;
        if self.has_bug(PlantedBug::ReadByPausedLeadersLease) && has_lease && self.has_own_commit()
        {
            self.answer_read(call, &request);
            return;
        }
        if let Some(lead) = self.leadership() {
            let point = None;
            lead.reads.push(PendingRead {
                call,
                request,
                point,
            });
        }
        self.point_reads();
    }

    /// Whether an entry of the own term is committed, and with it everything that earlier leaders
    /// have committed.
    pub(super) fn has_own_commit(&mut self) -> bool {
        let commit = self.commit;
        self.leadership().is_some_and(|lead| commit >= lead.first)
    }

    /// Gives reads their point, and asks the others about it.
    pub(super) fn point_reads(&mut self) {
        if !self.has_own_commit() && !self.has_bug(PlantedBug::ReadWithoutOwnTerm) {
            return;
        }
        let Some(lead) = self.leadership() else {
            return;
        };
        if lead.reads.iter().all(|read| read.point.is_some()) {
            return;
        }
        let round = self.heartbeat();
        let commit = self.commit;
        if let Some(lead) = self.leadership() {
            for read in &mut lead.reads {
                read.point.get_or_insert((commit, round));
            }
        }
        self.confirm_reads();
    }

    /// Answers the reads that a majority has confirmed.
    pub(super) fn confirm_reads(&mut self) {
        let (id, voters, majority) = (self.id, self.config.1.voters.clone(), self.majority());
        let applied = self.machine.applied.index;
        let is_stale_allowed = self.has_bug(PlantedBug::RestartedLeaderWithStaleState);
        let Some(lead) = self.leadership() else {
            return;
        };
        let peers = &lead.peers;
        let confirmed = |read: &mut PendingRead| {
            let Some((index, round)) = read.point else {
                return false;
            };
            let answered =
                |node: &NodeId| *node == id || peers.get(node).is_some_and(|p| p.round >= round);
            let answers = voters.iter().filter(|node| answered(node)).count();
            answers >= majority && (applied >= index || is_stale_allowed)
        };
        let ready: Vec<PendingRead> = lead.reads.extract_if(.., confirmed).collect();
        for read in ready {
            self.answer_read(read.call, &read.request);
        }
    }

    fn answer_read(&mut self, call: u64, request: &ClientRequest) {
        let answer = self.machine.state.look(request);
        let refused = || ClientResponse::Refused("it is no read".to_owned());
        self.answer(call, answer.unwrap_or_else(refused));
    }

    /// When a majority of the voters, the leader too, was heard of.
    pub(super) fn majority_heard(&mut self) -> Duration {
        let (id, now) = (self.id, self.now);
        let (voters, majority) = (self.config.1.voters.clone(), self.majority());
        let Some(lead) = self.leadership() else {
            return Duration::ZERO;
        };
        let heard = voters.iter().map(|node| match lead.peers.get(node) {
            Some(peer) => peer.heard,
            None if *node == id => now,
            None => Duration::ZERO,
        });
        let mut heard: Vec<Duration> = heard.collect();
        heard.sort_unstable_by(|a, b| b.cmp(a));
        let heard = heard.get(majority - 1).copied().unwrap_or_default();
        self.heard = heard;
        heard
    }
}
