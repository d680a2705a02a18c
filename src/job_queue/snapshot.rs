//! The state as one line of JSON.
//!
//! # Bytes
//! ```text
//! {"jobs":[JOB,…],"pending":[2,0,…],"dead":[4,…]}
//!
//! JOB: "job-1"                                                                completed
//!      {"id":"job-2","payload":{…},"max_attempts":3,"timeout_ms":60000,"attempts":0}
//!      {"id":"job-3","payload":{…},…,"attempts":1,"deadline_ms":60124}        in flight
//!      {"id":"job-4","payload":{…},…,"attempts":1,"ready_ms":900,"delay_ms":200}      delayed
//!      {"dropped":"job-5"}                                                    dropped
//! ```
//! After `timeout_ms`, `"backoff_ms":100,"max_backoff_ms":9000` are written where not both are 0; after
//! `attempts`, `"last_attempt":5`, the number of the last attempt that the job may have, where that is
//! not `max_attempts` because it was revived. Earlier versions had none of these, and are read.
//!
//! `jobs` has every job ever enqueued, in that order. `pending` is the queue from front to back and
//! `dead` the dead letters in the order of dying, both as places in `jobs` counted from 0. Nothing
//! else is state, so what is read back is equal to what was written.
//!
//! One spelling is written and only that one is read: a snapshot is never written by hand, and what
//! differs was not written by this code. What is read must also be a state that can be reached: a
//! name that stands twice, a job in two lists or in none and an attempt too many are errors.

use std::num::NonZeroU32;
use std::sync::Arc;

use crate::event::{Backoff, JobId, Payload};
use crate::json::{JsonError, JsonReader, write_string, write_u64};
use crate::log_event::DecodeError;

use super::job::{Job, Stage};
use super::name_index::NameIndex;
use super::timed_jobs::Window;
use super::verify::check_attempts;
use super::{Fate, JobQueue, JobRecord};

/// Appends the state to `out`.
pub(super) fn write(queue: &JobQueue, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"jobs\":[");
    write_list(out, queue.jobs.iter(), write_record);
    out.extend_from_slice(b"],\"pending\":[");
    write_list(out, queue.pending.iter(), write_number);
    out.extend_from_slice(b"],\"dead\":[");
    write_list(out, queue.dead.iter(), write_number);
    out.extend_from_slice(b"]}");
}

fn write_list<T>(
    out: &mut Vec<u8>,
    items: impl Iterator<Item = T>,
    write: impl Fn(&mut Vec<u8>, T),
) {
    for (place, item) in items.enumerate() {
        if place > 0 {
            out.push(b',');
        }
        write(out, item);
    }
}

fn write_number(out: &mut Vec<u8>, number: &usize) {
    write_u64(out, *number as u64);
}

fn write_record(out: &mut Vec<u8>, record: &JobRecord) {
    let id = record.id.as_str();
    match &record.fate {
        Fate::Completed => write_string(out, id),
        Fate::Dropped => {
            out.extend_from_slice(b"{\"dropped\":");
            write_string(out, id);
            out.push(b'}');
        }
        Fate::Open(job) => write_job(out, id, job),
    }
}

fn write_job(out: &mut Vec<u8>, id: &str, job: &Job) {
    out.extend_from_slice(b"{\"id\":");
    write_string(out, id);
    out.extend_from_slice(b",\"payload\":");
    out.extend_from_slice(job.payload.as_str().as_bytes());
    let mut number = |name: &[u8], value: u64| {
        out.extend_from_slice(name);
        write_u64(out, value);
    };
    number(b",\"max_attempts\":", u64::from(job.max_attempts.get()));
    number(b",\"timeout_ms\":", job.timeout_ms);
    if job.backoff != Backoff::NONE {
        number(b",\"backoff_ms\":", job.backoff.first_ms);
        number(b",\"max_backoff_ms\":", job.backoff.max_ms);
    }
    number(b",\"attempts\":", u64::from(job.attempts));
    if job.last_attempt != job.max_attempts.get() {
        number(b",\"last_attempt\":", u64::from(job.last_attempt));
    }
    match job.stage {
        Stage::InFlight(window) => number(b",\"deadline_ms\":", window.until_ms),
        Stage::Delayed(window) => {
            number(b",\"ready_ms\":", window.until_ms);
            number(b",\"delay_ms\":", window.length_ms());
        }
        Stage::Pending | Stage::Dead => {}
    }
    out.push(b'}');
}

