//! Membership: one voter is added or removed at a time, so that every two majorities share a node.
//!
//! A configuration counts from the moment when it is in the log. The next one may follow when it is
//! committed *and* an entry of the leader's own term is: else two leaders can each build on a
//! configuration that the other does not know.

use std::collections::BTreeSet;

use super::super::bug::PlantedBug;
use super::super::record::{RaftConfig, RaftPayload};
use super::role::{VoterChange, WaitingCall};
use super::state::{ELECTION, RaftCore};
use crate::entry::NodeId;

/// How many entries a new voter may lack.
const NEARLY_EQUAL: u64 = 16;

impl RaftCore {
    fn may_change(&mut self) -> bool {
        let is_committed = self.config.0 <= self.commit;
        is_committed
            && (self.has_own_commit() || self.has_bug(PlantedBug::MembershipChangeBeforeOwnTerm))
    }

    pub(super) fn add_learner(&mut self, call: u64, node: NodeId) -> Result<(), String> {
        let mut config = self.config.1.clone();
        if config.voters.contains(&node) {
            return Err(format!("node {node} is a voter"));
        }
        let is_new = config.learners.insert(node);
        let is_changing = self.leadership().is_none_or(|lead| lead.change.is_some());
        if is_changing || !self.may_change() {
            return Err("another change is not finished".to_owned());
        }
        if is_new {
            self.append_for(WaitingCall::Admin(call), RaftPayload::Config(config));
        } else {
            self.answer_admin(call, Ok(()));
        }
        Ok(())
    }

    pub(super) fn change_voters(
        &mut self,
        call: u64,
        target: BTreeSet<NodeId>,
    ) -> Result<(), String> {
        let RaftConfig { voters, learners } = self.config.1.clone();
        let stranger = target
            .iter()
            .find(|node| !voters.contains(node) && !learners.contains(node));
        if let Some(stranger) = stranger {
            return Err(format!("node {stranger} is no member"));
        }
        if target.is_empty() {
            return Err("a cluster has at least one voter".to_owned());
        }
        let until = self.now + 20 * ELECTION;
        let Some(lead) = self.leadership() else {
            return Err("not the leader".to_owned());
        };
        if lead.change.is_some() {
            return Err("another change is not finished".to_owned());
        }
        lead.change = Some(VoterChange {
            call,
            target,
            until,
        });
        self.change_on();
        Ok(())
    }

    /// Takes the next step of a change, if its time has come.
    pub(super) fn change_on(&mut self) {
        if !self.may_change() {
            return;
        }
        let (commit, mut config) = (self.commit, self.config.1.clone());
        let (id, voters) = (self.id, config.voters.clone());
        let Some(lead) = self.leadership() else {
            return;
        };
        let Some(change) = &lead.change else {
            return;
        };
        if change.target == voters {
            let call = change.call;
            lead.change = None;
            self.answer_admin(call, Ok(()));
            return;
        }
        let peers = &lead.peers;
        let is_near = |node: &NodeId| {
            peers
                .get(node)
                .is_some_and(|p| p.matched + NEARLY_EQUAL > commit)
        };
        let mut added = change.target.difference(&voters);
        let mut removed: Vec<NodeId> = voters.difference(&change.target).copied().collect();
        // The leader goes last.
        removed.sort_by_key(|node| *node == id);
        if let Some(node) = added.next() {
            if !is_near(node) {
                return;
            }
            config.learners.remove(node);
            config.voters.insert(*node);
        } else if let Some(node) = removed.first() {
            config.voters.remove(node);
        }
        self.append_own(RaftPayload::Config(config));
    }

    pub(super) fn end_change_in_time(&mut self) {
        let now = self.now;
        let Some(lead) = self.leadership() else {
            return;
        };
        if let Some(late) = lead.change.take_if(|change| now >= change.until) {
            let why = "the change was not finished in time".to_owned();
            self.answer_admin(late.call, Err(why));
        }
    }

    /// A leader that is not in the committed configuration has done its work.
    pub(super) fn leave_if_removed(&mut self) {
        let is_committed = self.config.0 <= self.commit;
        if is_committed && !self.is_voter() && self.leadership().is_some_and(|l| l.change.is_none())
        {
            self.heartbeat();
            self.follow(None);
        }
    }
}
