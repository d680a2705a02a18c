//! The log alone as a subject, as a program uses it that syncs on request: a queue in memory, every
//! command an append, no snapshots.
//!
//! An op answers when its events are in memory, and is durable with the next sync, rotate, making of
//! space, group or clean close, or when the batch has grown to its limit: a prefix, never a hole.

use std::sync::Arc;

use beaver::Command as LibraryCommand;
use beaver::wal::{Group, OpenReport as LibraryReport, ReplayError, SyncPolicy, WalOptions};
use beaver::{Clock, Error, Event, JobQueue, StateMachine, Wal};

use super::command::Command;
use super::engine::{Done, HandedOut, LogEntry, Reply};
use super::inspected::{Documented, OpenLog};
use super::library::{Library, library_command, refusal, unacceptable};
use super::model::Refusal;
use super::op::QueueOp;
use super::queue::{OF_OWN_STORE, answer};
use super::state::QueueState;
use super::{border, small, workload};
use crate::scenario::CommandKind;
use crate::subject::{
    Answer, Concurrent, Durability, ErrorClass, Expected, Failure, Inspection, Machine, OpenReport,
    Position, Subject, any_op,
};

/// The library's log, synced on request.
#[derive(Debug)]
pub struct RequestLog {
    documented: Documented<Library, OpenRequestLog>,
}

impl Default for RequestLog {
    fn default() -> Self {
        RequestLog::read_by(OpenRequestLog::read_durable)
    }
}

impl RequestLog {
    /// The log, whose owner reads like this what is durable.
    #[must_use]
    pub fn read_by(read: fn(&OpenRequestLog) -> Result<Vec<LogEntry>, Failure>) -> Self {
        let documented = Documented::new(Library, any_op::<RequestLog>);
        RequestLog {
            documented: documented.read_by_owner(read),
        }
    }
}

/// A log that a process has open.
pub struct OpenRequestLog {
    wal: Wal<Event>,
    queue: JobQueue,
    /// Where the last event stands that the queue contains.
    applied: Position,
    clock: Arc<dyn Clock>,
    report: OpenReport,
}

impl OpenLog for OpenRequestLog {
    fn report(&self) -> &OpenReport {
        &self.report
    }

    fn applied(&self) -> Position {
        self.applied
    }

    fn durable(&self) -> Position {
        border::position(self.wal.last_position())
    }
}

impl OpenRequestLog {
    /// What is durable, as the owner of the log reads it.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn read_durable(&self) -> Result<Vec<LogEntry>, Failure> {
        border::read(&self.wal.reader(), beaver::Position::default())
    }

    /// Opens the log and replays all of it.
    fn open(machine: &Machine) -> Result<Self, Failure> {
        let options = WalOptions {
            sync: SyncPolicy::OnRequest,
            must_exist: false,
            preallocate_bytes: machine.log.preallocate_bytes,
            store_id: Some(border::STORE_ID),
            clock: Arc::clone(&machine.clock),
        };
        let (wal, report) = Wal::open(Arc::clone(&machine.storage), options)?;
        let (mut queue, mut applied) = (JobQueue::initial(), beaver::Position::default());
        let replayed = wal.replay(applied, |position, event| {
            applied = position;
            queue.apply(&event)
        });
        match replayed {
            Ok(_) => {}
            Err(ReplayError::Log(error)) => return Err(error.into()),
            Err(ReplayError::Handler { position, error }) => {
                let text = format!("the event at {position} is illegal: {error}");
                return Err(Failure::new(ErrorClass::Corrupt, text));
            }
        }
        Ok(OpenRequestLog {
            wal,
            queue,
            applied: border::position(applied),
            clock: Arc::clone(&machine.clock),
            report: report_of(report),
        })
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

    fn append(&mut self, command: &Command) -> Reply {
        let command_of_library = match command {
            Command::Unacceptable { request } => match unacceptable(*request) {
                Ok(specs) => LibraryCommand::Enqueue(specs),
                Err(refusal) => return Ok((Done::Refused(refusal), None)),
            },
            command => library_command(command),
        };
        let events = self.queue.plan(&command_of_library, self.clock.now_ms());
        let events = match events {
            Ok(events) => events,
            Err(error) => return Ok((Done::Refused(refusal(&error)), None)),
        };
        if events.is_empty() {
            return Ok((Done::Accepted(None), None));
        }
        let appended = match self.wal.append(&events) {
            Err(Error::TooLarge { .. }) => return Ok((Done::Refused(Refusal::TooLarge), None)),
            appended => appended?,
        };
        let last = border::position(appended);
        self.take_in(&events, last);
        let handed_out = handed_out(command, &events, &self.queue);
        Ok((Done::Accepted(handed_out), Some(last)))
    }
}

