//! A process with the plain store open: checks, appends, applies.

use std::sync::{Arc, Mutex};

use beaver::{Clock, Storage, StorageFile, StorageLock};

use super::bug::Bug;
use super::files::{corrupt, not_done, segment_name, write};
use super::line::{self, Event};
use super::queue::{Queue, enqueued};
use crate::recovering::locked;
use beaver_sim::oracle::history::Place;
use beaver_sim::oracle::model::{Record, What};
use beaver_sim::scenario::Step;
use beaver_sim::subject::{Answer, Failure, Grave};

/// The segment that is written to.
#[derive(Debug)]
pub(super) struct Active {
    pub(super) epoch: u64,
    pub(super) file: Box<dyn StorageFile>,
    pub(super) prev: Option<(u64, u64)>,
    pub(super) next_seq: u64,
    /// Where the next append goes.
    pub(super) end: u64,
    pub(super) after_marker: bool,
}

impl Active {
    /// A segment that has a header of `end` bytes and nothing else.
    pub(super) fn new(
        epoch: u64,
        prev: Option<(u64, u64)>,
        file: Box<dyn StorageFile>,
        end: u64,
    ) -> Self {
        Active {
            epoch,
            file,
            prev,
            next_seq: 1,
            end,
            after_marker: false,
        }
    }
}

/// A process with the store open.
#[derive(Debug)]
pub(super) struct PlainProcess {
    pub(super) disk: Arc<dyn Storage>,
    #[expect(dead_code, reason = "held until the process ends")]
    pub(super) lock: Box<dyn StorageLock>,
    pub(super) bug: Option<Bug>,
    pub(super) clock: Option<Arc<dyn Clock>>,
    pub(super) queue: Queue,
    pub(super) applied: Place,
    pub(super) active: Active,
    /// The newest durable snapshot.
    pub(super) snapshot: Option<u64>,
    /// Why every change is refused.
    pub(super) trouble: Option<String>,
    /// Lines that were acknowledged and not yet written.
    pub(super) buffer: Vec<u8>,
    /// The next seq of the segment before, while a rotation is under way.
    pub(super) stale: Option<u64>,
    /// The last applied place, for whoever reads it without asking.
    pub(super) glimpse: Arc<Mutex<Place>>,
}

/// What a caller has submitted.
struct Submitted {
    records: Vec<Record>,
    answer: Answer,
    place: Option<Place>,
    /// Whether it changes the queue and not the log.
    unlogged: bool,
}

impl PlainProcess {
    pub(super) fn has(&self, bug: Bug) -> bool {
        self.bug == Some(bug)
    }

    pub(super) fn now_ms(&self) -> u64 {
        self.clock.as_ref().map_or(0, |clock| clock.now_ms())
    }

    pub(super) fn check_writable(&self) -> Result<(), Failure> {
        match &self.trouble {
            None => Ok(()),
            Some(why) => Err(Failure {
                grave: Grave::Poisoned,
                ..corrupt("", &format!("refused since: {why}"))
            }),
        }
    }

    /// From now on every change is refused.
    pub(super) fn poison(&mut self, failure: Failure, grave: Grave) -> Failure {
        self.trouble = Some(failure.text.clone());
        Failure { grave, ..failure }
    }

    /// Several callers submit, one write and one sync serve all.
    pub(super) fn together(&mut self, steps: &[Step]) -> Vec<(Answer, Option<Place>)> {
        let now_ms = self.now_ms();
        let mut queue = self.queue.clone();
        let mut submitted = Vec::new();
        for step in steps {
            submitted.push(self.submit(&mut queue, step, now_ms));
        }
        let failed = self.commit(&mut submitted).err();
        for one in submitted.iter_mut().filter(|one| !one.records.is_empty()) {
            if let (Some(failure), Answer::Done(_)) = (&failed, &one.answer) {
                let ignored = self.has(Bug::DispatchIgnoresError)
                    && one
                        .records
                        .iter()
                        .all(|record| record.what == What::Dispatched);
                if !ignored {
                    one.answer = Answer::Failed(failure.clone());
                    continue;
                }
                one.place = Some(Place {
                    seq: self.applied.seq + 1,
                    ..self.applied
                });
                self.applied = one.place.unwrap_or_default();
            }
            let applies = matches!(one.answer, Answer::Done(_));
            for record in one.records.iter().filter(|_| applies) {
                let applied = self.queue.apply_live(record, self.bug);
                applied.expect("it was checked against the state and everything before it");
            }
        }
        let answers = submitted.into_iter().map(|one| (one.answer, one.place));
        answers.collect()
    }