/// Reads what [`write`] wrote.
pub(super) fn read(json: &[u8]) -> Result<JobQueue, DecodeError> {
    let mut reader = Reader {
        json: JsonReader::new(json),
        queue: JobQueue::new(),
        unlisted: Vec::new(),
    };
    reader.json.expect("{\"jobs\":[")?;
    reader.list(Reader::record)?;
    reader.index()?;
    reader.json.expect(",\"pending\":[")?;
    reader.list(Reader::pending)?;
    reader.json.expect(",\"dead\":[")?;
    reader.list(Reader::dead)?;
    reader.json.expect("}")?;
    reader.finish()
}

struct Reader<'a> {
    json: JsonReader<'a>,
    queue: JobQueue,
    /// For each job whether it must still appear in one of the two lists.
    unlisted: Vec<bool>,
}

impl Reader<'_> {
    /// Reads items up to the closing bracket.
    fn list(
        &mut self,
        item: impl Fn(&mut Self) -> Result<(), DecodeError>,
    ) -> Result<(), DecodeError> {
        if self.json.take("]") {
            return Ok(());
        }
        loop {
            item(self)?;
            if self.json.take("]") {
                return Ok(());
            }
            self.json.expect(",")?;
        }
    }

    fn record(&mut self) -> Result<(), DecodeError> {
        if self.json.take("{\"id\":") {
            return self.open_job();
        }
        let fate = match self.json.take("{\"dropped\":") {
            true => Fate::Dropped,
            false => Fate::Completed,
        };
        let id = self.name()?;
        if fate == Fate::Dropped {
            self.json.expect("}")?;
            self.queue.dropped += 1;
        }
        self.queue.jobs.push_back(JobRecord { id, fate });
        self.unlisted.push(false);
        Ok(())
    }

    fn open_job(&mut self) -> Result<(), DecodeError> {
        let id = self.name()?;
        self.json.expect(",\"payload\":")?;
        // Scanned here, so its length is all that is left to check.
        let payload = self.json.value()?;
        let payload = Payload::of_scanned(payload).map_err(DecodeError::new)?;
        self.json.expect(",\"max_attempts\":")?;
        let max_attempts = NonZeroU32::new(self.count()?);
        let max_attempts = max_attempts.ok_or_else(|| self.json.error("a limit above 0"))?;
        self.json.expect(",\"timeout_ms\":")?;
        let timeout_ms = self.json.number()?;
        let mut backoff = Backoff::NONE;
        if self.json.take(",\"backoff_ms\":") {
            backoff.first_ms = self.json.number()?;
            self.json.expect(",\"max_backoff_ms\":")?;
            backoff.max_ms = self.json.number()?;
        }
        let mut job = Job::new(payload, max_attempts, timeout_ms, backoff);
        self.json.expect(",\"attempts\":")?;
        job.attempts = self.count()?;
        if self.json.take(",\"last_attempt\":") {
            job.last_attempt = self.count()?;
        }
        job.stage = self.stage(timeout_ms)?;
        self.json.expect("}")?;
        self.add(id, job)
    }

    /// Pending stands for dead too: the lists at the end say which.
    fn stage(&mut self, timeout_ms: u64) -> Result<Stage, DecodeError> {
        if self.json.take(",\"deadline_ms\":") {
            let deadline_ms = self.json.number()?;
            return Ok(Stage::InFlight(Window::ending(deadline_ms, timeout_ms)));
        }
        if !self.json.take(",\"ready_ms\":") {
            return Ok(Stage::Pending);
        }
        let until_ms = self.json.number()?;
        self.json.expect(",\"delay_ms\":")?;
        let delay_ms = self.json.number()?;
        if delay_ms == 0 || delay_ms > until_ms {
            return Err(self.json.error("a delay that has a beginning").into());
        }
        Ok(Stage::Delayed(Window::ending(until_ms, delay_ms)))
    }

    fn add(&mut self, id: JobId, job: Job) -> Result<(), DecodeError> {
        let (stage, number) = (job.stage, self.queue.jobs.len());
        match stage {
            Stage::InFlight(window) => self.queue.in_flight.insert(&id, number, window),
            Stage::Delayed(window) => self.queue.delayed.insert(&id, number, window),
            Stage::Pending | Stage::Dead => {}
        }
        if stage != Stage::Pending {
            check_attempts(&id, &job).map_err(DecodeError::new)?;
        }
        let fate = Fate::Open(Arc::new(job));
        self.queue.jobs.push_back(JobRecord { id, fate });
        self.unlisted.push(stage == Stage::Pending);
        Ok(())
    }

    /// Makes the index of the names, now that all are there.
    fn index(&mut self) -> Result<(), DecodeError> {
        let queue = &mut self.queue;
        let (jobs, count) = (&queue.jobs, queue.jobs.len());
        let name = |number| match jobs.get(number) {
            Some(record) => &record.id,
            None => unreachable!("the index asks for names below {count}"),
        };
        queue.names = NameIndex::of(count, name).map_err(|twice| {
            let id = name(twice);
            DecodeError::new(format_args!("job {id:?} is there twice"))
        })?;
        Ok(())
    }

    fn pending(&mut self) -> Result<(), DecodeError> {
        let number = self.unlisted_number()?;
        let (id, job) = self.queue.listed(number);
        check_attempts(id, job).map_err(DecodeError::new)?;
        self.queue.pending.push_back(number);
        Ok(())
    }

    fn dead(&mut self) -> Result<(), DecodeError> {
        let number = self.unlisted_number()?;
        self.queue.job_mut(number).stage = Stage::Dead;
        let (id, job) = self.queue.listed(number);
        check_attempts(id, job).map_err(DecodeError::new)?;
        self.queue.dead.push_back(number);
        Ok(())
    }

    /// Reads the number of a job that may be listed and was not listed yet.
    fn unlisted_number(&mut self) -> Result<usize, DecodeError> {
        let number = self.json.number()?;
        let number = usize::try_from(number).unwrap_or(usize::MAX);
        let listed_now = self.unlisted.get_mut(number).is_some_and(std::mem::take);
        if listed_now {
            return Ok(number);
        }
        let why = format_args!("job number {number} cannot be listed");
        Err(DecodeError::new(why))
    }

    fn finish(self) -> Result<JobQueue, DecodeError> {
        self.json.end()?;
        match self.unlisted.iter().position(|unlisted| *unlisted) {
            None => Ok(self.queue),
            Some(number) => {
                let id = &self.queue.record(number).id;
                let why = format_args!("job {id:?} is in no list");
                Err(DecodeError::new(why))
            }
        }
    }

    fn name(&mut self) -> Result<JobId, DecodeError> {
        let id = self.json.string()?;
        JobId::new(id).map_err(DecodeError::new)
    }

    fn count(&mut self) -> Result<u32, DecodeError> {
        let number = self.json.number()?;
        Ok(u32::try_from(number).map_err(|_| self.json.error("a number below 2^32"))?)
    }
}

impl From<JsonError> for DecodeError {
    #[cold]
    fn from(error: JsonError) -> Self {
        DecodeError::new(error)
    }
}
