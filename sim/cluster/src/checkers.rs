//! What must hold of the observations of a run, one promise a checker.

use std::collections::BTreeMap;

use crate::entry::{EntryId, NodeId};
use crate::observation::{Observation, ObservedEvent};

/// One promise. It is told of every observation in order, and says when it was broken.
pub trait ClusterChecker: Send {
    /// What it is called.
    fn name(&self) -> &'static str;

    /// Something was observed.
    ///
    /// # Errors
    /// It breaks the promise; the text says how.
    fn observe(&mut self, event: &ObservedEvent) -> Result<(), String>;

    /// The run is over, and all nodes agree.
    ///
    /// # Errors
    /// The promise was broken; the text says how.
    fn finish(&mut self) -> Result<(), String> {
        Ok(())
    }
}

/// One of each.
#[must_use]
pub fn all_checkers() -> Vec<Box<dyn ClusterChecker>> {
    vec![
        Box::new(ElectionSafety::default()),
        Box::new(StateMachineSafety::default()),
    ]
}

/// At most one leader a term.
#[derive(Debug, Default)]
struct ElectionSafety(BTreeMap<u64, NodeId>);

impl ClusterChecker for ElectionSafety {
    fn name(&self) -> &'static str {
        "election safety"
    }

    fn observe(&mut self, event: &ObservedEvent) -> Result<(), String> {
        let Observation::Leads { term } = event.what else {
            return Ok(());
        };
        match *self.0.entry(term).or_insert(event.node) {
            leader if leader == event.node => Ok(()),
            leader => Err(format!(
                "nodes {leader} and {} lead in term {term}",
                event.node
            )),
        }
    }
}

/// At one index all nodes apply the same entry.
#[derive(Debug, Default)]
struct StateMachineSafety(BTreeMap<u64, (EntryId, u64, NodeId)>);

impl ClusterChecker for StateMachineSafety {
    fn name(&self) -> &'static str {
        "state machine safety"
    }

    fn observe(&mut self, event: &ObservedEvent) -> Result<(), String> {
        let Observation::Applied { entry, state } = &event.what else {
            return Ok(());
        };
        let applied = (entry.id, *state, event.node);
        let first = *self.0.entry(entry.id.index).or_insert(applied);
        match (first.0, first.1) == (applied.0, applied.1) {
            true => Ok(()),
            false => Err(format!(
                "node {} applied {} and reached state {:x}, node {} {} and {:x}",
                first.2, first.0, first.1, applied.2, applied.0, applied.1
            )),
        }
    }
}
