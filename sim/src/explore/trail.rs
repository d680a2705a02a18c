//! How the search came to a disk: the crashes on the way, as a script that replays it.

use beaver_disk::{CallEffect, Choice, CrashPoint, Moment};

use crate::oracle::Finding;
use crate::scenario::{CrashKind, Effect, PlannedCrash, PlannedFault, Script, Step};

/// Something that must not be, and the way to it.
#[derive(Clone, Debug)]
pub struct Failure {
    /// What is wrong. Invariant 0 is a panic.
    pub finding: Finding,
    /// The workload, and the crashes that lead there.
    pub script: Script,
}

/// One step of the way, as it goes into a script.
#[derive(Clone, Debug)]
pub(super) enum Leg {
    /// A crash at a storage call.
    InCall(PlannedCrash),
    /// A step between two calls.
    Step(Step),
    /// No process had started before.
    Start,
}

/// What is wrong, and the legs that lead there, the last one first.
#[derive(Debug)]
pub(super) struct Wrong {
    pub(super) finding: Finding,
    pub(super) legs: Vec<Leg>,
    /// The number of the workload's last storage call before its first crash.
    pub(super) last_call: u64,
}

impl Wrong {
    pub(super) fn new(finding: Finding) -> Self {
        Wrong {
            finding,
            legs: Vec::new(),
            last_call: 0,
        }
    }

    /// The failure of a workload that had come as far as `script` when it first crashed, or a little less far.
    pub(super) fn after(self, script: &Script) -> Failure {
        let mut script = script.clone();
        script.faults.retain(|fault| fault.call <= self.last_call);
        make_room(&mut script, self.last_call);
        for leg in self.legs.into_iter().rev() {
            match leg {
                Leg::InCall(crash) => script.crashes.push(crash),
                Leg::Step(step) => script.steps.push(step),
                Leg::Start => {}
            }
        }
        Failure {
            finding: self.finding,
            script,
        }
    }
}

/// Behind the first crash a disk that was full has room again, because there the search lets nothing go wrong.
fn make_room(script: &mut Script, last_call: u64) {
    let space = script.faults.iter().rev();
    let mut space = space.filter(|fault| matches!(fault.effect, Effect::Space(_)));
    if let Some(full) = space
        .next()
        .filter(|fault| fault.effect != Effect::Space(None))
    {
        let room = PlannedFault {
            call: last_call + 1,
            effect: Effect::Space(None),
            ..full.clone()
        };
        script.faults.push(room);
    }
}

/// The leg of a process that was killed at `at`, counted over the whole run.
pub(super) fn killed(at: CrashPoint, progress: CallEffect) -> Leg {
    match at.moment {
        Moment::After if at.call == 0 => Leg::Start,
        Moment::After => Leg::Step(Step::Kill),
        _ => Leg::InCall(PlannedCrash {
            at,
            kind: CrashKind::Kill,
            progress: Some(progress),
            image: None,
        }),
    }
}

/// The leg of a power cut at `at`, counted over the whole run.
pub(super) fn power_cut(at: CrashPoint, image: Choice) -> Leg {
    let image = Some(image);
    match at.moment {
        Moment::After if at.call == 0 => Leg::Start,
        Moment::After => Leg::Step(Step::PowerCut { image }),
        _ => Leg::InCall(PlannedCrash {
            at,
            kind: CrashKind::PowerCut,
            progress: None,
            image,
        }),
    }
}
