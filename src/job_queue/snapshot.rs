//! The state as one line of JSON.
//!
//! # Bytes
//! ```text
//! {"jobs":[JOB,…],"pending":[2,0,…],"dead":[4,…]}
//!
//! JOB: "job-1"                                                                completed
//!      {"id":"job-2","payload":{…},"max_attempts":3,"timeout_ms":60000,"attempts":0}
//!      {"id":"job-3","payload":{…},…,"attempts":1,"deadline_ms":60124}        in flight
//! ```
//! `jobs` has every job ever enqueued, in that order. `pending` is the queue from front to back and
//! `dead` the dead letters in the order of dying, both as places in `jobs` counted from 0. Nothing
//! else is state, so what is read back is equal to what was written.
//!
//! One spelling is written and only that one is read: a snapshot is never written by hand, and what
//! differs was not written by this code. What is read must also be a state that can be reached: a
//! name that stands twice, a job in two lists or in none and an attempt too many are errors.

use std::num::NonZeroU32;
use std::sync::Arc;

use crate::event::{JobId, Payload};
use crate::json::{JsonError, JsonReader, write_string, write_u64};
use crate::log_event::DecodeError;

use super::job::{Job, Stage};
use super::name_index::NameIndex;
use super::verify::check_attempts;
use super::{JobQueue, JobRecord};

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

fn write_record(out: &mut Vec<u8>, JobRecord { id, job }: &JobRecord) {
    let Some(job) = job else {
        write_string(out, id.as_str());
        return;
    };
    out.extend_from_slice(b"{\"id\":");
    write_string(out, id.as_str());
    out.extend_from_slice(b",\"payload\":");
    out.extend_from_slice(job.payload.as_str().as_bytes());
    out.extend_from_slice(b",\"max_attempts\":");
    write_u64(out, u64::from(job.max_attempts.get()));
    out.extend_from_slice(b",\"timeout_ms\":");
    write_u64(out, job.timeout_ms);
    out.extend_from_slice(b",\"attempts\":");
    write_u64(out, u64::from(job.attempts));
    if let Stage::InFlight { deadline_ms } = job.stage {
        out.extend_from_slice(b",\"deadline_ms\":");
        write_u64(out, deadline_ms);
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
        if !self.json.take("{\"id\":") {
            let id = self.name()?;
            self.queue.jobs.push_back(JobRecord { id, job: None });
            self.unlisted.push(false);
            return Ok(());
        }
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
        self.json.expect(",\"attempts\":")?;
        let attempts = self.count()?;
        let stage = if self.json.take(",\"deadline_ms\":") {
            let deadline_ms = self.json.number()?;
            Stage::InFlight { deadline_ms }
        } else {
            // Pending or dead: the lists at the end say which.
            Stage::Pending
        };
        self.json.expect("}")?;
        let job = Job {
            payload,
            max_attempts,
            timeout_ms,
            attempts,
            stage,
        };
        self.add(id, job)
    }

    fn add(&mut self, id: JobId, job: Job) -> Result<(), DecodeError> {
        let stage = job.stage;
        if let Stage::InFlight { deadline_ms } = stage {
            check_attempts(&id, &job).map_err(DecodeError::new)?;
            let number = self.queue.jobs.len();
            self.queue.in_flight.insert(&id, number, deadline_ms);
        }
        let job = Some(Arc::new(job));
        self.queue.jobs.push_back(JobRecord { id, job });
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
