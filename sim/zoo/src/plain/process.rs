//! A process with the plain store open: it checks, appends and applies.

use std::sync::{Arc, Mutex};

use beaver::{Clock, Storage, StorageFile, StorageLock};
use beaver_storage::write_all;

use super::bug::PlainBug;
use super::files::{not_done, segment_name};
use super::line::{self, EventLine};
use super::rules;
use crate::interposed::locked;
use beaver_sim::beaver::Command;
use beaver_sim::beaver::engine::{Done, HandedOut, Reply};
use beaver_sim::beaver::model::{Model, Record, What};
use beaver_sim::subject::{ErrorClass, Failure, Position};

/// The segment that is written to.
#[derive(Debug)]
pub(super) struct WritableSegment {
    pub(super) epoch: u64,
    pub(super) file: Box<dyn StorageFile>,
    pub(super) prev: Option<Position>,
    pub(super) next_seq: u64,
    /// Where the next append goes.
    pub(super) end: u64,
    pub(super) after_marker: bool,
}

impl WritableSegment {
    /// A segment of `end` bytes without events.
    pub(super) fn new(
        epoch: u64,
        prev: Option<Position>,
        file: Box<dyn StorageFile>,
        end: u64,
    ) -> Self {
        WritableSegment {
            epoch,
            file,
            prev,
            next_seq: 1,
            end,
            after_marker: false,
        }
    }

    /// The position of its last event, or the boundary before its first.
    pub(super) fn last(&self) -> Position {
        Position {
            epoch: self.epoch,
            seq: self.next_seq - 1,
        }
    }
}

/// A process with the store open.
#[derive(Debug)]
pub(super) struct PlainProcess {
    pub(super) disk: Arc<dyn Storage>,
    #[expect(dead_code, reason = "held until the process ends")]
    pub(super) lock: Box<dyn StorageLock>,
    pub(super) bug: Option<PlainBug>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) state: Model,
    pub(super) applied: Position,
    pub(super) active: WritableSegment,
    /// The newest durable snapshot.
    pub(super) snapshot: Option<u64>,
    /// Why every change is refused.
    pub(super) trouble: Option<String>,
    /// Lines that were acknowledged and not yet written.
    pub(super) buffer: Vec<u8>,
    /// The next seq of the segment before, while a rotation is under way.
    pub(super) stale: Option<u64>,
    /// `applied`, for a checkpoint that is being written.
    pub(super) applied_now: Arc<Mutex<Position>>,
}

/// What a caller has submitted.
struct Submission {
    records: Vec<Record>,
    /// Whether the records go to the log.
    logged: bool,
    done: Done,
    position: Option<Position>,
}

impl Submission {
    /// Whether it changes the state.
    fn is_accepted(&self) -> bool {
        matches!(self.done, Done::Accepted(_)) && !self.records.is_empty()
    }
}

impl PlainProcess {
    pub(super) fn has(&self, bug: PlainBug) -> bool {
        self.bug == Some(bug)
    }

    pub(super) fn check_writable(&self) -> Result<(), Failure> {
        match &self.trouble {
            None => Ok(()),
            Some(why) => Err(Failure::new(
                ErrorClass::Poisoned,
                format!("refused since: {why}"),
            )),
        }
    }

    /// From now on every change is refused.
    pub(super) fn poison(&mut self, failure: Failure, class: ErrorClass) -> Failure {
        self.trouble = Some(failure.text.clone());
        Failure { class, ..failure }
    }

    /// Several callers submit, one write and one sync serve all.
    pub(super) fn together(&mut self, commands: &[Command]) -> Vec<Reply> {
        // A command is checked against the state that the commands before it will lead to.
        let mut ahead = self.state.clone();
        let submitted = commands.iter().map(|one| self.submit(&mut ahead, one));
        let mut submitted: Vec<Submission> = submitted.collect();
        let refused = |one: &Command| matches!(one, Command::Unacceptable { .. });
        if self.has(PlainBug::RefusedTakesSeq) && commands.iter().any(refused) {
            self.active.next_seq += 1;
        }
        let failed = self.commit(&mut submitted).err();
        if failed.is_none() {
            self.state = ahead;
        }
        let replies = submitted.into_iter().map(|one| match &failed {
            Some(failure) if one.is_accepted() => self.not_written(one, failure),
            _ => Ok((one.done, one.position)),
        });
        replies.collect()
    }

    /// The answer to a caller whose records could not be written.
    fn not_written(&mut self, one: Submission, failure: &Failure) -> Reply {
        let dispatched = one.records[0].what == What::Dispatched;
        if !dispatched || !self.has(PlainBug::DispatchIgnoresError) {
            return Err(failure.clone());
        }
        for record in &one.records {
            rules::apply_live(&mut self.state, record, self.bug);
        }
        self.applied.seq += 1;
        Ok((one.done, Some(self.applied)))
    }

