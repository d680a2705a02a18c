//! The model of the job queue: what a client may expect, written again from the description and as
//! simply as possible.
//!
//! It shares no code with the queue under test, and nothing is clever: where the two disagree, the
//! one that can be read in a minute is right. Its lists are persistent ones, so that a copy costs
//! nothing: what a command would lead to is tried on a copy. A list of the unfinished jobs and a
//! map of the ids keep a command from walking over all that were ever there.
//!
//! * A job waits, is in flight, completed or dead. Its id is used once, for ever.
//! * Waiting jobs are handed out first in, first out; being handed out counts as an attempt and
//!   sets a deadline.
//! * A failed or late job goes to the back of the queue while it has attempts left, and is dead
//!   otherwise.
//! * Of a completed job only its id is remembered.

use std::fmt;

use rpds::{RedBlackTreeMapSync, VectorSync};
use serde::{Deserialize, Serialize};

use super::command::{Command, Job};
use super::unacceptable::Unacceptable;

/// What happened to one job: one entry of the history that a client could write down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The job.
    pub id: String,
    /// When, in milliseconds.
    pub at_ms: u64,
    /// What.
    pub what: What,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// It was enqueued, with this payload and these limits.
    Enqueued {
        /// JSON text, byte for byte.
        payload: String,
        /// How often it may be tried.
        max_attempts: u32,
        /// How long an attempt may take, in milliseconds.
        timeout_ms: u64,
    },
    /// It was handed out.
    Dispatched,
    /// It is done.
    Acked,
    /// It failed and waits again.
    Retried,
    /// It took too long and waits again.
    TimedOut,
    /// It is given up.
    Buried,
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match &self.what {
            What::Enqueued { payload, .. } => return write!(f, "enqueue {} {payload}", self.id),
            What::Dispatched => "dispatch",
            What::Acked => "ack",
            What::Retried => "retry",
            What::TimedOut => "timeout",
            What::Buried => "dead",
        };
        write!(f, "{what} {} at {}", self.id, self.at_ms)
    }
}

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
    /// It is done.
    Completed,
    /// It is given up.
    Dead,
}

impl Standing {
    /// Whether the job is not finished.
    #[must_use]
    pub fn is_open(self) -> bool {
        matches!(self, Standing::Waiting | Standing::InFlight { .. })
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
    /// How often it was handed out.
    pub attempts: u32,
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
    /// The id is none.
    InvalidId,
    /// The payload is none.
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
    /// Where in `jobs` those stand that wait or are in flight, in order.
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

    /// The jobs that wait or are in flight, in the order in which they were enqueued.
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
                attempts: 0,
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
                let deadline_ms = record.at_ms.saturating_add(job.timeout_ms);
                job.standing = Standing::InFlight { deadline_ms };
            }
            What::Acked => job.standing = Standing::Completed,
            What::Retried | What::TimedOut => {
                job.standing = Standing::Waiting;
                self.waiting.push(record.id.clone());
            }
            What::Buried => {
                job.standing = Standing::Dead;
                self.dead.push_back_mut(record.id.clone());
            }
        }
        match (self.open.binary_search(&at), job.standing.is_open()) {
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

    /// What a command at `now_ms` must write down, or why it must be refused. Nothing to write down
    /// is an empty list.
    ///
    /// # Errors
    /// The reason for which the command must be refused.
    pub fn plan(&self, command: &Command, now_ms: u64) -> Result<Vec<Record>, Refusal> {
        match command {
            Command::Enqueue { jobs } => self.plan_enqueue(jobs, now_ms),
            Command::Dispatch => {
                let next = self.waiting.first();
                Ok(next
                    .map(|id| record(id, now_ms, What::Dispatched))
                    .into_iter()
                    .collect())
            }
            Command::Ack { id } => {
                self.in_flight(id)?;
                Ok(vec![record(id, now_ms, What::Acked)])
            }
            Command::Fail { id } => {
                let job = self.in_flight(id)?;
                Ok(vec![record(id, now_ms, after_failure(job, What::Retried))])
            }
            Command::Tick { .. } => Ok(self.plan_in_flight_back(now_ms, What::TimedOut, |job| {
                matches!(job.standing, Standing::InFlight { deadline_ms } if deadline_ms <= now_ms)
            })),
            Command::Requeue => Ok(self.plan_in_flight_back(now_ms, What::Retried, |job| {
                matches!(job.standing, Standing::InFlight { .. })
            })),
            Command::Unacceptable { request } => Err(Refusal::from(*request)),
            Command::Sync | Command::Rotate | Command::Preallocate { .. } => Ok(Vec::new()),
        }
    }

    fn plan_enqueue(&self, jobs: &[Job], now_ms: u64) -> Result<Vec<Record>, Refusal> {
        let mut records = Vec::new();
        for (index, job) in jobs.iter().enumerate() {
            let in_this_command = jobs[..index].iter().any(|earlier| earlier.id == job.id);
            if in_this_command || self.job(&job.id).is_some() {
                return Err(Refusal::Duplicate);
            }
            let what = What::Enqueued {
                payload: job.payload.clone(),
                max_attempts: job.max_attempts,
                timeout_ms: job.timeout_ms,
            };
            records.push(record(&job.id, now_ms, what));
        }
        Ok(records)
    }

    fn in_flight(&self, id: &str) -> Result<&ModelJob, Refusal> {
        let job = self.job(id).ok_or(Refusal::Unknown)?;
        match job.standing {
            Standing::InFlight { .. } => Ok(job),
            _ => Err(Refusal::NotInFlight),
        }
    }

    /// Jobs that leave their workers, the earliest deadline first, ids in bytewise order where
    /// deadlines are equal.
    fn plan_in_flight_back(
        &self,
        now_ms: u64,
        what: What,
        leaves: impl Fn(&ModelJob) -> bool,
    ) -> Vec<Record> {
        let mut leaving: Vec<&ModelJob> = self.open().filter(|job| leaves(job)).collect();
        leaving.sort_by(|a, b| (deadline(a), &a.id).cmp(&(deadline(b), &b.id)));
        let records = leaving.into_iter();
        records
            .map(|job| record(&job.id, now_ms, after_failure(job, what.clone())))
            .collect()
    }
}

/// Whether two jobs look the same to a client.
pub(super) fn is_same(want: &ModelJob, got: &ModelJob) -> bool {
    let completed = want.standing == Standing::Completed && got.standing == Standing::Completed;
    want == got || completed && want.id == got.id
}

fn deadline(job: &ModelJob) -> u64 {
    match job.standing {
        Standing::InFlight { deadline_ms } => deadline_ms,
        _ => u64::MAX,
    }
}

fn after_failure(job: &ModelJob, again: What) -> What {
    if job.attempts < job.max_attempts {
        again
    } else {
        What::Buried
    }
}

fn record(id: &str, at_ms: u64, what: What) -> Record {
    Record {
        id: id.to_owned(),
        at_ms,
        what,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(id: &str) -> Job {
        Job {
            id: id.to_owned(),
            payload: "{}".to_owned(),
            max_attempts: 2,
            timeout_ms: 10,
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
        let id = "a".to_owned();
        run(&mut model, &Command::Fail { id }, 2).unwrap();
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
