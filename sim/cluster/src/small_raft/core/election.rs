//! Elections: a node without a leader asks for votes; a majority makes it the leader of a term.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::super::bug::PlantedBug;
use super::super::message::{RaftBody, RaftMessage};
use super::super::record::{RaftPayload, RaftRecord, SmallEntry};
use super::role::{Campaign, Leadership, PeerProgress, RaftRole, WaitingCall};
use super::state::{ELECTION, RaftCore};
use crate::entry::{EntryId, NodeId};
use crate::observation::Observation;
use crate::operation::ClientResponse;

impl RaftCore {
    /// Time has passed.
    pub(crate) fn tick(&mut self, now: Duration) {
        self.now = now;
        self.late_flush_callbacks();
        match &self.role {
            RaftRole::Leader(_) => self.tick_leader(),
            _ if now < self.election_at => {}
            // A node that is no voter waits to hear of a leader.
            _ if !self.is_voter() => self.draw_election(),
            _ => self.campaign(false),
        }
    }

    fn tick_leader(&mut self) {
        // A leader that a majority does not hear is none; it may be the last to learn it.
        let heard = self.majority_heard();
        if self.now > heard + 4 * ELECTION {
            self.follow(None);
            return;
        }
        self.end_transfer_in_time();
        self.end_change_in_time();
        let now = self.now;
        if self
            .leadership()
            .is_some_and(|lead| now >= lead.heartbeat_at)
        {
            self.heartbeat();
        }
    }

    /// A message arrived.
    pub(crate) fn receive(&mut self, now: Duration, from: NodeId, message: RaftMessage) {
        self.now = now;
        let RaftMessage { term, body } = message;
        if let RaftBody::RequestVote { transfer, .. } = body {
            // Who hears a leader helps nobody to replace it: a node that was cut off or removed would
            // disturb it. The leader itself hears its followers.
            let hears = self.leader.is_some() && now < self.heard + ELECTION;
            if hears && !transfer {
                return;
            }
        }
        if term > self.term {
            self.enter_term(term);
        }
        if term < self.term && !self.counts_old_answer(&body) {
            match body {
                // The sender learns the term from the answer.
                RaftBody::Append { .. } | RaftBody::Install { .. } => {
                    let (hint, round) = (0, 0);
                    self.send_durable(from, RaftBody::Conflict { hint, round });
                }
                RaftBody::RequestVote { .. } => {
                    self.send_durable(from, RaftBody::Vote { granted: false });
                }
                _ => {}
            }
            return;
        }
        match body {
            RaftBody::RequestVote { last, .. } => self.answer_vote(from, last),
            RaftBody::Vote { granted } => self.count_vote(from, granted),
            RaftBody::Append {
                previous,
                entries,
                commit,
                round,
            } => {
                self.follow(Some(from));
                self.receive_entries(from, previous, entries, commit, round);
            }
            RaftBody::Appended { matched, round } => self.acknowledged(from, matched, round),
            RaftBody::Conflict { hint, round } => self.conflicted(from, hint, round),
            RaftBody::Install { snapshot, round } => {
                self.follow(Some(from));
                self.receive_snapshot(from, snapshot, round);
            }
            RaftBody::TimeoutNow if self.is_voter() => self.campaign(true),
            RaftBody::TimeoutNow => {}
        }
    }

    fn counts_old_answer(&self, body: &RaftBody) -> bool {
        match body {
            RaftBody::Appended { .. } => self.has_bug(PlantedBug::OldTermsAcknowledgementCounted),
            RaftBody::Vote { .. } => self.has_bug(PlantedBug::OldTermsVoteCounted),
            _ => false,
        }
    }

    /// A later term has begun somewhere.
    fn enter_term(&mut self, term: u64) {
        (self.term, self.voted_for) = (term, None);
        self.save_vote();
        self.follow(None);
    }

    /// Follows the leader of the term, or waits for one.
    pub(super) fn follow(&mut self, leader: Option<NodeId>) {
        if leader.is_some() {
            self.heard = self.now;
        }
        self.leader = leader;
        self.draw_election();
        let before = std::mem::replace(&mut self.role, RaftRole::Follower);
        if let RaftRole::Leader(before) = before {
            self.observe(Observation::StepsDown);
            self.end_leadership(*before);
        }
    }

