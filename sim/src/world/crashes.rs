//! Crashes: when the program under test is stopped, how, and what that leaves.

use beaver_disk::{CallEffect, Choice, Crash, CrashPoint, Moment, Op, SimDisk};

use crate::faults::choose_effect;
use crate::marks::Mark;
use crate::run_log::{CrashEvent, RunEvent};
use crate::scenario::{CrashKind, Crashes, PlannedCrash, Scenario, Step, Survivors};
use crate::stream::Stream;

use super::{Stop, World};

/// What runs while a crash is armed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Activity {
    /// A command of the queue.
    Command,
    /// A checkpoint or a close.
    Checkpoint,
    /// A recovery.
    Recovery,
}

/// Decides when the program under test is stopped.
#[derive(Debug)]
pub(super) struct CrashPlan {
    rates: Crashes,
    stream: Stream,
    /// How many calls the last activity of each sort made: how many calls ahead to aim.
    reach: [u64; 3],
    /// What the armed crash is.
    armed: Option<CrashKind>,
    /// The crashes of a script that are still to come, the next one last.
    scripted: Option<Vec<PlannedCrash>>,
    /// How many recoveries in a row were crashed.
    in_a_row: u32,
    stopped: bool,
}

impl CrashPlan {
    pub(super) fn new(scenario: &Scenario, seed: u64) -> Self {
        let scripted = scenario.script.as_ref().map(|script| {
            let absolute = script.crashes.iter().filter(|crash| crash.step.is_none());
            let mut crashes: Vec<PlannedCrash> = absolute.cloned().collect();
            crashes.reverse();
            crashes
        });
        CrashPlan {
            rates: scenario.crashes.clone(),
            stream: Stream::new(seed, "crashes"),
            reach: [3, 24, 16],
            armed: None,
            scripted,
            in_a_row: 0,
            stopped: false,
        }
    }

    /// Arms the next crash of the script, if this is one.
    pub(super) fn arm_scripted(&mut self, disk: &SimDisk) {
        if let Some(crashes) = &self.scripted {
            let next = crashes.last();
            self.armed = next.map(|crash| crash.kind);
            disk.crash_at(next.map(|crash| crash.at));
        }
    }

    /// Plans the crash of the part of a step that begins, or none, and arms what comes next: that, or
    /// a crash at a call that is counted over the whole run.
    pub(super) fn plan(&mut self, crash: Option<PlannedCrash>, disk: &SimDisk) {
        let crashes = self.scripted.get_or_insert_default();
        crashes.retain(|crash| crash.step.is_none() && crash.at.call > disk.calls());
        crashes.extend(crash);
        crashes.sort_by_key(|crash| std::cmp::Reverse(crash.at));
        self.arm_scripted(disk);
    }

    /// Maybe arms a crash at one of the next calls; the store holds this many jobs.
    pub(super) fn arm(&mut self, activity: Activity, jobs: usize, disk: &SimDisk) {
        if self.scripted.is_some() || self.stopped || self.armed.is_some() {
            return;
        }
        let kind = match activity {
            Activity::Recovery if self.in_a_row >= self.rates.nested => None,
            Activity::Recovery => {
                let hit = self
                    .stream
                    .chance_per_mille(self.rates.in_recovery_per_mille);
                hit.then(|| match self.stream.coin() {
                    true => CrashKind::Kill,
                    false => CrashKind::PowerCut,
                })
            }
            Activity::Command | Activity::Checkpoint => {
                if self
                    .stream
                    .chance_per_mille(self.rates.kill_in_command_per_mille)
                {
                    Some(CrashKind::Kill)
                } else if self
                    .stream
                    .chance_per_mille(self.rates.power_cut_in_command_per_mille)
                {
                    Some(CrashKind::PowerCut)
                } else {
                    None
                }
            }
        };
        let often =
            |stream: &mut Stream| activity == Activity::Recovery || stream.still_often(jobs);
        let Some(kind) = kind.filter(|_| often(&mut self.stream)) else {
            return;
        };
        let ahead = self.stream.draw(1, self.reach[activity as usize].max(1));
        let moments = [Moment::Before, Moment::Inside, Moment::After];
        let moment = *self.stream.pick(&moments);
        self.armed = Some(kind);
        disk.crash_at(Some(CrashPoint {
            call: disk.calls() + ahead,
            moment,
        }));
    }

