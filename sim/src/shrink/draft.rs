//! A history that can be changed: each step with its crashes and faults, process by process.

use crate::scenario::{
    LogSettings, PlannedCrash, PlannedFault, Profile, Scenario, Script, Step, Survivors,
};

/// What happens in one process of a step.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct DraftProcess {
    /// What goes wrong at which call.
    pub(super) faults: Vec<PlannedFault>,
    /// The crash in a call that ends it.
    pub(super) crash: Option<PlannedCrash>,
    /// What the power cut that ended it left.
    pub(super) left: Option<Survivors>,
}

/// A step and what goes wrong in it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct StepFaults {
    /// The step; none for the first opening and for the last look.
    pub(super) step: Option<Step>,
    /// Its processes, from one crash to the next.
    pub(super) processes: Vec<DraftProcess>,
}

/// A history in the making.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Draft {
    pub(super) profile: Profile,
    pub(super) log: LogSettings,
    /// The first opening, the steps, and the last look.
    pub(super) step_faults: Vec<StepFaults>,
}

impl Draft {
    /// The draft of a scenario's script, whose faults and crashes say in which step they happen.
    pub(super) fn of(scenario: &Scenario, script: &Script) -> Self {
        let steps = script.steps.iter().cloned().map(Some);
        let steps = std::iter::once(None).chain(steps).chain([None]);
        let step_faults = steps.map(|step| StepFaults {
            step,
            processes: vec![DraftProcess::default()],
        });
        let mut draft = Draft {
            profile: scenario.profile,
            log: scenario.log.clone(),
            step_faults: step_faults.collect(),
        };
        for fault in &script.faults {
            if let Some(process) = draft.process(fault.step, fault.process) {
                process.faults.push(fault.clone());
            }
        }
        for crash in &script.crashes {
            if let Some(process) = draft.process(crash.step, crash.process) {
                process.left.clone_from(&crash.image);
                process.crash = Some(PlannedCrash {
                    image: None,
                    ..crash.clone()
                });
            }
        }
        for entry in &mut draft.step_faults {
            if let Some(Step::PowerCut { image }) = &mut entry.step {
                entry.processes[0].left = image.take();
            }
        }
        draft
    }

    fn process(&mut self, step: Option<u32>, process: u32) -> Option<&mut DraftProcess> {
        let entry = self.step_faults.get_mut(step? as usize)?;
        let process = process as usize;
        if entry.processes.len() <= process {
            entry
                .processes
                .resize_with(process + 1, DraftProcess::default);
        }
        entry.processes.get_mut(process)
    }

    pub(super) fn steps(&self) -> impl Iterator<Item = &Step> {
        self.step_faults
            .iter()
            .filter_map(|entry| entry.step.as_ref())
    }

    /// The indexes in `step_faults` that hold a step.
    pub(super) fn commands(&self) -> Vec<usize> {
        let step_faults = self.step_faults.iter().enumerate();
        let commands = step_faults.filter(|(_, entry)| entry.step.is_some());
        commands.map(|(at, _)| at).collect()
    }

    /// The scenario whose script this is.
    pub(super) fn to_scenario(&self, scenario: &Scenario) -> Scenario {
        let mut script = Script::default();
        for (step, entry) in (0..).zip(&self.step_faults) {
            for (number, process) in (0..).zip(&entry.processes) {
                script
                    .faults
                    .extend(process.faults.iter().map(|fault| PlannedFault {
                        step: Some(step),
                        process: number,
                        ..fault.clone()
                    }));
                script
                    .crashes
                    .extend(process.crash.iter().map(|crash| PlannedCrash {
                        step: Some(step),
                        process: number,
                        image: process.left.clone(),
                        ..crash.clone()
                    }));
            }
            script
                .steps
                .extend(entry.step.clone().map(|step| match step {
                    Step::PowerCut { .. } => Step::PowerCut {
                        image: entry.processes.first().and_then(|first| first.left.clone()),
                    },
                    step => step,
                }));
        }
        Scenario {
            profile: self.profile,
            log: self.log.clone(),
            script: Some(script),
            ..scenario.clone()
        }
    }
}
