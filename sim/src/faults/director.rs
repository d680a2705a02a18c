//! The director: decides before each storage call what goes wrong at it, and remembers what it
//! decided.

use std::collections::{BTreeMap, BTreeSet};

use beaver_disk::{FailureKind, FaultSource, Injection, Noticed, Op, Space, StorageCall};

use crate::coverage::CoverageWatch;
use crate::faults::files::segment_epoch;
use crate::scenario::{Drawn, Effect, FaultKind, FaultRate, Phase, PlannedFault};
use crate::stream::Stream;

use super::choosing::{applies, effect, is_target};

/// Where faults come from.
#[derive(Debug)]
pub(crate) enum Source {
    /// Rates and a stream of random numbers.
    Random {
        /// What is switched on.
        rates: Vec<FaultRate>,
        /// Draws whether, and what exactly.
        stream: Box<Stream>,
    },
    /// A list, by call number.
    Script(BTreeMap<u64, Vec<PlannedFault>>),
}

/// Decides what goes wrong.
#[derive(Debug)]
pub(crate) struct Director {
    source: Source,
    /// How many jobs the store holds.
    jobs: usize,
    phase: Phase,
    quiet: bool,
    planned: Vec<PlannedFault>,
    fired: BTreeMap<FaultKind, u64>,
    /// Files whose reads keep failing until the process ends.
    unreadable: BTreeSet<String>,
    /// Whether every change is refused until the process ends.
    read_only: bool,
    /// From this call on the disk has room again.
    room_again_at: Option<u64>,
    /// The highest segment number in a name so far.
    newest: u64,
    /// Changes of names since the last directory sync, the one that is being made included.
    names_since_sync: Vec<Op>,
    /// Whether a sync of a segment failed in this process.
    segment_sync_failed: bool,
    /// Whether a sync of any file failed in this run.
    failed_a_sync: bool,
    /// Calls that change something, and those of them that a fault hit.
    changes: u64,
    spoiled_changes: u64,
    /// Whether the disk has no room.
    full: bool,
    /// Whether the file system went read-only after a failed sync.
    remount_needed: bool,
    /// Whether the newest segment was removed: what undoes a rotate.
    newest_removed: bool,
    /// Faults that may make a command or an open fail.
    excuses: u64,
    /// Sees where the process dies, and what goes wrong where.
    watch: CoverageWatch,
}

impl Director {
    /// A director for one run.
    #[must_use]
    pub(crate) fn new(source: Source) -> Self {
        Director {
            source,
            jobs: 0,
            phase: Phase::Running,
            quiet: false,
            planned: Vec::new(),
            fired: BTreeMap::new(),
            unreadable: BTreeSet::new(),
            read_only: false,
            room_again_at: None,
            newest: 0,
            names_since_sync: Vec::new(),
            segment_sync_failed: false,
            failed_a_sync: false,
            changes: 0,
            spoiled_changes: 0,
            full: false,
            remount_needed: false,
            newest_removed: false,
            excuses: 0,
            watch: CoverageWatch::default(),
        }
    }

    /// The faults of a script.
    #[must_use]
    pub(crate) fn scripted(faults: &[PlannedFault]) -> Self {
        let mut plan: BTreeMap<u64, Vec<PlannedFault>> = BTreeMap::new();
        for fault in faults {
            plan.entry(fault.call).or_default().push(fault.clone());
        }
        Director::new(Source::Script(plan))
    }

    /// Plans the faults of the part of a step that begins. Those that the part before it did not
    /// reach happen nowhere else.
    pub(crate) fn plan(&mut self, faults: Vec<PlannedFault>) {
        if let Source::Script(plan) = &mut self.source {
            plan.retain(|_, faults| {
                faults.retain(|fault| fault.step.is_none());
                !faults.is_empty()
            });
            for fault in faults {
                plan.entry(fault.call).or_default().push(fault);
            }
        }
    }

    /// Whether commands run, or a recovery.
    #[must_use]
    pub(crate) fn phase(&self) -> Phase {
        self.phase
    }

    /// Whether commands run, or a recovery.
    pub(crate) fn set_phase(&mut self, phase: Phase) {
        self.phase = phase;
    }

    /// The store holds this many jobs, finished ones included: the more, the rarer are faults.
    pub(crate) fn set_jobs(&mut self, jobs: usize) {
        self.jobs = jobs;
    }

    /// Whether all faults are switched off.
    #[must_use]
    pub(crate) fn is_quiet(&self) -> bool {
        self.quiet
    }

    /// Switches all faults off, or on again.
    pub(crate) fn set_quiet(&mut self, quiet: bool) {
        self.quiet = quiet;
    }

    /// The process ended: what lasts until then is over.
    pub(crate) fn process_ended(&mut self) {
        self.unreadable.clear();
        self.read_only = false;
        self.segment_sync_failed = false;
        self.names_since_sync.clear();
    }

