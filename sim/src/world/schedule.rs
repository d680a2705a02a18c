//! Where in a run something happens: the step, the process in it, and the call inside the process.
//!
//! ```text
//! step      0 is the first opening, then each step of the script, then the last look
//!   process   0 begins with the step; one more after each crash in it
//!     call      counted from 1, from where the process's part of the step begins
//! ```
//!
//! So a step that is taken out of a history, or one that makes more calls than before, leaves the
//! faults and crashes of all others where they were.

use beaver_disk::{Choice, DiskEvent, ImageSpace, SurvivorSet};

use crate::faults::files::snapshot_epoch;
use crate::faults::{Director, rot};
use crate::oracle::damage::Files;
use crate::scenario::{
    Effect, FaultKind, FaultRate, Phase, PlannedCrash, PlannedFault, Survivors, Target,
};
use crate::stream::Stream;

use super::World;

/// How closely a script is followed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum ReplayMode {
    /// As it says.
    #[default]
    Exact,
    /// Every power cut leaves everything.
    Everything,
    /// Every power cut leaves what was synced.
    Nothing,
    /// What power cuts leave, and where damage strikes, is drawn anew from the seed of the run.
    Drawn(u64),
}

/// The part of a process in a step that is under way.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Part {
    /// Nothing before the first opening.
    step: Option<u32>,
    process: u32,
    /// The last storage call before it.
    pub(super) calls: u64,
    /// How many faults had been decided before it.
    faults: usize,
}

impl World<'_> {
    /// The first opening, a step or the last look begins.
    pub(super) fn begin_step(&mut self) {
        self.end_part();
        self.part.step = Some(self.part.step.map_or(0, |step| step + 1));
        self.part.process = 0;
        self.begin_part();
    }

    /// A process ended, and its files lie there for the next one.
    pub(super) fn begin_process(&mut self) {
        self.end_part();
        self.part.process += 1;
        self.begin_part();
    }

    /// Writes down what went wrong in the part that is under way.
    pub(super) fn end_part(&mut self) {
        let director = self.faults.director();
        let new = faults_of_part(self.part, &director);
        self.part.faults = director.planned().len();
        drop(director);
        self.script.faults.extend(new);
    }

    /// Plans what the script says of the part that begins.
    fn begin_part(&mut self) {
        let disk = self.faults.disk().clone();
        self.part.calls = disk.calls();
        if self.keeps_script {
            let step = self.part.step.unwrap_or(0);
            self.parts.push((step, self.part.process, self.part.calls));
        }
        self.show_part();
        let Some(script) = &self.scenario.script else {
            return;
        };
        let (step, process) = (self.part.step, self.part.process);
        let faults = script.faults.iter();
        let faults = faults.filter(|fault| fault.step == step && fault.process == process);
        let mut faults: Vec<PlannedFault> = faults.cloned().collect();
        if let ReplayMode::Drawn(number) = self.replay {
            let live = disk.live();
            for fault in faults.iter_mut().filter(|fault| fault.is_at_rest()) {
                strike_elsewhere(fault, number, &live, &self.earlier);
            }
        }
        for fault in &mut faults {
            fault.call += self.part.calls;
        }
        self.faults.director().plan(faults);
        if script.crashes.iter().any(|crash| crash.step.is_some()) {
            let mut crashes = script.crashes.iter();
            let crash = crashes.find(|crash| crash.step == step && crash.process == process);
            let crash = crash.cloned().map(|mut crash| {
                crash.at.call += self.part.calls;
                crash
            });
            self.crashes.plan(crash, &disk);
        }
    }

    /// Writes down a crash in a call.
    pub(super) fn record_crash(&mut self, mut crash: PlannedCrash) {
        crash.step = self.part.step;
        crash.process = self.part.process;
        crash.at.call = crash.at.call.saturating_sub(self.part.calls);
        self.script.crashes.push(crash);
    }

    /// What the script that is followed leaves of `space`, where it is not followed exactly.
    pub(super) fn left_by_mode(&mut self, space: &ImageSpace) -> Option<Choice> {
        match self.replay {
            ReplayMode::Exact => None,
            ReplayMode::Everything => Some(space.choose(&SurvivorSet::everything())),
            ReplayMode::Nothing => Some(Choice::default()),
            ReplayMode::Drawn(_) => Some(self.survivors.choose(space)),
        }
    }

    /// What a power cut left, as it is written down: by name where the script is kept, because names
    /// outlast a change of the history.
    pub(super) fn written(&self, space: &ImageSpace, choice: &Choice) -> Survivors {
        match self.keeps_script {
            true => Survivors::Named(space.survivors(choice)),
            false => Survivors::Numbered(choice.clone()),
        }
    }
}

/// The faults that were decided in a part, as a script says them.
pub(super) fn faults_of_part(part: Part, director: &Director) -> Vec<PlannedFault> {
    let new = director.planned().get(part.faults..).unwrap_or_default();
    let new = new.iter().map(|fault| PlannedFault {
        step: part.step,
        process: part.process,
        call: fault.call.saturating_sub(part.calls),
        ..fault.clone()
    });
    new.collect()
}

/// Damage of the same kind at a place that is drawn.
fn strike_elsewhere(
    fault: &mut PlannedFault,
    number: u64,
    live: &beaver_disk::Image,
    earlier: &Files,
) {
    // Damage to a snapshot shows what damage to a log does not.
    let in_snapshot = match &fault.effect {
        Effect::Event(DiskEvent::FlipBit { file, .. }) => snapshot_epoch(file).is_some(),
        _ => false,
    };
    let targets = match in_snapshot {
        true => &[Target::Any, Target::Snapshot][..],
        false => &[Target::Any, Target::LineEnd, Target::Marker, Target::Active],
    };
    let mut stream = Stream::new(number, "another place");
    let rate = FaultRate {
        kind: fault.kind,
        per_mille: 1000,
        limit: 0,
        target: match fault.kind {
            FaultKind::BitFlip => *stream.pick(targets),
            _ => Target::Any,
        },
        phase: Phase::Any,
    };
    if let Effect::Event(event) = &mut fault.effect
        && let Some(other) = rot(&rate, live, earlier, &mut stream)
    {
        *event = other;
    }
}
