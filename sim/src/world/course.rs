//! The course of a run: its faults and crashes by the process in which they happen, counted from
//! where that process begins.
//!
//! A script counts storage calls over the whole run, so that a command that is taken out of it
//! moves everything behind. A course does not:
//!
//! ```text
//! scene   the first open, then each command, then the last look
//!   leg     from where the scene begins, or its last crash, to the next crash
//!     call    counted from 1
//! ```
//!
//! A world writes the course of its run down, and can follow one: whatever number a leg begins at,
//! its faults and its crash come at the calls that they belong to.

use beaver_disk::{Choice, ImageSpace, SurvivorSet};

use crate::faults::rot;
use crate::oracle::damage::Files;
use crate::scenario::{
    CrashKind, Effect, FaultKind, FaultRate, Phase, PlannedCrash, PlannedFault, Target,
};
use crate::stream::Stream;

use super::World;

/// What happens from one crash to the next.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Leg {
    /// What goes wrong at which call.
    pub(crate) faults: Vec<PlannedFault>,
    /// The crash in a call with which it ends.
    pub(crate) crash: Option<PlannedCrash>,
    /// What the power cut left with which it ends.
    pub(crate) left: Option<SurvivorSet>,
}

/// The legs of each scene.
pub(crate) type Course = Vec<Vec<Leg>>;

/// How freely a course is followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Licence {
    /// As it says.
    Exact,
    /// Every power cut leaves everything.
    Everything,
    /// Every power cut leaves what was synced.
    Nothing,
    /// What power cuts leave, and where damage strikes, is drawn anew from the seed of the run.
    Drawn(u64),
}

/// The course that is written down, and the one that is followed.
#[derive(Debug)]
pub(crate) struct Courses {
    done: Course,
    followed: Option<(Course, Licence)>,
    /// The leg that is under way, and what the next power cut leaves.
    left: Option<SurvivorSet>,
    /// The last call and the number of faults before the leg that is under way.
    calls: u64,
    faults: usize,
}

impl Courses {
    /// Writes the course down, following one if there is one.
    pub(crate) fn new(followed: Option<(Course, Licence)>) -> Self {
        Courses {
            done: Course::new(),
            followed,
            left: None,
            calls: 0,
            faults: 0,
        }
    }

    /// The leg that is under way.
    fn leg(&mut self) -> Option<&mut Leg> {
        self.done.last_mut()?.last_mut()
    }
}

impl World<'_> {
    /// Writes the course of the run down, and follows another one where there is one.
    pub(crate) fn keep_course(&mut self, followed: Option<(Course, Licence)>) {
        self.courses = Some(Courses::new(followed));
    }

    /// The course so far.
    pub(crate) fn take_course(&mut self) -> Course {
        self.end_leg();
        let courses = self.courses.take();
        courses.map_or_else(Course::new, |courses| courses.done)
    }

    /// The first open, a command or the last look begins.
    pub(super) fn begin_scene(&mut self) {
        if self.courses.is_some() {
            self.end_leg();
            self.courses
                .as_mut()
                .expect("it is there")
                .done
                .push(Vec::new());
            self.begin_leg();
        }
    }

    /// A process ended, and its files lie there for the next one.
    pub(super) fn begin_leg_behind_crash(&mut self) {
        if self.courses.is_some() {
            self.end_leg();
            self.begin_leg();
        }
    }

    fn end_leg(&mut self) {
        let Some(courses) = &mut self.courses else {
            return;
        };
        let director = self.faults.director();
        let (calls, faults) = (courses.calls, courses.faults);
        let faults = director.planned().get(faults..).unwrap_or_default();
        let faults = faults.iter().map(|fault| PlannedFault {
            call: fault.call.saturating_sub(calls),
            ..fault.clone()
        });
        let faults: Vec<PlannedFault> = faults.collect();
        courses.faults += faults.len();
        if let Some(leg) = courses.leg() {
            leg.faults = faults;
        }
    }

    fn begin_leg(&mut self) {
        let disk = self.faults.disk().clone();
        let calls = disk.calls();
        let Some(courses) = &mut self.courses else {
            return;
        };
        courses.calls = calls;
        let Some(scene) = courses.done.last_mut() else {
            return;
        };
        scene.push(Leg::default());
        let at = (courses.done.len() - 1, scene_len(&courses.done) - 1);
        let Some((course, licence)) = &courses.followed else {
            return;
        };
        let leg = course.get(at.0).and_then(|scene| scene.get(at.1));
        let mut leg = leg.cloned().unwrap_or_default();
        if let Licence::Drawn(number) = *licence {
            let live = disk.live();
            for fault in leg.faults.iter_mut().filter(|fault| fault.is_at_rest()) {
                strike_elsewhere(fault, number, &live, &self.earlier);
            }
        }
        courses.left = leg.left;
        let crash = leg.crash.map(|mut crash| {
            crash.at.call += calls;
            crash.image = None;
            crash
        });
        for fault in &mut leg.faults {
            fault.call += calls;
        }
        self.faults.director().plan(leg.faults);
        self.crashes.plan(crash, &disk);
    }

    /// A crash in a call ended the leg.
    pub(super) fn leg_crashed(&mut self, planned: &PlannedCrash) {
        if let Some(courses) = &mut self.courses {
            let calls = courses.calls;
            if let Some(leg) = courses.leg() {
                let mut crash = planned.clone();
                crash.at.call = crash.at.call.saturating_sub(calls);
                crash.image = None;
                leg.crash = Some(crash);
            }
        }
    }

    /// What the course that is followed leaves of `space`; nothing if none is followed or it is
    /// drawn.
    pub(super) fn left_by_course(&mut self, space: &ImageSpace) -> Option<Choice> {
        let courses = self.courses.as_mut()?;
        let left = courses.left.take().unwrap_or_default();
        match courses.followed.as_ref()?.1 {
            Licence::Exact => Some(space.choose(&left)),
            Licence::Everything => Some(space.choose(&SurvivorSet::everything())),
            Licence::Nothing => Some(Choice::default()),
            Licence::Drawn(_) => Some(self.survivors.choose(space)),
        }
    }

    /// A power cut left `choice` of `space`.
    pub(super) fn leg_left(&mut self, choice: &Choice, space: &ImageSpace) {
        if let Some(courses) = &mut self.courses
            && let Some(leg) = courses.leg()
        {
            leg.left = Some(space.survivors(choice));
        }
    }
}

fn scene_len(course: &Course) -> usize {
    course.last().map_or(0, Vec::len)
}

/// Damage of the same kind at a place that is drawn.
fn strike_elsewhere(
    fault: &mut PlannedFault,
    number: u64,
    live: &beaver_disk::Image,
    earlier: &Files,
) {
    let targets = [Target::Any, Target::LineEnd, Target::Marker, Target::Active];
    let mut stream = Stream::new(number, "another place");
    let rate = FaultRate {
        kind: fault.kind,
        pm: 1000,
        most: 0,
        target: match fault.kind {
            FaultKind::BitFlip => *stream.pick(&targets),
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

/// How a process ends at a crash in a call, as a step between two calls.
pub(crate) fn between_calls(kind: CrashKind) -> crate::scenario::Step {
    match kind {
        CrashKind::Kill => crate::scenario::Step::Kill,
        CrashKind::PowerCut => crate::scenario::Step::PowerCut { image: None },
    }
}
