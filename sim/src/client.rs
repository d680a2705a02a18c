//! The client: a process that uses the store as any program would, through the library's public API
//! alone.
//!
//! Here, and only here, the library's types become those of the oracle.

mod bare_log;
mod border;
mod failure;

use std::any::Any;
use std::num::NonZeroU32;
use std::sync::Arc;

use beaver::controller::Dispatched;
use beaver::store::{Checkpoint, WrittenCheckpoint};
use beaver::wal::{AppendOutcome, QueueOptions, Ticket, WalOptions};
use beaver::{
    Clock, Command, CommandError, Controller, ControllerOptions, JobError, JobId, JobQueue,
    JobSpec, Payload, RecoveryReport, Storage, StoreOptions,
};

use bare_log::BareLog;
pub(crate) use border::segment_epochs;

use crate::oracle::history::Place;
use crate::oracle::judge::Entry;
use crate::oracle::model::Refusal;
use crate::oracle::shown::Shown;
use crate::scenario::{Job, LogSettings, Step, SyncSetting};
use crate::subject::{Answer, Begun, BegunQueued, Failure, Process, Report, Salvaged, Store};

/// What a caller gets for a submitted command: a ticket if there was something to log, and the job
/// that it hands out.
type Claim = (Option<Ticket>, Option<String>);

/// The library.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Beaver;

impl Store for Beaver {
    fn open(
        &self,
        storage: Arc<dyn Storage>,
        clock: Arc<dyn Clock>,
        settings: &LogSettings,
    ) -> Result<(Box<dyn Process>, Report), Failure> {
        match settings.sync {
            SyncSetting::EveryAppend => {
                let (client, report) = Client::open(storage, clock, settings)?;
                Ok((Box::new(client), report))
            }
            SyncSetting::OnRequest => {
                let (log, report) = BareLog::open(storage, clock, settings)?;
                Ok((Box::new(log), report))
            }
        }
    }

    fn replay_after(
        &self,
        storage: &Arc<dyn Storage>,
        after: Place,
    ) -> Result<Vec<Entry>, Failure> {
        border::replay_after(storage, after)
    }

    fn replay_leniently(&self, storage: &Arc<dyn Storage>) -> Result<Option<Salvaged>, Failure> {
        border::replay_leniently(storage).map(Some)
    }
}

/// A process with the store open.
#[derive(Debug)]
struct Client {
    controller: Controller,
}

impl Client {
    /// Opens the store.
    fn open(
        storage: Arc<dyn Storage>,
        clock: Arc<dyn Clock>,
        settings: &LogSettings,
    ) -> Result<(Client, Report), Failure> {
        let options = ControllerOptions {
            store: options(clock, settings),
            requeue_in_flight: false,
        };
        let (controller, report) = Controller::open(storage, options)?;
        Ok((Client { controller }, report_of(&report)))
    }

    /// Several callers submit.
    fn submit(&mut self, steps: &[Step]) -> Vec<Result<Claim, Answer>> {
        let submitted = steps.iter().map(|step| {
            let submission = self.controller.submit(&command(step));
            let handed_out = |job: Option<Dispatched>| job.map(|job| job.id.as_str().to_owned());
            let claim = submission.map(|(ticket, job)| (ticket, handed_out(job)));
            claim.map_err(refused)
        });
        submitted.collect()
    }
}

impl Process for Client {
    fn command(&mut self, step: &Step) -> Answer {
        let controller = &mut self.controller;
        match step {
            Step::Enqueue { jobs } => match &specs(jobs)[..] {
                [one] => answer(controller.enqueue(one.clone())),
                several => answer(controller.enqueue_all(several.to_vec())),
            },
            Step::Dispatch => match controller.dispatch() {
                Ok(job) => Answer::Done(job.map(|job| job.id.as_str().to_owned())),
                Err(error) => refused(error),
            },
            Step::Ack { id } => answer(controller.ack(&job_id(id))),
            Step::Fail { id } => answer(controller.fail(&job_id(id))),
            Step::Tick { .. } => answer(controller.tick()),
            Step::Requeue => answer(controller.requeue_in_flight()),
            other => panic!("{other:?} is not one command of the queue"),
        }
    }

    fn group(&mut self, steps: &[Step]) -> Vec<(Answer, Option<Place>)> {
        let submitted = self.submit(steps);
        // What became of each is in its ticket, whatever the flush says.
        let _ = self.controller.flush();
        outcomes(submitted)
    }

    fn begin_checkpoint(&mut self) -> Result<Option<Box<dyn Begun>>, Failure> {
        let begun = self.controller.begin_checkpoint()?;
        Ok(begun.map(|begun| Box::new(begun) as Box<dyn Begun>))
    }

    fn begin_checkpoint_queued(&mut self, steps: &[Step]) -> BegunQueued {
        let submitted = self.submit(steps);
        let begun = self.begin_checkpoint();
        let _ = self.controller.flush();
        (begun, outcomes(submitted))
    }

