//! What a command of the queue must write down, by the model alone.

use super::command::{Command, Job};
use super::model::{Model, ModelJob, Record, Refusal, Standing, What};

impl Model {
    /// What a command at `now_ms` must write down, or why it must be refused. Nothing to write down
    /// is an empty list.
    ///
    /// # Errors
    /// The reason for which the command must be refused.
    pub fn plan(&self, command: &Command, now_ms: u64) -> Result<Vec<Record>, Refusal> {
        let one = |id: &str, what| Ok(vec![record(id, now_ms, what)]);
        match command {
            Command::Enqueue { jobs } => self.plan_enqueue(jobs, now_ms),
            Command::Dispatch => match self.waiting().first() {
                Some(next) => one(next, What::Dispatched),
                None => Ok(Vec::new()),
            },
            Command::Heartbeat { id, attempt } => {
                let attempt = self.held(id, *attempt)?.attempts;
                one(id, What::HeldOn { attempt })
            }
            Command::Ack { id, attempt } => {
                let attempt = self.held(id, *attempt)?.attempts;
                one(id, What::Acked { attempt })
            }
            Command::Fail { id, attempt } => {
                let job = self.held(id, *attempt)?;
                one(id, failed(job))
            }
            Command::Tick { .. } => Ok(self.plan_tick(now_ms)),
            Command::Requeue => {
                // All of them, in the order in which their time ends.
                let lost = ended(self.in_flight(), u64::MAX);
                Ok(lost
                    .map(|job| record(&job.id, now_ms, lost_worker(job)))
                    .collect())
            }
            Command::Revive { id } => one(self.dead_job(id)?, What::Revived),
            Command::Drop { id } => one(self.dead_job(id)?, What::Dropped),
            Command::Clock { .. } => Ok(Vec::new()),
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
                backoff_ms: job.backoff_ms,
            };
            records.push(record(&job.id, now_ms, what));
        }
        Ok(records)
    }

    /// The job, which must be in flight, at this attempt if one is named.
    fn held(&self, id: &str, attempt: Option<u32>) -> Result<&ModelJob, Refusal> {
        let job = self.job(id).ok_or(Refusal::Unknown)?;
        match (job.standing, attempt) {
            (Standing::InFlight { .. }, Some(other)) if other != job.attempts => {
                Err(Refusal::WrongAttempt)
            }
            (Standing::InFlight { .. }, _) => Ok(job),
            _ => Err(Refusal::NotInFlight),
        }
    }

    /// The id of a job that must be dead.
    fn dead_job(&self, id: &str) -> Result<&str, Refusal> {
        let job = self.job(id).ok_or(Refusal::Unknown)?;
        match job.standing {
            Standing::Dead => Ok(&job.id),
            _ => Err(Refusal::NotDead),
        }
    }

    /// Jobs whose attempt took too long, then those whose deadline a wrong clock has given; then jobs
    /// whose delay is over, and those whose delay a wrong clock has given.
    fn plan_tick(&self, now_ms: u64) -> Vec<Record> {
        let late = ended(self.in_flight(), now_ms).map(|job| (job, timed_out(job)));
        let held_on = not_begun(self.in_flight(), now_ms).map(|job| {
            let attempt = job.attempts;
            (job, What::HeldOn { attempt })
        });
        let delayed = ended(self.delayed(), now_ms);
        let ready = delayed.chain(not_begun(self.delayed(), now_ms));
        let ready = ready.map(|job| (job, What::Readied));
        let all = late.chain(held_on).chain(ready);
        all.map(|(job, what)| record(&job.id, now_ms, what))
            .collect()
    }

    /// The jobs in flight, each with the beginning and the end of its time, in the order in which they
    /// were enqueued.
    fn in_flight(&self) -> Vec<Timed<'_>> {
        let timed = self.open().filter_map(|job| match job.standing {
            Standing::InFlight { deadline_ms } => {
                Some((deadline_ms.saturating_sub(job.timeout_ms), deadline_ms, job))
            }
            _ => None,
        });
        timed.collect()
    }

    /// The same of the delayed jobs.
    fn delayed(&self) -> Vec<Timed<'_>> {
        let timed = self.open().filter_map(|job| match job.standing {
            Standing::Delayed { since_ms, until_ms } => Some((since_ms, until_ms, job)),
            _ => None,
        });
        timed.collect()
    }
}

/// A job with the beginning and the end of its deadline or delay.
type Timed<'m> = (u64, u64, &'m ModelJob);

/// Those whose time has ended, the earliest end first, ids in bytewise order where ends are equal.
fn ended(mut jobs: Vec<Timed<'_>>, now_ms: u64) -> impl Iterator<Item = &ModelJob> {
    jobs.retain(|(_, until_ms, _)| *until_ms <= now_ms);
    jobs.sort_by(|(_, a_ms, a), (_, b_ms, b)| (a_ms, &a.id).cmp(&(b_ms, &b.id)));
    jobs.into_iter().map(|(.., job)| job)
}

/// Those whose time begins after `now_ms`, the earliest beginning first, in the order in which they
/// were enqueued where beginnings are equal.
fn not_begun(mut jobs: Vec<Timed<'_>>, now_ms: u64) -> impl Iterator<Item = &ModelJob> {
    jobs.retain(|(since_ms, ..)| *since_ms > now_ms);
    // A stable sort: of equal beginnings the order stays.
    jobs.sort_by_key(|(since_ms, ..)| *since_ms);
    jobs.into_iter().map(|(.., job)| job)
}

/// Its attempt failed.
fn failed(job: &ModelJob) -> What {
    let (attempt, delay_ms) = (job.attempts, delay_ms(job));
    again_or_buried(job, What::Retried { attempt, delay_ms })
}

/// Its attempt took too long.
fn timed_out(job: &ModelJob) -> What {
    let (attempt, delay_ms) = (job.attempts, delay_ms(job));
    again_or_buried(job, What::TimedOut { attempt, delay_ms })
}

/// Its worker is gone.
fn lost_worker(job: &ModelJob) -> What {
    let (attempt, delay_ms) = (job.attempts, 0);
    again_or_buried(job, What::Retried { attempt, delay_ms })
}

/// Doubled once for each attempt after the first that was used up.
fn delay_ms(job: &ModelJob) -> u64 {
    let [first, most] = job.backoff_ms;
    let used = job.max_attempts - job.attempts_left;
    let delay = (1..used).fold(first, |delay, _| delay.saturating_mul(2).min(most));
    delay.min(most)
}

fn again_or_buried(job: &ModelJob, again: What) -> What {
    let attempt = job.attempts;
    match job.attempts_left {
        0 => What::Buried { attempt },
        _ => again,
    }
}

fn record(id: &str, at_ms: u64, what: What) -> Record {
    Record {
        id: id.to_owned(),
        at_ms,
        what,
    }
}
