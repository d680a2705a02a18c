//! The model of the job queue: what a client may expect, written again from the description and as
//! simply as possible.
//!
//! It shares no code with the queue under test, and nothing is clever: where the two disagree, the
//! one that can be read in a minute is right. Its lists are persistent ones, so that a copy costs
//! nothing: what a command would lead to is tried on a copy. A list of the unfinished jobs and a
//! map of the ids keep a command from walking over all that were ever there.
//!
//! * A job waits, is in flight, delayed, completed, dead or dropped. Its id is used once, for ever.
//! * Waiting jobs are handed out first in, first out; being handed out counts as an attempt and
//!   sets a deadline. Attempts are counted on for ever; a report of another attempt than the one in
//!   flight is refused.
//! * A failed or late job goes to the back of the queue while it has attempts left, and is dead
//!   otherwise. If it has a backoff it is delayed first, twice as long each time.
//! * A dead job can be revived, with all its attempts again, or dropped.
//! * A deadline or a delay that began later than the clock shows now is worth nothing: at the next
//!   tick the attempt has its whole time anew, and the delay is over.
//! * Of a completed or dropped job only its id is remembered.

use rpds::{RedBlackTreeMapSync, VectorSync};
use serde::{Deserialize, Serialize};

pub use super::record::{Record, What};
use super::unacceptable::Unacceptable;

/// Where a job stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Standing {
    /// It waits to be handed out.
    Waiting,
    /// A worker has it until then.
    InFlight {
        /// In milliseconds.
        deadline_ms: u64,
    },
    /// It failed, and is not handed out for a time.
    Delayed {
        /// Since then, in milliseconds.
        since_ms: u64,
        /// Until then.
        until_ms: u64,
    },
    /// It is done.
    Completed,
    /// It is given up.
    Dead,
    /// It was given up and is removed.
    Dropped,
}

impl Standing {
    /// Whether the job is not finished.
    #[must_use]
    pub fn is_open(self) -> bool {
        match self {
            Standing::Waiting | Standing::InFlight { .. } | Standing::Delayed { .. } => true,
            Standing::Completed | Standing::Dead | Standing::Dropped => false,
        }
    }

    /// Whether only the id of the job is remembered.
    #[must_use]
    pub fn is_final(self) -> bool {
        matches!(self, Standing::Completed | Standing::Dropped)
    }
}

/// One job, with everything a client knows about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelJob {
    /// Its id.
    pub id: String,
    /// Its payload, byte for byte.
    pub payload: String,
    /// How often it may be tried.
    pub max_attempts: u32,
    /// How long an attempt may take, in milliseconds.
    pub timeout_ms: u64,
    /// How long it waits after a first attempt that failed, and at most, in milliseconds.
    pub backoff_ms: [u64; 2],
    /// How often it was handed out.
    pub attempts: u32,
    /// How often it may be handed out before it is given up.
    pub attempts_left: u32,
    /// Where it stands.
    pub standing: Standing,
}

/// Why a command must be refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The id was used before, in this command or earlier.
    Duplicate,
    /// There is no such job.
    Unknown,
    /// The job is not in flight.
    NotInFlight,
    /// Another attempt of the job is in flight.
    WrongAttempt,
    /// The job is not dead.
    NotDead,
    /// The id is not valid.
    InvalidId,
    /// The payload is not valid.
    InvalidPayload,
    /// It is more than the format can hold.
    TooLarge,
}

impl From<Unacceptable> for Refusal {
    fn from(request: Unacceptable) -> Self {
        match request {
            Unacceptable::EmptyId | Unacceptable::LongId => Refusal::InvalidId,
            Unacceptable::BrokenPayload | Unacceptable::PayloadOfTwoLines => {
                Refusal::InvalidPayload
            }
            Unacceptable::LongPayload | Unacceptable::LongAppend => Refusal::TooLarge,
        }
    }
}

/// The state that a history leads to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Model {
    /// All jobs, in the order in which they were enqueued.
    jobs: VectorSync<ModelJob>,
    /// Where in `jobs` an id stands.
    by_id: RedBlackTreeMapSync<String, usize>,
    /// Where in `jobs` those stand that are not finished, in order.
    open: Vec<usize>,
    /// Ids of the waiting jobs, the next one first.
    waiting: Vec<String>,
    /// Ids of the dead jobs, in the order in which they were given up.
    dead: VectorSync<String>,
}

