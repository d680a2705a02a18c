//! A plain store: a log, a snapshot and a job queue, as simple as they can be and still be right,
//! with bugs that can be switched on.
//!
//! It follows the same protocol as the library and shares no code with it. Where the library
//! rewrites the last batch, this one rewrites the whole segment; where the library keeps an older
//! snapshot, this one keeps none; it reads whole files into memory, twice. With all bugs off it
//! must pass everything that the library passes: a store that fails by itself proves nothing about
//! the judge.

mod bug;
mod checkpoint;
mod files;
mod line;
mod process;
mod queue;
mod recovery;
mod segment;

use std::any::Any;
use std::sync::Arc;

use beaver::{Clock, Storage};

pub use bug::Bug;

use beaver_sim::oracle::history::Place;
use beaver_sim::oracle::judge::Entry;
use beaver_sim::oracle::shown::Shown;
use beaver_sim::scenario::{LogSettings, Step};
use beaver_sim::subject::{Answer, Begun, Failure, Process, Report, Store, Subject};

use process::PlainProcess;
use recovery::Opening;

/// The plain store.
#[derive(Clone, Copy, Debug, Default)]
pub struct Plain {
    bug: Option<Bug>,
}

impl Plain {
    /// The plain store without any bug.
    #[must_use]
    pub fn sound() -> Subject {
        Subject::of(Plain::default())
    }

    /// The plain store with one bug.
    #[must_use]
    pub fn with(bug: Bug) -> Subject {
        Subject::of(Plain { bug: Some(bug) })
    }
}

impl Store for Plain {
    fn open(
        &self,
        storage: Arc<dyn Storage>,
        clock: Arc<dyn Clock>,
        _settings: &LogSettings,
    ) -> Result<(Box<dyn Process>, Report), Failure> {
        let opening = Opening {
            disk: storage,
            bug: self.bug,
            now_ms: clock.now_ms(),
        };
        let (mut process, report) = opening.open()?;
        process.clock = Some(clock);
        Ok((Box::new(process), report))
    }

    fn replay_after(
        &self,
        storage: &Arc<dyn Storage>,
        after: Place,
    ) -> Result<Vec<Entry>, Failure> {
        recovery::history(&**storage, after, self.bug)
    }
}

impl Process for PlainProcess {
    fn command(&mut self, step: &Step) -> Answer {
        let mut answers = self.together(std::slice::from_ref(step));
        answers.pop().expect("one answer for one step").0
    }

    fn group(&mut self, steps: &[Step]) -> Vec<(Answer, Option<Place>)> {
        self.together(steps)
    }

    fn begin_checkpoint(&mut self) -> Result<Option<Box<dyn Begun>>, Failure> {
        let begun = self.begin()?;
        Ok(begun.map(|begun| Box::new(begun) as Box<dyn Begun>))
    }

    fn finish_checkpoint(&mut self, written: Box<dyn Any>) -> Result<usize, Failure> {
        self.finish(&*written)
    }

    fn checkpoint(&mut self) -> Result<Option<usize>, Failure> {
        let Some(begun) = self.begin()? else {
            return Ok(None);
        };
        let written = Box::new(begun).write()?;
        self.finish(&*written).map(Some)
    }

    fn state(&self) -> Shown {
        self.queue.shown()
    }

    fn applied(&self) -> Place {
        self.last_applied()
    }

    fn close(self: Box<Self>) -> Result<(), Failure> {
        self.end()
    }

    fn close_queued(mut self: Box<Self>, steps: &[Step]) -> Vec<(Answer, Option<Place>)> {
        let written = match self.has(Bug::CloseStrandsCallers) {
            true => steps.len().min(1),
            false => steps.len(),
        };
        let mut answers = self.together(&steps[..written]);
        answers.resize(steps.len(), (Answer::Waiting, None));
        // Everybody has his answer, whatever the close says.
        let _ = self.end();
        answers
    }
}
