//! The explorer is judged: bugs that are planted between the library and its disk are found, and
//! without them nothing is.

#![expect(
    clippy::unwrap_used,
    reason = "a test ends where something unexpected happens, in the functions that it calls too"
)]

use std::collections::BTreeSet;
use std::io;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use beaver::storage::{Access, Storage, StorageFile, StorageLock};
use beaver_sim::explore::{Options, Running, Start, explore_small};
use beaver_sim::faults::Between;
use beaver_sim::invariant::Invariant;
use beaver_sim::scenario::Scenario;
use beaver_sim::subject::Subject;

/// Which calls are left out, by the name of the file.
#[derive(Clone, Copy, Debug)]
struct LeftOut {
    sync_data: fn(&str) -> bool,
    sync_dir: bool,
    set_len: bool,
}

const NOTHING: LeftOut = LeftOut {
    sync_data: |_| false,
    sync_dir: false,
    set_len: false,
};

#[derive(Debug)]
struct Careless {
    inner: Arc<dyn Storage>,
    left_out: LeftOut,
}

#[derive(Debug)]
struct CarelessFile {
    inner: Box<dyn StorageFile>,
    name: String,
    left_out: LeftOut,
}

impl Careless {
    fn file(&self, name: &str, inner: Box<dyn StorageFile>) -> Box<dyn StorageFile> {
        Box::new(CarelessFile {
            inner,
            name: name.to_owned(),
            left_out: self.left_out,
        })
    }
}

impl Storage for Careless {
    fn create(&self, name: &str) -> io::Result<Box<dyn StorageFile>> {
        Ok(self.file(name, self.inner.create(name)?))
    }
    fn open(&self, name: &str, access: Access) -> io::Result<Box<dyn StorageFile>> {
        Ok(self.file(name, self.inner.open(name, access)?))
    }
    fn list(&self) -> io::Result<Vec<String>> {
        self.inner.list()
    }
    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.inner.rename(from, to)
    }
    fn remove(&self, name: &str) -> io::Result<()> {
        self.inner.remove(name)
    }
    fn sync_dir(&self) -> io::Result<()> {
        match self.left_out.sync_dir {
            true => Ok(()),
            false => self.inner.sync_dir(),
        }
    }
    fn lock(&self) -> io::Result<Box<dyn StorageLock>> {
        self.inner.lock()
    }
}

impl StorageFile for CarelessFile {
    fn len(&self) -> io::Result<u64> {
        self.inner.len()
    }
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        self.inner.read_at(buf, offset)
    }
    fn write_at(&self, buf: &[u8], offset: u64) -> io::Result<usize> {
        self.inner.write_at(buf, offset)
    }
    fn set_len(&self, len: u64) -> io::Result<()> {
        match self.left_out.set_len {
            true => Ok(()),
            false => self.inner.set_len(len),
        }
    }
    fn allocate(&self, len: u64) -> io::Result<()> {
        self.inner.allocate(len)
    }
    fn sync_data(&self) -> io::Result<()> {
        match (self.left_out.sync_data)(&self.name) {
            true => Ok(()),
            false => self.inner.sync_data(),
        }
    }
}

/// The invariants that are violated, in order, each once.
fn check_small(ops: usize, left_out: LeftOut) -> Vec<u8> {
    let scenario: Scenario = serde_json::from_str(r#"{"claim": "small"}"#).unwrap();
    let between = Between::new(move |inner| Arc::new(Careless { inner, left_out }));
    let (subject, options) = (Subject::behind(between), Options::default());
    let running = Running {
        jobs: NonZeroUsize::MIN,
        progress: &|_, _| {},
        cancel: &AtomicBool::new(false),
    };
    let mut found = BTreeSet::new();
    for start in Start::ALL {
        let explored = explore_small(&subject, &scenario, start, ops, &options, running);
        for failure in explored.failures.iter().take(2) {
            println!("{start:?} {failure:?}");
        }
        let failures = explored.failures.iter();
        found.extend(failures.map(|failure| failure.finding.invariant));
    }
    found.into_iter().map(Invariant::number).collect()
}

#[test]
fn nothing_left_out_is_nothing_found() {
    assert_eq!(check_small(2, NOTHING), [] as [u8; 0]);
}

#[test]
fn log_that_is_never_synced_is_found() {
    let sync_data = |name: &str| name.starts_with("wal-") && !name.ends_with(".tmp");
    let found = check_small(
        1,
        LeftOut {
            sync_data,
            ..NOTHING
        },
    );
    assert!(found.contains(&1), "{found:?}");
}

#[test]
fn temporary_file_that_is_not_synced_before_its_rename_is_found() {
    let sync_data = |name: &str| name.ends_with(".tmp");
    let found = check_small(
        2,
        LeftOut {
            sync_data,
            ..NOTHING
        },
    );
    assert!(!found.is_empty());
}

#[test]
fn directory_that_is_never_synced_is_found() {
    let found = check_small(
        1,
        LeftOut {
            sync_dir: true,
            ..NOTHING
        },
    );
    assert!(found.contains(&1), "{found:?}");
}

#[test]
fn tail_that_is_never_cut_is_found() {
    let found = check_small(
        2,
        LeftOut {
            set_len: true,
            ..NOTHING
        },
    );
    assert!(!found.is_empty());
}
