//! A store on `std::fs` under the checker: the example, which must be caught, and what else stands
//! between a store and its disk.

#![expect(clippy::unwrap_used, reason = "a test stops at its first surprise")]

#[path = "../examples/settings.rs"]
mod settings;

use std::io;
use std::sync::{Arc, Mutex};

use beaver_disk::{Disk, Profile, SimDisk, SimOptions};
use beaver_fs::{File, Mounted};
use beaver_sim::check::{Check, find};
use beaver_sim::subject::{Answer, AnySubject, Durability, Failure, Machine, Subject};
use beaver_storage::{InterposedFile, Interposer, Op, interpose};
use settings::SettingsOnDisk;
use settings::store::Settings;

const SETTINGS: SettingsOnDisk = SettingsOnDisk {
    syncs_directory: true,
};

fn check() -> Check {
    Check::default().explore(2)
}

#[test]
#[should_panic(expected = "rename settings/")]
fn the_example_finds_the_missing_sync_of_its_directory() {
    settings::main();
}

#[test]
#[cfg_attr(
    debug_assertions,
    ignore = "long where nothing is optimised: with --release"
)]
fn the_right_order_is_silent() {
    let subject = AnySubject::new(SETTINGS);
    let checked = find(&subject, &check()).unwrap();
    assert!(checked.explored.recoveries > 100, "{:?}", checked.explored);
}

/// The same seed gives the same calls, whatever the mount point is called.
#[test]
fn a_failure_is_the_same_one_beside_another_disk() {
    let subject = AnySubject::new(SettingsOnDisk {
        syncs_directory: false,
    });
    let first = find(&subject, &check()).unwrap_err();
    let disk = SimDisk::new(Disk::empty(Profile::Posix), SimOptions::default());
    let _other = beaver_fs::mount_numbered("settings", disk.storage()).unwrap();
    let second = find(&subject, &check()).unwrap_err();
    assert_eq!(first.to_string(), second.to_string());
}

/// The same store, with a lock file or without one.
#[derive(Debug)]
struct Owned {
    locks: bool,
}

impl Subject for Owned {
    type Op = <SettingsOnDisk as Subject>::Op;
    type State = <SettingsOnDisk as Subject>::State;
    type Store = (Settings, File, Mounted);

    fn apply(state: &mut Self::State, op: &Self::Op) {
        SettingsOnDisk::apply(state, op);
    }
    fn ops(&self, state: &Self::State) -> Vec<Self::Op> {
        SETTINGS.ops(state)
    }
    fn open(&self, machine: &Machine) -> Result<Self::Store, Failure> {
        let disk = beaver_fs::mount_numbered("owned", machine.storage.clone())?;
        let lock = File::create(disk.path().join("LOCK"))?;
        if self.locks {
            lock.try_lock().map_err(io::Error::from)?;
        }
        let settings = Settings::open(disk.path().join("settings"), true)?;
        Ok((settings, lock, disk))
    }
    fn run(&self, (settings, ..): &mut Self::Store, op: &Self::Op) -> Result<Answer, Failure> {
        settings.set(&op.0, &op.1)?;
        Ok(Durability::Durable.into())
    }
    fn state(&self, (settings, ..): &mut Self::Store) -> Result<Self::State, Failure> {
        Ok(settings.values().clone())
    }
}

#[test]
fn a_second_opener_meets_the_lock_of_a_file() {
    let check = Check::scenario(
        r#"{
            "claim": "One process at a time owns the settings, and a lock goes with its process.",
            "seeds": "0..100",
            "profile": "posix",
            "workload": {
                "commands": 12,
                "weights": {"op": 4, "second-opener": 3, "reopen": 2, "kill": 2, "power-cut": 1}
            }
        }"#,
    );
    let check = check.explore(0);
    let checked = find(&AnySubject::new(Owned { locks: true }), &check).unwrap();
    assert_eq!(checked.runs, 100);
    let failing = find(&AnySubject::new(Owned { locks: false }), &check).unwrap_err();
    assert!(failing.to_string().contains("to be refused as locked"));
}

/// Leaves out every sync of a directory.
#[derive(Debug)]
struct WithoutDirectorySync;

impl Interposer for WithoutDirectorySync {
    fn sync_dir(&self, _next: &dyn beaver_storage::Storage) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_step_that_is_left_out_between_the_store_and_its_disk_is_caught() {
    let subject = AnySubject::new(SETTINGS);
    let subject = subject.interposed(|| WithoutDirectorySync);
    find(&subject, &check()).unwrap_err();
}

/// Writes down each call that is about to be made, and makes every write one byte shorter.
#[derive(Debug, Default)]
struct Watch(Mutex<Vec<String>>);

impl Interposer for Watch {
    fn before(&self, op: Op, file: &str) -> io::Result<()> {
        self.0.lock().unwrap().push(format!("{op} {file}"));
        Ok(())
    }

    fn write_at(&self, file: &InterposedFile, buf: &[u8], offset: u64) -> io::Result<usize> {
        file.next().write_at(&buf[..buf.len().div_ceil(2)], offset)
    }
}

#[test]
fn an_interposer_stands_before_every_call_and_follows_renames_of_directories() {
    let disk = SimDisk::new(Disk::empty(Profile::Posix), SimOptions::default());
    let watch = Arc::new(Watch::default());
    let storage = interpose(disk.storage(), watch.clone());
    let mounted = beaver_fs::mount_numbered("watched", storage).unwrap();
    let root = mounted.path();
    beaver_fs::create_dir(root.join("d")).unwrap();
    beaver_fs::write(root.join("d/LOCK"), "1234").unwrap();
    let file = beaver_fs::File::open(root.join("d/LOCK")).unwrap();
    file.lock().unwrap();
    beaver_fs::rename(root.join("d"), root.join("e")).unwrap();
    file.sync_all().unwrap();
    beaver_fs::File::open(root).unwrap().sync_all().unwrap();
    let calls = watch.0.lock().unwrap().clone();
    let expected = [
        "create_dir d",
        "create d/LOCK",
        "write_at d/LOCK",
        "write_at d/LOCK",
        "write_at d/LOCK",
        "open d/LOCK",
        "lock d/LOCK",
        "rename e",
        "sync_data e/LOCK",
        "open .",
        "sync_dir .",
    ];
    assert_eq!(calls, expected);
    assert_eq!(disk.live().read("e/LOCK").unwrap(), b"1234");
}
