//! A run as it is seen from another thread while it goes on: a store that hangs gives no result to look
//! at.

use std::sync::{Mutex, PoisonError};

use crate::faults::Faults;
use crate::scenario::Script;

use super::World;
use super::schedule::{Part, faults_of_part};

/// Sees a run.
#[derive(Debug, Default)]
pub(crate) struct Observer(Mutex<Option<Seen>>);

#[derive(Clone, Debug)]
struct Seen {
    /// Everything until the part that is under way.
    script: Script,
    part: Part,
    command: String,
    faults: Faults,
}

impl Observer {
    fn seen(&self) -> Option<Seen> {
        let seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        seen.clone()
    }

    /// Everything that chance decided so far.
    pub(crate) fn script(&self) -> Option<Script> {
        let Seen {
            mut script,
            part,
            faults,
            ..
        } = self.seen()?;
        let director = faults.director();
        script.faults.extend(faults_of_part(part, &director));
        Some(script)
    }

    /// The command that is under way.
    pub(crate) fn command(&self) -> String {
        self.seen().map(|seen| seen.command).unwrap_or_default()
    }

    /// Whether its process has died in it.
    pub(crate) fn has_died(&self) -> bool {
        let seen = self.seen();
        seen.is_some_and(|seen| seen.faults.disk().frozen_at().is_some())
    }

    /// The storage calls so far, a line each.
    pub(crate) fn calls(&self) -> Vec<String> {
        let calls = self.seen().map(|seen| seen.faults.disk().trace());
        let calls = calls.unwrap_or_default();
        calls.iter().map(ToString::to_string).collect()
    }
}

impl World<'_> {
    /// Shows an observer where the run is.
    pub(super) fn show_part(&self) {
        if let Some(Observer(seen)) = self.observer.as_deref() {
            let command = match self.seen.command.is_empty() {
                true => "the first opening".to_owned(),
                false => self.seen.command.clone(),
            };
            let now = Seen {
                script: self.script.clone(),
                part: self.part,
                command,
                faults: self.faults.clone(),
            };
            *seen.lock().unwrap_or_else(PoisonError::into_inner) = Some(now);
        }
    }
}
