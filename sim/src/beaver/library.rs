//! The library as an engine of the job queue: a process that uses it as any program would, through
//! its public API alone.

use std::any::Any;
use std::num::NonZeroU32;
use std::sync::Arc;

use beaver::controller::Dispatched;
use beaver::event::InvalidPayload;
use beaver::store::WrittenCheckpoint;
use beaver::wal::{AppendOutcome, QueueOptions, Ticket, WalOptions};
use beaver::{
    Backoff, Command as LibraryCommand, CommandError, Controller, ControllerOptions, Error,
    EventType, JobError, JobId, JobSpec, Payload, RecoveryReport, Storage, StoreOptions,
};

use super::border;
use super::command::{Command, Job};
use super::engine::{
    BegunQueued, Done, Engine, HandedOut, LogEntry, Opening, Process, Reply, Salvaged,
};
use super::model::Refusal;
use super::state::QueueState;
use super::unacceptable::Unacceptable;
use crate::subject::{ErrorClass, Failure, Machine, OpenReport, PendingCheckpoint, Position};

/// What a caller gets for a submitted command: a ticket if there was something to log, and the job
/// that it hands out.
type Claim = (Option<Ticket>, Option<HandedOut>);

/// The library.
#[derive(Clone, Copy, Debug)]
pub struct Library;

impl Engine for Library {
    fn open(&self, machine: &Machine) -> Opening {
        let options = ControllerOptions {
            store: options(machine),
            requeue_in_flight: machine.log.requeue_in_flight,
        };
        let (controller, report) = Controller::open(Arc::clone(&machine.storage), options)?;
        Ok((Box::new(Client { controller }), report_of(&report)))
    }

    fn replay_after(
        &self,
        storage: &Arc<dyn Storage>,
        after: Position,
    ) -> Result<Vec<LogEntry>, Failure> {
        border::replay_after(storage, after)
    }

    fn replay_leniently(&self, storage: &Arc<dyn Storage>) -> Result<Option<Salvaged>, Failure> {
        border::replay_leniently(storage).map(Some)
    }
}

/// A process with the store open.
struct Client {
    controller: Controller,
}

impl Client {
    /// Several callers submit.
    fn submit(&mut self, commands: &[Command]) -> Vec<Result<Claim, CommandError<JobError>>> {
        let submitted = commands.iter().map(|command| {
            let (ticket, job) = self.controller.submit(&library_command(command))?;
            Ok((ticket, job.map(handed_out)))
        });
        submitted.collect()
    }
}

impl Process for Client {
    fn command(&mut self, command: &Command) -> Reply {
        let controller = &mut self.controller;
        let done = match command {
            Command::Enqueue { jobs } => match &specs(jobs)[..] {
                [one] => controller.enqueue(one.clone()).map(|_| None),
                several => controller.enqueue_all(several.to_vec()).map(|_| None),
            },
            Command::Dispatch => controller.dispatch(),
            Command::Heartbeat { id, attempt } => {
                let heard = controller.heartbeat(&job_id(id), named(*attempt));
                heard.map(|()| None)
            }
            Command::Ack { id, attempt } => {
                let acked = controller.ack(&job_id(id), named(*attempt));
                acked.map(|()| None)
            }
            Command::Fail { id, attempt } => {
                let failed = controller.fail(&job_id(id), named(*attempt));
                failed.map(|()| None)
            }
            Command::Tick { .. } => controller.tick().map(|_| None),
            Command::Requeue => controller.requeue_in_flight().map(|_| None),
            Command::Revive { id } => controller.revive(&job_id(id)).map(|()| None),
            Command::Drop { id } => controller.drop_dead(&job_id(id)).map(|()| None),
            Command::Clock { .. } => Ok(None),
            Command::Unacceptable { request } => {
                let specs = match unacceptable(*request) {
                    Ok(specs) => specs,
                    Err(refusal) => return Ok((Done::Refused(refusal), None)),
                };
                match controller.enqueue_all(specs) {
                    Err(CommandError::Log(Error::TooLarge { .. })) => {
                        return Ok((Done::Refused(Refusal::TooLarge), None));
                    }
                    done => done.map(|()| None),
                }
            }
            Command::Sync | Command::Rotate | Command::Preallocate { .. } => {
                return Err(Failure::unsupported("a command of the log alone"));
            }
        };
        reply(
            done.map(|job: Option<Dispatched>| job.map(handed_out)),
            None,
        )
    }

