//! The state as one line of JSON.
//!
//! # Bytes
//! ```text
//! {"pending":[JOB,…],"in_flight":[JOB,…],"dead":[JOB,…],"completed":["job-4",…]}
//!
//! {"id":"job-1","payload":{…},"max_attempts":3,"timeout_ms":60000,"attempts":0}
//! {"id":"job-2","payload":{…},"max_attempts":3,"timeout_ms":60000,"attempts":1,"deadline_ms":60124}
//! ```
//! The second JOB is one in flight. `pending` is in the order of the queue, `in_flight` in the
//! order of deadlines, `dead` in the order of dying, `completed` in the order of the map of jobs.
//! Nothing else is state, so what is read back is equal to what was written.
//!
//! One spelling is written and only that one is read: a snapshot is never written by hand, and what
//! differs was not written by this code. What is read must also be a state that can be reached; a
//! name that stands twice and an attempt too many are errors.

use std::num::NonZeroU32;
use std::sync::Arc;

use crate::event::{JobId, Payload};
use crate::json::{Cursor, Fault, write_string, write_u64};
use crate::log_event::DecodeError;

use super::job::{Job, Stage};
use super::verify::check_attempts;
use super::{JobQueue, Record};

/// Appends the state to `out`.
pub(super) fn write(queue: &JobQueue, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"pending\":[");
    write_jobs(queue.pending(), out);
    out.extend_from_slice(b"],\"in_flight\":[");
    write_jobs(queue.in_flight(), out);
    out.extend_from_slice(b"],\"dead\":[");
    write_jobs(queue.dead_letters(), out);
    out.extend_from_slice(b"],\"completed\":[");
    let mut first = true;
    for id in queue.completed() {
        separate(&mut first, out);
        write_string(out, id.as_str());
    }
    out.extend_from_slice(b"]}");
}

fn write_jobs<'a>(jobs: impl Iterator<Item = (&'a JobId, &'a Job)>, out: &mut Vec<u8>) {
    let mut first = true;
    for (id, job) in jobs {
        separate(&mut first, out);
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
}

fn separate(first: &mut bool, out: &mut Vec<u8>) {
    if !std::mem::take(first) {
        out.push(b',');
    }
}

/// Reads what [`write`] wrote.
pub(super) fn read(json: &[u8]) -> Result<JobQueue, DecodeError> {
    let text = std::str::from_utf8(json).map_err(DecodeError::new)?;
    let mut reader = Reader {
        cursor: Cursor::new(text),
        queue: JobQueue::new(),
    };
    reader.state()?;
    Ok(reader.queue)
}

/// Which list of jobs is being read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum List {
    Pending,
    InFlight,
    Dead,
}

struct Reader<'a> {
    cursor: Cursor<'a>,
    queue: JobQueue,
}

impl Reader<'_> {
    fn state(&mut self) -> Result<(), DecodeError> {
        self.expect("{\"pending\":[")?;
        self.list(|reader| reader.job(List::Pending))?;
        self.expect(",\"in_flight\":[")?;
        self.list(|reader| reader.job(List::InFlight))?;
        self.expect(",\"dead\":[")?;
        self.list(|reader| reader.job(List::Dead))?;
        self.expect(",\"completed\":[")?;
        self.list(|reader| {
            let id = reader.id()?;
            reader.add(&id, Record::Completed)
        })?;
        self.expect("}")?;
        self.cursor.end().map_err(fault)
    }

    /// Reads items up to the closing bracket.
    fn list(
        &mut self,
        mut item: impl FnMut(&mut Self) -> Result<(), DecodeError>,
    ) -> Result<(), DecodeError> {
        if self.cursor.take("]") {
            return Ok(());
        }
        loop {
            item(self)?;
            if self.cursor.take("]") {
                return Ok(());
            }
            self.expect(",")?;
        }
    }

    fn job(&mut self, list: List) -> Result<(), DecodeError> {
        self.expect("{\"id\":")?;
        let id = self.id()?;
        self.expect(",\"payload\":")?;
        let payload = self.cursor.value().map_err(fault)?;
        let payload = Payload::of_scanned(payload).map_err(DecodeError::new)?;
        self.expect(",\"max_attempts\":")?;
        let max_attempts = NonZeroU32::new(self.count()?);
        let max_attempts =
            max_attempts.ok_or_else(|| fault(self.cursor.fault("a limit above 0")))?;
        self.expect(",\"timeout_ms\":")?;
        let timeout_ms = self.cursor.number().map_err(fault)?;
        self.expect(",\"attempts\":")?;
        let attempts = self.count()?;
        let stage = match list {
            List::Pending => Stage::Pending,
            List::Dead => Stage::Dead,
            List::InFlight => {
                self.expect(",\"deadline_ms\":")?;
                let deadline_ms = self.cursor.number().map_err(fault)?;
                Stage::InFlight { deadline_ms }
            }
        };
        self.expect("}")?;
        let job = Job {
            payload,
            max_attempts,
            timeout_ms,
            attempts,
            stage,
        };
        check_attempts(&id, &job).map_err(DecodeError::new)?;
        self.add(&id, Record::Job(Arc::new(job)))?;
        match stage {
            Stage::Pending => self.queue.pending.push_back(id),
            Stage::Dead => self.queue.dead.push_back(id),
            Stage::InFlight { deadline_ms } => {
                self.queue.in_flight.insert((deadline_ms, id));
            }
        }
        Ok(())
    }

    fn add(&mut self, id: &JobId, record: Record) -> Result<(), DecodeError> {
        let twice = |_: &Record| DecodeError::new(format_args!("job {id:?} is there twice"));
        self.queue.jobs.insert(id, record).map_err(twice)
    }

    fn id(&mut self) -> Result<JobId, DecodeError> {
        let id = self.cursor.string().map_err(fault)?;
        JobId::new(id).map_err(DecodeError::new)
    }

    fn count(&mut self) -> Result<u32, DecodeError> {
        let number = self.cursor.number().map_err(fault)?;
        u32::try_from(number).map_err(|_| fault(self.cursor.fault("a number below 2^32")))
    }

    fn expect(&mut self, literal: &'static str) -> Result<(), DecodeError> {
        self.cursor.expect(literal).map_err(fault)
    }
}

fn fault(fault: Fault) -> DecodeError {
    DecodeError::new(fault)
}
