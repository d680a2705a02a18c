//! Leadership transfer: the leader takes no more commands, waits until its successor has everything,
//! and asks it to campaign at once.

use super::super::message::RaftBody;
use super::role::Handover;
use super::state::{ELECTION, RaftCore};
use crate::entry::NodeId;

impl RaftCore {
    pub(super) fn transfer(&mut self, call: u64, to: NodeId) -> Result<(), String> {
        let until = self.now + 2 * ELECTION;
        let is_voter = self.config.1.voters.contains(&to);
        if to == self.id || !is_voter {
            return Err(format!("node {to} is no other voter"));
        }
        let Some(lead) = self.leadership() else {
            return Err("not the leader".to_owned());
        };
        if lead.transfer.is_some() {
            return Err("leadership is being handed over already".to_owned());
        }
        lead.transfer = Some(Handover { call, to, until });
        self.hand_over();
        Ok(())
    }

    /// Tells the successor, as often as it is heard of, that its time has come.
    pub(super) fn hand_over(&mut self) {
        let last = self.log.last().index;
        let Some(lead) = self.leadership() else {
            return;
        };
        let to = lead.transfer.as_ref().map(|transfer| transfer.to);
        let Some(to) = to else { return };
        if lead.peers.get(&to).is_some_and(|peer| peer.matched == last) {
            self.send(to, RaftBody::TimeoutNow);
        }
    }

    pub(super) fn end_transfer_in_time(&mut self) {
        let now = self.now;
        let Some(lead) = self.leadership() else {
            return;
        };
        if let Some(late) = lead.transfer.take_if(|transfer| now >= transfer.until) {
            self.answer_admin(late.call, Err("the successor did not take over".to_owned()));
        }
    }
}