    /// Changes of names since the last directory sync.
    #[must_use]
    pub(crate) fn names_since_sync(&self) -> &[Op] {
        &self.names_since_sync
    }

    /// Whether a sync of a segment failed in this process: from then on nothing may be
    /// acknowledged.
    #[must_use]
    pub(crate) fn segment_sync_failed(&self) -> bool {
        self.segment_sync_failed
    }

    /// The store was opened anew in the same process.
    pub(crate) fn reopened(&mut self) {
        self.segment_sync_failed = false;
    }

    /// How many faults fired that may make a command or an open fail. While the disk is full it
    /// grows with every call.
    #[must_use]
    pub(crate) fn excuses(&self) -> u64 {
        self.excuses
    }

    /// From the next call on a full disk has room again.
    pub(crate) fn make_room(&mut self) {
        self.room_again_at = self.room_again_at.map(|_| 0);
    }

    /// The machine was started again.
    pub(crate) fn rebooted(&mut self) {
        self.remount_needed = false;
    }

    /// Whether the file system went read-only and the machine has to be started again.
    #[must_use]
    pub(crate) fn is_remount_needed(&self) -> bool {
        self.remount_needed
    }

    /// Whether the newest segment was removed since this was asked last.
    pub(crate) fn take_newest_removed(&mut self) -> bool {
        std::mem::take(&mut self.newest_removed)
    }

    /// Whether every change is refused until the process ends.
    #[must_use]
    pub(crate) fn refuses_changes(&self) -> bool {
        self.read_only
    }

    /// Whether the disk has no room.
    #[must_use]
    pub(crate) fn is_full(&self) -> bool {
        self.full
    }

    /// Whether a sync of a file has failed, in this process or an earlier one: only then the cache may
    /// show something else than the disk holds.
    #[must_use]
    pub(crate) fn has_failed_a_sync(&self) -> bool {
        self.failed_a_sync
    }

    /// How many calls were hit that change something.
    #[must_use]
    pub(crate) fn spoiled_changes(&self) -> u64 {
        self.spoiled_changes
    }

    /// How many calls were made that change something.
    #[must_use]
    pub(crate) fn changes(&self) -> u64 {
        self.changes
    }

    /// Every change is refused until the process ends.
    pub(crate) fn refuse_changes(&mut self) {
        self.read_only = true;
    }

    /// What watches the calls.
    pub(crate) fn watch(&mut self) -> &mut CoverageWatch {
        &mut self.watch
    }

    /// Everything that was decided so far.
    #[must_use]
    pub(crate) fn planned(&self) -> &[PlannedFault] {
        &self.planned
    }

    /// What fired, by kind.
    #[must_use]
    pub(crate) fn fired(&self) -> &BTreeMap<FaultKind, u64> {
        &self.fired
    }

    /// Counts a fault of `kind` that fired.
    pub(crate) fn count(&mut self, kind: FaultKind) {
        *self.fired.entry(kind).or_insert(0) += 1;
        self.excuses += u64::from(kind.excuses_error());
    }

    /// Writes down a fault that was decided elsewhere (at rest), and counts it.
    pub(crate) fn note(&mut self, planned: PlannedFault) {
        self.count(planned.kind);
        self.planned.push(planned);
    }

    /// The rates of the kinds that are drawn at `moment`, each with its share of what `most` still
    /// allows, and the stream.
    pub(crate) fn rates_at(&mut self, moment: Drawn) -> Option<(Vec<FaultRate>, &mut Stream)> {
        if self.quiet {
            return None;
        }
        let Source::Random { rates, stream } = &mut self.source else {
            return None;
        };
        let drawn = rates.iter().filter(|rate| {
            let fired = self.fired.get(&rate.kind).copied().unwrap_or(0);
            rate.kind.drawn() == moment && (rate.limit == 0 || fired < u64::from(rate.limit))
        });
        Some((drawn.cloned().collect(), stream))
    }

    /// The faults of a script just before call `number` that do not belong to the call itself.
    pub(crate) fn scripted_at_rest(&self, number: u64) -> Vec<PlannedFault> {
        match &self.source {
            Source::Random { .. } => Vec::new(),
            Source::Script(plan) => {
                let here = plan.get(&number).into_iter().flatten();
                here.filter(|fault| fault.is_at_rest()).cloned().collect()
            }
        }
    }

