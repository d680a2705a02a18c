//! Replication: the leader sends what a follower lacks; the follower makes its log the leader's.

use std::sync::Arc;

use super::super::bug::PlantedBug;
use super::super::message::RaftBody;
use super::super::record::{RaftRecord, SmallEntry};
use super::output::RaftOutput;
use super::state::{HEARTBEAT, RaftCore};
use crate::entry::{EntryId, NodeId};

/// How many entries one message carries at most.
const MOST_ENTRIES: usize = 8;
/// How many entries may be on their way to a follower.
const MOST_UNANSWERED: u64 = 32;

impl RaftCore {
    /// Sends new entries to all that are known to lack them.
    pub(super) fn replicate(&mut self) {
        for to in self.others() {
            self.send_missing(to);
        }
    }

    /// Begins a round of heartbeats; its number.
    pub(super) fn heartbeat(&mut self) -> u64 {
        let at = self.now + HEARTBEAT;
        let Some(lead) = self.leadership() else {
            return 0;
        };
        lead.round += 1;
        lead.heartbeat_at = at;
        let round = lead.round;
        for to in self.others() {
            if !self.send_missing(to) {
                self.send_entries(to, 0);
            }
        }
        round
    }

    /// Sends entries or a snapshot, if the node lacks some. Whether it did.
    fn send_missing(&mut self, to: NodeId) -> bool {
        // Its bug is another one: what this leader has sent it will not lose.
        let last = if self.has_bug(PlantedBug::RestartedLeaderWithStaleState) {
            self.log.durable().index
        } else {
            self.log.last().index
        };
        let (now, purged) = (self.now, self.log.purged().index);
        let Some(peer) = self.leadership().and_then(|lead| lead.peers.get_mut(&to)) else {
            return false;
        };
        if peer.installing_until.is_some_and(|until| now < until) {
            return false;
        }
        if peer.next <= purged {
            peer.installing_until = Some(now + 4 * HEARTBEAT);
            return self.send_snapshot(to);
        }
        if peer.next > last || peer.next > peer.matched + MOST_UNANSWERED {
            return false;
        }
        let most = usize::try_from(last + 1 - peer.next).unwrap_or(MOST_ENTRIES);
        self.send_entries(to, most.min(MOST_ENTRIES));
        true
    }

    fn send_snapshot(&mut self, to: NodeId) -> bool {
        let (Some(snapshot), Some(lead)) = (self.snapshot.clone(), self.leadership()) else {
            return false;
        };
        let round = lead.round;
        self.send(to, RaftBody::Install { snapshot, round });
        true
    }

    /// Sends at most `most` entries, which the node is taken to get.
    fn send_entries(&mut self, to: NodeId, most: usize) {
        let (purged, commit) = (self.log.purged().index, self.commit);
        let Some(lead) = self.leadership() else {
            return;
        };
        let round = lead.round;
        let Some(peer) = lead.peers.get_mut(&to) else {
            return;
        };
        let before = (peer.next - 1).max(purged);
        let entries = self.log.from(before + 1, most);
        let sent = entries.len() as u64;
        if let Some(peer) = self.leadership().and_then(|lead| lead.peers.get_mut(&to)) {
            peer.next += sent;
        }
        let term = self.log.term_at(before).unwrap_or(0);
        self.send(
            to,
            RaftBody::Append {
                previous: EntryId::new(term, before),
                entries,
                commit,
                round,
            },
        );
    }

    /// A follower got entries of the leader of its term.
    pub(super) fn receive_entries(
        &mut self,
        from: NodeId,
        previous: EntryId,
        entries: Vec<Arc<SmallEntry>>,
        commit: u64,
        round: u64,
    ) {
        let purged = self.log.purged().index;
        // What is purged is committed, so the leader has the same.
        if previous.index > purged && !self.log.has(previous) {
            let hint = self.where_to_try(previous.index);
            self.send_durable(from, RaftBody::Conflict { hint, round });
            return;
        }
        let matched = previous.index + entries.len() as u64;
        if self.has_bug(PlantedBug::CommitIndexDurableBeforeEntries)
            && commit.min(matched) > self.commit
        {
            let index = commit.min(matched);
            self.record(RaftRecord::Committed { index });
            self.outputs.push(RaftOutput::OwnWrite);
        }
        for entry in entries {
            let EntryId { index, .. } = entry.id;
            if index <= purged || self.log.has(entry.id) {
                continue;
            }
            if index <= self.log.last().index {
                self.truncate(index - 1);
            }
            self.append(entry);
        }
        self.commit_upto(commit.min(matched));
        let appended = RaftBody::Appended { matched, round };
        let is_believed = self.has_bug(PlantedBug::FlushCallbacksOutOfOrder)
            && self.log.durable().index >= matched;
        if is_believed || self.has_bug(PlantedBug::AppendAcknowledgedBeforeFlush) {
            self.send(from, appended);
        } else {
            self.send_durable(from, appended);
        }
    }

    /// An index at which the logs may agree, if they do not at `index`: before the end of the log, and
    /// before the entries of a term that the leader does not have there.
    fn where_to_try(&self, index: u64) -> u64 {
        let last = self.log.last().index;
        let hint = if index > last {
            last
        } else {
            self.log.first_of_term(index) - 1
        };
        hint.max(self.commit.min(last))
    }

    /// A follower has what the leader has up to `matched`.
    pub(super) fn acknowledged(&mut self, from: NodeId, matched: u64, round: u64) {
        let now = self.now;
        let (last, purged) = (self.log.last().index, self.log.purged().index);
        let Some(peer) = self.leadership().and_then(|lead| lead.peers.get_mut(&from)) else {
            return;
        };
        peer.heard = now;
        peer.round = peer.round.max(round);
        peer.matched = peer.matched.max(matched.min(last));
        peer.next = peer.next.max(peer.matched + 1);
        if peer.next > purged {
            peer.installing_until = None;
        }
        self.count_commit();
        self.confirm_reads();
        self.send_missing(from);
        self.hand_over();
        self.change_on();
    }

    /// A follower lacks the entry before those that were sent.
    pub(super) fn conflicted(&mut self, from: NodeId, hint: u64, round: u64) {
        let now = self.now;
        let Some(peer) = self.leadership().and_then(|lead| lead.peers.get_mut(&from)) else {
            return;
        };
        peer.heard = now;
        peer.round = peer.round.max(round);
        // A late answer must not take back what is known by now.
        peer.next = (hint + 1).clamp(peer.matched + 1, peer.next.max(peer.matched + 1));
        self.confirm_reads();
        self.send_missing(from);
    }
}
