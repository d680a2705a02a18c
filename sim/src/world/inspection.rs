//! Steps that look at the store from beside: a second opener, a reader of a log in use, lenient
//! replay of a damaged copy.

use std::io::ErrorKind;

use beaver_disk::DiskEvent;

use crate::guard::guarded;
use crate::invariant::Invariant;
use crate::marks::Mark;
use crate::oracle::Finding;
use crate::run_log::RunEvent;
use crate::scenario::Step;
use crate::subject::{Damaged, ErrorClass, Readout, Recovered};

use super::commands::{OPEN, StepEnd};
use super::crashes::Activity;
use super::{Stop, World};

impl World<'_> {
    /// A second process must be refused with `Locked`, whatever state the store is in. On a file
    /// system that has gone read-only it may not get as far as the lock.
    pub(super) fn second_opener(&mut self) -> Result<(), Stop> {
        let opened = self.faults.undisturbed(|storage| {
            let machine = self.machine(storage);
            guarded(|| self.subject.open(machine).map(drop))
        });
        let calls = self.faults.disk().calls();
        let read_only = self.faults.director().is_remount_needed();
        match opened.map_err(Stop::panicked)? {
            Err(failure) if read_only && failure.kind == Some(ErrorKind::ReadOnlyFilesystem) => {
                Ok(())
            }
            Err(failure) if failure.class == ErrorClass::Locked => {
                let text = "locked".to_owned();
                self.seen.record(calls, RunEvent::Note { text });
                self.seen.mark(Mark::SecondOpenerRefused);
                Ok(())
            }
            _ if self.has_crashed() => Ok(()),
            refused => {
                let found =
                    refused.map_or_else(|failure| failure.text, |()| "it opened".to_owned());
                let expected = "to be refused as locked";
                Err(Finding::new(Invariant::Availability, expected, found).into())
            }
        }
    }

    /// The log is read while it is in use.
    pub(super) fn inspect(&mut self) -> Result<(), Stop> {
        let subject = self.subject.clone();
        let Some(inspected) = subject.inspected() else {
            return Ok(());
        };
        // What another process reads is no call of the store's own, and no moment to crash it.
        let by_owner = self.answers_before_sync();
        let begun = by_owner.then(|| self.begin(Activity::Command));
        let files = self.faults.disk().live();
        let store = self.store.as_mut().expect(OPEN);
        let mut recovered = Recovered {
            store: &mut **store,
            disk: self.faults.disk(),
            files: &files,
            report: &self.report,
            history: &self.history,
            damaged: Damaged {
                damage: &self.damage,
                unreadable: self.unreadable,
            },
        };
        let read = guarded(|| inspected.read_in_use(&mut recovered, self.poisoned));
        let read = read.map_err(Stop::panicked)?;
        let mut excused = false;
        if let Some((calls, excuses)) = begun {
            if self.end(Activity::Command, calls) == StepEnd::Crashed {
                self.carry_out_crash(Activity::Command)?;
                return self.start();
            }
            excused = self.faults.director().excuses() > excuses;
        }
        match read? {
            Readout::Right => self.seen.mark_if(!by_owner, Mark::ReplayedTwice),
            Readout::Excused => {}
            Readout::Failed(_) if excused => {}
            Readout::Failed(failure) => {
                let expected = "a log in use to be readable";
                let finding = Finding::new(Invariant::Availability, expected, failure.text);
                return Err(finding.into());
            }
        }
        if by_owner {
            self.believe_settled();
        }
        Ok(())
    }

    /// Damages a copy of the disk and reads it leniently.
    pub(super) fn lenient(&mut self, damage: Vec<DiskEvent>) -> Result<(), Stop> {
        let subject = self.subject.clone();
        let Some(inspected) = subject.inspected() else {
            return Ok(());
        };
        if self.poisoned || !self.damage.is_empty() {
            return Ok(());
        }
        let copy = self.faults.copy();
        let damage = match damage.is_empty() {
            true => inspected.draw_rot(&copy, self.survivors.damage_stream()),
            false => damage,
        };
        if let Some(Step::Lenient { damage: recorded }) = self.script.steps.last_mut() {
            recorded.clone_from(&damage);
        }
        let read = guarded(|| inspected.read_leniently(&copy, &damage, &self.history));
        if let Some((text, marks)) = read.map_err(Stop::panicked)?? {
            let call = self.faults.disk().calls();
            self.seen.record(call, RunEvent::Note { text });
            marks.into_iter().for_each(|mark| self.seen.mark(mark));
        }
        Ok(())
    }
}
