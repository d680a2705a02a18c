//! What the names in a directory mean to a store that is opened there.

use std::sync::Arc;

use beaver::storage::{Interposer, interpose};
use beaver::{Error, Seq, Storage, Store, StoreOptions, Wal, WalOptions};

use crate::support::*;

#[test]
fn an_unfinished_file_of_another_program_is_left_alone() {
    let disk = log_of(1..=1);
    disk.put("report.docx.tmp", "x");
    let (_, report) = try_open(&disk).unwrap();
    assert_eq!(report.strays, ["report.docx.tmp"]);
    assert!(report.removed_temporaries.is_empty());
    assert_eq!(disk.text("report.docx.tmp"), "x");
}

fn must_exist() -> WalOptions {
    WalOptions {
        must_exist: true,
        ..plain()
    }
}

#[test]
fn a_store_that_must_exist_is_not_made() {
    for unfinished in [None, Some("wal-0000000001.jsonl.tmp"), Some("notes.txt")] {
        let disk = Memory::new();
        unfinished.iter().for_each(|name| disk.put(name, "x"));
        let error = Wal::<Line>::open(disk.storage(), must_exist()).unwrap_err();
        assert!(matches!(error, Error::NoStore { .. }), "{error}");
        let options = StoreOptions {
            wal: must_exist(),
            ..store_options()
        };
        let error = Store::<Tape>::open(disk.storage(), options).unwrap_err();
        assert!(matches!(error, Error::NoStore { .. }), "{error}");
        assert!(disk.names().iter().eq(unfinished), "{:?}", disk.names());
    }
    let disk = log_of(1..=2);
    let (wal, _) = Wal::<Line>::open(disk.storage(), must_exist()).unwrap();
    assert_eq!(wal.last_seq(), Seq(2));
}

#[test]
fn no_new_store_is_made_beside_one_whose_names_were_changed() {
    for altered in [
        "WAL-0000000001.JSONL",
        "wal-0000000003.jsonl.gz",
        "snapshot-0000000002.json~",
    ] {
        let disk = Memory::new();
        disk.put(altered, "x");
        for error in [open_error(&disk), recover_error(&disk)] {
            let named = matches!(&error, Error::NoStore { reason } if reason.contains(altered));
            assert!(named, "{error}");
        }
        assert_eq!(disk.names(), [altered]);
        // Beside a store that is there it is a stray like any other.
        let disk = log_of(1..=1);
        disk.put(altered, "x");
        let (_, report) = try_open(&disk).unwrap();
        assert_eq!(report.strays, [altered]);
    }
}

/// Answers `list` with every name twice.
#[derive(Debug)]
struct ListsTwice;

impl Interposer for ListsTwice {
    fn list(&self, storage: &dyn Storage) -> std::io::Result<Vec<String>> {
        let names = storage.list()?;
        Ok(names
            .into_iter()
            .flat_map(|name| [name.clone(), name])
            .collect())
    }
}

#[test]
fn a_directory_that_lists_its_names_twice_is_read_once() {
    let disk = store_with(3, keeping(9));
    let storage = interpose(disk.storage(), Arc::new(ListsTwice));
    let (store, _) = Store::<Tape>::open(storage, keeping(9)).unwrap();
    assert_eq!(store.state().0.len(), 8);
}
