//! The plain store's job queue: commands become records, records change the state.

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};

use super::bug::Bug;
use beaver_sim::oracle::model::{ModelJob, Record, Refusal, Standing, What};
use beaver_sim::oracle::shown::Shown;
use beaver_sim::scenario::{Job, Step};

/// One job.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Entry {
    payload: String,
    max_attempts: u32,
    timeout_ms: u64,
    attempts: u32,
    place: Place,
}

/// Where a job stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Place {
    Ready,
    InFlight { deadline_ms: u64 },
    Done,
    Dead,
}

/// All jobs.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Queue {
    jobs: BTreeMap<String, Entry>,
    ready: VecDeque<String>,
    dead: Vec<String>,
}

impl Queue {
    /// The records that a command leads to.
    ///
    /// # Errors
    /// It is refused.
    pub(super) fn plan(&self, step: &Step, now_ms: u64) -> Result<Vec<Record>, Refusal> {
        let record = |id: &String, what| Record {
            id: id.clone(),
            at_ms: now_ms,
            what,
        };
        match step {
            Step::Enqueue { jobs } => self.plan_enqueue(jobs, now_ms),
            Step::Dispatch => {
                let next = self.ready.front();
                Ok(next
                    .map(|id| record(id, What::Dispatched))
                    .into_iter()
                    .collect())
            }
            Step::Ack { id } => {
                self.in_flight(id)?;
                Ok(vec![record(id, What::Acked)])
            }
            Step::Fail { id } => {
                let again = self.in_flight(id)?.again(What::Retried);
                Ok(vec![record(id, again)])
            }
            Step::Tick { .. } => Ok(self.plan_return(now_ms, now_ms, &What::TimedOut)),
            _ => Ok(self.plan_return(now_ms, u64::MAX, &What::Retried)),
        }
    }

    fn plan_enqueue(&self, jobs: &[Job], now_ms: u64) -> Result<Vec<Record>, Refusal> {
        let mut seen = Vec::new();
        for job in jobs {
            if seen.contains(&&job.id) || self.jobs.contains_key(&job.id) {
                return Err(Refusal::Duplicate);
            }
            seen.push(&job.id);
        }
        Ok(enqueued(jobs, now_ms))
    }

    fn in_flight(&self, id: &str) -> Result<&Entry, Refusal> {
        let job = self.jobs.get(id).ok_or(Refusal::Unknown)?;
        match job.place {
            Place::InFlight { .. } => Ok(job),
            _ => Err(Refusal::NotInFlight),
        }
    }

    /// What is in flight with a deadline up to `until_ms` goes back to the queue, or is given up.
    fn plan_return(&self, now_ms: u64, until_ms: u64, what: &What) -> Vec<Record> {
        let mut late: Vec<(u64, &String, &Entry)> = Vec::new();
        for (id, job) in &self.jobs {
            match job.place {
                Place::InFlight { deadline_ms } if deadline_ms <= until_ms => {
                    late.push((deadline_ms, id, job));
                }
                _ => {}
            }
        }
        late.sort_by_key(|(deadline_ms, id, _)| (*deadline_ms, *id));
        let records = late.into_iter().map(|(_, id, job)| Record {
            id: id.clone(),
            at_ms: now_ms,
            what: job.again(what.clone()),
        });
        records.collect()
    }

    /// Applies a record.
    ///
    /// # Errors
    /// The rules do not allow it.
    pub(super) fn apply(&mut self, record: &Record) -> Result<(), String> {
        let id = &record.id;
        if let What::Enqueued {
            payload,
            max_attempts,
            timeout_ms,
        } = &record.what
        {
            if self.jobs.contains_key(id) {
                return Err(format!("job {id} is there already"));
            }
            let job = Entry {
                payload: payload.clone(),
                max_attempts: *max_attempts,
                timeout_ms: *timeout_ms,
                attempts: 0,
                place: Place::Ready,
            };
            self.jobs.insert(id.clone(), job);
            self.ready.push_back(id.clone());
            return Ok(());
        }
        let Some(job) = self.jobs.get_mut(id) else {
            return Err(format!("there is no job {id}"));
        };
        let flying = matches!(job.place, Place::InFlight { .. });
        match record.what {
            What::Dispatched if job.place == Place::Ready => {
                job.attempts += 1;
                let deadline_ms = record.at_ms.saturating_add(job.timeout_ms);
                job.place = Place::InFlight { deadline_ms };
                self.ready.retain(|ready| ready != id);
            }
            What::Acked if flying => job.place = Place::Done,
            What::Retried | What::TimedOut if flying => {
                job.place = Place::Ready;
                self.ready.push_back(id.clone());
            }
            What::Buried if flying => {
                job.place = Place::Dead;
                self.dead.push(id.clone());
            }
            _ => return Err(format!("job {id} is {:?}", job.place)),
        }
        Ok(())
    }

