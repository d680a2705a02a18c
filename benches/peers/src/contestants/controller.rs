//! A job queue: its commands, and recovering it; beside it what reading its files costs at least.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Result, anyhow, ensure};
use beaver::storage::DiskStorage;
use beaver::{Command, Controller, ControllerOptions, JobId, JobSpec, Payload, SharedController};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::lines::{is_event, newest};
use super::raw::each_line;
use crate::contestant::{Contestant, Plan};
use crate::record::{Form, Tally};

pub struct BeaverQueue(SharedController);

fn spec(number: u64) -> JobSpec {
    let id = JobId::new(format!("job-{number:07}")).expect("it is short");
    JobSpec::new(id, Payload::new("{}").expect("it is JSON"))
}

impl Contestant for BeaverQueue {
    type Input = JobSpec;

    fn input(number: u64, _form: Form) -> JobSpec {
        spec(number)
    }

    fn create(directory: &Path, _plan: Plan) -> Result<Self> {
        let storage = Arc::new(DiskStorage::open(directory)?);
        let (queue, _) = SharedController::open(storage, ControllerOptions::default())?;
        Ok(BeaverQueue(queue))
    }

    fn append(&self, _caller: usize, spec: JobSpec) -> Result<()> {
        self.0.enqueue(spec).map_err(|error| anyhow!("{error}"))
    }

    fn close(self) -> Result<()> {
        self.0.close()?;
        Ok(())
    }

    /// `records` jobs in a snapshot; after it as many events, a DISPATCH and an ACK in turn.
    fn fill(directory: &Path, plan: Plan) -> Result<()> {
        let storage = Arc::new(DiskStorage::open(directory)?);
        let (mut queue, _) = Controller::open(storage, ControllerOptions::default())?;
        let mut number = 0;
        while number < plan.records {
            let end = plan.records.min(number + 1000);
            let specs = (number..end).map(spec).collect();
            queue
                .enqueue_all(specs)
                .map_err(|error| anyhow!("{error}"))?;
            number = end;
        }
        queue.checkpoint()?;
        for pair in 0..plan.records / 2 {
            let (_, dispatched) = queue
                .submit(&Command::Dispatch)
                .map_err(|error| anyhow!("{error}"))?;
            let job = dispatched.ok_or_else(|| anyhow!("the queue is empty"))?;
            queue
                .submit(&Command::Ack {
                    id: job.id,
                    attempt: job.attempt,
                })
                .map_err(|error| anyhow!("{error}"))?;
            if pair % 500 == 499 {
                queue.flush()?;
            }
        }
        queue.flush()?;
        queue.close()?;
        Ok(())
    }

    /// Every job that is there, by the number in its name.
    fn replay(directory: &Path, tally: &mut Tally) -> Result<()> {
        let storage = Arc::new(DiskStorage::open(directory)?);
        let (queue, _) = Controller::open(storage, ControllerOptions::default())?;
        for (id, _) in queue.state().pending() {
            tally.add(id.as_str()["job-".len()..].parse()?);
        }
        Ok(())
    }

    /// Answers with the events after the snapshot, all of them applied.
    fn validate(directory: &Path) -> Result<u64> {
        let storage = Arc::new(DiskStorage::open(directory)?);
        let (queue, report) = Controller::open(storage, ControllerOptions::default())?;
        ensure!(report.snapshot.is_some(), "the snapshot was used");
        std::hint::black_box(queue.state());
        Ok(report.replayed)
    }
}

/// Both files through `serde_json` into structs of borrowed fields: no checksum, no order, no state.
pub struct PlainRead;

#[derive(Deserialize)]
struct Document<'a> {
    #[serde(borrow)]
    state: Stored<'a>,
}

#[derive(Deserialize)]
struct Stored<'a> {
    #[serde(borrow)]
    machine: Jobs<'a>,
}

#[derive(Deserialize)]
struct Jobs<'a> {
    #[serde(borrow)]
    jobs: Vec<Slot<'a>>,
    pending: Vec<usize>,
    dead: Vec<usize>,
}

/// No job is completed in the snapshot that is read here, so none is only a name.
#[derive(Deserialize)]
struct Slot<'a> {
    id: &'a str,
    #[serde(borrow)]
    payload: &'a RawValue,
    max_attempts: u32,
    timeout_ms: u64,
    attempts: u32,
}

#[derive(Deserialize)]
struct Line<'a> {
    seq: u64,
    batch: Option<u64>,
    more: Option<bool>,
    #[serde(borrow)]
    event: Fields<'a>,
}

#[derive(Deserialize)]
struct Fields<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    job_id: &'a str,
    timestamp: u64,
}

impl Contestant for PlainRead {
    type Input = ();

    fn input(_number: u64, _form: Form) {}

    fn create(directory: &Path, plan: Plan) -> Result<Self> {
        BeaverQueue::fill(directory, plan).map(|()| PlainRead)
    }

    fn fill(directory: &Path, plan: Plan) -> Result<()> {
        BeaverQueue::fill(directory, plan)
    }

    fn replay(directory: &Path, tally: &mut Tally) -> Result<()> {
        for number in 0..Self::validate(directory)? {
            tally.add(number);
        }
        Ok(())
    }

    fn validate(directory: &Path) -> Result<u64> {
        read_snapshot(&newest(directory, ".json")?)?;
        read_segment(&newest(directory, ".jsonl")?)
    }
}

fn read_snapshot(path: &Path) -> Result<()> {
    let bytes = std::fs::read(path)?;
    let document: Document<'_> = serde_json::from_slice(&bytes)?;
    let Jobs {
        jobs,
        pending,
        dead,
    } = &document.state.machine;
    ensure!(
        jobs.len() == pending.len() + dead.len(),
        "every job is listed"
    );
    for job in jobs {
        let Slot {
            id,
            payload,
            max_attempts,
            timeout_ms,
            attempts,
        } = job;
        std::hint::black_box((id, payload.get(), max_attempts, timeout_ms, attempts));
    }
    Ok(())
}

fn read_segment(path: &Path) -> Result<u64> {
    let mut events = 0;
    each_line(path, |line| {
        if is_event(line) {
            let line: Line<'_> = serde_json::from_slice(line)?;
            let Fields {
                kind,
                job_id,
                timestamp,
            } = line.event;
            std::hint::black_box((line.seq, line.batch, line.more, kind, job_id, timestamp));
            events += 1;
        }
        Ok(())
    })?;
    Ok(events)
}
