//! The store under crash test: what its ops are, and what they should do.

use std::collections::BTreeMap;

use beaver_fs::Mounted;
use beaver_sim::check::{Check, check};
use beaver_sim::subject::{Answer, Durability, Failure, Machine, Subject};

use crate::Shelf;

#[derive(Debug)]
struct Shelves;

impl Subject for Shelves {
    /// A key, and how long its value is: a report shows it as it is.
    type Op = (String, usize);
    type State = BTreeMap<String, String>;
    /// The store goes before its disk.
    type Store = (Shelf, Mounted);

    fn apply(state: &mut Self::State, (key, len): &Self::Op) {
        state.insert(key.clone(), "x".repeat(*len));
    }
    fn ops(&self, state: &Self::State) -> Vec<Self::Op> {
        // No two values are alike, and those of one key are longer than a sector: a crash may tear them.
        let next = 1 + state
            .values()
            .map(|value| value.len() % 600)
            .max()
            .unwrap_or(0);
        vec![("short".to_owned(), next), ("long".to_owned(), 600 + next)]
    }
    fn open(&self, machine: &Machine) -> Result<Self::Store, Failure> {
        let disk = beaver_fs::mount_numbered("shelf", machine.storage.clone())?;
        Ok((Shelf::open(disk.path())?, disk))
    }
    fn run(&self, (shelf, _): &mut Self::Store, (key, len): &Self::Op) -> Result<Answer, Failure> {
        shelf.set(key, &"x".repeat(*len))?;
        Ok(Durability::Durable.into())
    }
    fn checkpoint(&self, (shelf, _): &mut Self::Store) -> Result<(), Failure> {
        Ok(shelf.compact()?)
    }
    fn state(&self, (shelf, _): &mut Self::Store) -> Result<Self::State, Failure> {
        Ok(shelf.values().clone())
    }
}

#[test]
fn survives_crashes() {
    check(Shelves, &Check::default());
}
