//! The threads of a check: some do the work, and one looks at the clock.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, Thread};
use std::time::Duration;

use super::call_watch::{CallWatch, EXIT};
use super::checked::Checked;
use super::clock::CheckClock;
use super::failing::Failing;
use super::hang::{look_again, report};
use super::plan::{Piece, Plan};
use super::replay::save_one;
use super::say::say;
use super::search::WorkQueue;
use crate::explain::shortened;
use crate::guard::CallGauge;
use crate::oracle::Finding;

/// How often the clock is looked at.
const TICK: Duration = Duration::from_millis(50);

/// A check that is over by then says nothing of its progress.
const SILENT: Duration = Duration::from_secs(2);

/// How often it says something from then on.
const SAID_EVERY: Duration = Duration::from_secs(1);

/// How long failures are made smaller after a search that had a time limit.
const SHRINKS: Duration = Duration::from_secs(10);

/// How a search is carried out. What it finds does not depend on this, but for where it ends.
pub(super) struct CheckLimits {
    pub(super) jobs: NonZeroUsize,
    /// When it ends, at the latest.
    pub(super) duration: Option<Duration>,
    /// Whether it says how far it is.
    pub(super) talks: bool,
    /// How long one call into the store may take.
    pub(super) call: Duration,
}

/// What the threads share.
struct Team<'p> {
    plan: &'p Plan<'p>,
    limits: &'p CheckLimits,
    work: Mutex<WorkQueue<'p>>,
    timer: CheckClock,
    seats: Vec<Seat>,
    /// The search ends where it is.
    cancel: AtomicBool,
    /// It has ended, and what it found is made smaller.
    shrinks: AtomicBool,
    /// All work is done.
    ended: AtomicBool,
}

/// What one of the workers does, for the one that looks at the clock.
#[derive(Default)]
struct Seat {
    gauge: Arc<CallGauge>,
    piece: Mutex<Option<Piece>>,
}

impl Seat {
    fn piece(&self) -> MutexGuard<'_, Option<Piece>> {
        self.piece.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Searches until all is done, enough was found, or the time is over. Then makes what was found as small
/// as it can be.
pub(super) fn carry_out(plan: &Plan<'_>, limits: &CheckLimits) -> (Checked, Option<Box<Failing>>) {
    let team = Team {
        plan,
        limits,
        work: Mutex::new(WorkQueue::new(plan)),
        timer: CheckClock::start(),
        seats: (0..limits.jobs.get()).map(|_| Seat::default()).collect(),
        cancel: AtomicBool::new(false),
        shrinks: AtomicBool::new(false),
        ended: AtomicBool::new(false),
    };
    thread::scope(|scope| {
        // Called as this thread, which a test has given its name: reports say how it is run again.
        let name = thread::current().name().unwrap_or_default().to_owned();
        let clock = thread::Builder::new().name(name);
        let clock = clock.spawn_scoped(scope, || team.watch());
        let clock = clock.expect("there is a thread for the clock");
        // Also where a worker panics: or else the clock would never be told.
        let _ended = TellsEnd(&team.ended, clock.thread().clone());
        thread::scope(|workers| {
            team.prepare(&team.seats[0]);
            for seat in &team.seats[1..] {
                workers.spawn(|| team.work(seat));
            }
            team.work(&team.seats[0]);
        });
        *team.seats[0].piece() = None;
        let checked = team.lock().checked();
        let failures = team.lock().found.first_failures(plan.kept.most);
        team.shrinks.store(true, Ordering::Relaxed);
        let until = limits.duration.map(|_| team.timer.elapsed() + SHRINKS);
        let go_on = || until.is_none_or(|until| team.timer.elapsed() < until);
        let failing = failures
            .iter()
            .map(|kind| Failing::of_kind(plan, kind, &go_on));
        (checked, Failing::together(failing.collect()))
    })
}

/// Tells the clock that all work is done when it is dropped.
struct TellsEnd<'a>(&'a AtomicBool, Thread);

impl Drop for TellsEnd<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
        self.1.unpark();
    }
}

