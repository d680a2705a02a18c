//! What a node knows never goes back (Raft paper, figure 2: the state on all servers):
//! - the term and the vote in it, across crashes: a vote that was said to be durable is found by the
//!   next process, and is not given to another node in the same term. Except to the node that has won
//!   that term: some engines save as a vote that they follow it, and no other node can win it any more;
//! - the committed index while a process lives, from the index that it found saved when it started;
//! - what is applied: a snapshot from elsewhere never replaces a newer state.
//!
//! Not promised, so not checked: that a process begins where the one before it was with what is
//! committed and applied. It may begin at its snapshot; what it applies then is compared with what all
//! nodes applied (state machine safety), and gaps are found (applied in order).

use std::collections::BTreeMap;

use super::checker::ClusterChecker;
use super::cluster_view::{ClusterView, NodeView};
use crate::entry::NodeId;
use crate::observation::{Observation, ObservedEvent};

/// Remembers who led in each term.
#[derive(Debug, Default)]
pub(super) struct NeverBack {
    leaders: BTreeMap<u64, NodeId>,
}

impl NeverBack {
    fn vote(&self, node: &NodeView, term: u64, vote: Option<NodeId>) -> Result<(), String> {
        let saved = node.saved_term;
        if term < saved {
            return Err(format!("is in term {term}, and term {saved} was durable"));
        }
        let won = self.leaders.get(&term).copied();
        if term > saved || node.voted_for.is_none() || vote == node.voted_for {
            return Ok(());
        }
        if vote.is_some() && vote == won {
            return Ok(());
        }
        let name = |vote: Option<NodeId>| vote.map_or("nobody".into(), |node| node.to_string());
        let (now, before) = (name(vote), name(node.voted_for));
        Err(format!(
            "voted for {now} in term {term}, and its vote for {before} was durable"
        ))
    }
}

impl ClusterChecker for NeverBack {
    fn name(&self) -> &'static str {
        "never back"
    }

    fn observe(&mut self, event: &ObservedEvent, before: &ClusterView) -> Result<(), String> {
        let Some(node) = before.node(event.node).filter(|node| !node.wiped) else {
            return Ok(());
        };
        match &event.what {
            Observation::Started(state) => self.vote(node, state.term, state.voted_for),
            Observation::VoteSaved { term, voted_for } => self.vote(node, *term, *voted_for),
            Observation::Leads { term } => {
                self.leaders.insert(*term, event.node);
                Ok(())
            }
            Observation::Committed { index } if *index < node.committed => {
                let known = node.committed;
                Err(format!(
                    "commits up to {index}, and did so up to {known} before"
                ))
            }
            Observation::SnapshotInstalled { last, .. } if last.index < node.applied.index => {
                let applied = node.applied;
                Err(format!(
                    "goes back from {applied} to the snapshot at {last}"
                ))
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::script::EventScript;
    use crate::entry::EntryId;
    use crate::observation::Observation;

    #[test]
    fn a_second_vote_in_a_term_breaks_it() {
        let mut script = EventScript::founded(3);
        script
            .vote(1, 5, None)
            .vote(1, 5, Some(2))
            .vote(1, 6, Some(3));
        assert_eq!(script.broken(), [""; 0]);
        script.vote(1, 6, Some(2));
        assert_eq!(script.broken(), ["never back"]);
    }

    #[test]
    fn a_vote_may_turn_into_following_the_winner() {
        let mut script = EventScript::founded(3);
        script.vote(1, 5, Some(2)).leads(3, 5).vote(1, 5, Some(3));
        assert_eq!(script.broken(), [""; 0]);
    }

    #[test]
    fn a_vote_or_term_that_a_restart_forgets_breaks_it() {
        let mut script = EventScript::founded(3);
        script.vote(1, 5, Some(2)).crash(1);
        for (term, voted_for, broken) in [
            (5, Some(2), &[][..]),
            (6, None, &[]),
            (4, Some(2), &["never back"]),
            (5, None, &["never back"]),
            (5, Some(1), &["never back"]),
        ] {
            let mut script = script.clone();
            script.restart_with(1, |state| (state.term, state.voted_for) = (term, voted_for));
            assert_eq!(script.broken(), broken);
        }
    }

    #[test]
    fn a_wiped_node_may_begin_anew() {
        let mut script = EventScript::founded(3);
        script.vote(1, 5, Some(2)).crash(1);
        script.at(1, Observation::Wiped);
        script.restart_with(1, |state| *state = Default::default());
        assert_eq!(script.broken(), [""; 0]);
    }

    #[test]
    fn a_committed_index_that_falls_breaks_it() {
        let mut script = EventScript::founded(3);
        script
            .leads(1, 2)
            .replicate(2, &[1, 2])
            .commit(1, 2)
            .commit(1, 2);
        assert_eq!(script.broken(), [""; 0]);
        script.commit(1, 1);
        assert_eq!(script.broken(), ["never back"]);
    }

    #[test]
    fn a_snapshot_that_is_older_than_the_state_breaks_it() {
        let mut script = EventScript::founded(3);
        script
            .leads(1, 2)
            .replicate(2, &[1, 2])
            .commit(1, 2)
            .apply(1, 2);
        let install = |id, state| Observation::SnapshotInstalled { last: id, state };
        let mut same = script.clone();
        same.at(1, install(EntryId::new(2, 2), EventScript::state_at(2)));
        assert_eq!(same.broken(), [""; 0]);
        script.at(1, install(EntryId::new(0, 1), EventScript::state_at(1)));
        assert_eq!(script.broken(), ["never back"]);
    }
}