impl Subject for RequestLog {
    type Op = QueueOp;
    type State = QueueState;
    type Store = OpenRequestLog;

    fn apply(state: &mut QueueState, op: &QueueOp) {
        op.apply_to(state);
    }

    fn ops(&self, state: &QueueState) -> Vec<QueueOp> {
        let mut ops = small::ops(state.model());
        ops.push(Command::Sync.into());
        ops
    }

    fn simpler(&self, op: &QueueOp) -> Vec<QueueOp> {
        workload::simpler(op)
    }

    fn simpler_together(&self, ops: &[QueueOp]) -> Vec<Vec<QueueOp>> {
        workload::simpler_together(ops)
    }

    fn resolve(&self, op: &QueueOp, state: &QueueState, now_ms: u64) -> (QueueOp, Expected) {
        op.resolved(state.model(), now_ms)
    }

    fn invalid(&self, op: &QueueOp, nested: bool) -> Vec<(String, String)> {
        let mut found = op.command.invalid();
        if nested && op.command.is_of_log() {
            let message = "a group holds commands of the queue only";
            found.push((String::new(), message.to_owned()));
        }
        found
    }

    fn lacks(&self, kind: CommandKind) -> Option<String> {
        use CommandKind as K;
        if kind == K::Op {
            return Some(OF_OWN_STORE.to_owned());
        }
        let lacks = matches!(
            kind,
            K::Checkpoint | K::SlowCheckpoint | K::CloseQueued | K::Lenient | K::Unawaited
        );
        lacks.then(|| {
            "where `log.sync` is `on-request` the log is used alone: no checkpoints, no queue of callers, no lenient reading"
                .to_owned()
        })
    }

    fn takes_ms(op: &QueueOp) -> i64 {
        op.takes_ms()
    }

    fn open(&self, machine: &Machine) -> Result<OpenRequestLog, Failure> {
        OpenRequestLog::open(machine)
    }

    fn run(&self, store: &mut OpenRequestLog, op: &QueueOp) -> Result<Answer, Failure> {
        let mut durability = Durability::Durable;
        let reply = match &op.command {
            Command::Sync => ended_at(store.wal.sync()),
            Command::Rotate => ended_at(store.wal.rotate().map(|end| end.position)),
            Command::Preallocate { bytes } => match store.wal.preallocate(*bytes) {
                Ok(()) => Ok((Done::Accepted(None), None)),
                Err(error) => Err(error.into()),
            },
            command => {
                durability = Durability::NotYet;
                store.append(command)
            }
        };
        let answer = answer(&op.command, reply)?;
        Ok(Answer {
            durability,
            position: answer.position.or(Some(store.applied)),
            ..answer
        })
    }

    fn state(&self, store: &mut OpenRequestLog) -> Result<QueueState, Failure> {
        Ok(QueueState::Observed(store.queue.clone()))
    }

    fn difference(expected: &QueueState, found: &QueueState) -> (String, String) {
        expected.difference(found)
    }

    fn size(state: &QueueState) -> usize {
        state.model().len()
    }

