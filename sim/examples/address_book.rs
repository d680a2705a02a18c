//! A store that is not ours, with a crash bug: `docs/your-own-store.md` walks through it.
//!
//! A line `key=value` for each change; opening it, or making it small again, replaces the file.

use std::{collections::BTreeMap, io, sync::Arc};

use beaver_sim::check::{Check, check};
use beaver_sim::subject::{Answer, Durability, Failure, Machine, Subject};
use beaver_storage::{Storage, StorageFile, read_all, write_all};

pub(crate) struct AddressBook {
    file: Box<dyn StorageFile>,
    entries: BTreeMap<u64, u64>,
}

impl AddressBook {
    fn open(storage: &Arc<dyn Storage>, syncs_directory: bool) -> io::Result<Self> {
        let bytes = read_all(&**storage, "book")?.unwrap_or_default();
        // What stands after the last whole line was never acknowledged.
        let lines = bytes.split_inclusive(|byte| *byte == b'\n');
        let entries: BTreeMap<_, _> = lines.map_while(parse).collect();
        // A sync of what is left over may have failed. Where it stays, the create fails.
        let _ = storage.remove("book.new");
        let file = storage.create("book.new")?;
        let lines: String = entries.iter().map(|(k, v)| format!("{k}={v}\n")).collect();
        write_all(&*file, lines.as_bytes(), 0)?;
        file.sync_data()?;
        storage.rename("book.new", "book")?;
        if syncs_directory {
            storage.sync_dir()?;
        }
        Ok(AddressBook { file, entries })
    }
}

fn parse(line: &[u8]) -> Option<(u64, u64)> {
    let line = std::str::from_utf8(line).ok()?.strip_suffix('\n')?;
    let (key, value) = line.split_once('=')?;
    Some((key.parse().ok()?, value.parse().ok()?))
}

#[derive(Debug)]
pub(crate) struct Books {
    pub(crate) syncs_directory: bool,
}

impl Subject for Books {
    type Op = (u64, u64);
    type State = BTreeMap<u64, u64>;
    type Store = AddressBook;

    fn apply(state: &mut BTreeMap<u64, u64>, (key, value): &(u64, u64)) {
        state.insert(*key, *value);
    }
    fn ops(&self, state: &BTreeMap<u64, u64>) -> Vec<(u64, u64)> {
        let next = state.values().max().map_or(1, |value| value + 1);
        vec![(1, next), (2, next)]
    }
    fn open(&self, machine: &Machine) -> Result<AddressBook, Failure> {
        Ok(AddressBook::open(&machine.storage, self.syncs_directory)?)
    }
    fn run(&self, book: &mut AddressBook, (key, value): &(u64, u64)) -> Result<Answer, Failure> {
        let line = format!("{key}={value}\n");
        write_all(&*book.file, line.as_bytes(), book.file.len()?)?;
        book.file.sync_data()?;
        book.entries.insert(*key, *value);
        Ok(Durability::Durable.into())
    }
    fn state(&self, book: &mut AddressBook) -> Result<BTreeMap<u64, u64>, Failure> {
        Ok(book.entries.clone())
    }
}

pub(crate) fn main() {
    let syncs_directory = false;
    check(Books { syncs_directory }, &Check::default());
}
