//! The log alone, as a program uses it that syncs on request: a queue in memory, every command an
//! append, no snapshots.

use std::any::Any;
use std::sync::Arc;

use beaver::event::EventKind;
use beaver::wal::{Group, OpenReport, ReplayError, SyncPolicy, WalOptions};
use beaver::{Clock, Event, JobQueue, Position, StateMachine, Storage, Wal};

use super::border;
use super::{command, refusal};
use crate::oracle::history::Place;
use crate::oracle::judge::Entry;
use crate::oracle::shown::Shown;
use crate::scenario::{LogSettings, Step};
use crate::subject::{Answer, Begun, Failure, Grave, Process, Report};

/// A process with the log open.
#[derive(Debug)]
pub(super) struct BareLog {
    wal: Wal<Event>,
    queue: JobQueue,
    /// Where the last event stands that the queue contains.
    applied: Position,
    clock: Arc<dyn Clock>,
}

impl BareLog {
    /// Opens the log and replays all of it.
    pub(super) fn open(
        storage: Arc<dyn Storage>,
        clock: Arc<dyn Clock>,
        settings: &LogSettings,
    ) -> Result<(BareLog, Report), Failure> {
        let options = WalOptions {
            sync: SyncPolicy::OnRequest,
            preallocate_bytes: settings.preallocate_bytes,
            clock: Arc::clone(&clock),
        };
        let (wal, report) = Wal::open(storage, options)?;
        let (mut queue, mut applied) = (JobQueue::initial(), Position::default());
        let replayed = wal.replay(Position::default(), |position, event| {
            applied = position;
            queue.apply(&event)
        });
        match replayed {
            Ok(_) => {}
            Err(ReplayError::Log(error)) => return Err(error.into()),
            Err(ReplayError::Handler { position, error }) => {
                return Err(Failure {
                    grave: Grave::Corrupt,
                    file: None,
                    kind: None,
                    text: format!("the event at {position} is illegal: {error}"),
                });
            }
        }
        let log = BareLog {
            wal,
            queue,
            applied,
            clock,
        };
        Ok((log, report_of(report)))
    }

    /// The events are in the log and end at `last`.
    fn take_in(&mut self, events: &[Event], last: Position) {
        for event in events {
            let applied = self.queue.apply(event);
            applied.expect("a plan holds only events that the queue allows");
        }
        if !events.is_empty() {
            self.applied = last;
        }
    }
}

impl Process for BareLog {
    fn command(&mut self, step: &Step) -> Answer {
        let events = match self.queue.plan(&command(step), self.clock.now_ms()) {
            Ok(events) => events,
            Err(error) => return Answer::Refused(refusal(&error)),
        };
        if events.is_empty() {
            return Answer::Done(None);
        }
        match self.wal.append(&events) {
            Ok(last) => {
                self.take_in(&events, last);
                Answer::Done(handed_out(step, &events))
            }
            Err(error) => Answer::Failed(error.into()),
        }
    }

    fn group(&mut self, steps: &[Step]) -> Vec<(Answer, Option<Place>)> {
        let mut planned = self.queue.clone();
        let now_ms = self.clock.now_ms();
        let plan = |step: &Step| {
            let events = planned.plan(&command(step), now_ms);
            let events = events.map_err(|error| Answer::Refused(refusal(&error)))?;
            for event in &events {
                let applied = planned.apply(event);
                applied.expect("a plan holds only events that the queue allows");
            }
            Ok(events)
        };
        let plans: Vec<Result<Vec<Event>, Answer>> = steps.iter().map(plan).collect();
        let mut groups = Vec::new();
        for events in plans.iter().flatten().filter(|events| !events.is_empty()) {
            match Group::encode(events) {
                Ok(group) => groups.push(group),
                Err(error) => return all_failed(&plans, &error.into()),
            }
        }
        if groups.is_empty() {
            return answers(steps, plans, |_| None);
        }
        let last = match self.wal.commit(&groups) {
            Ok(last) => last,
            Err(error) => return all_failed(&plans, &error.into()),
        };
        let events: u64 = plans
            .iter()
            .flatten()
            .map(|events| events.len() as u64)
            .sum();
        let before = last.seq.0 - events;
        for events in plans.iter().flatten() {
            self.take_in(events, last);
        }
        let mut seq = before;
        answers(steps, plans, |events| {
            seq += events.len() as u64;
            Some(Place {
                epoch: last.epoch.0,
                seq,
            })
        })
    }

