//! A run of a script that keeps what the shrinker asks of it.

use beaver_disk::{TraceMode, TraceRecord};

use crate::result::Outcome;
use crate::run::outcome;
use crate::scenario::{Phase, Scenario, Script};
use crate::subject::AnySubject;
use crate::world::{ReplayMode, World};

/// What came of a script.
#[derive(Debug)]
pub(super) struct Replayed {
    /// How it ended.
    pub(super) outcome: Outcome,
    /// Whether it ended in a recovery.
    pub(super) recovering: bool,
    /// Everything that was decided, each fault and crash in its step.
    pub(super) script: Script,
    /// Where each process's part of a step begins: step, process, and the last storage call before.
    parts: Vec<(u32, u32, u64)>,
    /// The storage calls, if they were to be kept.
    pub(super) calls: Vec<TraceRecord>,
}

/// Runs the script of a scenario.
pub(super) fn replay(
    subject: &AnySubject,
    scenario: &Scenario,
    mode: ReplayMode,
    trace: TraceMode,
) -> Replayed {
    let seed = match mode {
        ReplayMode::Drawn(seed) => seed,
        _ => 0,
    };
    let mut world = World::new(subject, scenario, seed, trace);
    world.keep_script();
    world.replay(mode);
    let stop = world.run().err();
    let outcome = outcome(&world, stop, &[]);
    let recovering = world.faults().director().phase() == Phase::Recovery;
    Replayed {
        outcome,
        recovering,
        script: world.script(),
        parts: world.parts().to_vec(),
        calls: world.disk().trace(),
    }
}

impl Replayed {
    /// The last storage call before this process's part of this step.
    pub(super) fn calls_before(&self, step: usize, process: usize) -> u64 {
        let mut parts = self.parts.iter();
        let part = parts.find(|(s, p, _)| (*s as usize, *p as usize) == (step, process));
        part.map_or(0, |(.., calls)| *calls)
    }
}
