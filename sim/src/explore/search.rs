//! The search: from one moment of a run to everything that a crash at it may leave, and from there on.
//!
//! ```text
//! crash ──▶ each disk that it may leave ──▶ recover, judge ──┬─▶ crash at each call of that recovery   (depth)
//!                                                           └─▶ crash when it is over: what it showed is decided
//! ```
//!
//! A disk is judged once for each thing that may be believed about it; what a recovery shows is examined once for each disk
//! that it leaves behind, and compared from then on. Both lose nothing: a recovery is a function of its disk.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use beaver::storage::sim::{
    Change, Crash, CrashPoint, Disk, Profile, Progress, SimDisk, SimOptions, TraceMode,
};
use beaver::{Clock, JobQueue, ManualClock};

use crate::client::Client;
use crate::faults::Survivors;
use crate::guard::guarded;
use crate::oracle::history::{History, Place};
use crate::oracle::judge::Finding;
use crate::oracle::model::Record;
use crate::scenario::{Crashes, LogSettings, Step};
use crate::subject::{Process, Report};
use crate::world::Moment;

use super::examine::Opened;
use super::options::Options;
use super::prefixes::prefixes;
use super::tally::Tally;
use super::trail::{Leg, Wrong, killed, power_cut};
use super::work::{Yield, mixed};

/// Storage calls of one recovery, beyond which it counts as without end.
const RECOVERY_CALLS: u64 = 5_000;

/// How many failures of one unit are kept.
const FAILURES_KEPT: usize = 8;

/// Everything that one unit of work (a command of a workload) remembers.
pub(super) struct Search<'a> {
    pub(super) settings: &'a LogSettings,
    pub(super) profile: Profile,
    pub(super) clock: Arc<ManualClock>,
    pub(super) tally: Tally,
    pub(super) wrong: Vec<Wrong>,
    /// A hash over every disk that was judged.
    hash: u64,
    options: &'a Options,
    survivors: Survivors,
    beliefs: Vec<Belief>,
    /// Disks that were judged, with the belief, and how deep the search went on from there.
    judged: BTreeMap<(usize, u128), u32>,
    /// What recoveries showed, by belief and the disk that they left.
    shown: BTreeMap<(usize, u128), Shown>,
    /// Disks, with what was decided about them, on which the store has gone on.
    gone_on: BTreeSet<(usize, u128)>,
    /// Whether a store is going on now: what follows from that need not go on once more.
    going_on: bool,
}

/// What may be believed about a disk.
struct Belief {
    history: Arc<History>,
    /// The beliefs that recoveries lead to from here: how many groups in doubt they showed, and where.
    decided: Vec<(Vec<Place>, usize)>,
}

/// What a recovery showed that was examined and found right.
struct Shown {
    queue: JobQueue,
    applied: Place,
    snapshot: Option<Place>,
    /// What is believed from now on.
    decided: usize,
}

/// A disk on which a process starts.
struct Start {
    disk: Disk,
    belief: usize,
    /// The number of the last storage call before, counted over the whole run.
    calls: u64,
    /// How many more crashes follow: the last of them only when recovery has ended.
    depth: u32,
    /// Whether the recovery before this one had ended.
    shown_before: bool,
}

/// Where a process dies.
pub(super) struct Death<'c> {
    pub(super) crash: &'c Crash,
    pub(super) belief: usize,
    /// The number of the last storage call before its process started, counted over the whole run.
    pub(super) calls: u64,
    /// How many more crashes follow, as for the start of a process.
    pub(super) depth: u32,
    /// Whether its recovery had ended.
    pub(super) shown: bool,
}

impl<'a> Search<'a> {
    pub(super) fn new(settings: &'a LogSettings, profile: Profile, options: &'a Options) -> Self {
        let crashes = Crashes {
            torn_pages: 0,
            ..Crashes::default()
        };
        Search {
            settings,
            profile,
            clock: Arc::new(ManualClock::new(0)),
            tally: Tally::default(),
            wrong: Vec::new(),
            hash: 0,
            options,
            survivors: Survivors::new(options.seed, &crashes, Vec::new()),
            beliefs: Vec::new(),
            judged: BTreeMap::new(),
            shown: BTreeMap::new(),
            gone_on: BTreeSet::new(),
            going_on: false,
        }
    }

    /// What came out of a workload that began with `steps`.
    pub(super) fn into_yield(self, steps: &[Step]) -> Yield {
        let failures = self.wrong.into_iter().map(|wrong| wrong.after(steps));
        Yield {
            failures: failures.collect(),
            tally: self.tally,
            hash: self.hash,
        }
    }

