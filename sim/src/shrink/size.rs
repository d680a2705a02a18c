//! How large a history is: what a reader has to hold in mind, what matters most first.

use std::fmt;

use serde::Serialize;
use serde_json::Value;

use crate::plural::counted;
use crate::scenario::{Around, CrashKind, LogSettings, Script, Step, Survivors};

use super::draft::Draft;

/// The parts of a history that a reader counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Size {
    /// Commands; those of a group, of a close or between the steps of a checkpoint each count.
    pub commands: usize,
    /// Kills and power cuts, between two commands or in one.
    pub crashes: usize,
    /// Faults.
    pub faults: usize,
}

impl Size {
    /// The size of a script.
    #[must_use]
    pub fn of(script: &Script) -> Self {
        let crashes = script.steps.iter().filter(|step| is_crash(step)).count();
        Size {
            commands: commands(&script.steps),
            crashes: crashes + script.crashes.len(),
            faults: script.faults.len(),
        }
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&counted(self.commands as u64, "command", "commands"))?;
        if self.crashes > 0 {
            let crashes = counted(self.crashes as u64, "crash", "crashes");
            write!(f, ", {crashes}")?;
        }
        if self.faults > 0 {
            let faults = counted(self.faults as u64, "fault", "faults");
            write!(f, ", {faults}")?;
        }
        Ok(())
    }
}

/// Whether a step is the end of a process and no command.
pub(super) fn is_crash(step: &Step) -> bool {
    matches!(step, Step::Kill | Step::PowerCut { .. })
}

fn commands(steps: &[Step]) -> usize {
    steps
        .iter()
        .filter(|step| !is_crash(step))
        .map(weight)
        .sum()
}

fn weight(step: &Step) -> usize {
    match step {
        Step::Concurrent(round) => usize::from(round.around != Around::Flush) + round.ops.len(),
        _ => 1,
    }
}

/// What decides between two drafts that fail alike: the smaller one is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Order {
    /// Commands, crashes and faults together, then each.
    all: usize,
    crashes: usize,
    faults: usize,
    /// Power cuts and crashes in the middle of a call: those between two commands are plainer.
    hard_crashes: usize,
    /// What has to be said about what survived.
    left: usize,
    profile: usize,
    /// Settings that are not the default ones.
    settings: usize,
    /// Concurrent steps.
    wrapped: usize,
    /// Bytes of all ops, as JSON.
    bytes: usize,
    /// All numbers in them.
    numbers: u64,
}

impl Order {
    pub(super) fn of(draft: &Draft) -> Self {
        let steps: Vec<Step> = draft.steps().cloned().collect();
        let processes = || draft.step_faults.iter().flat_map(|entry| &entry.processes);
        let between = steps.iter().filter(|step| is_crash(step)).count();
        let inside = processes().filter_map(|process| process.crash.as_ref());
        let crashes = between + inside.clone().count();
        let faults: usize = processes().map(|process| process.faults.len()).sum();
        let cuts = steps
            .iter()
            .filter(|step| matches!(step, Step::PowerCut { .. }))
            .count();
        let inside = inside.map(|crash| 2 + usize::from(crash.kind == CrashKind::PowerCut));
        let ops = steps.iter().flat_map(Step::ops);
        let ops: Vec<Value> = ops.map(|op| op.to_json()).collect();
        Order {
            all: commands(&steps) + crashes + faults,
            crashes,
            faults,
            hard_crashes: cuts + inside.sum::<usize>(),
            left: processes()
                .filter_map(|process| process.left.as_ref())
                .map(|left| match left {
                    Survivors::Named(set) => set.size(),
                    Survivors::Numbered(_) => 0,
                })
                .sum(),
            profile: draft.profile as usize,
            settings: unusual(&draft.log),
            wrapped: wrapped(&steps),
            bytes: ops.iter().map(|op| op.to_string().len()).sum(),
            numbers: ops.iter().map(numbers).fold(0, u64::saturating_add),
        }
    }
}

fn unusual(log: &LogSettings) -> usize {
    let plain = LogSettings::default();
    [
        log.preallocate_bytes != plain.preallocate_bytes,
        log.batch_bytes != plain.batch_bytes,
        log.batch_events != plain.batch_events,
        log.flush_interval_ms != plain.flush_interval_ms,
        log.requeue_in_flight != plain.requeue_in_flight,
        log.keep_old_snapshots != plain.keep_old_snapshots,
    ]
    .into_iter()
    .filter(|unusual| *unusual)
    .count()
}

fn wrapped(steps: &[Step]) -> usize {
    let wraps = steps.iter().map(|step| match step {
        // Ops between two steps of a checkpoint are plainer than in the middle of one.
        Step::Concurrent(round) => 1 + usize::from(!round.during_write().is_empty()),
        _ => 0,
    });
    wraps.sum()
}

fn numbers(value: &Value) -> u64 {
    match value {
        Value::Number(number) => number.as_u64().unwrap_or(0),
        Value::Array(items) => items.iter().map(numbers).fold(0, u64::saturating_add),
        Value::Object(fields) => fields.values().map(numbers).fold(0, u64::saturating_add),
        _ => 0,
    }
}
