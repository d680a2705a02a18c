//! Who leads was elected: when a node says first that it leads in a term, the disks of a majority of the
//! voters have its votes, given in that term (Raft paper, section 5.2, and figure 2 for what is durable
//! before it is answered). The voters are those of the last membership in its log.
//!
//! A node says `VoteSaved` before it answers, so the observations of a quorum come before the leader's.

use std::collections::{BTreeMap, BTreeSet};

use super::checker::ClusterChecker;
use super::cluster_view::ClusterView;
use crate::entry::NodeId;
use crate::observation::{Observation, ObservedEvent};

/// Remembers who has voted for whom, and who has led.
#[derive(Debug, Default)]
pub(super) struct ElectedByQuorum {
    led: BTreeSet<(u64, NodeId)>,
    votes: BTreeMap<(u64, NodeId), BTreeSet<NodeId>>,
}

impl ElectedByQuorum {
    fn vote(&mut self, node: NodeId, term: u64, voted_for: Option<NodeId>) {
        if let Some(candidate) = voted_for {
            self.votes
                .entry((term, candidate))
                .or_default()
                .insert(node);
        }
    }
}

impl ClusterChecker for ElectedByQuorum {
    fn name(&self) -> &'static str {
        "elected by a quorum"
    }

    fn observe(&mut self, event: &ObservedEvent, before: &ClusterView) -> Result<(), String> {
        match &event.what {
            // A process may have died before it could say that its vote was saved.
            Observation::Started(state) => self.vote(event.node, state.term, state.voted_for),
            Observation::VoteSaved { term, voted_for } => self.vote(event.node, *term, *voted_for),
            Observation::Leads { term } if self.led.insert((*term, event.node)) => {
                let votes = self.votes.get(&(*term, event.node));
                let votes = votes.cloned().unwrap_or_default();
                let has_majority =
                    |set: &BTreeSet<NodeId>| set.intersection(&votes).count() * 2 > set.len();
                if let Some(voters) = before.voters_of(event.node)
                    && !voters.iter().all(has_majority)
                {
                    return Err(format!(
                        "leads in term {term} by votes of {votes:?} that are durable, of the voters {voters:?}"
                    ));
                }
            }
            _ => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::script::EventScript;
    use crate::observation::Observation;

    #[test]
    fn votes_of_another_term_or_for_another_node_elect_nobody() {
        let mut script = EventScript::founded(3);
        script
            .vote(1, 5, Some(1))
            .vote(2, 4, Some(1))
            .vote(3, 5, Some(3));
        let mut early = script.clone();
        early.at(1, Observation::Leads { term: 5 });
        assert_eq!(early.broken(), ["elected by a quorum"]);
        script
            .vote(2, 5, Some(1))
            .at(1, Observation::Leads { term: 5 });
        assert_eq!(script.broken(), [""; 0]);
    }
}
