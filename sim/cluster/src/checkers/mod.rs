//! What must hold of the replicas' observations: one promise a file.
//!
//! ```text
//! ClusterView       what the observations so far say about all nodes; all checkers share it
//!   NodeLog           the log of a node, and how much of it is durable
//! ClusterChecker    one promise: looks at each event before the view takes it in
//! Checkers          all of them
//! ```
//!
//! The five properties of the Raft paper's figure 3 (Ongaro and Ousterhout, "In Search of an
//! Understandable Consensus Algorithm", 2014) each have a checker; the others watch what the paper takes
//! for granted: disks that keep what they acknowledged, snapshots, restarts.
//!
//! Observations count from the moment when they are said, so an engine has to say `Started` first, and
//! `VoteSaved` and `Flushed` before anything that follows from them. After an installed snapshot the log
//! ends where the snapshot does, unless it is longer.

mod applied_in_order;
mod checker;
mod cluster_view;
mod committed_on_quorum;
mod committed_survives;
mod dead_is_silent;
mod durable_after_restart;
mod elected_by_quorum;
mod election_safety;
mod every_restart_starts;
mod leader_append_only;
mod leader_completeness;
mod log_matching;
mod never_back;
mod node_log;
mod own_term_change;
mod own_term_commit;
mod purge_after_snapshot;
#[cfg(test)]
mod script;
mod snapshot_is_fold;
mod state_machine_safety;

use crate::entry::NodeId;
use crate::observation::ObservedEvent;
use checker::ClusterChecker;
use cluster_view::ClusterView;

/// A promise that was broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterViolation {
    /// When, in nanoseconds of virtual time.
    pub at: u64,
    /// By which node; 0: by all of them together.
    pub node: NodeId,
    /// The checker that found it: `election safety`.
    pub checker: &'static str,
    /// What the node did: `leads in term 7, in which node 2 led`.
    pub text: String,
}

/// All checkers. One that has found something is not asked again, because what comes after a broken
/// promise says little.
#[derive(Debug)]
pub struct Checkers {
    view: ClusterView,
    asked: Vec<Box<dyn ClusterChecker>>,
    found_any: bool,
    now: u64,
}

fn all() -> Vec<Box<dyn ClusterChecker>> {
    vec![
        Box::new(dead_is_silent::DeadIsSilent::default()),
        Box::new(every_restart_starts::EveryRestartStarts),
        Box::new(elected_by_quorum::ElectedByQuorum::default()),
        Box::new(election_safety::ElectionSafety::default()),
        Box::new(leader_append_only::LeaderAppendOnly::default()),
        Box::new(log_matching::LogMatching::default()),
        Box::new(leader_completeness::LeaderCompleteness),
        Box::new(state_machine_safety::StateMachineSafety),
        Box::new(committed_on_quorum::CommittedOnQuorum),
        Box::new(own_term_commit::OwnTermCommit::default()),
        Box::new(own_term_change::OwnTermChange),
        Box::new(never_back::NeverBack::default()),
        Box::new(durable_after_restart::DurableAfterRestart),
        Box::new(purge_after_snapshot::PurgeAfterSnapshot),
        Box::new(applied_in_order::AppliedInOrder),
        Box::new(snapshot_is_fold::SnapshotIsFold),
        Box::new(committed_survives::CommittedSurvives),
    ]
}

impl Checkers {
    /// All checkers, before the first event.
    #[must_use]
    pub fn new() -> Self {
        Checkers {
            view: ClusterView::default(),
            asked: all(),
            found_any: false,
            now: 0,
        }
    }

    /// The names of all checkers.
    #[must_use]
    pub fn names() -> Vec<&'static str> {
        all().iter().map(|checker| checker.name()).collect()
    }

    /// Looks at the next event of the run. What is returned is what the event breaks.
    #[must_use]
    pub fn observe(&mut self, event: &ObservedEvent) -> Vec<ClusterViolation> {
        self.now = event.at;
        let broken = self.ask(event.node, |checker, view| checker.observe(event, view));
        self.view.record(event);
        broken
    }

    /// The run is over. How it should end is asked only if nothing was found before.
    #[must_use]
    pub fn finish(&mut self) -> Vec<ClusterViolation> {
        match self.found_any {
            true => Vec::new(),
            false => self.ask(0, |checker, view| checker.finish(view)),
        }
    }

    fn ask(
        &mut self,
        node: NodeId,
        question: impl Fn(&mut dyn ClusterChecker, &ClusterView) -> Result<(), String>,
    ) -> Vec<ClusterViolation> {
        let (view, at, mut broken) = (&self.view, self.now, Vec::new());
        self.asked.retain_mut(|checker| {
            let Err(text) = question(checker.as_mut(), view) else {
                return true;
            };
            let checker = checker.name();
            broken.push(ClusterViolation {
                at,
                node,
                checker,
                text,
            });
            false
        });
        self.found_any |= !broken.is_empty();
        broken
    }
}

impl Default for Checkers {
    fn default() -> Self {
        Checkers::new()
    }
}