    fn group(&mut self, commands: &[Command]) -> Vec<Reply> {
        let submitted = self.submit(commands);
        // What became of each is in its ticket, whatever the flush says.
        let _ = self.controller.flush();
        outcomes(submitted)
    }

    fn unawaited(&mut self, commands: &[Command], pass: &mut dyn FnMut() -> bool) -> Vec<Reply> {
        let submitted = self.submit(commands);
        let queued = submitted
            .iter()
            .flatten()
            .any(|(ticket, _)| ticket.is_some());
        while queued && !self.controller.is_due() && pass() {}
        let _ = self.controller.flush();
        outcomes(submitted)
    }

    fn begin_checkpoint(&mut self) -> Result<Option<PendingCheckpoint>, Failure> {
        let begun = self.controller.begin_checkpoint()?;
        Ok(begun.map(|begun| {
            let write = || {
                let written = begun.write()?;
                Ok(Box::new(written) as Box<dyn Any + Send>)
            };
            Box::new(write) as PendingCheckpoint
        }))
    }

    fn begin_checkpoint_queued(&mut self, commands: &[Command]) -> BegunQueued {
        let submitted = self.submit(commands);
        let begun = self.begin_checkpoint();
        let _ = self.controller.flush();
        (begun, outcomes(submitted))
    }

    fn finish_checkpoint(&mut self, written: Box<dyn Any + Send>) -> Result<(), Failure> {
        let written = written.downcast::<WrittenCheckpoint>();
        let written = *written.expect("the run hands back what the second step returned");
        self.controller.finish_checkpoint(written)?;
        Ok(())
    }

    fn checkpoint(&mut self) -> Result<(), Failure> {
        self.controller.checkpoint()?;
        Ok(())
    }

    fn state(&self) -> QueueState {
        QueueState::Observed(self.controller.state().clone())
    }

    fn applied(&self) -> Position {
        border::position(self.controller.applied())
    }

    fn close(self: Box<Self>) -> Result<(), Failure> {
        Ok(self.controller.close()?)
    }

    fn close_queued(mut self: Box<Self>, commands: &[Command]) -> Vec<Reply> {
        let submitted = self.submit(commands);
        // What became of each is in its ticket, whatever the close says.
        let _ = self.controller.close();
        outcomes(submitted)
    }
}

/// What became of what the callers have submitted.
fn outcomes(submitted: Vec<Result<Claim, CommandError<JobError>>>) -> Vec<Reply> {
    let outcomes = submitted.into_iter().map(|submitted| match submitted {
        Err(error) => reply(Err(error), None),
        Ok((None, _)) => reply(Ok(None), None),
        Ok((Some(ticket), id)) => match ticket.outcome() {
            AppendOutcome::Durable(position) => reply(Ok(id), Some(border::position(position))),
            AppendOutcome::Failed(error) => Err(error.into()),
            AppendOutcome::Pending => Err(Failure::new(ErrorClass::Unanswered, "no answer")),
        },
    });
    outcomes.collect()
}

pub(super) fn reply(
    done: Result<Option<HandedOut>, CommandError<JobError>>,
    at: Option<Position>,
) -> Reply {
    match done {
        Ok(job) => Ok((Done::Accepted(job), at)),
        Err(CommandError::Rejected(error)) => Ok((Done::Refused(refusal(&error)), at)),
        Err(CommandError::Log(error)) => Err(error.into()),
    }
}

pub(super) fn options(machine: &Machine) -> StoreOptions {
    let settings = &machine.log;
    let mut queue = QueueOptions::default();
    if settings.batch_bytes > 0 {
        queue.max_batch_bytes = usize::try_from(settings.batch_bytes).unwrap_or(usize::MAX);
    }
    if settings.batch_events > 0 {
        queue.max_batch_events = usize::try_from(settings.batch_events).unwrap_or(usize::MAX);
    }
    queue.flush_interval_ms = settings.interval_ms();
    StoreOptions {
        wal: WalOptions {
            preallocate_bytes: settings.preallocate_bytes,
            store_id: Some(border::STORE_ID),
            clock: Arc::clone(&machine.clock),
            ..WalOptions::default()
        },
        queue,
        keep_old_snapshots: settings.keep_old_snapshots as usize,
    }
}

