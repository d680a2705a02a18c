//! A client of a store on the simulated disk: what it was told, and what it may find later.

use beaver::{Error, Store};
use beaver_disk::{CallEffect, Corner, Crash, Disk, Profile, SimDisk, SimOptions, TraceMode};

use super::{Tape, store_options, try_commit};

/// What a client knows about its events.
#[derive(Debug, Default)]
pub(crate) struct Client {
    pub(crate) acknowledged: Vec<String>,
    /// The one whose outcome is open: nothing is written after it.
    open: Option<String>,
    next: u64,
    /// Everything that went wrong.
    pub(crate) errors: Vec<String>,
}

/// What a power cut may leave: the least, the most, and names or bytes alone.
const CORNERS: [Corner; 4] = [
    Corner::Nothing,
    Corner::Everything,
    Corner::NamesWithoutData,
    Corner::DataWithoutNames,
];

/// An empty disk.
pub(crate) fn empty_disk() -> SimDisk {
    on(Disk::empty(Profile::Posix))
}

/// An empty disk that keeps every call.
pub(crate) fn recorded_disk() -> SimDisk {
    let options = SimOptions {
        trace: TraceMode::Records,
        ..SimOptions::default()
    };
    SimDisk::new(Disk::empty(Profile::Posix), options)
}

fn on(disk: Disk) -> SimDisk {
    SimDisk::new(disk, SimOptions::default())
}

fn open(disk: &SimDisk) -> Result<Store<Tape>, Error> {
    Store::open(disk.storage(), store_options()).map(|(store, _)| store)
}

/// What a store that is opened on a copy of the disk shows.
fn tape(disk: &SimDisk) -> Vec<String> {
    open(&on(disk.disk())).unwrap().state().0.clone()
}

impl Client {
    fn note<T>(&mut self, result: Result<T, Error>) -> Option<T> {
        result
            .map_err(|error| self.errors.push(error.to_string()))
            .ok()
    }

    fn commit(&mut self, store: &mut Store<Tape>, count: u64) {
        for _ in 0..count {
            let event = self.next.to_string();
            self.next += 1;
            // Until the answer comes it is in doubt; a crash is no answer.
            self.open = Some(event.clone());
            match try_commit(store, &event) {
                Ok(_) => self.acknowledged.push(event),
                Err(error) if error.is_indeterminate() => {
                    self.errors.push(error.to_string());
                    return;
                }
                Err(error) => self.errors.push(error.to_string()),
            }
            self.open = None;
        }
    }

    fn open(&mut self, disk: &SimDisk) -> Option<Store<Tape>> {
        let result = Store::open(disk.storage(), store_options());
        let (store, report) = self.note(result)?;
        let warnings = report.warnings.iter().map(ToString::to_string);
        self.errors.extend(warnings);
        Some(store)
    }

    /// Two processes on one disk, as far as the log lets them, or until they die.
    pub(crate) fn work(&mut self, disk: &SimDisk) {
        for _ in 0..2 {
            disk.storage().create("snapshot-0000000009.json.tmp").ok();
            // At most two calls fail, and each of them may be one of an open.
            let opened = (0..3).find_map(|_| self.open(disk));
            if disk.frozen_at().is_some() {
                return;
            }
            let mut store = opened.expect("errors that came once are gone");
            for _ in 0..3 {
                self.commit(&mut store, 2);
                let result = store.checkpoint();
                self.note(result);
                if store.poisoned().is_some() {
                    self.errors.push("poisoned".to_owned());
                    return;
                }
            }
            self.commit(&mut store, 1);
            let result = store.close();
            self.note(result);
            if self.open.is_some() {
                return;
            }
        }
    }

    /// The next process sees what was acknowledged, and at most the open event after it: after a
    /// kill, and after each of several power cuts.
    pub(crate) fn check(&self, crash: &Crash, what: &str) {
        let space = crash.images();
        let images = CORNERS.map(|corner| space.image(&space.corner(corner)));
        let cut = images.map(|image| image.disk(crash.disk().profile()));
        let killed = [CallEffect::Nothing, CallEffect::Everything].map(|it| crash.kill(it));
        for disk in killed.into_iter().chain(cut) {
            self.check_disk(&on(disk), what);
        }
    }

    fn check_disk(&self, disk: &SimDisk, what: &str) {
        let mut expected = self.acknowledged.clone();
        let mut seen = tape(disk);
        if seen != expected {
            expected.extend(self.open.clone());
        }
        assert_eq!(seen, expected, "{what}: {self:?}");
        // What one recovery shows every later one shows, and the log goes on.
        drop(open(disk).unwrap());
        cut_power(disk);
        let mut store = open(disk).unwrap();
        try_commit(&mut store, "\"more\"").unwrap();
        store.checkpoint().unwrap();
        seen.push("\"more\"".to_owned());
        cut_power(disk);
        assert_eq!(tape(disk), seen, "{what}");
    }
}

/// Nothing that was not synced survives.
fn cut_power(disk: &SimDisk) {
    let choice = disk.crash().images().corner(Corner::Nothing);
    disk.power_cut(&choice);
}
