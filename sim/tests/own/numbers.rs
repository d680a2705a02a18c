//! A list of numbers in one file that grows by a line for each change, for one caller or for several,
//! with ways to be wrong that a checker can be blind to.

use std::any::Any;
use std::io;
use std::sync::Arc;

use beaver::storage::{Storage, StorageFile, read_all, write_all};
use beaver_sim::scenario::CommandKind;
use beaver_sim::subject::{
    Answer, BegunWithCallers, Concurrent, Durability, ErrorClass, Expected, Failure, Machine,
    PendingCheckpoint, Promises, Subject,
};
use serde::{Deserialize, Serialize};

/// What the list can be told to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Op {
    Push(u64),
    Pop,
    /// Changes nothing.
    Look,
    /// Makes durable what was only answered.
    Flush,
}

/// How the list is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wrong {
    /// It is not.
    Nothing,
    /// A checkpoint leaves the file as long as it is.
    CheckpointDoesNothing,
    /// After a recovery that found something it takes no change.
    TakesNothingAfterRecovery,
    /// After a recovery that found something a flush answers and writes nothing.
    FlushStopsAfterRecovery,
    /// After a recovery that found something a close writes nothing.
    CloseStopsAfterRecovery,
    /// A pop is not synced.
    PopIsNotSynced,
    /// Where something is in the file it does not open.
    StaysShut,
    /// What several callers share is not synced.
    GroupIsNotSynced,
    /// An error of the sync that several callers share is taken for success.
    GroupIgnoresFailedSync,
    /// What callers wait for while the list is closed is not synced.
    CloseQueuedIsNotSynced,
    /// The last step of a checkpoint writes what there was at the first.
    CheckpointForgetsOpsAmid,
}

/// The kind of list. `OPENS` says whether it promises to open.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Numbers<const OPENS: bool = true> {
    /// The ops that are worth to be given.
    pub(crate) ops: fn(&[u64]) -> Vec<Op>,
    pub(crate) wrong: Wrong,
    /// Whether it answers before what it answers is durable.
    pub(crate) buffers: bool,
    /// Whether it serves several callers.
    pub(crate) shared: bool,
}

impl Numbers {
    /// A list for one caller that is right.
    pub(crate) fn of(ops: fn(&[u64]) -> Vec<Op>) -> Self {
        Numbers {
            ops,
            wrong: Wrong::Nothing,
            buffers: false,
            shared: false,
        }
    }
}

impl<const OPENS: bool> Numbers<OPENS> {
    pub(crate) fn wrong(self, wrong: Wrong) -> Self {
        Numbers { wrong, ..self }
    }
}

/// A list that a process has open.
pub(crate) struct OpenNumbers {
    storage: Arc<dyn Storage>,
    file: Box<dyn StorageFile>,
    numbers: Vec<u64>,
    /// The lines that are not in the file.
    unwritten: String,
    /// What the first step of a checkpoint saw.
    begun: Vec<u64>,
    /// Whether opening it found something.
    recovered: bool,
}

/// The whole list takes the place of the one before, under the same name.
fn publish(storage: &dyn Storage, numbers: &[u64]) -> io::Result<Box<dyn StorageFile>> {
    // A removal of what is left over may have failed. Where it stays, the create fails.
    let _ = storage.remove("numbers.new");
    let file = storage.create("numbers.new")?;
    let lines: String = numbers.iter().map(|number| format!("{number}\n")).collect();
    write_all(&*file, lines.as_bytes(), 0)?;
    file.sync_data()?;
    storage.rename("numbers.new", "numbers")?;
    storage.sync_dir()?;
    Ok(file)
}

fn apply(numbers: &mut Vec<u64>, op: Op) {
    match op {
        Op::Push(number) => numbers.push(number),
        Op::Pop => drop(numbers.pop()),
        Op::Look | Op::Flush => {}
    }
}

fn parse(line: &[u8]) -> Option<Op> {
    match std::str::from_utf8(line).ok()?.strip_suffix('\n')? {
        "pop" => Some(Op::Pop),
        number => Some(Op::Push(number.parse().ok()?)),
    }
}

impl OpenNumbers {
    /// Takes an op into memory.
    fn take(&mut self, op: Op) {
        match op {
            Op::Push(number) => self.unwritten += &format!("{number}\n"),
            Op::Pop => self.unwritten += "pop\n",
            Op::Look | Op::Flush => {}
        }
        apply(&mut self.numbers, op);
    }

    /// Writes what is only in memory.
    fn write(&mut self) -> io::Result<()> {
        let end = self.file.len()?;
        write_all(&*self.file, self.unwritten.as_bytes(), end)?;
        self.unwritten.clear();
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.unwritten.is_empty() {
            return Ok(());
        }
        self.write()?;
        self.file.sync_data()
    }

    /// Makes the file small again.
    fn compact(&mut self, numbers: &[u64]) -> io::Result<()> {
        self.file = publish(&*self.storage, numbers)?;
        self.unwritten.clear();
        Ok(())
    }
}

impl<const OPENS: bool> Subject for Numbers<OPENS> {
    type Op = Op;
    type State = Vec<u64>;
    type Store = OpenNumbers;

    const PROMISES: Promises = Promises {
        opens: OPENS,
        ..Promises::ALL
    };

    fn apply(state: &mut Vec<u64>, op: &Op) {
        apply(state, *op);
    }

    fn ops(&self, state: &Vec<u64>) -> Vec<Op> {
        (self.ops)(state)
    }