impl<'p> Team<'p> {
    fn lock(&self) -> MutexGuard<'_, WorkQueue<'p>> {
        self.work.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn prepare(&self, seat: &Seat) {
        CallGauge::show_this_thread(&seat.gauge);
        *seat.piece() = Some(Piece::Prepare);
        self.plan.starts();
    }

    fn work(&self, seat: &Seat) {
        CallGauge::show_this_thread(&seat.gauge);
        let is_over = || {
            let duration = self.limits.duration;
            let late = duration.is_some_and(|all| self.timer.elapsed() >= all);
            late || self.cancel.load(Ordering::Relaxed)
        };
        while !is_over() {
            let Some(piece) = self.lock().next(self.timer.elapsed()) else {
                return;
            };
            *seat.piece() = Some(piece.clone());
            let done = self.plan.carry_out(&piece, &self.cancel);
            let now = self.timer.elapsed();
            let mut work = self.lock();
            let news = work.take(&piece, done, now);
            if work.is_over(now) {
                self.cancel.store(true, Ordering::Relaxed);
            }
            drop(work);
            if let Some(finding) = news.filter(|_| self.limits.talks) {
                self.say_first(&finding, now);
            }
        }
    }

    /// Says what was found first, long before it is small enough for a report.
    fn say_first(&self, finding: &Finding, now: Duration) {
        let Finding {
            invariant,
            expected,
            found,
        } = finding;
        let (name, now) = (&self.plan.scenario.name, now.as_secs_f64());
        let (expected, found) = (shortened(expected), shortened(found));
        say(&format!(
            "{name}: {now:.1} s: {invariant}: expected {expected}, found {found}\n{name}: the report comes at the end"
        ));
    }

    /// Looks at the clock until all work is done.
    fn watch(&self) {
        let limits = self.limits;
        let mut next_line = SILENT;
        let seats = self.seats.iter();
        let mut calls: Vec<CallWatch> = seats.map(|seat| CallWatch::new(&seat.gauge)).collect();
        while !self.ended.load(Ordering::Relaxed) {
            let now = self.timer.elapsed();
            let left = limits.duration.map(|all| all.saturating_sub(now));
            if left == Some(Duration::ZERO) || self.lock().is_over(now) {
                self.cancel.store(true, Ordering::Relaxed);
            }
            for (seat, call) in self.seats.iter().zip(&mut calls) {
                if call.is_stuck(now, limits.call) {
                    self.end_if_it_hangs(seat, call, limits.call);
                }
            }
            if limits.talks && now >= next_line {
                next_line = now + SAID_EVERY;
                self.say_progress(now, left);
            }
            thread::park_timeout(
                left.filter(|left| !left.is_zero())
                    .unwrap_or(TICK)
                    .min(TICK),
            );
        }
    }

    /// Ends the process if the call that a worker is in does not come back.
    fn end_if_it_hangs(&self, seat: &Seat, call: &mut CallWatch, limit: Duration) {
        let piece = seat.piece().clone();
        let failing = piece.and_then(|piece| look_again(self.plan, &piece, limit));
        if failing.is_none() && !call.is_stuck(self.timer.elapsed(), limit) {
            // The machine was slow, or stood still.
            return;
        }
        let mut failing = failing;
        let folder = failing.as_mut();
        let folder = folder.and_then(|failing| save_one(self.plan.subject, failing));
        let name = &self.plan.scenario.name;
        say(&report(name, failing.as_ref(), folder.as_deref()));
        std::process::exit(EXIT);
    }

    fn say_progress(&self, now: Duration, left: Option<Duration>) {
        let name = &self.plan.scenario.name;
        let left = match left {
            _ if self.shrinks.load(Ordering::Relaxed) => ", made smaller now".to_owned(),
            _ if self.cancel.load(Ordering::Relaxed) => ", ending".to_owned(),
            Some(left) => format!(", {} s left", left.as_secs_f64().ceil()),
            None => String::new(),
        };
        let now = now.as_secs();
        say(&format!("{name}: {now} s: {}{left}", self.lock().line()));
    }
}
