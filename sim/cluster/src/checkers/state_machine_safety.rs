//! State machine safety: no two nodes apply different entries at one index (Raft paper, figure 3 and
//! section 5.4.3), nor call different entries committed; and after the same entries the states are equal.
//!
//! Not checked: that the state is the right one. The history of the clients tells that.

use super::checker::ClusterChecker;
use super::cluster_view::ClusterView;
use crate::entry::{EntryId, ObservedEntry};
use crate::observation::{Observation, ObservedEvent};

/// Needs no memory of its own.
#[derive(Debug, Default)]
pub(super) struct StateMachineSafety;

fn applied(entry: &ObservedEntry, state: u64, view: &ClusterView) -> Result<(), String> {
    let ObservedEntry { id, kind } = entry;
    committed(*id, view)?;
    let Some((known, known_state)) = view.applied(id.index) else {
        return Ok(());
    };
    if known != entry {
        let elsewhere = format!("{}, {:?}", known.id, known.kind);
        return Err(format!(
            "applies {id}, {kind:?}, and elsewhere {elsewhere} was applied"
        ));
    }
    if *known_state != state {
        return Err(format!(
            "state {state:x} comes after entry {id}, and elsewhere {known_state:x}"
        ));
    }
    Ok(())
}

fn committed(id: EntryId, view: &ClusterView) -> Result<(), String> {
    match view.committed(id.index) {
        Some(known) if known.id != id => Err(format!(
            "takes {id} for committed, and elsewhere {} was committed",
            known.id
        )),
        _ => Ok(()),
    }
}

impl ClusterChecker for StateMachineSafety {
    fn name(&self) -> &'static str {
        "state machine safety"
    }

    fn observe(&mut self, event: &ObservedEvent, before: &ClusterView) -> Result<(), String> {
        match &event.what {
            Observation::Started(state) => {
                let known = state.log.iter().map(|entry| entry.id);
                let mut known = known.take_while(|id| id.index <= state.committed);
                known.try_for_each(|id| committed(id, before))?;
                committed(state.applied, before)
            }
            Observation::Committed { index } => {
                let Some(node) = before.node(event.node) else {
                    return Ok(());
                };
                let new = node.committed + 1..=*index;
                let mut ids = new.filter_map(|index| node.log.id_at(index));
                ids.try_for_each(|id| committed(id, before))
            }
            Observation::Applied { entry, state } => applied(entry, *state, before),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::script::EventScript;

    fn one_is_committed() -> EventScript {
        let mut script = EventScript::founded(3);
        script.leads(1, 2).replicate(2, &[1, 2]).commit(1, 2);
        script
    }

    #[test]
    fn a_node_that_calls_another_entry_committed_breaks_it() {
        let mut script = one_is_committed();
        script.append(3, 1).commit(3, 2);
        assert_eq!(script.broken(), ["state machine safety"]);
        let mut script = one_is_committed();
        script.append(3, 2).commit(3, 2);
        assert_eq!(script.broken(), [""; 0]);
    }

    #[test]
    fn states_that_differ_after_one_entry_break_it() {
        let mut script = one_is_committed();
        script.apply(1, 2).commit(2, 2).apply(2, 2);
        assert_eq!(script.broken(), [""; 0]);
        let mut script = one_is_committed();
        script.apply(1, 2).commit(2, 2).apply_to(2, 2, 99);
        assert_eq!(script.broken(), ["state machine safety"]);
    }
}
