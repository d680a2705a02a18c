//! The moments of a run at which its process could have died: for each the disk, and what the client believed then.
//!
//! The run goes on undisturbed; the explorer later lets the process die at each moment.

use std::sync::Arc;

use beaver_disk::{Crash, Disk};

use crate::oracle::history::History;
use crate::scenario::{Step, Survivors};
use crate::subject::{AnyOp, AnyState};

use super::{Stop, World};

/// A moment at which the process could have died.
#[derive(Clone, Debug)]
pub(crate) struct RunMoment {
    /// The disk, and the storage call that was under way.
    pub(crate) crash: Crash,
    /// What the client believed.
    pub(crate) belief: Arc<History>,
    /// The time, in milliseconds.
    pub(crate) now_ms: u64,
}

/// A process that has died at a moment.
pub(crate) struct DeadProcess<'h> {
    /// What it left.
    pub(crate) disk: Disk,
    /// What the client believes.
    pub(crate) history: &'h History,
    /// The time, in milliseconds.
    pub(crate) now_ms: u64,
    /// Whether the store was ever open.
    pub(crate) was_open: bool,
    /// Whether its recovery had ended, and nothing was asked of the store since.
    pub(crate) untouched: bool,
}

/// What the client believes from one storage call on.
#[derive(Debug)]
struct BeliefSpan {
    first_call: u64,
    history: Arc<History>,
    now_ms: u64,
    /// The disk between two calls, if nothing was under way.
    idle: Option<Crash>,
}

/// The beliefs that no moment was made of yet.
#[derive(Debug)]
pub(crate) struct BeliefSpans(Vec<BeliefSpan>);

impl World<'_> {
    /// Keeps the moments from now on. Before the store was opened for the first time nothing is believed.
    pub(crate) fn keep_moments(&mut self) {
        self.faults.disk().record_crash_points(true);
        self.faults.director().watch().set_every_moment(true);
        self.beliefs = Some(BeliefSpans(Vec::new()));
        self.believe_settled();
    }

    /// The moments since the last time.
    pub(crate) fn take_moments(&mut self) -> Vec<RunMoment> {
        let crashes = self.faults.disk().take_crash_points();
        let Some(BeliefSpans(beliefs)) = &mut self.beliefs else {
            return Vec::new();
        };
        let moment = |belief: &BeliefSpan, crash: Crash| RunMoment {
            crash,
            belief: Arc::clone(&belief.history),
            now_ms: belief.now_ms,
        };
        let mut moments = Vec::new();
        let mut crashes = crashes.into_iter().peekable();
        for (index, belief) in beliefs.iter().enumerate() {
            let next = beliefs
                .get(index + 1)
                .map_or(u64::MAX, |next| next.first_call);
            moments.extend(belief.idle.clone().map(|crash| moment(belief, crash)));
            while let Some(crash) = crashes.next_if(|crash| crash.point().call < next) {
                moments.push(moment(belief, crash));
            }
        }
        beliefs.drain(..beliefs.len().saturating_sub(1));
        if let Some(last) = beliefs.last_mut() {
            last.idle = None;
        }
        moments
    }

    /// From now on it is unknown whether these ops took effect, until something is believed again.
    pub(super) fn believe_doubtful<'o>(&mut self, ops: impl IntoIterator<Item = &'o AnyOp>) {
        if self.beliefs.is_some() {
            let mut history = self.history.clone();
            for op in ops {
                history.doubt(op.clone());
            }
            self.believe(history, None);
        }
    }

    /// From now on the history so far is believed.
    pub(super) fn believe_settled(&mut self) {
        if self.beliefs.is_some() {
            let idle = self.faults.disk().crash_between_calls();
            self.believe(self.history.clone(), Some(idle));
        }
    }

    fn believe(&mut self, mut history: History, idle: Option<Crash>) {
        // The belief is that of a client whose process dies here.
        history.interrupt();
        let belief = BeliefSpan {
            first_call: self.faults.disk().calls() + 1,
            history: Arc::new(history),
            now_ms: self.now_ms(),
            idle,
        };
        if let Some(BeliefSpans(beliefs)) = &mut self.beliefs {
            beliefs.push(belief);
        }
    }

    /// Goes on from a process that has died elsewhere: the power is cut, this is left, and the store is started and judged.
    /// Nothing else goes wrong.
    ///
    /// # Errors
    /// Why the run ended.
    pub(crate) fn lose_power_after(
        &mut self,
        dead: DeadProcess<'_>,
        image: Survivors,
    ) -> Result<(), Stop> {
        self.faults.director().set_quiet(true);
        self.crashes.stop(self.faults.disk());
        self.faults.disk().boot(dead.disk);
        self.clock.set(dead.now_ms);
        self.history = dead.history.clone();
        self.was_open = dead.was_open;
        self.untouched = dead.untouched;
        self.stop_and_start(Step::PowerCut { image: Some(image) })
    }

    /// The state as the client believes it to be.
    pub(crate) fn believed(&self) -> &AnyState {
        self.history.state()
    }

    /// Opens the store for the first time.
    ///
    /// # Errors
    /// Why the run ended.
    pub(crate) fn begin_run(&mut self) -> Result<(), Stop> {
        self.crashes.arm_scripted(self.faults.disk());
        self.begin_step();
        self.start()
    }

    /// Carries out the next command; `false` if there is none.
    ///
    /// # Errors
    /// Why the run ended.
    pub(crate) fn next_command(&mut self) -> Result<bool, Stop> {
        let Some(step) = self.next_step() else {
            return Ok(false);
        };
        self.clock.advance(1);
        let done = self.step(step);
        // First: when no calls are left, all of them fail, and what a process makes of that is no promise broken.
        self.check_budget()?;
        done.map(|()| true)
    }
}