    /// Lets the process of the workload die at `moment`.
    pub(super) fn moment(&mut self, moment: &Moment) {
        self.clock = Arc::new(ManualClock::new(moment.now_ms));
        let belief = self.belief(&moment.belief);
        self.die(&Death {
            crash: &moment.crash,
            belief,
            calls: 0,
            depth: self.options.depth,
            shown: false,
        });
    }

    fn belief(&mut self, history: &Arc<History>) -> usize {
        let known = self
            .beliefs
            .iter()
            .position(|belief| Arc::ptr_eq(&belief.history, history));
        known.unwrap_or_else(|| self.add_belief(Arc::clone(history)))
    }

    fn add_belief(&mut self, history: Arc<History>) -> usize {
        self.beliefs.push(Belief {
            history,
            decided: Vec::new(),
        });
        self.beliefs.len() - 1
    }

    /// The beliefs while `records` are being made durable behind `before`, and when they are, with the last one at `last`.
    pub(super) fn add_append(
        &mut self,
        before: usize,
        records: Vec<Record>,
        last: Place,
    ) -> (usize, usize) {
        let mut doubtful = (*self.beliefs[before].history).clone();
        let mut after = doubtful.clone();
        doubtful.doubt(records.clone());
        after.acknowledge(records, last);
        let places = after.decided()[doubtful.decided().len()..].iter();
        let places = places.map(|decided| decided.place).collect();
        let after = self.add_belief(Arc::new(after));
        let doubtful = self.add_belief(Arc::new(doubtful));
        // A recovery that shows none of it leads back, and one that shows all of it leads where the answer would have.
        self.beliefs[doubtful].decided = vec![(Vec::new(), before), (places, after)];
        (doubtful, after)
    }

    pub(super) fn history(&self, belief: usize) -> &Arc<History> {
        &self.beliefs[belief].history
    }

    /// The belief after a recovery under `belief` has shown the first `groups` groups in doubt at `places`.
    pub(super) fn decide(&mut self, belief: usize, groups: usize, places: Vec<Place>) -> usize {
        let history = &self.beliefs[belief].history;
        if history.doubtful().is_empty() {
            return belief;
        }
        let known = self.beliefs[belief]
            .decided
            .iter()
            .find(|(known, _)| *known == places);
        if let Some((_, decided)) = known {
            return *decided;
        }
        let mut history = (**history).clone();
        history.decide(groups, &places);
        let decided = self.add_belief(Arc::new(history));
        self.beliefs[belief].decided.push((places, decided));
        decided
    }

    /// A process dies: goes on from everything that it may leave.
    pub(super) fn die(&mut self, death: &Death<'_>) {
        self.tally.crash_points += 1;
        self.be_killed(death);
        self.lose_power(death);
    }

    fn be_killed(&mut self, death: &Death<'_>) {
        match death.crash.inside() {
            None => self.start_killed(death, Progress::Nothing),
            Some(Change::Write { bytes, .. }) => {
                for length in prefixes(bytes) {
                    self.start_killed(death, Progress::Bytes(length));
                }
            }
            // Nothing of it and all of it: that is before and after the call.
            Some(_) => {}
        }
    }

    fn start_killed(&mut self, death: &Death<'_>, progress: Progress) {
        let disk = death.crash.kill(progress);
        self.tally.killed += 1;
        if !self.is_new(death, disk.fingerprint()) {
            return;
        }
        let start = start(death, disk);
        self.follow(start, || killed(place_of(death), progress));
    }

    fn lose_power(&mut self, death: &Death<'_>) {
        let space = death.crash.images();
        let cap = self.options.cap;
        if let Some(mut images) = space.enumerate(cap) {
            while let Some(candidate) = images.next() {
                self.tally.enumerated += 1;
                if self.is_new(death, candidate.image.hash128()) {
                    let start = start(death, candidate.image.disk(self.profile));
                    self.follow(start, || {
                        power_cut(place_of(death), images.choice(&candidate))
                    });
                }
            }
            self.tally.enumerated += images.dropped();
            self.tally.dropped += images.dropped();
            return;
        }
        self.tally.capped += 1;
        let corners = space.corners();
        let samples = cap.saturating_sub(corners.len() as u64);
        let corners = corners.into_iter().map(|corner| space.corner(corner));
        let corners: Vec<_> = corners.collect();
        let sampled: Vec<_> = (0..samples)
            .map(|_| self.survivors.choose(&space))
            .collect();
        for choice in corners.into_iter().chain(sampled) {
            let image = space.image(&choice);
            self.tally.sampled += 1;
            if self.is_new(death, image.hash128()) {
                let start = start(death, image.disk(self.profile));
                self.follow(start, || power_cut(place_of(death), choice));
            }
        }
    }

