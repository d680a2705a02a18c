//! A log, closed by nothing and replayed; and a job queue on the same kind of directory.
//!
//! ```text
//! cargo run --example quickstart            in a temporary directory
//! cargo run --example quickstart DIR        in DIR: run it twice and the log goes on
//! ```

use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use beaver::storage::DiskStorage;
use beaver::{
    CommandError, Controller, ControllerOptions, Event, EventKind, JobError, JobId, JobSpec,
    Payload, Position, Wal, WalOptions,
};

fn main() -> Result<(), Box<dyn Error>> {
    let temporary = tempfile::tempdir()?;
    let directory = std::env::args_os().nth(1).map(PathBuf::from);
    let directory = directory.unwrap_or_else(|| temporary.path().to_owned());
    let events = log(&directory.join("log"))?;
    println!("{events} events in the log");
    let jobs = jobs(&directory.join("jobs"))?;
    println!("{jobs} jobs completed, ever");
    Ok(())
}

/// Appends to a log and reads all of it back after opening it again. Answers with the number of
/// its events.
fn log(directory: &Path) -> Result<u64, Box<dyn Error>> {
    let storage = Arc::new(DiskStorage::open(directory)?);
    let (mut log, _) = Wal::open(storage.clone(), WalOptions::default())?;
    let event = |kind| Ok::<_, Box<dyn Error>>(Event::new(JobId::new("job-1")?, 1, kind));
    log.append(&[event(EventKind::Dispatch)?])?;
    let (attempt, delay_ms) = (Some(1), 0);
    let retry = EventKind::Retry { attempt, delay_ms };
    let last = log.append(&[event(retry)?, event(EventKind::Dispatch)?])?;
    println!("appended up to {last}");
    // No close: what was acknowledged does not need one.
    drop(log);
    let (log, _) = Wal::<Event>::open(storage, WalOptions::default())?;
    let replayed = log.replay(Position::default(), |position, event| {
        println!("{position} {} {}", event.event_type(), event.job_id);
        Ok::<(), Box<dyn Error>>(())
    })?;
    log.close()?;
    Ok(replayed.applied)
}

/// Enqueues a job and works until there is none. Answers with the number of completed jobs.
fn jobs(directory: &Path) -> Result<usize, Box<dyn Error>> {
    let storage = Arc::new(DiskStorage::open(directory)?);
    let (mut queue, report) = Controller::open(storage, ControllerOptions::default())?;
    println!("{} events replayed", report.replayed);
    let job = JobSpec::new(JobId::new("mail-1")?, Payload::new(r#"{"to":"alice"}"#)?);
    match queue.enqueue(job) {
        Err(CommandError::Rejected(JobError::AlreadyEnqueued { .. })) => {
            println!("mail-1 was enqueued before");
        }
        result => result?,
    }
    while let Some(job) = queue.dispatch()? {
        println!(
            "{}, attempt {}: {}",
            job.id,
            job.attempt,
            job.payload.as_str()
        );
        queue.ack(&job.id, job.attempt)?;
    }
    queue.checkpoint()?;
    let completed = queue.state().completed().count();
    queue.close()?;
    Ok(completed)
}

#[cfg(test)]
mod tests {
    #[test]
    fn what_was_done_is_there_the_next_time() {
        let directory = tempfile::tempdir().unwrap();
        for round in 1..=3 {
            assert_eq!(
                super::log(&directory.path().join("log")).unwrap(),
                3 * round
            );
            assert_eq!(super::jobs(&directory.path().join("jobs")).unwrap(), 1);
        }
    }
}
