//! A store that did not open: whether what went wrong explains that, and whether it left the files
//! alone. Invariants 7 and 8.

use std::io::ErrorKind;

use beaver_disk::Fault;

use crate::invariant::Invariant;
use crate::oracle::Finding;
use crate::oracle::damage::Files;
use crate::scenario::{Effect, FaultKind, PlannedFault};
use crate::subject::{ErrorClass, Failure};

use super::World;

/// What stood in the way of an attempt to open.
#[derive(Debug)]
pub(super) struct Obstacles {
    /// The faults that hit it.
    faults: Vec<PlannedFault>,
    /// Whether one of them hit a call that changes something.
    in_changes: bool,
    /// Whether the disk had no room.
    full: bool,
    /// Whether the file system refused every change.
    read_only: bool,
}

impl Obstacles {
    /// Whether they leave nothing but reads to go wrong: then nothing was changed, and nothing was to be.
    fn spoil_reads_alone(&self) -> bool {
        !self.in_changes && !self.full && !self.read_only
    }

    /// The kinds of error that the store was told of.
    fn kinds(&self) -> Vec<ErrorKind> {
        let told = self.faults.iter().filter_map(|fault| match &fault.effect {
            Effect::Call(Fault::Error { error, .. } | Fault::FailedSyncDir { error, .. }) => {
                Some(error.kind())
            }
            Effect::Call(Fault::FailedSync(failed)) => Some(failed.error.kind()),
            _ => None,
        });
        let full = self.full.then_some(ErrorKind::StorageFull);
        let read_only = self.read_only.then_some(ErrorKind::ReadOnlyFilesystem);
        told.chain(full).chain(read_only).collect()
    }
}

impl World<'_> {
    /// What stood in the way of an attempt that began when `faults` had been planned and `in_changes` of
    /// them had hit a call that changes something; `full` says that the disk had no room then.
    pub(super) fn obstacles(&self, faults: usize, in_changes: u64, full: bool) -> Obstacles {
        let director = self.faults.director();
        let faults = director.planned().get(faults..).unwrap_or_default();
        let filled = faults.iter().any(|fault| fault.kind == FaultKind::FullDisk);
        Obstacles {
            in_changes: director.spoiled_changes() > in_changes,
            full: full || filled,
            read_only: director.is_remount_needed() || director.refuses_changes(),
            faults: faults.to_vec(),
        }
    }

    /// Invariant 7: an error that a fault of the attempt explains is of the fault's kind, so that the
    /// caller knows that another try may help; what is damaged as well may be named instead.
    pub(super) fn check_kind(
        &self,
        failure: &Failure,
        obstacles: &Obstacles,
        found: &Files,
    ) -> Result<(), Finding> {
        if !self.damage.is_empty() && failure.class == ErrorClass::Corrupt {
            return self.excuse_refusal(failure, found);
        }
        let told = obstacles.kinds();
        let known = match failure.kind {
            Some(kind) => told.contains(&kind) || obstacles.full && failure.is_full(),
            // Two reads of the same bytes differed.
            None => obstacles
                .faults
                .iter()
                .any(|fault| fault.kind == FaultKind::WrongRead),
        };
        let passes = matches!(
            failure.class,
            ErrorClass::NotDone | ErrorClass::InDoubt | ErrorClass::Poisoned
        );
        if known && passes {
            return Ok(());
        }
        // Two reads that are wrong alike cannot be told from damage.
        let wrong_reads = obstacles.faults.iter();
        let wrong_reads = wrong_reads.filter(|fault| fault.kind == FaultKind::WrongRead);
        if wrong_reads.count() > 1 && failure.class == ErrorClass::Corrupt {
            return Ok(());
        }
        let expected = match told.is_empty() {
            true => "an error that says that reads differed".to_owned(),
            false => format!("an error that passes, of a kind that the disk gave: {told:?}"),
        };
        Err(Finding::new(
            Invariant::Availability,
            expected,
            failure.text.clone(),
        ))
    }

    /// Invariant 8: a refusal changes no file, so that nothing is destroyed that a repair needs. Only an
    /// attempt that was hit while it changed files may have changed some.
    pub(super) fn check_unchanged(
        &self,
        failure: &Failure,
        obstacles: Option<&Obstacles>,
        found: &Files,
    ) -> Result<(), Finding> {
        if obstacles.is_some_and(|obstacles| !obstacles.spoil_reads_alone()) {
            return Ok(());
        }
        // A log that is used alone is replayed after it was opened.
        if obstacles.is_some() && self.answers_before_sync() {
            return Ok(());
        }
        // The cache may have been dropped on the way, so what counts is what is on the disk.
        let before = self.found_on_disk.as_ref().unwrap_or(found);
        if *before == self.files_on_disk().unwrap_or_else(|| self.files()) {
            return Ok(());
        }
        let expected = "a refusal that changes no file";
        let found = format!("files changed: {}", failure.text);
        Err(Finding::new(Invariant::Honesty, expected, found))
    }
}