    fn checkpoint(&self, _store: &mut OpenRequestLog) -> Result<(), Failure> {
        Err(Failure::unsupported("a checkpoint"))
    }

    fn close(&self, store: OpenRequestLog) -> Result<(), Failure> {
        Ok(store.wal.close()?)
    }

    fn concurrent(&self) -> Option<&dyn Concurrent<Self>> {
        Some(self)
    }

    fn inspected(&self) -> Option<Inspection<'_>> {
        Some(Inspection(&self.documented))
    }
}

impl Concurrent<RequestLog> for RequestLog {
    fn shared_ops(&self) -> usize {
        small::SHARED
    }

    fn group(&self, store: &mut OpenRequestLog, ops: &[QueueOp]) -> Vec<Result<Answer, Failure>> {
        let mut planned = store.queue.clone();
        let now_ms = store.clock.now_ms();
        let plan = |op: &QueueOp| {
            let events = planned.plan(&library_command(&op.command), now_ms);
            let events = events.map_err(|error| refusal(&error))?;
            for event in &events {
                let applied = planned.apply(event);
                applied.expect("a plan holds only events that the queue allows");
            }
            Ok(events)
        };
        let plans: Vec<_> = ops.iter().map(plan).collect();
        let written = plans.iter().flatten().filter(|events| !events.is_empty());
        let groups: Result<Vec<Group>, _> = written.map(|events| Group::encode(events)).collect();
        let committed = match groups {
            Ok(groups) if groups.is_empty() => Ok(None),
            Ok(groups) => store
                .wal
                .commit(&groups)
                .map(|last| Some(border::position(last))),
            Err(error) => Err(error),
        };
        let committed = committed.map_err(Failure::from);
        let count: u64 = plans
            .iter()
            .flatten()
            .map(|events| events.len() as u64)
            .sum();
        let mut at = committed.clone().ok().flatten().unwrap_or_default();
        at.seq = at.seq.saturating_sub(count);
        let replies = ops
            .iter()
            .zip(plans)
            .map(|(op, plan)| match (plan, &committed) {
                (Err(refusal), _) => Ok((Done::Refused(refusal), None)),
                (Ok(events), _) if events.is_empty() => Ok((Done::Accepted(None), None)),
                (Ok(_), Err(failure)) => Err(failure.clone()),
                (Ok(events), Ok(_)) => {
                    at.seq += events.len() as u64;
                    store.take_in(&events, at);
                    let handed_out = handed_out(&op.command, &events, &store.queue);
                    Ok((Done::Accepted(handed_out), Some(at)))
                }
            });
        let replies: Vec<Reply> = replies.collect();
        let answers = ops.iter().zip(replies);
        let answers = answers.map(|(op, reply)| {
            let answer = answer(&op.command, reply)?;
            Ok(Answer {
                // What wrote nothing down says nothing of what was written before it.
                durability: match answer.position {
                    Some(_) => Durability::Durable,
                    None => Durability::NotYet,
                },
                position: answer.position.or(Some(store.applied)),
                ..answer
            })
        });
        answers.collect()
    }
}

/// What was synced or rotated ends there.
fn ended_at(position: Result<beaver::Position, beaver::Error>) -> Reply {
    Ok((Done::Accepted(None), Some(border::position(position?))))
}

/// The job that a dispatch has handed out.
fn handed_out(command: &Command, events: &[Event], queue: &JobQueue) -> Option<HandedOut> {
    let front = events.first().filter(|_| *command == Command::Dispatch)?;
    let job = queue.job(&front.job_id)?;
    Some(HandedOut {
        id: front.job_id.as_str().to_owned(),
        attempt: job.attempts(),
    })
}

fn report_of(report: LibraryReport) -> OpenReport {
    OpenReport {
        torn_tail: report.torn_tail.map(|tail| (tail.file, tail.offset)),
        temporaries: report.removed_temporaries.len(),
        strays: report.strays,
        ..OpenReport::default()
    }
}