    fn resolve(&self, op: &Op, state: &Vec<u64>, _now_ms: u64) -> (Op, Expected) {
        let expected = Expected {
            changes: match op {
                Op::Push(_) => true,
                Op::Pop => !state.is_empty(),
                Op::Look | Op::Flush => false,
            },
            durable: *op == Op::Flush,
            ..Expected::default()
        };
        (*op, expected)
    }

    fn lacks(&self, kind: CommandKind) -> Option<String> {
        use CommandKind as K;
        let has = match kind {
            K::Op | K::Checkpoint | K::Reopen | K::Kill | K::PowerCut => true,
            K::Group | K::SlowCheckpoint | K::CloseQueued => self.shared,
            _ => false,
        };
        (!has).then(|| "a list has no such step".to_owned())
    }

    fn open(&self, machine: &Machine) -> Result<OpenNumbers, Failure> {
        let storage = Arc::clone(&machine.storage);
        let bytes = read_all(&*storage, "numbers")?.unwrap_or_default();
        let mut numbers = Vec::new();
        // What stands after the last whole line was never acknowledged.
        let lines = bytes.split_inclusive(|byte| *byte == b'\n');
        lines
            .map_while(parse)
            .for_each(|op| apply(&mut numbers, op));
        if self.wrong == Wrong::StaysShut && !numbers.is_empty() {
            return Err(Failure::new(ErrorClass::NotDone, "it stays shut"));
        }
        let file = publish(&*storage, &numbers)?;
        Ok(OpenNumbers {
            storage,
            file,
            recovered: !numbers.is_empty(),
            numbers,
            unwritten: String::new(),
            begun: Vec::new(),
        })
    }

    fn run(&self, list: &mut OpenNumbers, op: &Op) -> Result<Answer, Failure> {
        match op {
            Op::Look => return Ok(Durability::NotYet.into()),
            Op::Flush if self.wrong == Wrong::FlushStopsAfterRecovery && list.recovered => {}
            Op::Flush => list.flush()?,
            Op::Push(_) | Op::Pop
                if self.wrong == Wrong::TakesNothingAfterRecovery && list.recovered =>
            {
                return Err(Failure::new(ErrorClass::NotDone, "takes nothing any more"));
            }
            Op::Push(_) | Op::Pop => {
                list.take(*op);
                match (self.buffers, self.wrong) {
                    (true, _) => return Ok(Durability::NotYet.into()),
                    (false, Wrong::PopIsNotSynced) if *op == Op::Pop => list.write()?,
                    (false, _) => list.flush()?,
                }
            }
        }
        Ok(Durability::Durable.into())
    }

    fn state(&self, list: &mut OpenNumbers) -> Result<Vec<u64>, Failure> {
        Ok(list.numbers.clone())
    }

    fn checkpoint(&self, list: &mut OpenNumbers) -> Result<(), Failure> {
        if self.wrong == Wrong::CheckpointDoesNothing {
            return Ok(list.flush()?);
        }
        let numbers = list.numbers.clone();
        Ok(list.compact(&numbers)?)
    }

    fn close(&self, mut list: OpenNumbers) -> Result<(), Failure> {
        if self.wrong == Wrong::CloseStopsAfterRecovery && list.recovered {
            return Ok(());
        }
        Ok(list.flush()?)
    }

    fn concurrent(&self) -> Option<&dyn Concurrent<Self>> {
        self.shared.then_some(self)
    }
}

/// An answer for each of `callers` callers.
fn for_each(callers: usize, done: io::Result<()>) -> Vec<Result<Answer, Failure>> {
    let answer = done.map(|()| Answer::from(Durability::Durable));
    vec![answer.map_err(Failure::from); callers]
}

impl<const OPENS: bool> Concurrent<Numbers<OPENS>> for Numbers<OPENS> {
    fn shared_ops(&self) -> usize {
        1
    }

    fn group(&self, list: &mut OpenNumbers, ops: &[Op]) -> Vec<Result<Answer, Failure>> {
        ops.iter().for_each(|op| list.take(*op));
        let done = match self.wrong {
            Wrong::GroupIsNotSynced => list.write(),
            Wrong::GroupIgnoresFailedSync => list.write().map(|()| {
                let _ = list.file.sync_data();
            }),
            _ => list.flush(),
        };
        for_each(ops.len(), done)
    }

    fn close_queued(&self, mut list: OpenNumbers, ops: &[Op]) -> Vec<Result<Answer, Failure>> {
        ops.iter().for_each(|op| list.take(*op));
        let done = match self.wrong {
            Wrong::CloseQueuedIsNotSynced => list.write(),
            _ => list.flush(),
        };
        for_each(ops.len(), done)
    }

    fn begin_checkpoint(
        &self,
        list: &mut OpenNumbers,
    ) -> Result<Option<PendingCheckpoint>, Failure> {
        list.begun.clone_from(&list.numbers);
        let storage = Arc::clone(&list.storage);
        Ok(Some(Box::new(move || {
            storage.list()?;
            Ok(Box::new(()) as Box<dyn Any + Send>)
        })))
    }

    fn begin_checkpoint_queued(&self, list: &mut OpenNumbers, ops: &[Op]) -> BegunWithCallers {
        let answers = self.group(list, ops);
        match answers.iter().find_map(|answer| answer.clone().err()) {
            Some(failure) => (Err(failure), answers),
            None => (self.begin_checkpoint(list), answers),
        }
    }

    fn finish_checkpoint(
        &self,
        list: &mut OpenNumbers,
        _written: Box<dyn Any + Send>,
    ) -> Result<(), Failure> {
        let numbers = match self.wrong {
            Wrong::CheckpointForgetsOpsAmid => list.begun.clone(),
            _ => list.numbers.clone(),
        };
        Ok(list.compact(&numbers)?)
    }
}
