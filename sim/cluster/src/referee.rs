//! Takes in what replicas did: tells the checkers, counts, and springs the traps of aimed actions.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::chaos::{MachineStrike, Trigger};
use crate::checkers::{Checkers, ClusterViolation};
use crate::entry::{EntryId, EntryKind, NodeId};
use crate::fold::Fold;
use crate::observation::{Observation, ObservedEvent};

/// An aimed action that waits for its observation.
#[derive(Clone, Debug)]
pub(crate) struct Trap {
    pub(crate) when: Trigger,
    pub(crate) machine: Option<u64>,
    pub(crate) after_us: u64,
    pub(crate) strike: MachineStrike,
}

/// A trap that was sprung by a machine.
#[derive(Clone, Debug)]
pub(crate) struct Sprung {
    pub(crate) machine: u64,
    pub(crate) after_us: u64,
    pub(crate) strike: MachineStrike,
}

/// How many observations there were of some kinds.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct SeenCounts {
    pub(crate) elections: u64,
    pub(crate) snapshots_built: u64,
    pub(crate) snapshots_installed: u64,
    pub(crate) applied: u64,
}

/// Sees all observations of a run.
#[derive(Default)]
pub(crate) struct Referee {
    checkers: Checkers,
    pub(crate) violations: Vec<ClusterViolation>,
    pub(crate) events: Vec<ObservedEvent>,
    hash: Fold,
    traps: Vec<Trap>,
    pub(crate) sprung: Vec<Sprung>,
    /// The nodes whose replica gave up, with what it said.
    pub(crate) stopped: Vec<(NodeId, String)>,
    pub(crate) seen: SeenCounts,
    /// The first entry after what was purged, and the last, of each log.
    logs: BTreeMap<NodeId, (u64, u64)>,
    /// The newest membership that any log had.
    newest: (EntryId, Vec<BTreeSet<NodeId>>),
}

impl fmt::Debug for Referee {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Referee");
        debug.field("violations", &self.violations);
        debug.finish_non_exhaustive()
    }
}

impl Referee {
    /// Takes in what a node did; `machine` is where it runs.
    pub(crate) fn observe(&mut self, event: ObservedEvent, machine: Option<u64>) {
        self.hash.number(event.at);
        self.hash.number(event.node);
        self.hash.value(&event.what);
        self.violations.extend(self.checkers.observe(&event));
        self.follow(&event);
        if let Some(machine) = machine.filter(|_| !self.traps.is_empty()) {
            self.spring(&event.what, machine);
        }
        self.events.push(event);
    }

    fn follow(&mut self, event: &ObservedEvent) {
        let seen = &mut self.seen;
        match &event.what {
            Observation::Leads { .. } => seen.elections += 1,
            Observation::SnapshotBuilt { .. } => seen.snapshots_built += 1,
            Observation::SnapshotInstalled { .. } => seen.snapshots_installed += 1,
            Observation::Applied { .. } => seen.applied += 1,
            Observation::Stopped { error } => self.stopped.push((event.node, error.clone())),
            Observation::Started(state) => {
                let first = state.purged.index + 1;
                let last = state
                    .log
                    .last()
                    .map_or(state.purged.index, |entry| entry.id.index);
                self.logs.insert(event.node, (first, last));
            }
            Observation::Appended { entry, .. } => {
                let log = self.logs.entry(event.node).or_insert((1, 0));
                log.1 = entry.id.index;
                if let EntryKind::Membership(voters) = &entry.kind
                    && entry.id >= self.newest.0
                {
                    self.newest = (entry.id, voters.clone());
                }
            }
            Observation::Truncated { after } => {
                self.logs.entry(event.node).or_insert((1, 0)).1 = *after;
            }
            Observation::Purged { upto } => {
                let log = self.logs.entry(event.node).or_insert((1, 0));
                log.0 = upto.index + 1;
                log.1 = log.1.max(upto.index);
            }
            _ => {}
        }
    }

    /// How many entries the log of a node holds.
    pub(crate) fn entries_of(&self, node: NodeId) -> u64 {
        let log = self.logs.get(&node);
        log.map_or(0, |(first, last)| (last + 1).saturating_sub(*first))
    }

    /// The voters by the newest membership that any log had, if it is no joint one.
    pub(crate) fn newest_voters(&self) -> Option<&BTreeSet<NodeId>> {
        match self.newest.1.as_slice() {
            [voters] => Some(voters),
            _ => None,
        }
    }

    pub(crate) fn set_trap(&mut self, trap: Trap) {
        self.traps.push(trap);
    }

    /// Nothing that is observed has consequences any more.
    pub(crate) fn clear_traps(&mut self) {
        self.traps.clear();
        self.sprung.clear();
    }

    fn spring(&mut self, what: &Observation, machine: u64) {
        let sprung = &mut self.sprung;
        self.traps.retain(|trap| {
            let waits = trap.machine.is_some_and(|other| other != machine);
            if waits || !is_met(trap.when, what) {
                return true;
            }
            sprung.push(Sprung {
                machine,
                after_us: trap.after_us,
                strike: trap.strike.clone(),
            });
            false
        });
    }

    pub(crate) fn violation(&mut self, at: u64, node: NodeId, checker: &'static str, text: String) {
        self.violations.push(ClusterViolation {
            at,
            node,
            checker,
            text,
        });
    }

    /// The run is over: asks every checker for its last word.
    pub(crate) fn finish(&mut self) {
        self.violations.extend(self.checkers.finish());
    }

    pub(crate) fn hash(&self) -> u64 {
        self.hash.hash()
    }
}

fn is_met(trigger: Trigger, what: &Observation) -> bool {
    match trigger {
        Trigger::SavesVote => matches!(what, Observation::VoteSaved { .. }),
        Trigger::Appends => matches!(what, Observation::Appended { .. }),
        Trigger::Flushes => matches!(what, Observation::Flushed { .. }),
        Trigger::Truncates => matches!(what, Observation::Truncated { .. }),
        Trigger::Purges => matches!(what, Observation::Purged { .. }),
        Trigger::BuildsSnapshot => matches!(what, Observation::SnapshotBuilt { .. }),
        Trigger::InstallsSnapshot => matches!(what, Observation::SnapshotInstalled { .. }),
        Trigger::ChangesMembership => matches!(
            what,
            Observation::Appended { entry, .. } if matches!(entry.kind, EntryKind::Membership(_))
        ),
        Trigger::BecomesLeader => matches!(what, Observation::Leads { .. }),
        Trigger::Commits => matches!(what, Observation::Committed { .. }),
        Trigger::Starts => matches!(what, Observation::Started(_)),
    }
}
