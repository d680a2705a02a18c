//! The rules of failed syncs over random histories of one file: what may be seen afterwards, in
//! the cache and after a power cut.
//!
//! A cell is 512 bytes. Each write uses a letter of its own, so that a cell tells which write it
//! comes from.

#![expect(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    reason = "a test stops at its first surprise, and its sizes are small"
)]

use std::collections::{BTreeMap, BTreeSet};

use beaver_disk::{
    Behaviour, DiskEvent, FailedSync, Fault, FaultPlan, Image, Profile, SimDisk, SimOptions, Subset,
};
use beaver_storage::{Access, StorageFile};
use proptest::prelude::*;
use proptest::sample::select;

const CELL: usize = 512;
const PAGE_CELLS: usize = 8;

#[derive(Clone, Debug)]
enum Step {
    Write(usize, usize),
    SetLen(usize),
    Sync,
    FailedSync(Behaviour, u64, Option<u32>),
    CacheDrop(u64),
    DropCache,
    Writeback(u64),
}

/// What file systems make of a failed sync; after the first four a page can be written again.
const BEHAVIOURS: [Behaviour; 5] = [
    Behaviour::MarkClean,
    Behaviour::MarkCleanSizeLost,
    Behaviour::Revert,
    Behaviour::RetryWorks,
    Behaviour::MarkCleanUnwritten,
];

fn step(behaviours: &'static [Behaviour]) -> impl Strategy<Value = Step> {
    let behaviour = select(behaviours);
    let left = prop_oneof![3 => Just(None), 1 => (0u32..3).prop_map(Some)];
    let mask = || prop_oneof![2 => Just(u64::MAX), 1 => Just(0u64), 3 => any::<u64>()];
    prop_oneof![
        6 => (0usize..22, 1usize..14).prop_map(|(at, len)| Step::Write(at, len)),
        3 => (0usize..26).prop_map(Step::SetLen),
        2 => Just(Step::Sync),
        4 => (behaviour, mask(), left).prop_map(|(b, mask, left)| Step::FailedSync(b, mask, left)),
        2 => mask().prop_map(Step::CacheDrop),
        1 => Just(Step::DropCache),
        1 => any::<u64>().prop_map(Step::Writeback),
    ]
}

/// What a test knows of the file.
struct World {
    disk: SimDisk,
    file: Box<dyn StorageFile>,
    /// What the cache must show.
    live: Vec<u8>,
    /// For each cell the letters that were written to it, with the number of the step.
    written: BTreeMap<usize, Vec<(usize, u8)>>,
    /// Shrinks that a successful sync has made durable, and those that none has yet.
    durable_cuts: Vec<(usize, usize)>,
    pending_cuts: Vec<(usize, usize)>,
    /// Pages written since the last sync.
    dirty: BTreeSet<usize>,
    /// Whether some sync has failed.
    in_doubt: bool,
    /// Whether one has left blocks unwritten: then no sync proves that pages are on disk.
    unwritten: bool,
}

fn cells(image: &Image) -> Vec<u8> {
    let bytes = image.read("f").unwrap();
    let cells = bytes.chunks(CELL).map(|cell| {
        assert!(cell.iter().all(|byte| *byte == cell[0]));
        cell[0]
    });
    cells.collect()
}

impl World {
    fn new() -> Self {
        let first = vec![b'!'; 10 * CELL];
        let image = Image::from_files([("f", &first)]);
        let disk = SimDisk::new(image.disk(Profile::Posix), SimOptions::default());
        let file = disk.storage().open("f", Access::Write).unwrap();
        World {
            disk,
            file,
            live: vec![b'!'; 10],
            written: (0..10).map(|cell| (cell, vec![(0, b'!')])).collect(),
            durable_cuts: Vec::new(),
            pending_cuts: Vec::new(),
            dirty: BTreeSet::new(),
            in_doubt: false,
            unwritten: false,
        }
    }

    fn run(&mut self, number: usize, step: &Step) {
        match step {
            Step::Write(at, len) => {
                let letter = b'A' + number as u8;
                let bytes = vec![letter; len * CELL];
                self.file.write_at(&bytes, (at * CELL) as u64).unwrap();
                self.live.resize(self.live.len().max(at + len), 0);
                for cell in *at..at + len {
                    self.live[cell] = letter;
                    let letters = self.written.entry(cell).or_default();
                    letters.push((number, letter));
                    self.dirty.insert(cell / PAGE_CELLS);
                }
            }
            Step::SetLen(len) => {
                self.file.set_len((len * CELL) as u64).unwrap();
                if *len < self.live.len() {
                    self.pending_cuts.push((number, *len));
                    self.dirty
                        .extend((len % PAGE_CELLS > 0).then_some(len / PAGE_CELLS));
                }
                self.live.resize(*len, 0);
            }
            Step::Sync => {
                self.file.sync_data().unwrap();
                self.durable_cuts.append(&mut self.pending_cuts);
                self.check_synced();
                self.dirty.clear();
            }
            Step::FailedSync(behaviour, mask, left) => self.fail_sync(*behaviour, *mask, *left),
            Step::CacheDrop(mask) => {
                if self.disk.happen(&DiskEvent::CacheDrop(Subset::Mask(*mask))) {
                    self.live = cells(&self.disk.live());
                }
            }
            Step::DropCache => {
                self.file.drop_cache().unwrap();
                self.live = cells(&self.disk.live());
            }
            Step::Writeback(number) => {
                self.disk.happen(&DiskEvent::Writeback(*number));
            }
        }
    }

