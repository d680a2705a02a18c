//! A log that syncs on request: what was answered is promised later, by a sync, a rotate, making
//! space, a clean close, or because the batch has grown to its limit.
//!
//! What is promised is learnt twice over: from the answer of whoever was asked to sync, and from the
//! position that the log says is durable. Neither may be less than the other.

use crate::invariant::Invariant;
use crate::marks::Mark;
use crate::oracle::history::Place;
use crate::oracle::judge::Finding;
use crate::oracle::model::Record;
use crate::run_log::RunEvent;
use crate::scenario::{Step, SyncSetting};
use crate::subject::Answer;

use super::commands::Ended;
use super::crashes::Activity;
use super::{Stop, World, describe};

/// A command that was answered, and whose events are not durable yet.
#[derive(Debug)]
pub(super) struct Unpromised {
    words: String,
    records: usize,
    last: Place,
}

impl World<'_> {
    /// Whether an answer is a promise.
    pub(super) fn promises_at_once(&self) -> bool {
        self.scenario.log.sync == SyncSetting::EveryAppend
    }

    /// A command returned `Ok`.
    pub(super) fn answered(&mut self, step: &Step, records: Vec<Record>, last: Place) {
        let command = Unpromised {
            words: describe(step),
            records: records.len(),
            last,
        };
        if self.promises_at_once() {
            self.say_promised(command);
            self.history.acknowledge(records, last);
            return;
        }
        if !records.is_empty() {
            self.unpromised.push_back(command);
        }
        self.history.answer(records, last);
    }

    fn say_promised(&mut self, command: Unpromised) {
        let call = self.faults.disk().calls();
        self.seen.keep(call, || RunEvent::Acknowledged {
            text: command.words,
            records: command.records,
            place: command.last,
        });
    }

    /// Everything that was answered up to here is promised: how many commands.
    fn promise_through(&mut self, place: Place) -> usize {
        let promised = self.history.promise_through(place);
        for command in self.unpromised.drain(..promised).collect::<Vec<_>>() {
            self.say_promised(command);
        }
        promised
    }

    /// Everything that was answered is promised.
    pub(super) fn promise_all(&mut self) {
        let promised = self.promise_through(self.history.last_place());
        self.seen.mark_if(promised > 0, Mark::SyncedOnRequest);
    }

    /// The process is gone, and with it what it had not promised.
    pub(super) fn interrupt(&mut self) {
        self.unpromised.clear();
        self.unsynced += self.history.interrupt();
    }

    /// A recovery has shown so many groups that were in doubt.
    pub(super) fn mark_unsynced(&mut self, shown: usize) {
        let unsynced = std::mem::take(&mut self.unsynced);
        let kept = shown.min(unsynced);
        self.seen.mark_if(kept > 0, Mark::UnsyncedKept);
        self.seen
            .mark_if(kept > 0 && kept < unsynced, Mark::UnsyncedEndLost);
        self.seen
            .mark_if(kept == 0 && unsynced > 0, Mark::UnsyncedLost);
    }

    /// What the store says is durable is promised: how many commands. Invariant 9: it ends with an
    /// append, and says no less than was promised.
    pub(super) fn learn_durable(&mut self) -> Result<usize, Stop> {
        if self.promises_at_once() {
            return Ok(0);
        }
        let durable = self.with_client(|client| client.durable())?;
        let known = self.history.decided().last();
        let known = known.map_or(Place::default(), |decided| decided.place);
        let last = self.history.last_place();
        let beyond = durable > last && durable.seq > 0;
        if durable < known || beyond || self.history.splits(durable) {
            let expected = format!("what is durable to end with an append from {known} to {last}");
            return Err(Finding::new(Invariant::Positions, expected, durable.to_string()).into());
        }
        Ok(self.promise_through(durable))
    }

    /// The same after a command that nobody asked to sync.
    pub(super) fn learn_durable_unasked(&mut self) -> Result<(), Stop> {
        let promised = self.learn_durable()?;
        self.seen.mark_if(promised > 0, Mark::BatchLimitSynced);
        Ok(())
    }

    /// A sync is asked for, or what brings one with it.
    pub(super) fn sync(&mut self, step: &Step) -> Result<(), Stop> {
        let (calls, excuses) = self.begin(Activity::Command);
        let done = self.with_client(|client| match step {
            Step::Rotate => client.rotate(),
            Step::Preallocate { bytes } => client.preallocate(*bytes),
            _ => client.sync(),
        })?;
        if self.end(Activity::Command, calls) == Ended::Crashed {
            self.carry_out_crash(Activity::Command)?;
            return self.start();
        }
        let excused = self.faults.director().excuses() > excuses;
        match done {
            Ok(place) => {
                self.say_answer(&Answer::Done(None));
                self.synced(step, place)?;
            }
            Err(failure) => {
                self.say_answer(&Answer::Failed(failure.clone()));
                self.failed(step, Vec::new(), &failure, excused)?;
            }
        }
        self.learn_durable()?;
        self.believe_settled();
        self.check_live_state()
    }

    /// Everything that was answered is durable, and the last of it stands at `place`; in an empty
    /// segment, at its beginning.
    fn synced(&mut self, step: &Step, place: Place) -> Result<(), Stop> {
        if self.poisoned || self.log_sync_failed() {
            let expected = "nothing to be synced until the log is opened again";
            let found = format!("{} succeeded", describe(step));
            return Err(Finding::new(Invariant::Poison, expected, found).into());
        }
        let last = self.history.last_place();
        let empty = place.seq == 0 && place.epoch > last.epoch;
        if place != last && !empty {
            let expected = format!("{} to end at {last}", describe(step));
            return Err(Finding::new(Invariant::Positions, expected, place.to_string()).into());
        }
        self.promise_all();
        Ok(())
    }
}