pub(super) fn report_of(report: &RecoveryReport) -> OpenReport {
    let damaged = report.damaged_snapshots.iter();
    let torn = report.torn_tail.as_ref();
    OpenReport {
        snapshot: report.snapshot.map(border::position),
        damaged_snapshots: damaged.map(|damaged| damaged.file.clone()).collect(),
        torn_tail: torn.map(|tail| (tail.file.clone(), tail.offset)),
        temporaries: report.removed_temporaries.len(),
        leftovers: report.removed_leftovers.len(),
        strays: report.strays.clone(),
    }
}

pub(super) fn refusal(error: &JobError) -> Refusal {
    match error {
        JobError::AlreadyEnqueued { .. } | JobError::Repeated { .. } => Refusal::Duplicate,
        JobError::Unknown { .. } => Refusal::Unknown,
        JobError::WrongAttempt { .. } => Refusal::WrongAttempt,
        JobError::WrongStatus {
            event: EventType::Revive | EventType::Drop,
            ..
        } => Refusal::NotDead,
        _ => Refusal::NotInFlight,
    }
}

pub(super) fn library_command(command: &Command) -> LibraryCommand {
    match command {
        Command::Enqueue { jobs } => LibraryCommand::Enqueue(specs(jobs)),
        Command::Dispatch => LibraryCommand::Dispatch,
        Command::Heartbeat { id, attempt } => LibraryCommand::Heartbeat {
            id: job_id(id),
            attempt: named(*attempt),
        },
        Command::Ack { id, attempt } => LibraryCommand::Ack {
            id: job_id(id),
            attempt: named(*attempt),
        },
        Command::Fail { id, attempt } => LibraryCommand::Fail {
            id: job_id(id),
            attempt: named(*attempt),
        },
        Command::Revive { id } => LibraryCommand::Revive(job_id(id)),
        Command::Drop { id } => LibraryCommand::Drop(job_id(id)),
        // Nothing is asked: nothing is enqueued.
        Command::Clock { .. } => LibraryCommand::Enqueue(Vec::new()),
        Command::Requeue => LibraryCommand::RequeueInFlight,
        // Asked for by no group of callers: see `Draw`.
        Command::Unacceptable { .. } => LibraryCommand::Enqueue(Vec::new()),
        Command::Tick { .. } | Command::Sync | Command::Rotate | Command::Preallocate { .. } => {
            LibraryCommand::Tick
        }
    }
}

/// What is asked for, as far as the library lets it be said; else why not.
pub(super) fn unacceptable(request: Unacceptable) -> Result<Vec<JobSpec>, Refusal> {
    let jobs = request.jobs().into_iter().map(|(id, payload)| {
        let id = JobId::new(&id).map_err(|_| Refusal::InvalidId)?;
        let payload = Payload::new(&payload).map_err(|error| match error {
            InvalidPayload::TooLong { .. } => Refusal::TooLarge,
            _ => Refusal::InvalidPayload,
        })?;
        Ok(JobSpec::new(id, payload))
    });
    jobs.collect()
}

fn specs(jobs: &[Job]) -> Vec<JobSpec> {
    let specs = jobs.iter().map(|job| {
        let payload = Payload::new(&job.payload).expect("a scenario's payloads are checked");
        let attempts = NonZeroU32::new(job.max_attempts).unwrap_or(NonZeroU32::MIN);
        JobSpec::new(job_id(&job.id), payload)
            .with_max_attempts(attempts)
            .with_timeout_ms(job.timeout_ms)
            .with_backoff(Backoff::new(job.backoff_ms[0], job.backoff_ms[1]))
    });
    specs.collect()
}

/// The attempt of a report, which is filled in before it is given.
fn named(attempt: Option<u32>) -> u32 {
    attempt.unwrap_or(0)
}

fn handed_out(job: Dispatched) -> HandedOut {
    HandedOut {
        id: job.id.as_str().to_owned(),
        attempt: job.attempt,
    }
}

fn job_id(id: &str) -> JobId {
    JobId::new(id).expect("a scenario's ids are checked")
}
