//! What is committed is on a quorum: when a node says first that an entry is committed, the disks of a
//! majority of voters have acknowledged it, in the log or in a snapshot that covers it (Raft paper,
//! section 5.3; for two sets of voters section 6).
//!
//! A leader counts answers that followers sent after their disks had acknowledged, and an engine says
//! `Flushed` at that moment. So the observations of a quorum come before the leader's, whatever the
//! network does, and nothing has to be waited for. Three things make the check weaker than the truth:
//! - the voters may be those of any membership that was in force at the entry or after it in a log that
//!   has the entry: which of them the leader went by is not said;
//! - a disk that was wiped after it had acknowledged counts until its node starts again: the leader
//!   cannot know;
//! - only the last of several new entries is looked at: log matching answers for those before it.

use super::checker::ClusterChecker;
use super::cluster_view::ClusterView;
use crate::entry::{EntryId, NodeId};
use crate::observation::{Observation, ObservedEvent};

/// Needs no memory of its own.
#[derive(Debug, Default)]
pub(super) struct CommittedOnQuorum;

impl CommittedOnQuorum {
    /// `reads_back` has started and found the entry on its disk.
    fn require(
        index: u64,
        id: Option<EntryId>,
        reads_back: Option<NodeId>,
        view: &ClusterView,
    ) -> Result<(), String> {
        let Some(id) = id else {
            return Err(format!(
                "takes index {index} for committed, and has no entry there"
            ));
        };
        let mut holders = view.holders(id);
        holders.extend(reads_back);
        view.require_quorum(id, &holders)
    }
}

impl ClusterChecker for CommittedOnQuorum {
    fn name(&self) -> &'static str {
        "committed on a quorum"
    }

    fn observe(&mut self, event: &ObservedEvent, before: &ClusterView) -> Result<(), String> {
        match &event.what {
            Observation::Committed { index } if *index > before.last_committed() => {
                let id = before
                    .node(event.node)
                    .and_then(|node| node.log.id_at(*index));
                Self::require(*index, id, None, before)
            }
            // What it has saved to be committed, and died before it said so.
            Observation::Started(state) if state.committed > before.last_committed() => {
                let place = state.committed.checked_sub(state.purged.index + 1);
                let place = place.and_then(|place| usize::try_from(place).ok());
                let id = place
                    .and_then(|place| state.log.get(place))
                    .map(|entry| entry.id);
                Self::require(state.committed, id, Some(event.node), before)
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::script::EventScript;
    use crate::entry::EntryKind;

    #[test]
    fn an_entry_that_is_not_durable_on_a_majority_breaks_it() {
        let mut script = EventScript::founded(3);
        script.leads(1, 2).append(1, 2).append(2, 2).flush(1);
        let mut early = script.clone();
        early.commit(1, 2);
        assert_eq!(early.broken(), ["committed on a quorum"]);
        script.flush(2).commit(1, 2);
        assert_eq!(script.broken(), [""; 0]);
    }

    #[test]
    fn two_sets_of_voters_need_two_majorities() {
        let mut script = EventScript::founded(5);
        let joint = vec![[1, 2, 3].into(), [3, 4, 5].into()];
        script.leads(1, 2);
        for node in [1, 2, 3] {
            script.append_kind(node, 2, EntryKind::Membership(joint.clone()));
            script.append(node, 2).flush(node);
        }
        let mut early = script.clone();
        early.commit(1, 3);
        assert_eq!(early.broken(), ["committed on a quorum"]);
        script.append_kind(4, 2, EntryKind::Membership(joint));
        script.append(4, 2).flush(4).commit(1, 3);
        assert_eq!(script.broken(), [""; 0]);
    }

    #[test]
    fn a_disk_that_forgot_an_entry_that_was_removed_does_not_count() {
        let mut script = EventScript::founded(3);
        script.append(2, 1).flush(2).truncate(2, 1);
        script.leads(1, 2).append(1, 2).append(2, 2).flush(1);
        script.commit(1, 2);
        assert_eq!(script.broken(), ["committed on a quorum"]);
    }

    #[test]
    fn a_saved_commitment_counts_as_said() {
        let mut script = EventScript::founded(3);
        script.leads(1, 2).append(1, 2).flush(1).crash(1);
        let mut alone = script.clone();
        alone.restart_with(1, |state| state.committed = 2);
        assert_eq!(alone.broken(), ["committed on a quorum"]);
        script.append(2, 2).flush(2);
        script.restart_with(1, |state| state.committed = 2);
        assert_eq!(script.broken(), [""; 0]);
    }
}