impl Model {
    /// The state with these jobs, and these ids of waiting and of dead ones, each in its order.
    #[must_use]
    pub fn of(jobs: Vec<ModelJob>, waiting: Vec<String>, dead: Vec<String>) -> Model {
        let mut model = Model {
            waiting,
            dead: dead.into_iter().collect(),
            ..Model::default()
        };
        for (at, job) in jobs.into_iter().enumerate() {
            model.by_id.insert_mut(job.id.clone(), at);
            if job.standing.is_open() {
                model.open.push(at);
            }
            model.jobs.push_back_mut(job);
        }
        model
    }

    /// How many jobs there are, finished ones included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.jobs.len()
    }

    /// Whether no job was ever enqueued.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.jobs.is_empty()
    }

    /// The job `id`, if there is one.
    #[must_use]
    pub fn job(&self, id: &str) -> Option<&ModelJob> {
        self.jobs.get(self.position(id)?)
    }

    /// As which job `id` was enqueued, from 0.
    #[must_use]
    pub fn position(&self, id: &str) -> Option<usize> {
        self.by_id.get(id).copied()
    }

    /// The job that was enqueued as number `at`, from 0.
    #[must_use]
    pub fn nth(&self, at: usize) -> Option<&ModelJob> {
        self.jobs.get(at)
    }

    /// All jobs, in the order in which they were enqueued.
    pub fn jobs(&self) -> impl Iterator<Item = &ModelJob> {
        self.jobs.iter()
    }

    /// The jobs that are not finished, in the order in which they were enqueued.
    pub fn open(&self) -> impl DoubleEndedIterator<Item = &ModelJob> {
        self.open.iter().filter_map(|at| self.jobs.get(*at))
    }

    /// Ids of the waiting jobs, the next one first.
    #[must_use]
    pub fn waiting(&self) -> &[String] {
        &self.waiting
    }

    /// Ids of the dead jobs, in the order in which they were given up.
    pub fn dead(&self) -> impl Iterator<Item = &String> {
        self.dead.iter()
    }

    /// Applies one record. A record that breaks the rules is applied as well as it can be: judging
    /// it is not done here.
    pub fn apply(&mut self, record: &Record) {
        if let What::Enqueued {
            payload,
            max_attempts,
            timeout_ms,
            backoff_ms,
        } = &record.what
        {
            let at = self.jobs.len();
            self.by_id.insert_mut(record.id.clone(), at);
            self.open.push(at);
            self.jobs.push_back_mut(ModelJob {
                id: record.id.clone(),
                payload: payload.clone(),
                max_attempts: *max_attempts,
                timeout_ms: *timeout_ms,
                backoff_ms: *backoff_ms,
                attempts: 0,
                attempts_left: *max_attempts,
                standing: Standing::Waiting,
            });
            self.waiting.push(record.id.clone());
            return;
        }
        self.waiting.retain(|id| *id != record.id);
        let Some(at) = self.by_id.get(&record.id).copied() else {
            return;
        };
        let job = self.jobs.get_mut(at).expect("the map says where jobs are");
        match record.what {
            What::Enqueued { .. } => {}
            What::Dispatched => {
                job.attempts += 1;
                job.attempts_left = job.attempts_left.saturating_sub(1);
                job.hold(record.at_ms);
            }
            What::HeldOn { .. } => job.hold(record.at_ms),
            What::Acked { .. } => job.standing = Standing::Completed,
            What::Retried { delay_ms, .. } | What::TimedOut { delay_ms, .. } if delay_ms > 0 => {
                job.standing = Standing::Delayed {
                    since_ms: record.at_ms,
                    until_ms: record.at_ms.saturating_add(delay_ms),
                };
            }
            What::Retried { .. } | What::TimedOut { .. } | What::Readied => {
                job.standing = Standing::Waiting;
                self.waiting.push(record.id.clone());
            }
            What::Buried { .. } => {
                job.standing = Standing::Dead;
                self.dead.push_back_mut(record.id.clone());
            }
            What::Revived => {
                job.attempts_left = job.max_attempts;
                job.standing = Standing::Waiting;
                self.waiting.push(record.id.clone());
                self.leave_the_dead(&record.id);
            }
            What::Dropped => {
                job.standing = Standing::Dropped;
                self.leave_the_dead(&record.id);
            }
        }
        self.sort_in(at);
    }

    fn leave_the_dead(&mut self, id: &str) {
        let others = self.dead.iter().filter(|dead| *dead != id);
        self.dead = others.cloned().collect();
    }

    /// Puts the job that stands at `at` among those that are not finished, or takes it out.
    fn sort_in(&mut self, at: usize) {
        let standing = self.jobs.get(at).map(|job| job.standing);
        let is_open = standing.is_some_and(Standing::is_open);
        match (self.open.binary_search(&at), is_open) {
            (Ok(index), false) => drop(self.open.remove(index)),
            (Err(index), true) => self.open.insert(index, at),
            _ => {}
        }
    }

    /// Whether a client sees no difference between this state and `other`.
    #[must_use]
    pub fn looks_like(&self, other: &Model) -> bool {
        let same = |job: &ModelJob| other.job(&job.id).is_some_and(|o| is_same(job, o));
        self.len() == other.len()
            && self.by_id.size() == other.by_id.size()
            && self.waiting == other.waiting
            && self.dead == other.dead
            && self.jobs().all(same)
    }
}