    fn fail_sync(&mut self, behaviour: Behaviour, mask: u64, left: Option<u32>) {
        let failed = FailedSync {
            behaviour,
            failed: Subset::Mask(mask),
            left: left
                .into_iter()
                .flat_map(|v| (0..5).map(move |p| (p, v)))
                .collect(),
            ..FailedSync::default()
        };
        self.disk.set_plan(FaultPlan {
            calls: BTreeMap::from([(self.disk.calls() + 1, Fault::FailedSync(failed))]),
            ..FaultPlan::default()
        });
        self.file.sync_data().unwrap_err();
        assert!(self.disk.missed().is_empty() && !self.disk.fired().is_empty());
        if behaviour == Behaviour::Revert {
            self.live = cells(&self.disk.live());
            self.pending_cuts.clear();
        }
        self.in_doubt = true;
        self.unwritten |= behaviour == Behaviour::MarkCleanUnwritten;
        self.dirty.clear();
    }

    fn rewrite_everything(&mut self) {
        let len = self.file.len().unwrap();
        self.file.set_len(len).unwrap();
        self.run(40, &Step::Write(0, len as usize / CELL));
        self.file.sync_data().unwrap();
    }

    /// What was written since the last sync is durable, and nothing is longer than it should be.
    fn check_synced(&self) {
        let images = self.images();
        if !self.in_doubt {
            assert_eq!(images, BTreeSet::from([self.live.clone()]));
        }
        for image in &images {
            assert!(image.len() <= self.live.len(), "a shrink was undone");
            for page in &self.dirty {
                let start = page * PAGE_CELLS;
                let end = (start + PAGE_CELLS).min(self.live.len());
                if start < end && !self.unwritten {
                    assert!(image.len() >= end, "a written page lies past the end");
                    assert_eq!(image[start..end], self.live[start..end]);
                }
            }
        }
    }

    fn images(&self) -> BTreeSet<Vec<u8>> {
        let space = self.disk.disk().images();
        match space.enumerate(2000) {
            Some(images) => images.map(|found| cells(&found.image)).collect(),
            None => {
                let corners = space.corners().into_iter();
                let images = corners.map(|corner| cells(&space.image(&space.corner(corner))));
                images.collect()
            }
        }
    }

    /// A cell is zero, or of a write to this very cell that no durable shrink has cut since.
    fn check_cells(&self, cells: &[u8]) {
        for (cell, letter) in cells.iter().enumerate().filter(|(_, letter)| **letter != 0) {
            let letters = self.written.get(&cell).map_or(&[][..], Vec::as_slice);
            let (number, _) = letters
                .iter()
                .find(|(_, written)| written == letter)
                .unwrap_or_else(|| panic!("{letter} was never written to cell {cell}"));
            let cuts = self.durable_cuts.iter();
            let mut later = cuts.filter(|(cut, len)| cut > number && *len <= cell);
            assert!(later.next().is_none(), "cell {cell} was cut and is back");
        }
    }

    fn check(&self) {
        assert_eq!(cells(&self.disk.live()), self.live);
        self.check_cells(&self.live);
        for image in self.images() {
            self.check_cells(&image);
        }
    }
}

proptest! {
    #[test]
    fn failed_syncs_keep_the_rules(steps in prop::collection::vec(step(&BEHAVIOURS), 1..14)) {
        let mut world = World::new();
        world.check();
        for (number, step) in (1..).zip(&steps) {
            world.run(number, step);
            world.check();
        }
    }

    /// Whatever happened before, writing everything again from the start brings everything back:
    /// this is what a log does when it is opened.
    #[test]
    fn a_rewrite_of_everything_and_a_sync_leave_no_doubt(steps in prop::collection::vec(step(&BEHAVIOURS[..4]), 1..14)) {
        let mut world = World::new();
        for (number, step) in (1..).zip(&steps) {
            world.run(number, step);
        }
        world.rewrite_everything();
        prop_assert_eq!(world.images(), BTreeSet::from([world.live.clone()]));
    }

    /// What is read after a sync and a dropped cache is what the disk has, but for a lost length; and
    /// from there on a rewrite leaves no doubt, whatever a failed sync did to the pages.
    #[test]
    fn a_sync_and_a_dropped_cache_show_what_is_on_disk(steps in prop::collection::vec(step(&BEHAVIOURS), 1..14)) {
        let mut world = World::new();
        for (number, step) in (1..).zip(&steps) {
            world.run(number, step);
        }
        world.file.sync_data().unwrap();
        world.run(39, &Step::DropCache);
        for image in world.images() {
            let (there, lost) = world.live.split_at(image.len());
            prop_assert_eq!(&image[..], there);
            prop_assert!(lost.iter().all(|cell| *cell == 0));
        }
        world.rewrite_everything();
        prop_assert_eq!(world.images(), BTreeSet::from([world.live.clone()]));
    }
}
