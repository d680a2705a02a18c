//! A leader that changes the voters in one step, without a joint membership, does so only after an entry
//! of its own term is committed (Ongaro's correction to section 4.1 of his thesis, raft-dev, 2015). Before
//! that there may be a change by another leader that it does not know, and a majority of each new set
//! without a node in common.
//!
//! Not checked: changes through a joint membership, which need no such rule.

use super::checker::ClusterChecker;
use super::cluster_view::ClusterView;
use crate::entry::EntryKind;
use crate::observation::{Observation, ObservedEvent};

/// Needs no memory of its own.
#[derive(Debug, Default)]
pub(super) struct OwnTermChange;

impl ClusterChecker for OwnTermChange {
    fn name(&self) -> &'static str {
        "change in the own term"
    }

    fn observe(&mut self, event: &ObservedEvent, before: &ClusterView) -> Result<(), String> {
        let (Observation::Appended { previous, entry }, Some(node)) =
            (&event.what, before.node(event.node))
        else {
            return Ok(());
        };
        let EntryKind::Membership(voters) = &entry.kind else {
            return Ok(());
        };
        let mut earlier = before.voters_for(*previous).into_iter();
        let in_one_step =
            voters.len() == 1 && earlier.all(|sets| sets.len() == 1 && sets != voters);
        // What is under a snapshot is committed, and its term is not known.
        let committed = node.log.id_at(node.committed).map(|id| id.term);
        match (node.leads, committed) {
            (Some(term), Some(committed)) if in_one_step && committed < term => Err(format!(
                "leads in term {term} and makes {voters:?} the voters, and has committed no entry of its term"
            )),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::script::EventScript;
    use crate::entry::EntryKind;

    fn change(sets: &[&[u64]]) -> EntryKind {
        let sets = sets.iter().map(|set| set.iter().copied().collect());
        EntryKind::Membership(sets.collect())
    }

    #[test]
    fn a_change_in_one_step_waits_for_an_entry_of_the_own_term() {
        let mut script = EventScript::founded(3);
        script.leads(1, 2).replicate(2, &[1, 2]);
        let mut early = script.clone();
        early.append_kind(1, 2, change(&[&[1, 2]]));
        assert_eq!(early.broken(), ["change in the own term"]);
        script.commit(1, 2).append_kind(1, 2, change(&[&[1, 2]]));
        assert_eq!(script.broken(), [""; 0]);
    }

    #[test]
    fn a_joint_membership_need_not_wait_nor_one_with_the_same_voters() {
        let mut script = EventScript::founded(3);
        script.leads(1, 2);
        script.append_kind(1, 2, change(&[&[1, 2, 3]]));
        script.append_kind(1, 2, change(&[&[1, 2, 3], &[1, 2]]));
        script.append_kind(1, 2, change(&[&[1, 2]]));
        assert_eq!(script.broken(), [""; 0]);
    }
}