    fn decide(&mut self, call: &StorageCall<'_>, disk: &Injection<'_>) -> Vec<PlannedFault> {
        if let Source::Script(plan) = &self.source {
            let here = plan.get(&call.number).into_iter().flatten();
            return here.filter(|fault| !fault.is_at_rest()).cloned().collect();
        }
        let mut faults = Vec::new();
        if self.room_again_at.is_some_and(|at| call.number >= at) {
            self.room_again_at = None;
            faults.push(planned(call, FaultKind::FullDisk, Effect::Space(None)));
        }
        if let Some(standing) = self.standing(call) {
            faults.push(standing);
            return faults;
        }
        if self.quiet {
            return faults;
        }
        let Source::Random { rates, stream } = &mut self.source else {
            return faults;
        };
        for rate in rates.iter() {
            let fired = self.fired.get(&rate.kind).copied().unwrap_or(0);
            let spent = rate.limit > 0 && fired >= u64::from(rate.limit);
            let elsewhere = rate.phase != Phase::Any && rate.phase != self.phase;
            if spent
                || elsewhere
                || !applies(rate.kind, call)
                || !is_target(rate.target, call.file, self.newest)
                || !stream.chance_per_mille(rate.per_mille)
                || !stream.still_often(self.jobs)
            {
                continue;
            }
            match rate.kind {
                FaultKind::ReadErrorSticky => {
                    self.unreadable.insert(call.file.to_owned());
                }
                FaultKind::FullDisk if self.room_again_at.is_some() => continue,
                FaultKind::FullDisk => {
                    self.room_again_at = Some(call.number + stream.draw(2, 60));
                    let space = used_up(disk, stream);
                    faults.push(planned(call, rate.kind, Effect::Space(Some(space))));
                    continue;
                }
                _ => {}
            }
            let effect = effect(rate.kind, call, stream);
            let ends = matches!(effect, Effect::Call(_));
            faults.push(planned(call, rate.kind, effect));
            if ends {
                break;
            }
        }
        faults
    }

    /// A fault that began at an earlier call and lasts.
    fn standing(&mut self, call: &StorageCall<'_>) -> Option<PlannedFault> {
        let Source::Random { stream, .. } = &mut self.source else {
            return None;
        };
        // A read-only file system lets its cache be dropped.
        let refused = call.op.changes_something() && call.op != Op::DropCache;
        let kind = if self.read_only && refused {
            FaultKind::ReadOnly
        } else if call.op == Op::ReadAt && self.unreadable.contains(call.file) {
            FaultKind::ReadErrorSticky
        } else {
            return None;
        };
        Some(planned(call, kind, effect(kind, call, stream)))
    }
}

impl FaultSource for Director {
    fn before(&mut self, call: &StorageCall<'_>, disk: &mut Injection<'_>) {
        let mut hit = Vec::new();
        self.newest = self.newest.max(segment_epoch(call.file).unwrap_or(0));
        // The names are pending until the sync has ended: the call after it clears them.
        if self.names_since_sync.last() == Some(&Op::SyncDir) {
            self.names_since_sync.clear();
        }
        if let Op::Create | Op::Rename | Op::Remove | Op::SyncDir = call.op {
            self.names_since_sync.push(call.op);
        }
        self.excuses += u64::from(self.full || self.remount_needed);
        self.changes += u64::from(call.op.changes_something());
        let newest = segment_epoch(call.file) == Some(self.newest);
        self.newest_removed |= newest && call.op == Op::Remove;
        for fault in self.decide(call, disk) {
            let fired = match &fault.effect {
                Effect::Call(what) => {
                    let sync = call.op == Op::SyncData;
                    self.spoiled_changes += u64::from(call.op.changes_something());
                    self.failed_a_sync |= sync;
                    self.segment_sync_failed |= sync && segment_epoch(call.file).is_some();
                    self.remount_needed |= fault.kind == FaultKind::SyncReadOnly;
                    disk.fail(what.clone());
                    true
                }
                Effect::Event(event) => disk.happen(event),
                Effect::Space(space) => {
                    disk.set_space(space.clone());
                    self.full = space.is_some();
                    space.is_some()
                }
                Effect::LockHeld | Effect::ReadOnly => false,
            };
            let lifted = matches!(fault.effect, Effect::Space(None));
            if fired {
                self.count(fault.kind);
                hit.push(fault.kind);
            }
            if fired || lifted {
                self.planned.push(fault);
            }
        }
        self.watch.call(call.op, call.file, call.dies, &hit);
    }
}

fn planned(call: &StorageCall<'_>, kind: FaultKind, effect: Effect) -> PlannedFault {
    PlannedFault {
        step: None,
        process: 0,
        call: call.number,
        kind,
        effect,
    }
}

/// No room beyond what is used now and a few bytes more, found out at the write or only at the
/// sync, and told in one of the forms that it has.
fn used_up(disk: &Injection<'_>, stream: &mut Stream) -> Space {
    let capacity = disk.used() + stream.draw(0, 300);
    Space {
        capacity,
        error: match capacity % 2 {
            0 => FailureKind::StorageFull,
            _ => FailureKind::QuotaExceeded,
        },
        noticed: if stream.draw(1, 3) == 1 {
            Noticed::OnSync
        } else {
            Noticed::OnWrite
        },
    }
}