    /// Applies a record as the caller does who has just written it.
    ///
    /// # Errors
    /// The rules do not allow it.
    pub(super) fn apply_live(&mut self, record: &Record, bug: Option<Bug>) -> Result<(), String> {
        self.apply(record)?;
        if bug == Some(Bug::AttemptCountedTwice)
            && record.what == What::Retried
            && let Some(job) = self.jobs.get_mut(&record.id)
        {
            job.attempts = (job.attempts + 1).min(job.max_attempts);
        }
        Ok(())
    }

    /// Applies a record that was read from the log.
    ///
    /// # Errors
    /// The rules do not allow it.
    pub(super) fn replay(
        &mut self,
        record: &Record,
        now_ms: u64,
        bug: Option<Bug>,
    ) -> Result<(), String> {
        let without_payload =
            matches!(&record.what, What::Enqueued { payload, .. } if payload.is_empty());
        if bug == Some(Bug::EnqueueWithoutPayload) && without_payload {
            return Ok(());
        }
        if bug == Some(Bug::ClockInReplay) && record.what == What::Dispatched {
            let late = Record {
                at_ms: now_ms,
                ..record.clone()
            };
            return self.apply(&late);
        }
        self.apply(record)?;
        if bug == Some(Bug::ReplayLeavesReady) && record.what == What::Dispatched {
            self.ready.push_front(record.id.clone());
        }
        Ok(())
    }

    /// Whether a worker has a job.
    pub(super) fn has_in_flight(&self) -> bool {
        let mut jobs = self.jobs.values();
        jobs.any(|job| matches!(job.place, Place::InFlight { .. }))
    }

    /// What the snapshot holds of it.
    pub(super) fn for_snapshot(&self, bug: Option<Bug>) -> Queue {
        let mut copy = self.clone();
        if bug == Some(Bug::CompletedForgotten) {
            copy.jobs.retain(|_, job| job.place != Place::Done);
        }
        copy
    }

    /// The queue of a snapshot.
    pub(super) fn from_snapshot(mut copy: Queue, bug: Option<Bug>) -> Queue {
        if bug == Some(Bug::OrderLostInSnapshot) {
            copy.ready.make_contiguous().sort();
        }
        copy
    }

    /// The state in the words of the oracle.
    pub(super) fn shown(&self) -> Shown {
        let jobs = self.jobs.iter().map(|(id, job)| ModelJob {
            id: id.clone(),
            payload: job.payload.clone(),
            max_attempts: job.max_attempts,
            timeout_ms: job.timeout_ms,
            attempts: job.attempts,
            standing: match job.place {
                Place::Ready => Standing::Waiting,
                Place::InFlight { deadline_ms } => Standing::InFlight { deadline_ms },
                Place::Done => Standing::Completed,
                Place::Dead => Standing::Dead,
            },
        });
        Shown {
            jobs: jobs.collect(),
            waiting: self.ready.iter().cloned().collect(),
            dead: self.dead.clone(),
        }
    }
}

impl Entry {
    fn again(&self, what: What) -> What {
        if self.attempts < self.max_attempts {
            what
        } else {
            What::Buried
        }
    }
}

/// The records of an enqueue that is not refused.
pub(super) fn enqueued(jobs: &[Job], now_ms: u64) -> Vec<Record> {
    let records = jobs.iter().map(|job| Record {
        id: job.id.clone(),
        at_ms: now_ms,
        what: What::Enqueued {
            payload: job.payload.clone(),
            max_attempts: job.max_attempts,
            timeout_ms: job.timeout_ms,
        },
    });
    records.collect()
}
