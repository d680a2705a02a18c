//! The moments of a run at which its process could have died: for each the disk, and what the client believed then.
//!
//! The run goes on undisturbed; the explorer later lets the process die at each moment.

use std::sync::Arc;

use beaver_disk::Crash;

use crate::oracle::history::History;
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
        self.step(step)?;
        self.check_budget()?;
        Ok(true)
    }
}