    /// One caller's command, checked against the state and everything queued.
    fn submit(&self, queue: &mut Queue, step: &Step, now_ms: u64) -> Submitted {
        let nothing = |answer| Submitted {
            records: Vec::new(),
            answer,
            place: None,
            unlogged: *step == Step::Requeue && self.has(Bug::RequeueNotLogged),
        };
        let records = match queue.plan(step, now_ms) {
            Ok(records) => records,
            Err(refusal) => {
                let records = match step {
                    Step::Ack { id } if self.has(Bug::LoggedBeforeChecked) => vec![Record {
                        id: id.clone(),
                        at_ms: now_ms,
                        what: What::Acked,
                    }],
                    Step::Enqueue { jobs } if self.has(Bug::RefusedEnqueueLogged) => {
                        enqueued(jobs, now_ms)
                    }
                    _ => Vec::new(),
                };
                return Submitted {
                    records,
                    ..nothing(Answer::Refused(refusal))
                };
            }
        };
        let front = match step {
            Step::Dispatch => records.first().map(|record| record.id.clone()),
            _ => None,
        };
        if records.is_empty() {
            return nothing(Answer::Done(None));
        }
        for record in &records {
            let applied = queue.apply_live(record, self.bug);
            applied.expect("the queue has just planned it");
        }
        Submitted {
            records,
            ..nothing(Answer::Done(front))
        }
    }

    /// Writes what was submitted, as one batch, and gives everybody his place.
    fn commit(&mut self, submitted: &mut [Submitted]) -> Result<(), Failure> {
        let mut next_seq = self.stale.unwrap_or(self.active.next_seq);
        let batch = next_seq;
        let mut lines = Vec::new();
        let mut last = self.applied;
        for one in submitted.iter_mut() {
            if one.records.is_empty() || one.unlogged {
                one.place = Some(last);
                continue;
            }
            let count = one.records.len();
            let mut bytes = Vec::new();
            for (index, record) in one.records.iter().enumerate() {
                let event = Event {
                    seq: next_seq,
                    batch,
                    more: index + 1 < count,
                    record: Some(record.clone()),
                };
                bytes.extend(line::event(self.active.epoch, &event, self.bug));
                next_seq += 1;
            }
            last = Place {
                epoch: self.active.epoch,
                seq: next_seq - 1,
            };
            one.place = Some(last);
            lines.push(bytes);
        }
        if lines.is_empty() {
            return Ok(());
        }
        if self.has(Bug::OvertakenSeq) {
            lines.reverse();
        }
        self.append(&lines.concat())?;
        if let Some(stale) = &mut self.stale {
            *stale = next_seq;
        }
        self.active.next_seq = next_seq;
        self.applied = last;
        *locked(&self.glimpse) = last;
        Ok(())
    }

    /// Writes bytes at the end of the active segment and makes them durable.
    pub(super) fn append(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.check_writable()?;
        let name = segment_name(self.active.epoch);
        let mut all = std::mem::take(&mut self.buffer);
        if self.has(Bug::AnswerFromBuffer) && all.is_empty() {
            self.buffer = bytes.to_vec();
            return Ok(());
        }
        all.extend_from_slice(bytes);
        if let Err(error) = write(&*self.active.file, &all, self.active.end) {
            let failure = not_done(&name, &error);
            if self.has(Bug::HalfBatchStays) {
                self.active.end = self.active.file.len().unwrap_or(self.active.end);
                return Err(failure);
            }
            return Err(self.undo(failure));
        }
        if let Err(error) = self.active.file.sync_data() {
            let failure = not_done(&name, &error);
            if self.has(Bug::SyncFailureGoesOn) {
                self.active.end += all.len() as u64;
                self.active.next_seq += 1;
                return Err(failure);
            }
            return Err(self.poison(failure, Grave::InDoubt));
        }
        self.active.end += all.len() as u64;
        self.active.after_marker = false;
        Ok(())
    }

    /// Cuts what a failed write has left.
    fn undo(&mut self, failure: Failure) -> Failure {
        let file = &self.active.file;
        let undone = file
            .set_len(self.active.end)
            .and_then(|()| file.sync_data());
        match undone {
            Ok(()) => failure,
            Err(_) => self.poison(failure, Grave::InDoubt),
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
        let bytes = line::marker(self.active.epoch, self.active.next_seq - 1);
        self.append(&bytes)
    }
}