    /// One caller's command, checked against the state that everything queued leads to.
    fn submit(&self, ahead: &mut Model, command: &Command) -> Submission {
        let now_ms = self.clock.now_ms();
        let (records, done) = match ahead.plan(&self.as_it_is_heard(command), now_ms) {
            Ok(mut records) => {
                if self.has(PlainBug::WrongDeadlineKept) && !is_heartbeat(command) {
                    records.retain(|record| !matches!(record.what, What::HeldOn { .. }));
                }
                for record in &records {
                    rules::apply_live(ahead, record, self.bug);
                }
                let front = records.first().filter(|_| *command == Command::Dispatch);
                let job = front.and_then(|record| ahead.job(&record.id));
                let handed_out = job.map(|job| HandedOut {
                    id: job.id.clone(),
                    attempt: job.attempts,
                });
                (records, Done::Accepted(handed_out))
            }
            Err(refusal) => (
                self.logged_all_the_same(command, now_ms),
                Done::Refused(refusal),
            ),
        };
        let forgotten = *command == Command::Requeue && self.has(PlainBug::RequeueNotLogged)
            || is_heartbeat(command) && self.has(PlainBug::HeartbeatNotLogged);
        Submission {
            logged: !records.is_empty() && !forgotten,
            records,
            done,
            position: None,
        }
    }

    /// The command, which names no attempt any more if a bug does not look at it.
    fn as_it_is_heard(&self, command: &Command) -> Command {
        let deaf = match command {
            Command::Ack { .. } => self.has(PlainBug::LateAckAccepted),
            Command::Fail { .. } => self.has(PlainBug::LateFailAccepted),
            _ => false,
        };
        match command.clone() {
            Command::Ack { id, .. } if deaf => Command::Ack { id, attempt: None },
            Command::Fail { id, .. } if deaf => Command::Fail { id, attempt: None },
            heard => heard,
        }
    }

    /// What a bug logs of a command that is refused.
    fn logged_all_the_same(&self, command: &Command, now_ms: u64) -> Vec<Record> {
        match command {
            Command::Ack { id, attempt } if self.has(PlainBug::LoggedBeforeChecked) => {
                let attempt = attempt.unwrap_or(0);
                vec![Record {
                    id: id.clone(),
                    at_ms: now_ms,
                    what: What::Acked { attempt },
                }]
            }
            Command::Enqueue { jobs } if self.has(PlainBug::RefusedEnqueueLogged) => {
                let each = jobs.iter().flat_map(|job| {
                    let jobs = vec![job.clone()];
                    Model::default().plan(&Command::Enqueue { jobs }, now_ms)
                });
                each.flatten().collect()
            }
            _ => Vec::new(),
        }
    }

    /// Writes what was submitted, as one batch, and gives every caller a position.
    fn commit(&mut self, submitted: &mut [Submission]) -> Result<(), Failure> {
        let epoch = self.active.epoch;
        let batch = self.stale.unwrap_or(self.active.next_seq);
        let mut next_seq = batch;
        let mut lines = Vec::new();
        let mut last = self.applied;
        for one in submitted.iter_mut() {
            if one.logged {
                let mut bytes = Vec::new();
                let after = next_seq + one.records.len() as u64;
                for (record, seq) in one.records.iter().zip(next_seq..) {
                    let event = EventLine {
                        seq,
                        batch,
                        more: seq + 1 < after,
                        record: Some(record.clone()),
                    };
                    bytes.extend(line::event(epoch, &event, self.bug));
                }
                next_seq = after;
                last = Position {
                    epoch,
                    seq: after - 1,
                };
                lines.push(bytes);
            }
            one.position = Some(last);
        }
        if lines.is_empty() {
            return Ok(());
        }
        if self.has(PlainBug::OvertakenSeq) {
            lines.reverse();
        }
        self.append(&lines.concat())?;
        if let Some(stale) = &mut self.stale {
            *stale = next_seq;
        }
        self.active.next_seq = next_seq;
        self.applied = last;
        *locked(&self.applied_now) = last;
        Ok(())
    }

    /// Writes bytes at the end of the active segment and makes them durable.
    pub(super) fn append(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.check_writable()?;
        let name = segment_name(self.active.epoch);
        let mut all = std::mem::take(&mut self.buffer);
        if self.has(PlainBug::AnswerFromBuffer) && all.is_empty() {
            self.buffer = bytes.to_vec();
            return Ok(());
        }
        all.extend_from_slice(bytes);
        if let Err(error) = write_all(&*self.active.file, &all, self.active.end) {
            let failure = not_done(&name, &error);
            if self.has(PlainBug::HalfBatchStays) {
                self.active.end = self.active.file.len().unwrap_or(self.active.end);
                return Err(failure);
            }
            return Err(self.cut_off(failure));
        }
        if let Err(error) = self.active.file.sync_data() {
            let failure = not_done(&name, &error);
            if self.has(PlainBug::SyncFailureGoesOn) {
                self.active.end += all.len() as u64;
                self.active.next_seq += 1;
                return Err(failure);
            }
            return Err(self.poison(failure, ErrorClass::InDoubt));
        }
        self.active.end += all.len() as u64;
        self.active.after_marker = false;
        Ok(())
    }

    /// Cuts off what a failed write has left.
    fn cut_off(&mut self, failure: Failure) -> Failure {
        let file = &self.active.file;
        let cut = file.set_len(self.active.end);
        match cut.and_then(|()| file.sync_data()) {
            Ok(()) => failure,
            Err(_) => self.poison(failure, ErrorClass::InDoubt),
        }
    }

    /// Writes the marker that says that everything is durable, and ends.
    pub(super) fn end(mut self) -> Result<(), Failure> {
        self.check_writable()?;
        if !self.buffer.is_empty() {
            self.append(&[])?;
        }
        if self.active.after_marker {
            return Ok(());
        }
        let last = self.active.last();
        self.append(&line::marker(last.epoch, last.seq))
    }
}

fn is_heartbeat(command: &Command) -> bool {
    matches!(command, Command::Heartbeat { .. })
}
