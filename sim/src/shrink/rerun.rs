//! A run that writes its course down, and may follow another one.

use beaver_disk::{TraceMode, TraceRecord};

use crate::result::Outcome;
use crate::run::outcome;
use crate::scenario::{Phase, Scenario, Script};
use crate::subject::AnySubject;
use crate::world::{Course, Licence, World};

/// A run that wrote its course down.
#[derive(Debug)]
pub(crate) struct CourseRun {
    /// How it ended.
    pub(crate) outcome: Outcome,
    /// Whether it ended in a recovery.
    pub(crate) recovering: bool,
    /// Everything that was decided, by the numbers of its calls.
    pub(crate) script: Script,
    /// The same by its legs.
    pub(crate) course: Course,
    /// The storage calls, if they were to be kept.
    pub(crate) calls: Vec<TraceRecord>,
}

/// Runs the script of a scenario and writes its course down. Where one is to be followed, the
/// script has the commands alone.
pub(crate) fn run_course(
    subject: &AnySubject,
    scenario: &Scenario,
    followed: Option<(Course, Licence)>,
    trace: TraceMode,
) -> CourseRun {
    let seed = match followed {
        Some((_, Licence::Drawn(seed))) => seed,
        _ => 0,
    };
    let mut world = World::new(subject, scenario, seed, trace);
    world.keep_course(followed);
    let stop = world.run().err();
    let outcome = outcome(&world, stop, &[]);
    let recovering = world.faults().director().phase() == Phase::Recovery;
    CourseRun {
        outcome,
        recovering,
        script: world.script(),
        course: world.take_course(),
        calls: world.disk().trace(),
    }
}
