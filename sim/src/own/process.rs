//! A process with somebody's own store open: numbers in, states out.
//!
//! After an error the store gets no further command until it is opened again. So a store need not
//! know what an error leaves behind, and what is in doubt always lies behind everything else.

use std::any::Any;
use std::io;

use super::OwnStore;
use super::recognise::{fold, recognise};
use crate::oracle::history::{History, Place};
use crate::oracle::judge::{Finding, View};
use crate::oracle::model::{Model, Record, Refusal, What};
use crate::oracle::shown::Shown;
use crate::scenario::{Job, Step};
use crate::subject::{Answer, Begun, Failure, Grave, Process};

/// A process with the store open.
#[derive(Debug)]
pub(super) struct OwnProcess<S> {
    store: S,
    /// The commands that its state contains: those that it was recognised by, and those written
    /// since.
    numbers: Vec<u64>,
    /// The error after which nothing more is given to it.
    broken: Option<String>,
}

impl<S: OwnStore> OwnProcess<S> {
    pub(super) fn new(store: S) -> Self {
        OwnProcess {
            store,
            numbers: Vec::new(),
            broken: None,
        }
    }

    fn check_usable(&self) -> Result<(), Failure> {
        match &self.broken {
            None => Ok(()),
            Some(why) => Err(Failure {
                grave: Grave::Poisoned,
                file: None,
                kind: None,
                text: format!("not opened again since: {why}"),
            }),
        }
    }

    /// Runs something after whose failure the store is not used any more.
    fn attempt(
        &mut self,
        what: &str,
        piece: impl FnOnce(&mut S) -> io::Result<()>,
    ) -> Result<(), Failure> {
        self.check_usable()?;
        piece(&mut self.store).map_err(|error| {
            let failure = Failure {
                grave: Grave::InDoubt,
                ..failure(what, &error)
            };
            self.broken = Some(failure.text.clone());
            failure
        })
    }

    fn write(&mut self, job: &Job) -> Answer {
        let Some(number) = number(&job.id) else {
            return Answer::Failed(invalid(&format!("a job called {:?}", job.id)));
        };
        if let Err(failure) = self.check_usable() {
            return Answer::Failed(failure);
        }
        if self.numbers.contains(&number) {
            return Answer::Refused(Refusal::Duplicate);
        }
        match self.attempt("write", |store| store.write(&S::command(number))) {
            Ok(()) => {
                self.numbers.push(number);
                Answer::Done(None)
            }
            Err(failure) => Answer::Failed(failure),
        }
    }
}

impl<S: OwnStore> Process for OwnProcess<S> {
    fn command(&mut self, step: &Step) -> Answer {
        match step {
            Step::Enqueue { jobs } if jobs.len() == 1 => self.write(&jobs[0]),
            other => Answer::Failed(invalid(&format!("{other:?}"))),
        }
    }

    fn group(&mut self, steps: &[Step]) -> Vec<(Answer, Option<Place>)> {
        let answers = steps.iter().map(|step| {
            let answer = self.command(step);
            (answer, Some(self.applied()))
        });
        answers.collect()
    }

    fn begin_checkpoint(&mut self) -> Result<Option<Box<dyn Begun>>, Failure> {
        Err(invalid("a checkpoint with commands between its steps"))
    }

    fn finish_checkpoint(&mut self, _written: Box<dyn Any>) -> Result<usize, Failure> {
        Err(invalid("a checkpoint with commands between its steps"))
    }

    fn checkpoint(&mut self) -> Result<Option<usize>, Failure> {
        self.attempt("checkpoint", OwnStore::checkpoint)?;
        Ok(Some(0))
    }

    fn state(&self) -> Shown {
        let records = self.numbers.iter().map(|number| Record {
            id: number.to_string(),
            at_ms: 0,
            what: What::Enqueued {
                payload: String::new(),
                max_attempts: 1,
                timeout_ms: 0,
            },
        });
        Shown::from(&Model::fold(&records.collect::<Vec<_>>()))
    }

    fn keep_state(&self) -> Box<dyn Any> {
        Box::new(self.store.state())
    }

    fn is_in_state(&self, kept: &dyn Any) -> bool {
        kept.downcast_ref::<S::State>()
            .is_some_and(|kept| *kept == self.store.state())
    }

    fn applied(&self) -> Place {
        place(self.numbers.len())
    }

    fn compare(&mut self, expected: &Model) -> Result<(), (String, String)> {
        // What an error has left in memory counts no more: nobody is shown it.
        if self.broken.is_some() {
            return Ok(());
        }
        let numbers: Vec<u64> = expected.jobs().filter_map(|j| number(&j.id)).collect();
        super::recognise::compare(&fold::<S>(&numbers), &self.store.state())?;
        self.numbers = numbers;
        Ok(())
    }

    fn recognise(&mut self, history: &History) -> Option<Result<View, Finding>> {
        let recognised = recognise::<S>(history, &self.store.state());
        Some(recognised.map(|records| {
            self.numbers = records.iter().filter_map(|r| number(&r.id)).collect();
            super::recognise::view(records)
        }))
    }

    fn close(self: Box<Self>) -> Result<(), Failure> {
        if self.broken.is_some() {
            return Ok(());
        }
        self.store.close().map_err(|error| failure("close", &error))
    }

    fn close_queued(mut self: Box<Self>, steps: &[Step]) -> Vec<(Answer, Option<Place>)> {
        let answers = self.group(steps);
        // Everybody has his answer, whatever the close says.
        let _ = self.close();
        answers
    }
}

/// Where the last of so many commands stands.
pub(super) fn place(count: usize) -> Place {
    match count {
        0 => Place::default(),
        _ => Place {
            epoch: 1,
            seq: count as u64,
        },
    }
}

/// The number of the command that a job stands for.
pub(super) fn number(id: &str) -> Option<u64> {
    id.parse().ok()
}

/// What such a store is never asked.
pub(super) fn invalid(what: &str) -> Failure {
    Failure {
        grave: Grave::Invalid,
        file: None,
        kind: None,
        text: format!(
            "{what}: a store of one's own takes single commands by number, and checkpoints"
        ),
    }
}

pub(super) fn failure(what: &str, error: &io::Error) -> Failure {
    Failure {
        grave: match error.kind() {
            io::ErrorKind::WouldBlock => Grave::Locked,
            _ => Grave::NotDone,
        },
        file: None,
        kind: Some(error.kind()),
        text: format!("{what}: {error}"),
    }
}