    fn begin_checkpoint(&mut self) -> Result<Option<Box<dyn Begun>>, Failure> {
        Err(Failure::unknown("a checkpoint"))
    }

    fn finish_checkpoint(&mut self, _written: Box<dyn Any>) -> Result<usize, Failure> {
        Err(Failure::unknown("a checkpoint"))
    }

    fn checkpoint(&mut self) -> Result<Option<usize>, Failure> {
        Err(Failure::unknown("a checkpoint"))
    }

    fn state(&self) -> Shown {
        border::state(&self.queue)
    }

    fn keep_state(&self) -> Box<dyn Any> {
        Box::new(self.queue.clone())
    }

    fn is_in_state(&self, kept: &dyn Any) -> bool {
        kept.downcast_ref::<JobQueue>() == Some(&self.queue)
    }

    fn applied(&self) -> Place {
        border::place(self.applied)
    }

    fn durable(&self) -> Place {
        border::place(self.wal.last_position())
    }

    fn sync(&mut self) -> Result<Place, Failure> {
        Ok(border::place(self.wal.sync()?))
    }

    fn rotate(&mut self) -> Result<Place, Failure> {
        Ok(border::place(self.wal.rotate()?))
    }

    fn read_durable(&self) -> Result<Vec<Entry>, Failure> {
        border::read(&self.wal.reader(), Position::default())
    }

    fn preallocate(&mut self, bytes: u64) -> Result<Place, Failure> {
        self.wal.preallocate(bytes)?;
        Ok(border::place(self.wal.last_position()))
    }

    fn close(self: Box<Self>) -> Result<(), Failure> {
        Ok(self.wal.close()?)
    }

    fn close_queued(self: Box<Self>, steps: &[Step]) -> Vec<(Answer, Option<Place>)> {
        let failure = Failure::unknown("a close while callers wait");
        let answers = steps
            .iter()
            .map(|_| (Answer::Failed(failure.clone()), None));
        answers.collect()
    }
}

/// The job that a dispatch hands out.
fn handed_out(step: &Step, events: &[Event]) -> Option<String> {
    let front = events.first().filter(|_| *step == Step::Dispatch)?;
    (front.kind == EventKind::Dispatch).then(|| front.job_id.as_str().to_owned())
}

/// The answers to commands of which those that were not refused are in the log.
fn answers(
    steps: &[Step],
    plans: Vec<Result<Vec<Event>, Answer>>,
    mut place: impl FnMut(&[Event]) -> Option<Place>,
) -> Vec<(Answer, Option<Place>)> {
    let answers = steps.iter().zip(plans).map(|(step, plan)| match plan {
        Ok(events) if events.is_empty() => (Answer::Done(None), None),
        Ok(events) => (Answer::Done(handed_out(step, &events)), place(&events)),
        Err(refused) => (refused, None),
    });
    answers.collect()
}

/// The answers to commands that were not refused, and whose log fails.
fn all_failed(
    plans: &[Result<Vec<Event>, Answer>],
    failure: &Failure,
) -> Vec<(Answer, Option<Place>)> {
    let answers = plans.iter().map(|plan| match plan {
        Ok(events) if events.is_empty() => Answer::Done(None),
        Ok(_) => Answer::Failed(failure.clone()),
        Err(refused) => refused.clone(),
    });
    answers.map(|answer| (answer, None)).collect()
}

fn report_of(report: OpenReport) -> Report {
    Report {
        torn_tail: report.torn_tail.map(|tail| (tail.file, tail.offset)),
        temporaries: report.removed_temporaries.len(),
        strays: report.strays,
        ..Report::default()
    }
}