impl ModelJob {
    /// Its attempt has its whole time, from `at_ms` on.
    fn hold(&mut self, at_ms: u64) {
        let deadline_ms = at_ms.saturating_add(self.timeout_ms);
        self.standing = Standing::InFlight { deadline_ms };
    }
}

/// Whether two jobs look the same to a client.
pub(super) fn is_same(want: &ModelJob, got: &ModelJob) -> bool {
    let gone = want.standing.is_final() && want.standing == got.standing;
    want == got || gone && want.id == got.id
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::beaver::command::{Command, Job};

    fn job(id: &str) -> Job {
        Job {
            id: id.to_owned(),
            payload: "{}".to_owned(),
            max_attempts: 2,
            timeout_ms: 10,
            backoff_ms: [0, 0],
        }
    }

    fn run(model: &mut Model, command: &Command, now_ms: u64) -> Result<usize, Refusal> {
        let records = model.plan(command, now_ms)?;
        records.iter().for_each(|record| model.apply(record));
        Ok(records.len())
    }

    #[test]
    fn a_job_that_times_out_twice_is_dead_and_its_id_stays_used() {
        let mut model = Model::default();
        let enqueue = Command::Enqueue {
            jobs: vec![job("a")],
        };
        assert_eq!(run(&mut model, &enqueue, 0), Ok(1));
        for at in [0, 100] {
            assert_eq!(run(&mut model, &Command::Dispatch, at), Ok(1));
            assert_eq!(run(&mut model, &Command::Tick { ms: 0 }, at + 9), Ok(0));
            assert_eq!(run(&mut model, &Command::Tick { ms: 0 }, at + 10), Ok(1));
        }
        assert_eq!(model.job("a").map(|job| job.standing), Some(Standing::Dead));
        assert_eq!(model.waiting, Vec::<String>::new());
        assert_eq!(run(&mut model, &enqueue, 200), Err(Refusal::Duplicate));
    }

    #[test]
    fn a_failed_job_goes_to_the_back() {
        let mut model = Model::default();
        let jobs = vec![job("a"), job("b")];
        run(&mut model, &Command::Enqueue { jobs }, 0).unwrap();
        run(&mut model, &Command::Dispatch, 1).unwrap();
        let (id, attempt) = ("a".to_owned(), Some(1));
        run(&mut model, &Command::Fail { id, attempt }, 2).unwrap();
        assert_eq!(model.waiting, ["b", "a"]);
    }

    #[test]
    fn an_enqueue_with_one_used_id_is_refused_whole() {
        let model = Model::default();
        let jobs = vec![job("a"), job("b"), job("a")];
        assert_eq!(
            model.plan(&Command::Enqueue { jobs }, 0),
            Err(Refusal::Duplicate)
        );
    }
}
