//! A list in one file, as simple as it can be, with ways to be wrong that each break another promise.

use std::io;
use std::sync::Arc;

use beaver::storage::{Storage, read_all, write_all};
use beaver_sim::own::OwnStore;

/// How the list is wrong.
pub(crate) type Wrong = u8;
/// It is not.
pub(crate) const SOUND: Wrong = 0;
/// A command is not synced.
pub(crate) const NO_SYNC: Wrong = 1;
/// Opening leaves the second entry out.
pub(crate) const LEAVES_OUT: Wrong = 2;
/// Opening makes the last entry up once more.
pub(crate) const INVENTS: Wrong = 3;
/// A command that is answered is not in the state.
pub(crate) const FORGETS: Wrong = 4;
/// What could not be read is a panic.
pub(crate) const PANICS: Wrong = 5;
/// A file that was not finished keeps the list from opening.
pub(crate) const STAYS_SHUT: Wrong = 6;
/// An error is taken for success.
pub(crate) const IGNORES_ERRORS: Wrong = 7;

/// A list of numbers, each with a fixed length.
#[derive(Debug)]
pub(crate) struct List<const WRONG: Wrong> {
    storage: Arc<dyn Storage>,
    entries: Vec<u64>,
}

impl<const WRONG: Wrong> List<WRONG> {
    /// The whole list takes the place of the one before.
    fn publish(&self) -> io::Result<()> {
        let _ = self.storage.remove("list.new");
        let file = self.storage.create("list.new")?;
        let text: String = self.entries.iter().map(|e| format!("{e:08}\n")).collect();
        write_all(&*file, text.as_bytes(), 0)?;
        if WRONG != NO_SYNC {
            file.sync_data()?;
        }
        self.storage.rename("list.new", "list")?;
        self.storage.sync_dir()
    }
}

impl<const WRONG: Wrong> OwnStore for List<WRONG> {
    type Command = u64;
    type State = Vec<u64>;

    fn command(number: u64) -> u64 {
        number
    }

    fn apply(state: &mut Vec<u64>, command: &u64) {
        state.push(*command);
    }

    fn open(storage: Arc<dyn Storage>) -> io::Result<Self> {
        let bytes = match read_all(&*storage, "list") {
            Err(error) if WRONG == PANICS => panic!("{error}"),
            read => read?.unwrap_or_default(),
        };
        if WRONG == STAYS_SHUT && storage.list()?.iter().any(|name| name == "list.new") {
            return Err(io::Error::other("list.new is in the way"));
        }
        let text = String::from_utf8_lossy(&bytes);
        let mut entries: Vec<u64> = text.lines().map_while(|line| line.parse().ok()).collect();
        if WRONG == LEAVES_OUT && entries.len() > 2 {
            entries.remove(1);
        }
        if WRONG == INVENTS {
            entries.extend(entries.last().copied());
        }
        let list = List { storage, entries };
        list.publish()?;
        Ok(list)
    }

    fn write(&mut self, command: &u64) -> io::Result<()> {
        self.entries.push(*command);
        let published = self.publish();
        if WRONG == FORGETS && self.entries.len() == 3 {
            self.entries.pop();
        }
        match WRONG {
            IGNORES_ERRORS => Ok(()),
            _ => published,
        }
    }

    fn state(&self) -> Vec<u64> {
        self.entries.clone()
    }
}
