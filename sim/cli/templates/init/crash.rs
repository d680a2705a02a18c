//! A first crash test. The store below counts, in a file that it replaces by a rename. `check` runs it on a disk that fails and
//! forgets, crashes it at every call, opens it again, and compares. Put your own store in its place.
//!
//! `cargo test --test crash`

use std::io::{self, Write};
use std::path::PathBuf;

// The functions of `std::fs`: a store of your own says `#[cfg(test)] use beaver_fs as fs;`, and `std::fs` otherwise.
use beaver_fs as fs;
use beaver_fs::Mounted;
use beaver_sim::check::{Check, check};
use beaver_sim::subject::{Answer, Durability, Failure, Machine, Subject};

/// The store.
#[derive(Debug)]
struct Counter {
    directory: PathBuf,
    value: u64,
}

impl Counter {
    fn open(directory: PathBuf) -> io::Result<Self> {
        let value = match fs::read_to_string(directory.join("counter")) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
            read => read?.parse().map_err(io::Error::other)?,
        };
        // What is shown from now on must stay.
        fs::File::open(&directory)?.sync_all()?;
        Ok(Counter { directory, value })
    }

    fn add(&mut self, more: u64) -> io::Result<()> {
        let value = self.value + more;
        let (new, old) = (self.directory.join("new"), self.directory.join("counter"));
        // Never written over: after a crash in a rename both names may stand for one file.
        let _ = fs::remove_file(&new);
        let mut file = fs::File::create_new(&new)?;
        write!(file, "{value}")?;
        file.sync_all()?; // take this line out, and run the test again
        fs::rename(&new, &old)?;
        fs::File::open(&self.directory)?.sync_all()?; // or this one
        self.value = value;
        Ok(())
    }
}

/// What the checker has to know of the store.
#[derive(Debug)]
struct Counting;

impl Subject for Counting {
    /// What is added.
    type Op = u64;
    /// The model: what the store should show.
    type State = u64;
    /// The store and its disk, dropped in this order.
    type Store = (Counter, Mounted);

    fn apply(value: &mut u64, more: &u64) {
        *value += more;
    }

    fn ops(&self, _: &u64) -> Vec<u64> {
        vec![1, 10]
    }

    fn open(&self, machine: &Machine) -> Result<Self::Store, Failure> {
        let disk = beaver_fs::mount_numbered("counter", machine.storage.clone())?;
        let counter = Counter::open(disk.path().to_owned())?;
        Ok((counter, disk))
    }

    fn run(&self, (counter, _): &mut Self::Store, more: &u64) -> Result<Answer, Failure> {
        counter.add(*more)?;
        Ok(Durability::Durable.into())
    }

    fn state(&self, (counter, _): &mut Self::Store) -> Result<u64, Failure> {
        Ok(counter.value)
    }
}

#[test]
fn what_was_counted_survives_every_crash() {
    check(Counting, &Check::default());
}
