//! One job of the queue, by the rules of the job queue's design: a name is used once; a job is handed out
//! as attempt 1, 2, 3 …, never more often than its limit; only the attempt that is in flight is
//! acknowledged, kept alive or failed; a job completes at most once.
//!
//! Time is not part of the model: a tick that an answer does not describe may have timed an attempt out,
//! ended a delay, or given an attempt its whole time again. So the state is the set of all states that
//! the job may be in.

use std::collections::BTreeSet;

use beaver::{JobSpec, JobStatus};

use super::search::SequentialModel;

/// One job, at first never enqueued.
#[derive(Debug)]
pub(super) struct JobModel;

/// What is asked of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum JobRequest {
    Enqueue {
        limit: u32,
        /// Whether the job waits after an attempt that failed.
        waits: bool,
    },
    /// Any job is handed out, maybe this one.
    Dispatch,
    Heartbeat(u32),
    Ack(u32),
    Fail(u32),
    Tick,
    RequeueInFlight,
    Revive,
    Drop,
    Status,
}

impl JobRequest {
    /// The job of `spec` is enqueued.
    pub(super) fn enqueue(spec: &JobSpec) -> Self {
        JobRequest::Enqueue {
            limit: spec.max_attempts.get(),
            waits: spec.backoff.delay_ms(1) > 0,
        }
    }
}

/// What an answer says of the job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum JobFact {
    /// It was handed out as this attempt.
    Dispatched(u32),
    /// It was changed.
    Changed,
    /// The command, which is for whatever job is in the right state, left it alone.
    Passed,
    /// The command, which names it, is illegal in its state.
    Refused,
    /// It stands here.
    Stands(JobStanding),
}

/// Where a job stands, as a client can see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum JobStanding {
    Unknown,
    Pending,
    InFlight,
    Delayed,
    Completed,
    Dead,
    Dropped,
}

impl JobStanding {
    /// The standing for a status that the queue shows.
    pub(super) fn of(status: Option<JobStatus>) -> Self {
        match status {
            None => JobStanding::Unknown,
            Some(JobStatus::Pending) => JobStanding::Pending,
            Some(JobStatus::InFlight { .. }) => JobStanding::InFlight,
            Some(JobStatus::Delayed { .. }) => JobStanding::Delayed,
            Some(JobStatus::Completed) => JobStanding::Completed,
            Some(JobStatus::Dead) => JobStanding::Dead,
            Some(JobStatus::Dropped) => JobStanding::Dropped,
        }
    }
}

/// One state that a job may be in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct JobPossibility {
    standing: JobStanding,
    limit: u32,
    waits: bool,
    /// How often it was handed out.
    attempts: u32,
    /// The last attempt that it may have.
    last_attempt: u32,
}

impl JobPossibility {
    const NEVER_ENQUEUED: JobPossibility = JobPossibility {
        standing: JobStanding::Unknown,
        limit: 0,
        waits: false,
        attempts: 0,
        last_attempt: 0,
    };

    fn standing(self, standing: JobStanding) -> Self {
        JobPossibility { standing, ..self }
    }

    fn has_attempt(self, attempt: u32) -> bool {
        self.standing == JobStanding::InFlight && self.attempts == attempt
    }

    /// Its attempt is over and was no success.
    fn try_again(self, waits: bool) -> Self {
        match (self.attempts < self.last_attempt, waits) {
            (false, _) => self.standing(JobStanding::Dead),
            (true, true) => self.standing(JobStanding::Delayed),
            (true, false) => self.standing(JobStanding::Pending),
        }
    }

    /// What the request makes of it, each with what would be answered. The last possibility of a
    /// request that names the job is a refusal.
    fn outcomes(self, request: JobRequest) -> Vec<(Self, JobFact)> {
        use JobStanding::{Completed, Dead, Delayed, Dropped, InFlight, Pending, Unknown};
        let named = |is_legal: bool, after: Self| match is_legal {
            true => vec![(after, JobFact::Changed)],
            false => vec![(self, JobFact::Refused)],
        };
        match request {
            JobRequest::Enqueue { limit, waits } => {
                let new = JobPossibility {
                    standing: Pending,
                    limit,
                    waits,
                    attempts: 0,
                    last_attempt: limit,
                };
                named(self.standing == Unknown, new)
            }
            JobRequest::Dispatch if self.standing == Pending => {
                let attempts = self.attempts + 1;
                let out = JobPossibility { attempts, ..self }.standing(InFlight);
                vec![(out, JobFact::Dispatched(attempts))]
            }
            JobRequest::Dispatch => vec![(self, JobFact::Passed)],
            JobRequest::Heartbeat(attempt) => named(self.has_attempt(attempt), self),
            JobRequest::Ack(attempt) => named(self.has_attempt(attempt), self.standing(Completed)),
            JobRequest::Fail(attempt) => {
                named(self.has_attempt(attempt), self.try_again(self.waits))
            }
            JobRequest::Tick => {
                let mut outcomes = vec![(self, JobFact::Passed)];
                match self.standing {
                    InFlight => {
                        // Its time is up, or the clock went back and its time begins anew.
                        outcomes.push((self.try_again(self.waits), JobFact::Changed));
                        outcomes.push((self, JobFact::Changed));
                    }
                    Delayed => outcomes.push((self.standing(Pending), JobFact::Changed)),
                    _ => {}
                }
                outcomes
            }
            JobRequest::RequeueInFlight => match self.standing {
                InFlight => vec![(self.try_again(false), JobFact::Changed)],
                _ => vec![(self, JobFact::Passed)],
            },
            JobRequest::Revive => {
                let last_attempt = self.attempts.saturating_add(self.limit);
                let revived = JobPossibility {
                    last_attempt,
                    ..self
                };
                named(self.standing == Dead, revived.standing(Pending))
            }
            JobRequest::Drop => named(self.standing == Dead, self.standing(Dropped)),
            JobRequest::Status => vec![(self, JobFact::Stands(self.standing))],
        }
    }
}

impl SequentialModel for JobModel {
    type Request = JobRequest;
    type Answer = JobFact;
    type State = BTreeSet<JobPossibility>;

    fn initial(&self) -> Self::State {
        [JobPossibility::NEVER_ENQUEUED].into()
    }

    fn step(
        &self,
        state: &Self::State,
        request: &JobRequest,
        answer: Option<&JobFact>,
    ) -> Option<Self::State> {
        let outcomes = state.iter().flat_map(|job| job.outcomes(*request));
        let fits = outcomes.filter(|(_, fact)| answer.is_none_or(|answer| answer == fact));
        let after: BTreeSet<_> = fits.map(|(job, _)| job).collect();
        (!after.is_empty()).then_some(after)
    }

    fn only_looks(&self, request: &JobRequest, answer: &JobFact) -> bool {
        let is_heartbeat = matches!(request, JobRequest::Heartbeat(_));
        let says_nothing_changed = matches!(
            answer,
            JobFact::Passed | JobFact::Refused | JobFact::Stands(_)
        );
        is_heartbeat || says_nothing_changed
    }
}