    /// Whether a disk has yet to be judged. If not it counts as dropped.
    fn is_new(&mut self, death: &Death<'_>, fingerprint: u128) -> bool {
        // What recovery has shown before must come back with the same bytes, which is more than the belief says.
        let key = (death.belief << 1 | usize::from(death.shown), fingerprint);
        let reached = death.depth + 1;
        let judged = self.judged.entry(key).or_insert(0);
        if *judged >= reached {
            self.tally.dropped += 1;
            return false;
        }
        *judged = reached;
        let low = u64::try_from(fingerprint & u128::from(u64::MAX)).unwrap_or_default();
        self.hash = mixed(self.hash, low);
        true
    }

    /// Goes on from a disk; `leg` says how the way to it continues, if something is wrong there.
    fn follow(&mut self, start: Start, leg: impl FnOnce() -> Leg) {
        let before = self.wrong.len();
        if before >= FAILURES_KEPT {
            return;
        }
        self.recover(start);
        if self.wrong.len() > before {
            let leg = leg();
            let wrong = self.wrong[before..].iter_mut();
            wrong.for_each(|wrong| wrong.legs.push(leg.clone()));
        }
    }

    /// A process starts on a disk and opens the store.
    fn recover(&mut self, start: Start) {
        self.tally.recoveries += 1;
        let options = SimOptions {
            max_calls: Some(RECOVERY_CALLS),
            trace: TraceMode::Off,
            ..SimOptions::default()
        };
        let found = start.shown_before.then(|| start.disk.clone());
        let sim = SimDisk::new(start.disk, options);
        sim.record_crash_points(start.depth > 1);
        let storage = self.options.between.wrap(sim.storage());
        let clock = Arc::clone(&self.clock);
        let opened = guarded(|| Client::open(storage, clock, self.settings));
        let opened = match opened {
            Ok(Ok(opened)) => opened,
            Ok(Err(failure)) => {
                let expected = "the store to open after a crash without any fault";
                return self.is_wrong(Finding::new(7, expected, failure.text));
            }
            Err(panic) => return self.is_wrong(Finding::new(0, "no panic", panic)),
        };
        let crashes = sim.take_crash_points();
        sim.record_crash_points(false);
        let end = sim.crash_between_calls();
        let calls = sim.calls();
        let decided = match self.judge(start.belief, &sim, opened, found.as_ref()) {
            Ok(decided) => decided,
            Err(finding) => return self.is_wrong(finding),
        };
        let Some(depth) = start.depth.checked_sub(1) else {
            return;
        };
        if depth > 0 {
            self.tally.storage_calls += calls;
        }
        for crash in &crashes {
            self.die(&Death {
                crash,
                belief: start.belief,
                calls: start.calls,
                depth,
                shown: false,
            });
        }
        self.die(&Death {
            crash: &end,
            belief: decided,
            calls: start.calls,
            depth,
            shown: true,
        });
    }

    pub(super) fn now_ms(&self) -> u64 {
        self.clock.now_ms()
    }

    fn is_wrong(&mut self, finding: Finding) {
        self.wrong.push(Wrong::new(finding));
    }

    /// Judges what a recovery shows. Answers with what is believed from now on.
    fn judge(
        &mut self,
        belief: usize,
        sim: &SimDisk,
        (client, report): (Client, Report),
        found: Option<&Disk>,
    ) -> Result<usize, Finding> {
        let left = sim.disk();
        let key = (belief, left.fingerprint());
        if let Some(found) = found {
            super::examine::compare_bytes(found, &left)?;
        }
        if let Some(shown) = self.shown.get(&key) {
            let same = shown.applied == client.applied()
                && shown.snapshot == report.snapshot
                && shown.queue == *client.queue();
            if same {
                return Ok(shown.decided);
            }
        }
        self.tally.examined += 1;
        let queue = client.queue().clone();
        let mut opened = Opened {
            belief,
            sim,
            client,
            report,
        };
        let decided = self.examine(&opened)?;
        let shown = Shown {
            queue,
            applied: opened.client.applied(),
            snapshot: opened.report.snapshot,
            decided,
        };
        // Before the store goes on, because a crash then may lead back to here.
        self.shown.insert(key, shown);
        if !self.going_on && self.gone_on.insert((decided, key.1)) {
            self.going_on = true;
            let gone_on = self.go_on(&mut opened, decided);
            self.going_on = false;
            gone_on?;
        }
        Ok(decided)
    }
}

fn start(death: &Death<'_>, disk: Disk) -> Start {
    Start {
        disk,
        belief: death.belief,
        calls: death.calls + death.crash.point().call,
        depth: death.depth,
        shown_before: death.shown,
    }
}

fn place_of(death: &Death<'_>) -> CrashPoint {
    let CrashPoint { call, moment } = death.crash.point();
    CrashPoint {
        call: death.calls + call,
        moment,
    }
}