    fn finish_checkpoint(&mut self, written: Box<dyn Any>) -> Result<usize, Failure> {
        let written = written.downcast::<WrittenCheckpoint>();
        let written = *written.expect("the world hands back what `write` returned");
        Ok(self.controller.finish_checkpoint(written)?.removed.len())
    }

    fn checkpoint(&mut self) -> Result<Option<usize>, Failure> {
        let report = self.controller.checkpoint()?;
        Ok(report.map(|report| report.removed.len()))
    }

    fn state(&self) -> Shown {
        border::state(self.controller.state())
    }

    fn keep_state(&self) -> Box<dyn Any> {
        Box::new(self.controller.state().clone())
    }

    fn is_in_state(&self, kept: &dyn Any) -> bool {
        kept.downcast_ref::<JobQueue>() == Some(self.controller.state())
    }

    fn applied(&self) -> Place {
        border::place(self.controller.applied())
    }

    fn close(self: Box<Self>) -> Result<(), Failure> {
        Ok(self.controller.close()?)
    }

    fn close_queued(mut self: Box<Self>, steps: &[Step]) -> Vec<(Answer, Option<Place>)> {
        let submitted = self.submit(steps);
        // What became of each is in its ticket, whatever the close says.
        let _ = self.controller.close();
        outcomes(submitted)
    }
}

impl Begun for Checkpoint<JobQueue> {
    fn write(self: Box<Self>) -> Result<Box<dyn Any + Send>, Failure> {
        Ok(Box::new(Checkpoint::write(*self)?))
    }
}

/// What became of what the callers have submitted.
fn outcomes(submitted: Vec<Result<Claim, Answer>>) -> Vec<(Answer, Option<Place>)> {
    let outcomes = submitted.into_iter().map(|submitted| match submitted {
        Err(answer) => (answer, None),
        Ok((None, _)) => (Answer::Done(None), None),
        Ok((Some(ticket), front)) => match ticket.outcome() {
            AppendOutcome::Durable(position) => {
                (Answer::Done(front), Some(border::place(position)))
            }
            AppendOutcome::Failed(error) => (Answer::Failed(error.into()), None),
            AppendOutcome::Pending => (Answer::Waiting, None),
        },
    });
    outcomes.collect()
}

fn options(clock: Arc<dyn Clock>, settings: &LogSettings) -> StoreOptions {
    let mut queue = QueueOptions::default();
    if settings.batch_bytes > 0 {
        queue.max_batch_bytes = usize::try_from(settings.batch_bytes).unwrap_or(usize::MAX);
    }
    StoreOptions {
        wal: WalOptions {
            preallocate_bytes: settings.preallocate_bytes,
            clock,
            ..WalOptions::default()
        },
        queue,
        keep_old_snapshots: settings.keep_old_snapshots as usize,
    }
}

fn report_of(report: &RecoveryReport) -> Report {
    let damaged = report.damaged_snapshots.iter();
    let torn = report.torn_tail.as_ref();
    Report {
        snapshot: report.snapshot.map(border::place),
        damaged_snapshots: damaged.map(|damaged| damaged.file.clone()).collect(),
        torn_tail: torn.map(|tail| (tail.file.clone(), tail.offset)),
        temporaries: report.removed_temporaries.len(),
        leftovers: report.removed_leftovers.len(),
        strays: report.strays.clone(),
    }
}

fn answer<T>(result: Result<T, CommandError<JobError>>) -> Answer {
    match result {
        Ok(_) => Answer::Done(None),
        Err(error) => refused(error),
    }
}

fn refused(error: CommandError<JobError>) -> Answer {
    match error {
        CommandError::Rejected(error) => Answer::Refused(refusal(&error)),
        CommandError::Log(error) => Answer::Failed(error.into()),
    }
}

fn refusal(error: &JobError) -> Refusal {
    match error {
        JobError::AlreadyEnqueued { .. } | JobError::Repeated { .. } => Refusal::Duplicate,
        JobError::Unknown { .. } => Refusal::Unknown,
        _ => Refusal::NotInFlight,
    }
}

fn command(step: &Step) -> Command {
    match step {
        Step::Enqueue { jobs } => Command::Enqueue(specs(jobs)),
        Step::Dispatch => Command::Dispatch,
        Step::Ack { id } => Command::Ack(job_id(id)),
        Step::Fail { id } => Command::Fail(job_id(id)),
        Step::Tick { .. } => Command::Tick,
        Step::Requeue => Command::RequeueInFlight,
        other => panic!("{other:?} is not one command of the queue"),
    }
}

fn specs(jobs: &[Job]) -> Vec<JobSpec> {
    let specs = jobs.iter().map(|job| {
        let payload = Payload::new(&job.payload).expect("a scenario's payloads are checked");
        let attempts = NonZeroU32::new(job.max_attempts).unwrap_or(NonZeroU32::MIN);
        JobSpec::new(job_id(&job.id), payload)
            .with_max_attempts(attempts)
            .with_timeout_ms(job.timeout_ms)
    });
    specs.collect()
}

fn job_id(id: &str) -> JobId {
    JobId::new(id).expect("a scenario's ids are checked")
}
