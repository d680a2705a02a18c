//! A history that can be changed: each command with its crashes and faults, counted leg by leg.

use crate::scenario::{LogSettings, Profile, Scenario, Script, Step};
use crate::world::{Course, Leg};

use super::rerun::CourseRun;

/// A command and what goes wrong in it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Scene {
    /// The command; none for the first open and for the last look.
    pub(super) step: Option<Step>,
    /// What goes wrong, from one crash to the next.
    pub(super) legs: Vec<Leg>,
}

/// A history in the making.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Draft {
    pub(super) profile: Profile,
    pub(super) log: LogSettings,
    /// The first open, the commands, and the last look if the run comes to it.
    pub(super) scenes: Vec<Scene>,
}

impl Draft {
    /// The draft of a run of `scenario`.
    pub(super) fn of(scenario: &Scenario, run: &CourseRun) -> Self {
        let steps = run.script.steps.iter().cloned().map(Some);
        let steps = std::iter::once(None).chain(steps).chain([None]);
        let scenes = steps.zip(run.course.iter().cloned());
        let scenes = scenes.map(|(step, legs)| Scene { step, legs });
        Draft {
            profile: scenario.profile,
            log: scenario.log.clone(),
            scenes: scenes.collect(),
        }
    }

    pub(super) fn steps(&self) -> impl Iterator<Item = &Step> {
        self.scenes.iter().filter_map(|scene| scene.step.as_ref())
    }

    /// The places of the commands among the scenes.
    pub(super) fn commands(&self) -> Vec<usize> {
        let scenes = self.scenes.iter().enumerate();
        let commands = scenes.filter(|(_, scene)| scene.step.is_some());
        commands.map(|(at, _)| at).collect()
    }

    /// The scenario whose commands these are, with nothing that goes wrong, and what does.
    pub(super) fn to_run(&self, scenario: &Scenario) -> (Scenario, Course) {
        let script = Script {
            steps: self.steps().cloned().collect(),
            ..Script::default()
        };
        let scenario = Scenario {
            profile: self.profile,
            log: self.log.clone(),
            script: Some(script),
            ..scenario.clone()
        };
        let course = self.scenes.iter().map(|scene| scene.legs.clone());
        (scenario, course.collect())
    }
}
