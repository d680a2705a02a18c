//! A store that is not ours, with a crash bug: `docs/your-own-store.md` walks through it.
//!
//! A line `key=value` for each change; opening it, or making it small again, replaces the file.

use std::{collections::BTreeMap, io, sync::Arc};

use beaver::storage::{Storage, StorageFile, read_all, write_all};
use beaver_sim::check::{Check, check};
use beaver_sim::own::OwnStore;

#[derive(Debug)]
pub(crate) struct AddressBook<const SYNCS_DIRECTORY: bool> {
    storage: Arc<dyn Storage>,
    file: Box<dyn StorageFile>,
    entries: BTreeMap<u64, u64>,
}

impl<const SYNCS_DIRECTORY: bool> OwnStore for AddressBook<SYNCS_DIRECTORY> {
    type Command = (u64, u64);
    type State = BTreeMap<u64, u64>;

    fn command(number: u64) -> (u64, u64) {
        (number % 3, number)
    }

    fn apply(state: &mut BTreeMap<u64, u64>, (key, value): &(u64, u64)) {
        state.insert(*key, *value);
    }

    fn open(storage: Arc<dyn Storage>) -> io::Result<Self> {
        let bytes = read_all(&*storage, "book")?.unwrap_or_default();
        // What stands behind the last whole line was never acknowledged.
        let lines = bytes.split_inclusive(|byte| *byte == b'\n');
        let entries: BTreeMap<_, _> = lines.map_while(parse).collect();
        // A sync of what is left over may have failed. Where it stays, the create fails.
        let _ = storage.remove("book.new");
        let file = storage.create("book.new")?;
        let lines: String = entries.iter().map(|(k, v)| format!("{k}={v}\n")).collect();
        write_all(&*file, lines.as_bytes(), 0)?;
        file.sync_data()?;
        storage.rename("book.new", "book")?;
        if SYNCS_DIRECTORY {
            storage.sync_dir()?;
        }
        Ok(AddressBook {
            storage,
            file,
            entries,
        })
    }

    fn write(&mut self, (key, value): &(u64, u64)) -> io::Result<()> {
        let line = format!("{key}={value}\n");
        write_all(&*self.file, line.as_bytes(), self.file.len()?)?;
        self.file.sync_data()?;
        self.entries.insert(*key, *value);
        Ok(())
    }

    fn state(&self) -> BTreeMap<u64, u64> {
        self.entries.clone()
    }

    fn checkpoint(&mut self) -> io::Result<()> {
        *self = Self::open(Arc::clone(&self.storage))?;
        Ok(())
    }
}

fn parse(line: &[u8]) -> Option<(u64, u64)> {
    let line = std::str::from_utf8(line).ok()?.strip_suffix('\n')?;
    let (key, value) = line.split_once('=')?;
    Some((key.parse().ok()?, value.parse().ok()?))
}

pub(crate) fn main() {
    check::<AddressBook<false>>(&Check::default());
}
