//! Leader completeness: an entry that was committed in a term is in the logs of the leaders of all later
//! terms (Raft paper, figure 3 and section 5.4).
//!
//! The term of the node that says first that an entry is committed stands for the term in which it was
//! committed. It may be later than that, and then a leader between the two is not asked.
//! Not checked: entries under a leader's snapshot.

use super::checker::ClusterChecker;
use super::cluster_view::{ClusterView, NodeView};
use crate::entry::NodeId;
use crate::observation::{Observation, ObservedEvent};

/// Needs no memory of its own.
#[derive(Debug, Default)]
pub(super) struct LeaderCompleteness;

/// A new leader has what was committed before its term.
fn new_leader(term: u64, leader: &NodeView, view: &ClusterView) -> Result<(), String> {
    let committed = view.all_committed().iter();
    let mut earlier = committed.filter(|entry| entry.said_in < term);
    match earlier.find(|entry| !leader.has(entry.id)) {
        None => Ok(()),
        Some(entry) => Err(format!(
            "leads in term {term} without entry {}, which was committed by term {}",
            entry.id, entry.said_in
        )),
    }
}

/// Those that lead in later terms have what `node` says to be committed now, up to `index`.
fn late_news(node: NodeId, index: u64, view: &ClusterView) -> Result<(), String> {
    let Some(sayer) = view.node(node) else {
        return Ok(());
    };
    let new = view.last_committed() + 1..=index;
    for id in new.filter_map(|index| sayer.log.id_at(index)) {
        let mut nodes = view.nodes.iter();
        let lacks = |leader: &NodeView| leader.leads > Some(sayer.term) && !leader.has(id);
        if let Some((leader, _)) = nodes.find(|(_, leader)| lacks(leader)) {
            let term = sayer.term;
            return Err(format!(
                "entry {id} is committed by term {term}, and node {leader} leads later without it"
            ));
        }
    }
    Ok(())
}

impl ClusterChecker for LeaderCompleteness {
    fn name(&self) -> &'static str {
        "leader completeness"
    }

    fn observe(&mut self, event: &ObservedEvent, before: &ClusterView) -> Result<(), String> {
        match event.what {
            Observation::Leads { term } => match before.node(event.node) {
                Some(leader) => new_leader(term, leader, before),
                None => new_leader(term, &NodeView::default(), before),
            },
            Observation::Committed { index } => late_news(event.node, index, before),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::script::EventScript;
    use crate::observation::Observation;

    #[test]
    fn a_later_leader_without_a_committed_entry_breaks_it() {
        let mut script = EventScript::founded(3);
        script.leads(1, 2).replicate(2, &[1, 2]).commit(1, 2);
        script.leads(2, 3);
        assert_eq!(script.broken(), [""; 0]);
        script.leads(3, 4);
        assert_eq!(script.broken(), ["leader completeness"]);
    }

    #[test]
    fn a_leader_of_an_earlier_term_that_learns_late_of_its_election_need_not_have_it() {
        let mut script = EventScript::founded(3);
        script.vote(2, 3, Some(3)).vote(3, 3, Some(3));
        script.leads(1, 4).replicate(4, &[1, 2]).commit(1, 2);
        script.leads(3, 3);
        assert_eq!(script.broken(), [""; 0]);
    }

    #[test]
    fn a_commitment_that_is_said_after_the_later_election_breaks_it_too() {
        let mut script = EventScript::founded(3);
        script.leads(1, 2).replicate(2, &[1, 2]);
        script.vote(2, 4, Some(3)).vote(3, 4, Some(3));
        script.at(3, Observation::Leads { term: 4 });
        assert_eq!(script.broken(), [""; 0]);
        script.commit(1, 2);
        assert_eq!(script.broken(), ["leader completeness"]);
    }
}
