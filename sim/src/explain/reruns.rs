//! The run again with one thing changed: what shows that the failure needed it.

use crate::result::Outcome;
use crate::run::{Keep, run_seed};
use crate::scenario::{Scenario, Script, Step, Survivors};
use crate::subject::AnySubject;

/// A record of this option survived entirely.
const ALL: u32 = u32::MAX;

/// How many faults of a run are left out, one at a time.
const MOST_FAULTS: usize = 64;

/// Runs a failure again.
pub(super) struct Reruns<'s> {
    subject: &'s AnySubject,
    failure: &'s Scenario,
    script: &'s Script,
}

impl<'s> Reruns<'s> {
    /// `script` is that of the run of `failure`, with what survived by name.
    pub(super) fn new(subject: &'s AnySubject, failure: &'s Scenario, script: &'s Script) -> Self {
        Reruns {
            subject,
            failure,
            script,
        }
    }

    /// Whether the run holds without this fault of its script.
    pub(super) fn needs_fault(&self, place: usize) -> bool {
        let mut script = self.script.clone();
        if place >= script.faults.len().min(MOST_FAULTS) {
            return false;
        }
        script.faults.remove(place);
        self.holds(script)
    }

    /// Whether the run holds where these records, by their names, survived every power cut.
    pub(super) fn needs_loss(&self, records: &[String]) -> bool {
        self.holds_with(records, ALL)
    }

    /// Whether the run holds where none of these records survived any power cut.
    pub(super) fn needs_survival(&self, records: &[String]) -> bool {
        self.holds_with(records, 0)
    }

    fn holds_with(&self, records: &[String], option: u32) -> bool {
        let mut script = self.script.clone();
        let steps = script.steps.iter_mut().filter_map(|step| match step {
            Step::PowerCut { image } => image.as_mut(),
            _ => None,
        });
        let crashes = script.crashes.iter_mut();
        let images = steps.chain(crashes.filter_map(|crash| crash.image.as_mut()));
        for image in images {
            if let Survivors::Named(survivors) = image {
                let kept = records.iter().map(|record| (record.clone(), option));
                survivors.except.extend(kept);
            }
        }
        script != *self.script && self.holds(script)
    }

    fn holds(&self, script: Script) -> bool {
        let scenario = Scenario {
            script: Some(script),
            ..self.failure.clone()
        };
        let seed = self.failure.seeds.start;
        run_seed(self.subject, &scenario, seed, Keep::default()).outcome == Outcome::Held
    }
}