    /// The file system is read-only: the machine is started again at the next call.
    pub(super) fn arm_reboot(&mut self, disk: &SimDisk) {
        if self.scripted.is_none() {
            self.armed = Some(CrashKind::PowerCut);
            disk.crash_at(Some(CrashPoint {
                call: disk.calls() + 1,
                moment: Moment::Before,
            }));
        }
    }

    /// An activity ended without a crash after `calls` calls.
    pub(super) fn disarm(&mut self, activity: Activity, calls: u64, disk: &SimDisk) {
        self.reach[activity as usize] = calls;
        if self.scripted.is_none() && self.armed.take().is_some() {
            disk.crash_at(None);
        }
        if activity == Activity::Recovery {
            self.in_a_row = 0;
        }
    }

    /// No more crashes.
    pub(super) fn stop(&mut self, disk: &SimDisk) {
        self.stopped = true;
        // What a script still has is the start of a machine whose file system went read-only.
        if self.scripted.is_none() {
            self.armed = None;
            disk.crash_at(None);
        }
    }
}

impl World<'_> {
    /// Whether the armed crash has happened.
    pub(super) fn has_crashed(&self) -> bool {
        self.faults.disk().frozen_at().is_some()
    }

    /// The armed crash has happened: the process is gone, and what the crash leaves is decided.
    pub(super) fn carry_out_crash(&mut self, activity: Activity) -> Result<(), Stop> {
        let disk = self.faults.disk().clone();
        let crash = disk.crash();
        let at = crash.point();
        let kind = self.crashes.armed.take().unwrap_or(CrashKind::Kill);
        let planned = self.crashes.scripted.as_mut().and_then(Vec::pop);
        self.mark_crash(activity, crash.op(), at, kind);
        self.drop_store();
        let mut planned = planned.unwrap_or(PlannedCrash {
            step: None,
            process: 0,
            at,
            kind,
            progress: None,
            image: None,
        });
        let mut left = None;
        match kind {
            CrashKind::Kill => {
                let progress = planned.progress.take().unwrap_or_else(|| {
                    match (at.moment, self.crashes.scripted.is_some()) {
                        (Moment::Inside, false) => choose_effect(&mut self.crashes.stream),
                        _ => CallEffect::Nothing,
                    }
                });
                disk.kill(progress);
                planned.progress = Some(progress);
            }
            CrashKind::PowerCut => {
                let scripted = self.crashes.scripted.is_some();
                let (choice, written) = self.cut_power(planned.image.take(), scripted)?;
                planned.image = Some(written);
                left = Some(choice);
            }
        }
        self.log_crash(kind, crash, left.as_ref());
        self.last_crash = Some(kind);
        self.record_crash(planned);
        self.crashes.arm_scripted(&disk);
        self.begin_process();
        self.process_ended();
        Ok(())
    }

    /// The process is killed between two commands.
    pub(super) fn kill(&mut self) -> Result<(), Stop> {
        let disk = self.faults.disk().clone();
        self.say_crash("process killed between two commands");
        // Before the store is dropped: a process that is killed says no farewell to its files.
        let crash = disk.crash();
        self.drop_store();
        disk.kill(CallEffect::Nothing);
        self.log_crash(CrashKind::Kill, crash, None);
        self.last_crash = Some(CrashKind::Kill);
        self.begin_process();
        self.process_ended();
        Ok(())
    }

    /// The power fails between two commands.
    pub(super) fn power_cut(&mut self, image: Option<Survivors>) -> Result<(), Stop> {
        self.say_crash("power cut between two commands");
        let scripted = self.crashes.scripted.is_some();
        let crash = self.faults.disk().crash();
        self.drop_store();
        let (choice, written) = self.cut_power(image, scripted)?;
        self.log_crash(CrashKind::PowerCut, crash, Some(&choice));
        if let Some(Step::PowerCut { image: recorded }) = self.script.steps.last_mut() {
            *recorded = Some(written);
        }
        self.last_crash = Some(CrashKind::PowerCut);
        self.begin_process();
        self.process_ended();
        Ok(())
    }

    /// Keeps the disk before and after a crash, if the run is to be explained.
    fn log_crash(&mut self, kind: CrashKind, crash: Crash, choice: Option<&Choice>) {
        let disk = self.faults.disk();
        let call = disk.calls();
        let point = self.seen.crash_point.clone().unwrap_or_default();
        let text = point.replace(&format!(", after call {call}"), "");
        self.seen.keep(call, || {
            RunEvent::Crash(Box::new(CrashEvent {
                kind,
                text,
                explained: false,
                crash,
                choice: choice.cloned(),
                left: disk.live(),
            }))
        });
    }

    /// The process is gone, and with it the store. What that says on a disk that is frozen, the panics
    /// too, never happened.
    fn drop_store(&mut self) {
        self.interrupt();
        let store = self.store.take();
        // A process ends with all its threads.
        if let Some(writing) = self.writing.take() {
            drop(writing.finish());
        }
        drop(store);
    }

    fn say_crash(&mut self, words: &str) {
        self.seen.counts.crashes += 1;
        let call = self.faults.disk().calls();
        self.seen.hash_line(call, words);
        self.seen.crash_point = Some(format!("{words}, after call {call}"));
    }

    fn mark_crash(&mut self, activity: Activity, op: Option<Op>, at: CrashPoint, kind: CrashKind) {
        let how = match kind {
            CrashKind::Kill => "process killed",
            CrashKind::PowerCut => "power cut",
        };
        let when = match at.moment {
            Moment::Before => "before",
            Moment::Inside => "inside",
            Moment::After => "after",
        };
        let what = op.map_or("none", Op::name);
        let words = format!("{how} {when} call {} ({what})", at.call);
        self.seen.counts.crashes += 1;
        let call = self.faults.disk().calls();
        self.seen.hash_line(call, &words);
        self.seen.crash_point = Some(words);
        let inside = at.moment == Moment::Inside;
        self.seen
            .mark_if(inside && op == Some(Op::SyncData), Mark::CrashInSync);
        self.seen
            .mark_if(inside && op == Some(Op::WriteAt), Mark::CrashInWrite);
        let checkpoint = activity == Activity::Checkpoint;
        self.seen.mark_if(checkpoint, Mark::CrashInCheckpoint);
        self.mark_pending_names(op, at.moment);
        if activity == Activity::Recovery {
            self.crashes.in_a_row += 1;
            self.seen.mark(Mark::CrashInRecovery);
            let again = self.crashes.in_a_row >= 2;
            self.seen.mark_if(again, Mark::CrashInRecoveryTwice);
        } else {
            self.crashes.in_a_row = 0;
        }
    }

    /// Whether names were changed and not yet synced when the crash came.
    fn mark_pending_names(&mut self, op: Option<Op>, moment: Moment) {
        let ops = self.faults.names_since_sync();
        let done = moment == Moment::After;
        let pending = |change| ops.contains(&change) && (done || op != Some(change));
        let renamed = pending(Op::Rename);
        let created = pending(Op::Create);
        let removed = pending(Op::Remove);
        self.seen.mark_if(renamed, Mark::CrashRenameDirSync);
        self.seen
            .mark_if(created && !renamed, Mark::CrashCreateDirSync);
        self.seen.mark_if(removed, Mark::CrashBetweenPrunes);
    }
}
