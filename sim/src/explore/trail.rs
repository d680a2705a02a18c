//! How the search came to a disk: the crashes on the way, as a script that replays it.

use beaver_disk::{CallEffect, CrashPoint, Moment, SurvivorSet};

use crate::oracle::Finding;
use crate::oracle::kind::FindingKind;
use crate::scenario::{CrashKind, Effect, PlannedCrash, PlannedFault, Script, Step, Survivors};

/// Something that must not be, and the way to it.
#[derive(Clone, Debug)]
pub struct FoundFailure {
    /// What is wrong. Invariant 0 is a panic.
    pub finding: Finding,
    /// The workload, and the crashes that lead there.
    pub script: Script,
    /// How many findings it stands for.
    pub count: u64,
}

/// One step of the way, as it goes into a script.
#[derive(Clone, Debug)]
pub(super) enum TrailStep {
    /// A crash at a storage call.
    InCall(PlannedCrash),
    /// A step between two calls.
    Step(Step),
    /// No process had started before.
    Start,
}

/// What is wrong, and the trail that led there, last step first.
#[derive(Debug)]
pub(super) struct Wrong {
    pub(super) finding: Finding,
    pub(super) trail: Vec<TrailStep>,
    /// The number of the last storage call of the workload's last step before its first crash.
    pub(super) last_call: u64,
    /// Its kind, where the search keeps kinds, and how many findings of that it stands for.
    pub(super) kind: Option<Box<FindingKind>>,
    pub(super) count: u64,
}

impl Wrong {
    pub(super) fn new(finding: Finding) -> Self {
        Wrong {
            finding,
            trail: Vec::new(),
            last_call: 0,
            kind: None,
            count: 1,
        }
    }

    /// The failure of a workload that had come as far as `script` when it first crashed, or a little less far.
    pub(super) fn after(self, script: &Script) -> FoundFailure {
        let mut script = script.clone();
        let (mut step, mut process) = (count(script.steps.len()), 0);
        let here = |fault: &PlannedFault| fault.step == Some(step);
        let after = |fault: &PlannedFault| fault.process > 0 || fault.call > self.last_call;
        script.faults.retain(|fault| !(here(fault) && after(fault)));
        let full = disk_is_full(&script.faults);
        for (at, next) in self.trail.into_iter().rev().enumerate() {
            match next {
                TrailStep::InCall(mut crash) => {
                    crash.step = Some(step);
                    crash.process = process;
                    script.crashes.push(crash);
                    process += 1;
                }
                TrailStep::Step(next) => {
                    // A step that is a crash has another process after it.
                    process = u32::from(matches!(next, Step::Kill | Step::PowerCut { .. }));
                    script.steps.push(next);
                    step += 1;
                }
                TrailStep::Start => {}
            }
            if let (0, Some(full)) = (at, &full) {
                // After the first crash a disk that was full has room again, because there the search
                // lets nothing go wrong.
                script.faults.push(PlannedFault {
                    step: Some(step),
                    process,
                    call: 1,
                    effect: Effect::Space(None),
                    ..full.clone()
                });
            }
        }
        FoundFailure {
            finding: self.finding,
            script,
            count: self.count,
        }
    }
}

/// The fault that filled the disk, if nothing made room again.
fn disk_is_full(faults: &[PlannedFault]) -> Option<PlannedFault> {
    let space = faults.iter().rev();
    let mut space = space.filter(|fault| matches!(fault.effect, Effect::Space(_)));
    let last = space
        .next()
        .filter(|fault| fault.effect != Effect::Space(None));
    last.cloned()
}

/// The number of a step.
pub(super) fn count(steps: usize) -> u32 {
    u32::try_from(steps).unwrap_or(u32::MAX)
}

/// The trail of a process that was killed.
pub(super) fn killed(at: CrashPoint, is_start: bool, progress: CallEffect) -> TrailStep {
    trail_step(at, is_start, CrashKind::Kill, Some(progress), None)
}

/// The step of a power cut.
pub(super) fn power_cut(at: CrashPoint, is_start: bool, survivors: SurvivorSet) -> TrailStep {
    trail_step(
        at,
        is_start,
        CrashKind::PowerCut,
        None,
        Some(Survivors::Named(survivors)),
    )
}

fn trail_step(
    at: CrashPoint,
    is_start: bool,
    kind: CrashKind,
    progress: Option<CallEffect>,
    image: Option<Survivors>,
) -> TrailStep {
    match at.moment {
        Moment::After if is_start => TrailStep::Start,
        Moment::After => TrailStep::Step(match kind {
            CrashKind::Kill => Step::Kill,
            CrashKind::PowerCut => Step::PowerCut { image },
        }),
        _ => TrailStep::InCall(PlannedCrash {
            step: None,
            process: 0,
            at,
            kind,
            progress,
            image,
        }),
    }
}