    fn end_leadership(&mut self, before: Leadership) {
        let lost = "leadership was lost";
        for call in before.calls.into_values() {
            match call {
                // The entry may be committed by another leader, or already is.
                WaitingCall::Client(call) => {
                    self.answer(call, ClientResponse::Unknown(lost.to_owned()));
                }
                WaitingCall::Admin(call) => self.answer_admin(call, Err(lost.to_owned())),
            }
        }
        for read in before.reads {
            self.answer(read.call, ClientResponse::NotLeader(self.leader));
        }
        if let Some(change) = before.change {
            self.answer_admin(change.call, Err(lost.to_owned()));
        }
        if let Some(transfer) = before.transfer {
            self.answer_admin(transfer.call, Ok(()));
        }
    }

    pub(super) fn campaign(&mut self, transfer: bool) {
        self.follow(None);
        (self.term, self.voted_for) = (self.term + 1, Some(self.id));
        let own_vote = self.save_vote();
        self.role = RaftRole::Candidate(Campaign {
            own_vote,
            votes: BTreeSet::new(),
        });
        let last = self.log.last();
        for to in self.others() {
            if self.config.1.voters.contains(&to) {
                self.send_durable(to, RaftBody::RequestVote { last, transfer });
            }
        }
    }

    fn answer_vote(&mut self, from: NodeId, last: EntryId) {
        let granted = self.voted_for.is_none_or(|node| node == from) && last >= self.log.last();
        if granted && self.voted_for.is_none() {
            self.voted_for = Some(from);
            self.save_vote();
            self.draw_election();
        }
        if self.has_bug(PlantedBug::VoteAnsweredBeforeDurable) {
            self.send(from, RaftBody::Vote { granted });
        } else {
            self.send_durable(from, RaftBody::Vote { granted });
        }
    }

    fn count_vote(&mut self, from: NodeId, granted: bool) {
        let RaftRole::Candidate(campaign) = &mut self.role else {
            return;
        };
        if granted && self.config.1.voters.contains(&from) {
            campaign.votes.insert(from);
            self.lead_if_elected();
        }
    }

    /// The own vote counts as soon as it is durable.
    pub(super) fn count_own_vote(&mut self) {
        let RaftRole::Candidate(campaign) = &mut self.role else {
            return;
        };
        if campaign.own_vote <= self.flushed && campaign.votes.insert(self.id) {
            self.lead_if_elected();
        }
    }

    fn lead_if_elected(&mut self) {
        let RaftRole::Candidate(campaign) = &self.role else {
            return;
        };
        if campaign.votes.len() < self.majority() || !campaign.votes.contains(&self.id) {
            return;
        }
        self.lead();
        self.append_own(RaftPayload::Blank);
    }

    /// Leads the term, whose entries begin after the end of the log.
    pub(super) fn lead(&mut self) {
        let term = self.term;
        self.role = RaftRole::Leader(Box::new(Leadership {
            first: self.log.last().index + 1,
            peers: BTreeMap::new(),
            heartbeat_at: self.now,
            round: 0,
            reads: Vec::new(),
            calls: BTreeMap::new(),
            change: None,
            transfer: None,
            restored: false,
        }));
        (self.leader, self.heard) = (Some(self.id), self.now);
        self.watch_peers();
        self.observe(Observation::Leads { term });
        let restores = [
            PlantedBug::RestartedLeaderReusesIndex,
            PlantedBug::RestartedLeaderWithStaleState,
        ];
        if self.bug.is_some_and(|bug| restores.contains(&bug)) {
            self.record(RaftRecord::Leads { term });
        }
    }

    /// Keeps books on exactly the other members.
    pub(super) fn watch_peers(&mut self) {
        let (others, now, next) = (self.others(), self.now, self.log.last().index + 1);
        let Some(lead) = self.leadership() else {
            return;
        };
        lead.peers.retain(|node, _| others.contains(node));
        for node in others {
            lead.peers.entry(node).or_insert_with(|| PeerProgress {
                next,
                heard: now,
                ..PeerProgress::default()
            });
        }
    }

    /// Appends an entry of the own term and sends it; its index.
    pub(super) fn append_own(&mut self, payload: RaftPayload) -> u64 {
        let id = EntryId::new(self.term, self.log.last().index + 1);
        let is_config = matches!(payload, RaftPayload::Config(_));
        self.append(Arc::new(SmallEntry { id, payload }));
        if is_config {
            self.watch_peers();
        }
        self.replicate();
        self.count_commit();
        id.index
    }
}
