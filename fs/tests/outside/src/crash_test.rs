//! The store under crash test: what its ops are, and what they should do.

use std::collections::BTreeMap;

use beaver_fs::Mounted;
use beaver_sim::check::{Check, check};
use beaver_sim::subject::{Answer, Durability, Failure, Machine, Subject};

use crate::Shelf;

#[derive(Debug)]
struct Shelves;

impl Subject for Shelves {
    type Op = (String, String);
    type State = BTreeMap<String, String>;
    /// The store goes before its disk.
    type Store = (Shelf, Mounted);

    fn apply(state: &mut Self::State, (key, value): &Self::Op) {
        state.insert(key.clone(), value.clone());
    }
    fn ops(&self, state: &Self::State) -> Vec<Self::Op> {
        let longest = state.values().map(String::len).max().unwrap_or(0);
        let set = |key: &str| (key.to_owned(), "x".repeat(longest + 1));
        vec![set("a"), set("b")]
    }
    fn open(&self, machine: &Machine) -> Result<Self::Store, Failure> {
        let disk = beaver_fs::mount_numbered("shelf", machine.storage.clone())?;
        Ok((Shelf::open(disk.path())?, disk))
    }
    fn run(&self, (shelf, _): &mut Self::Store, (key, value): &Self::Op) -> Result<Answer, Failure> {
        shelf.set(key, value)?;
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
