//! The explorer is judged: bugs that are injected between the library and its disk are found, and
//! without them nothing is.

#![expect(
    clippy::unwrap_used,
    reason = "a test ends where something unexpected happens, in the functions that it calls too"
)]

use std::collections::BTreeSet;
use std::io;
use std::num::NonZeroUsize;
use std::sync::atomic::AtomicBool;

use beaver_sim::explore::{Options, Running, Start, explore_small};
use beaver_sim::invariant::Invariant;
use beaver_sim::scenario::Scenario;
use beaver_storage::{InterposedFile, Interposer, Storage};

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

impl Interposer for LeftOut {
    fn sync_dir(&self, next: &dyn Storage) -> io::Result<()> {
        match self.sync_dir {
            true => Ok(()),
            false => next.sync_dir(),
        }
    }

    fn set_len(&self, file: &InterposedFile, len: u64) -> io::Result<()> {
        match self.set_len {
            true => Ok(()),
            false => file.next().set_len(len),
        }
    }

    fn sync_data(&self, file: &InterposedFile) -> io::Result<()> {
        match (self.sync_data)(&file.name()) {
            true => Ok(()),
            false => file.next().sync_data(),
        }
    }
}

/// The invariants that are violated, in order, each once, from the first start where any is.
fn check_small(ops: usize, left_out: LeftOut) -> Vec<u8> {
    let scenario: Scenario = serde_json::from_str(r#"{"claim": "small"}"#).unwrap();
    let (subject, options) = (
        beaver_sim::beaver::library(&Start::Empty.scenario(beaver_disk::Profile::Posix))
            .interposed(move || left_out),
        Options::default(),
    );
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
        if !found.is_empty() {
            break;
        }
    }
    found.into_iter().map(Invariant::number).collect()
}

#[test]
#[cfg_attr(
    debug_assertions,
    ignore = "long where nothing is optimised: with --release"
)]
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
#[cfg_attr(
    debug_assertions,
    ignore = "long where nothing is optimised: with --release"
)]
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
