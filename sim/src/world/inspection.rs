//! Steps that look at the store from beside: a second opener, readers of a log in use, lenient
//! replay of a damaged copy.

use std::sync::Arc;

use beaver_disk::{DiskEvent, SimDisk};

use crate::client::segment_epochs;
use crate::faults::rot;
use crate::invariant::Invariant;
use crate::marks::Mark;
use crate::oracle::damage::{Files, segment_epoch};
use crate::oracle::history::{Decided, Place};
use crate::oracle::judge::{Entry, Finding};
use crate::oracle::{salvage, tidiness};
use crate::run_log::RunEvent;
use crate::scenario::{FaultKind, FaultRate, Phase, Step, Target};
use crate::subject::Grave;

use super::commands::Ended;
use super::crashes::Activity;
use super::{Stop, World};

impl World<'_> {
    /// A second process must be refused with `Locked`, whatever state the store is in. On a file system that has gone
    /// read-only it may not get as far as the lock.
    pub(super) fn second_opener(&mut self) -> Result<(), Stop> {
        let clock = Arc::clone(&self.clock);
        let (subject, settings) = (&self.subject, &self.scenario.log);
        let opened = self.faults.undisturbed(|storage| {
            crate::guard::guarded(|| subject.open(storage, clock, settings).map(drop))
        });
        let calls = self.faults.disk().calls();
        let read_only = self.faults.director().is_remount_needed();
        match opened.map_err(Stop::Panicked)? {
            Err(failure)
                if read_only && failure.kind == Some(std::io::ErrorKind::ReadOnlyFilesystem) =>
            {
                Ok(())
            }
            Err(failure) if failure.grave == Grave::Locked => {
                let text = "locked".to_owned();
                self.seen.record(calls, RunEvent::Note { text });
                self.seen.mark(Mark::SecondOpenerRefused);
                Ok(())
            }
            _ if self.has_crashed() => Ok(()),
            Err(failure) => Err(Finding::new(
                Invariant::Availability,
                "to be refused as locked",
                failure.text,
            )
            .into()),
            Ok(_) => Err(Finding::new(
                Invariant::Availability,
                "to be refused as locked",
                "it opened",
            )
            .into()),
        }
    }

    /// Somebody reads the log while it is in use.
    pub(super) fn inspect(&mut self) -> Result<(), Stop> {
        match self.promises_at_once() {
            true => self.read_beside(),
            // What another process sees of it says nothing: it may hold less than was answered.
            false => self.read_durable(),
        }
    }

    /// A reader beside the owner sees exactly what was acknowledged, twice.
    fn read_beside(&mut self) -> Result<(), Stop> {
        for _ in 0..2 {
            let fork = self.faults.copy();
            let storage = fork.storage();
            let store = Arc::clone(&self.subject.store);
            let read = self.program(|| store.replay_after(&storage, Place::default()))?;
            let entries = match read {
                Ok(entries) => entries,
                Err(_) if !self.scars.is_empty() || self.poisoned => return Ok(()),
                Err(failure) => {
                    let expected = "a log in use to be readable";
                    return Err(
                        Finding::new(Invariant::Availability, expected, failure.text).into(),
                    );
                }
            };
            // A poisoned log may show what is in doubt.
            self.judge_reading(&entries, self.poisoned)?;
        }
        self.seen.mark(Mark::ReplayedTwice);
        Ok(())
    }

    /// The owner itself sees exactly what it has promised, whatever it has answered since.
    fn read_durable(&mut self) -> Result<(), Stop> {
        let (calls, excuses) = self.begin(Activity::Command);
        let read = self.with_client(|client| client.read_durable())?;
        if self.end(Activity::Command, calls) == Ended::Crashed {
            self.carry_out_crash(Activity::Command)?;
            return self.start();
        }
        let excused = self.faults.director().excuses() > excuses || !self.scars.is_empty();
        match read {
            Ok(entries) => self.judge_reading(&entries, false)?,
            Err(_) if excused => {}
            Err(failure) => {
                let expected = "a log in use to be readable by its owner";
                return Err(Finding::new(Invariant::Availability, expected, failure.text).into());
            }
        }
        self.believe_settled();
        Ok(())
    }

    /// What a reader sees is the end of the acknowledged history, and behind it only what `may_show` allows: what
    /// is in doubt.
    fn judge_reading(&self, entries: &[Entry], may_show: bool) -> Result<(), Stop> {
        let decided = self.retained();
        for (index, want) in decided.iter().enumerate() {
            let expected = format!("{} at {}", want.record, want.place);
            let found = match entries.get(index) {
                Some(entry) if entry.record == want.record && entry.place == want.place => continue,
                Some(entry) => format!("{} at {}", entry.record, entry.place),
                None => format!("only {index} records"),
            };
            return Err(Finding::new(Invariant::Idempotence, expected, found).into());
        }
        match entries.get(decided.len()) {
            Some(entry) if !may_show => {
                let found = format!("{} at {}", entry.record, entry.place);
                Err(Finding::new(
                    Invariant::NoPhantom,
                    "nothing behind what was acknowledged",
                    found,
                )
                .into())
            }
            _ => Ok(()),
        }
    }

    /// The decided records that are still in segments.
    fn retained(&self) -> &[Decided] {
        let files = self.files();
        let first = segment_epochs(files.keys().map(String::as_str));
        let first = first.first().copied().unwrap_or(0);
        let decided = self.history.decided();
        let gone = decided.iter().take_while(|d| d.place.epoch < first).count();
        &decided[gone..]
    }

    /// One to three places of rot on a copy.
    fn draw_damage(&mut self, copy: &SimDisk) -> Vec<DiskEvent> {
        let stream = self.survivors.damage_stream();
        let mut damage = Vec::new();
        for _ in 0..stream.draw(1, 3) {
            let kinds = [
                FaultKind::BitFlip,
                FaultKind::BitFlip,
                FaultKind::ZeroedSector,
            ];
            let rate = FaultRate {
                kind: *stream.pick(&kinds),
                pm: 1000,
                most: 0,
                target: if stream.coin() {
                    Target::Active
                } else {
                    Target::Any
                },
                phase: Phase::Any,
            };
            damage.extend(rot(&rate, &copy.live(), &Files::new(), stream));
        }
        damage
    }

    /// Damages a copy of the disk and reads it leniently: everything that is left out must be
    /// reported, and nothing else.
    pub(super) fn lenient(&mut self, damage: Vec<DiskEvent>) -> Result<(), Stop> {
        if self.poisoned || !self.scars.is_empty() {
            return Ok(());
        }
        let fork = self.faults.copy();
        let damage = match damage.is_empty() {
            true => self.draw_damage(&fork),
            false => damage,
        };
        if let Some(Step::Lenient { damage: recorded }) = self.script.steps.last_mut() {
            recorded.clone_from(&damage);
        }
        let before = tidiness::accepted(&fork.live().to_files());
        for damage in damage {
            fork.happen(&damage);
        }
        // Where damage leaves nothing but free space at the end of the log, nothing tells that
        // there was more.
        let after = tidiness::accepted(&fork.live().to_files());
        let newest = before
            .iter()
            .rfind(|(name, _)| segment_epoch(name).is_some());
        let blanked = newest.is_some_and(|(name, bytes)| {
            after.get(name).is_none_or(|left| left.len() < bytes.len())
        });
        let storage = fork.storage();
        let store = Arc::clone(&self.subject.store);
        let read = self.program(|| store.replay_leniently(&storage))?;
        let (entries, skipped, unfinished_end) = match read {
            Ok(Some(read)) => read,
            Ok(None) => return Ok(()),
            Err(failure) => {
                let expected = "lenient replay to go on behind damage";
                return Err(Finding::new(Invariant::Honesty, expected, failure.text).into());
            }
        };
        let retained = self.retained().to_vec();
        salvage::judge(&retained, &entries, &skipped, unfinished_end || blanked)?;
        let call = self.faults.disk().calls();
        let text = format!("{} of {} read", entries.len(), retained.len());
        self.seen.record(call, RunEvent::Note { text });
        self.seen.mark_if(!skipped.is_empty(), Mark::LenientSkipped);
        let several = skipped.iter().any(|s| s.to.is_some_and(|to| to > s.from));
        self.seen.mark_if(several, Mark::LenientGroupSkipped);
        Ok(())
    }
}
