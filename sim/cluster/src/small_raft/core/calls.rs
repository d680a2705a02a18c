//! What clients and operators ask of a node.

use std::time::Duration;

use super::super::bug::PlantedBug;
use super::super::record::RaftPayload;
use super::output::RaftOutput;
use super::role::WaitingCall;
use super::state::RaftCore;
use crate::operation::{ClientRequest, ClientResponse};
use crate::replica::AdminRequest;
use crate::replicated_command::ReplicatedCommand;

impl RaftCore {
    pub(super) fn answer(&mut self, call: u64, response: ClientResponse) {
        self.outputs.push(RaftOutput::Answer { call, response });
    }

    pub(super) fn answer_admin(&mut self, call: u64, result: Result<(), String>) {
        self.outputs.push(RaftOutput::AdminAnswer { call, result });
    }

    /// A client asks; the answer will name `call`. `time_of_day` is what a leader stamps commands with.
    pub(crate) fn call(
        &mut self,
        now: Duration,
        time_of_day: Duration,
        call: u64,
        request: ClientRequest,
    ) {
        // The bug: a lease is compared with the time of the last tick.
        if !self.has_bug(PlantedBug::ReadByPausedLeadersLease) {
            self.now = now;
        }
        let leader = self.leader;
        let Some(lead) = self.leadership() else {
            self.answer(call, ClientResponse::NotLeader(leader));
            return;
        };
        let is_handed_over = lead.transfer.is_some();
        let now_ms = u64::try_from(time_of_day.as_millis()).unwrap_or(u64::MAX);
        let Some(command) = ReplicatedCommand::of_request(&request, now_ms) else {
            self.read(call, request);
            return;
        };
        if self.must_be_elected() {
            self.answer(call, ClientResponse::NotLeader(None));
            self.campaign(true);
            return;
        }
        if is_handed_over {
            let why = "leadership is being handed over".to_owned();
            self.answer(call, ClientResponse::Refused(why));
            return;
        }
        self.append_for(WaitingCall::Client(call), RaftPayload::Command(command));
    }

    /// For a planted bug: a leader that goes on after a restart may have lost entries of its term. That
    /// it gives their places to others is the harm of another bug, so this one appends nothing.
    fn must_be_elected(&mut self) -> bool {
        self.has_bug(PlantedBug::RestartedLeaderWithStaleState)
            && self.leadership().is_some_and(|lead| lead.restored)
    }

    /// Appends an entry for which a caller waits.
    pub(super) fn append_for(&mut self, call: WaitingCall, payload: RaftPayload) {
        // Waited for first: with one voter the entry may be committed within the call.
        let index = self.log.last().index + 1;
        if let Some(lead) = self.leadership() {
            lead.calls.insert(index, call);
        }
        self.append_own(payload);
    }

    /// An operator asks; the answer will name `call`.
    pub(crate) fn admin(&mut self, now: Duration, call: u64, request: AdminRequest) {
        self.now = now;
        if request == AdminRequest::TakeSnapshot {
            self.take_snapshot(Some(call));
            return;
        }
        if self.must_be_elected() {
            self.campaign(true);
        }
        if self.leadership().is_none() {
            let leader = self.leader;
            self.answer_admin(call, Err(format!("not the leader, which is {leader:?}")));
            return;
        }
        let begun = match request {
            AdminRequest::AddLearner(node) => self.add_learner(call, node),
            AdminRequest::ChangeVoters(target) => self.change_voters(call, target),
            AdminRequest::TransferLeadership(node) => self.transfer(call, node),
            AdminRequest::TakeSnapshot => Ok(()),
        };
        if let Err(why) = begun {
            self.answer_admin(call, Err(why));
        }
    }
}
