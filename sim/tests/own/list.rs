//! A list in one file, as simple as it can be, with ways to be wrong that each break another promise.

use std::io;
use std::sync::Arc;

use beaver::storage::{Storage, read_all, write_all};
use beaver_sim::subject::{Answer, Durability, Failure, Machine, Promises, Subject};

/// How the list is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wrong {
    /// It is not.
    Sound,
    /// An op is not synced.
    NoSync,
    /// Opening leaves the second entry out.
    LeavesOut,
    /// Opening makes the last entry up once more.
    Invents,
    /// An op that is answered is not in the state.
    Forgets,
    /// What could not be read is a panic.
    Panics,
    /// A file that was not finished keeps the list from opening.
    StaysShut,
    /// An error is taken for success.
    IgnoresErrors,
}

/// The kind of list; `UNPROMISED` says which promise it does not give.
#[derive(Debug)]
pub(crate) struct Lists<const UNPROMISED: u8 = 0>(pub(crate) Wrong);

/// Lists without one promise.
pub(crate) const UNPROMISED_DURABILITY: u8 = 1;
pub(crate) const UNPROMISED_DECIDED: u8 = 2;
pub(crate) const UNPROMISED_OPENING: u8 = 3;

/// A list of numbers, each with a fixed length.
pub(crate) struct List {
    storage: Arc<dyn Storage>,
    entries: Vec<u64>,
}

impl List {
    /// The whole list takes the place of the one before.
    fn publish(&self, wrong: Wrong) -> io::Result<()> {
        let _ = self.storage.remove("list.new");
        let file = self.storage.create("list.new")?;
        let text: String = self.entries.iter().map(|e| format!("{e:08}\n")).collect();
        write_all(&*file, text.as_bytes(), 0)?;
        if wrong != Wrong::NoSync {
            file.sync_data()?;
        }
        self.storage.rename("list.new", "list")?;
        self.storage.sync_dir()
    }
}

impl<const UNPROMISED: u8> Subject for Lists<UNPROMISED> {
    type Op = u64;
    type State = Vec<u64>;
    type Store = List;

    const PROMISES: Promises = Promises {
        durability: UNPROMISED != UNPROMISED_DURABILITY,
        decided: UNPROMISED != UNPROMISED_DECIDED,
        opens: UNPROMISED != UNPROMISED_OPENING,
        ..Promises::ALL
    };

    fn apply(state: &mut Vec<u64>, op: &u64) {
        state.push(*op);
    }

    fn ops(&self, state: &Vec<u64>) -> Vec<u64> {
        vec![state.len() as u64 + 1]
    }

    fn open(&self, machine: &Machine) -> Result<List, Failure> {
        let storage = Arc::clone(&machine.storage);
        let bytes = match read_all(&*storage, "list") {
            Err(error) if self.0 == Wrong::Panics => panic!("{error}"),
            read => read?.unwrap_or_default(),
        };
        if self.0 == Wrong::StaysShut && storage.list()?.iter().any(|name| name == "list.new") {
            return Err(io::Error::other("list.new is in the way").into());
        }
        let text = String::from_utf8_lossy(&bytes);
        let mut entries: Vec<u64> = text.lines().map_while(|line| line.parse().ok()).collect();
        if self.0 == Wrong::LeavesOut && entries.len() > 2 {
            entries.remove(1);
        }
        if self.0 == Wrong::Invents {
            entries.extend(entries.last().copied());
        }
        let list = List { storage, entries };
        list.publish(self.0)?;
        Ok(list)
    }

    fn run(&self, list: &mut List, op: &u64) -> Result<Answer, Failure> {
        list.entries.push(*op);
        let published = list.publish(self.0);
        if self.0 == Wrong::Forgets && list.entries.len() == 3 {
            list.entries.pop();
        }
        if self.0 != Wrong::IgnoresErrors {
            published?;
        }
        Ok(Durability::Durable.into())
    }

    fn state(&self, list: &mut List) -> Result<Vec<u64>, Failure> {
        Ok(list.entries.clone())
    }
}
