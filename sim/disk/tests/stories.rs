//! What a disk shows and what a power cut may leave after failed syncs, background writeback and dropped caches, told as
//! short histories: the corners of sections 3 and 5 of the crash model that random histories seldom meet.
//!
//! A history is written as in `notation`, every file is open, and there are more steps:
//!
//! ```text
//! fail F BEHAVIOUR [PAGES]   a sync of F fails; PAGES (`none`, or numbers with commas) are not written, without it all
//! fail_dir MASK              a sync of the directory fails after it made these name records durable
//! page F N, size F           writeback of one page, of the oldest length
//! writeback N                writeback of one of all things that there are
//! drop MASK                  these pages and lengths leave the cache
//! close F, kill              the handle goes; the process goes, and the next one opens every file
//! settled, unsettled         whether nothing is left to be decided
//! ! …                        the event finds nothing to do
//! ```

#![expect(
    clippy::unwrap_used,
    reason = "a test stops at its first surprise, and its sizes are small"
)]

use std::collections::BTreeMap;
use std::sync::Arc;

use beaver_disk::notation::{FileHistory, render};
use beaver_disk::{
    Behaviour, CallEffect, DiskEvent, FailedSync, FailureKind, Fault, FaultPlan, PAGE_SIZE,
    Profile, SimDisk, SimOptions, Subset,
};
use beaver_storage::{Access, Storage, StorageFile};

struct World {
    disk: SimDisk,
    storage: Arc<dyn Storage>,
    files: BTreeMap<String, Box<dyn StorageFile>>,
}

/// One letter a page; `0` is zeros.
fn pages(letters: &str) -> Vec<u8> {
    let bytes = letters.bytes();
    let bytes = bytes.map(|byte| if byte == b'0' { 0 } else { byte });
    bytes.flat_map(|byte| [byte; 4096]).collect()
}

fn number(text: &str) -> u64 {
    text.parse().unwrap()
}

impl World {
    fn new(profile: Profile, files: &str) -> Self {
        let disk = FileHistory::parse(files).unwrap().run(profile).unwrap();
        let disk = SimDisk::new(disk, SimOptions::default());
        let mut world = World {
            storage: disk.storage(),
            files: BTreeMap::new(),
            disk,
        };
        world.open_all();
        world
    }

    fn open_all(&mut self) {
        for name in self.storage.list().unwrap() {
            let file = self.storage.open(&name, Access::Write).unwrap();
            self.files.insert(name, file);
        }
    }

    /// Lets the next call meet `fault`.
    fn plan(&self, fault: Fault) {
        self.disk.set_plan(FaultPlan {
            calls: BTreeMap::from([(self.disk.calls() + 1, fault)]),
            ..FaultPlan::default()
        });
    }

    fn fail_sync(&self, name: &str, behaviour: &str, failed: Subset) {
        let behaviour: Behaviour = serde_json::from_value(behaviour.into()).expect("a behaviour");
        self.plan(Fault::FailedSync(FailedSync {
            behaviour,
            failed,
            ..FailedSync::default()
        }));
        self.files[name].sync_data().unwrap_err();
        assert!(self.disk.missed().is_empty() && !self.disk.fired().is_empty());
    }

    fn run(&mut self, step: &str) {
        let words: Vec<&str> = step.split_whitespace().collect();
        match words[..] {
            ["create", name] => {
                let file = self.storage.create(name).unwrap();
                self.files.insert(name.to_owned(), file);
            }
            ["write", name, at, letters] => {
                let bytes = pages(letters);
                let written = self.files[name].write_at(&bytes, number(at) * PAGE_SIZE);
                assert_eq!(written.unwrap(), bytes.len());
            }
            ["set_len", name, len] => self.files[name].set_len(number(len) * PAGE_SIZE).unwrap(),
            ["allocate", name, len] => {
                let len = number(len) * PAGE_SIZE;
                self.files[name].allocate(len).unwrap();
            }
            ["rename", from, to] => self.storage.rename(from, to).unwrap(),
            ["remove", name] => self.storage.remove(name).unwrap(),
            ["sync", name] => self.files[name].sync_data().unwrap(),
            ["sync_dir"] => self.storage.sync_dir().unwrap(),
            ["fail", name, behaviour] => self.fail_sync(name, behaviour, Subset::All),
            ["fail", name, behaviour, "none"] => {
                self.fail_sync(name, behaviour, Subset::Nothing);
            }
            ["fail", name, behaviour, pages] => {
                let pages = pages.split(',').map(number).collect();
                self.fail_sync(name, behaviour, Subset::Only(pages));
            }
            ["fail_dir", mask] => {
                self.plan(Fault::FailedSyncDir {
                    error: FailureKind::Io,
                    durable: Subset::Mask(number(mask)),
                });
                self.storage.sync_dir().unwrap_err();
            }
            ["close", name] => drop(self.files.remove(name).unwrap()),
            ["kill"] => {
                self.disk.kill(CallEffect::Nothing);
                self.storage = self.disk.storage();
                self.open_all();
            }
            ["settled"] => assert!(self.disk.disk().is_settled()),
            ["unsettled"] => assert!(!self.disk.disk().is_settled()),
            ["!", ref event @ ..] => assert!(!self.happens(event), "{step}: it happened"),
            ref event => assert!(self.happens(event), "{step}: nothing happened"),
        }
    }

    fn happens(&self, words: &[&str]) -> bool {
        let event = match *words {
            ["page", name, page] => DiskEvent::WritebackPage {
                file: name.to_owned(),
                page: number(page),
            },
            ["size", name] => DiskEvent::WritebackSize {
                file: name.to_owned(),
            },
            ["writeback", place] => DiskEvent::Writeback(number(place)),
            ["drop", mask] => DiskEvent::CacheDrop(Subset::Mask(number(mask))),
            _ => panic!("no step: {words:?}"),
        };
        self.disk.happen(&event)
    }

    /// Every image that a power cut may leave now.
    fn after_power_cut(&self) -> Vec<String> {
        let space = self.disk.disk().images();
        let images = space.enumerate(1000).unwrap();
        let mut lines: Vec<String> = images.map(|found| render(&found.image)).collect();
        lines.sort();
        lines
    }
}

/// Runs each history and compares what is seen, and everything that a power cut may leave.
fn check(profile: Profile, stories: &[(&str, &str, &[&str])]) {
    for (history, live, cut) in stories {
        let mut steps = history.split(';').map(str::trim);
        let mut world = World::new(profile, &steps.next().unwrap().replace(' ', ";"));
        for step in steps {
            world.run(step);
        }
        assert_eq!(render(&world.disk.live()), *live, "seen after {history}");
        assert_eq!(world.after_power_cut(), *cut, "left of {history}");
    }
}

#[test]
fn a_page_that_a_failed_sync_wrote_takes_the_shrink_before_it_along() {
    check(
        Profile::Posix,
        &[
            (
                "f=AB; set_len f 1; write f 1 C; fail f mark-clean-size-lost none",
                "f=AC",
                &["f=AC"],
            ),
            (
                "f=AB; set_len f 1; write f 1 C; fail f read-only none",
                "f=AC",
                &["f=AC"],
            ),
            (
                "f=AB; set_len f 1; write f 1 C; fail f revert none",
                "f=AC",
                &["f=AC"],
            ),
            // The second shrink is younger than the page: it stays pending.
            (
                "f=ABC; set_len f 1; write f 1 DE; set_len f 2; fail f mark-clean-size-lost none",
                "f=AD",
                &["f=AD", "f=ADE"],
            ),
        ],
    );
}

#[test]
fn a_page_that_a_failed_sync_wrote_brings_its_length_and_no_more() {
    check(
        Profile::Posix,
        &[
            (
                "f=A; write f 1 BCD; fail f mark-clean-size-lost 2",
                "f=ABCD",
                &["f=AB0D"],
            ),
            (
                "f=A; write f 1 BCD; fail f mark-clean-size-lost 2,3",
                "f=ABCD",
                &["f=AB"],
            ),
            (
                "f=A; write f 1 BCD; fail f mark-clean-size-lost 1",
                "f=ABCD",
                &["f=A0CD"],
            ),
            // Past a length that an earlier sync lost, with no step left that leads there.
            (
                "f=A; write f 1 BC; fail f mark-clean-size-lost; write f 2 D; fail f mark-clean-size-lost none",
                "f=ABD",
                &["f=A0D"],
            ),
            // A page inside the file needs no length: the `set_len` stays pending.
            (
                "f=AB; set_len f 3; write f 0 C; fail f mark-clean-size-lost none",
                "f=CB0",
                &["f=CB", "f=CB0"],
            ),
            // Neither does one that was cut off since, nor does any page pass a shrink.
            (
                "f=A; write f 1 BC; set_len f 2; fail f mark-clean-size-lost 1",
                "f=AB",
                &["f=A", "f=A0", "f=A0C"],
            ),
            (
                "f=A; write f 1 BC; fail f mark-clean-size-lost; write f 2 D; set_len f 1; set_len f 3; \
                 fail f mark-clean-size-lost none",
                "f=A00",
                &["f=A", "f=A00"],
            ),
        ],
    );
}

#[test]
fn a_lost_length_stays_lost_until_a_page_there_is_written() {
    check(
        Profile::Posix,
        &[
            (
                "f=A; write f 1 B; fail f mark-clean-size-lost; unsettled; fail f mark-clean",
                "f=AB",
                &["f=A"],
            ),
            (
                "f=A; write f 1 0; fail f mark-clean-size-lost; unsettled; sync f",
                "f=A0",
                &["f=A"],
            ),
            (
                "f=A; write f 1 B; fail f mark-clean-size-lost; write f 1 C; page f 1",
                "f=AC",
                &["f=A", "f=AC"],
            ),
            (
                "f=A; write f 1 B; fail f mark-clean-size-lost; write f 1 C; page f 1; sync f; settled",
                "f=AC",
                &["f=AC"],
            ),
        ],
    );
}

#[test]
fn what_writeback_put_behind_a_lost_length_is_gone_with_it() {
    check(
        Profile::Posix,
        &[
            (
                "f=A; write f 1 B; page f 1; fail f mark-clean-size-lost; set_len f 2; sync f",
                "f=AB",
                &["f=A0"],
            ),
            (
                "f=A; write f 1 B; page f 1; fail f mark-clean-size-lost; drop 1; ! drop 1",
                "f=A0",
                &["f=A"],
            ),
            // Not lost: the `set_len` after it keeps the length, and what lies there.
            (
                "f=A; write f 1 B; page f 1; set_len f 3; fail f mark-clean-size-lost; sync f; settled",
                "f=AB0",
                &["f=AB0"],
            ),
            // What is tried again is what was lost with the length, and no page in front of it that was given up before.
            (
                "f=AB; write f 0 C; fail f mark-clean; write f 2 D; page f 2; fail f retry-works; sync f",
                "f=CBD",
                &["f=ABD"],
            ),
            // The cache shows the disk: there is nothing left to drop.
            (
                "f=A; write f 1 B; page f 1; fail f revert; settled; ! drop 1",
                "f=A",
                &["f=A"],
            ),
        ],
    );
}

#[test]
fn what_is_to_be_tried_again_is_pages_or_a_length_or_both() {
    check(
        Profile::Posix,
        &[
            (
                "f=A; write f 0 B; fail f retry-works; unsettled",
                "f=B",
                &["f=A"],
            ),
            (
                "f=A; write f 0 B; fail f retry-works; sync f; settled",
                "f=B",
                &["f=B"],
            ),
            (
                "f=A; write f 1 0; fail f retry-works; unsettled",
                "f=A0",
                &["f=A"],
            ),
            (
                "f=A; write f 1 0; fail f retry-works; sync f; settled",
                "f=A0",
                &["f=A0"],
            ),
            // A page that an older sync gave up is not among them.
            (
                "f=AB; write f 0 C; fail f mark-clean; write f 1 D; fail f retry-works; sync f",
                "f=CD",
                &["f=AD"],
            ),
        ],
    );
}

#[test]
fn writeback_tries_again_too_but_passes_no_shrink() {
    check(
        Profile::Posix,
        &[
            (
                "f=A; write f 0 B; fail f retry-works; writeback 0; settled; ! writeback 0",
                "f=B",
                &["f=B"],
            ),
            (
                "f=AB; write f 0 C; fail f retry-works; set_len f 1; page f 0",
                "f=C",
                &["f=C", "f=CB"],
            ),
            (
                "f=AB; write f 0 C; fail f retry-works; set_len f 1; writeback 0; ! writeback 0",
                "f=C",
                &["f=C", "f=CB"],
            ),
            (
                "f=AB; set_len f 1; write f 1 C; fail f retry-works; ! page f 1; ! writeback 0",
                "f=AC",
                &["f=A", "f=AB"],
            ),
        ],
    );
}

#[test]
fn writeback_takes_what_it_may_in_order() {
    check(
        Profile::Posix,
        &[
            (
                "f=A; write f 0 B; page f 0; settled; ! page f 0",
                "f=B",
                &["f=B"],
            ),
            (
                "f=A; write f 1 B; writeback 1; ! size f",
                "f=AB",
                &["f=A0", "f=AB"],
            ),
            ("f=A; write f 1 B; writeback 2", "f=AB", &["f=A", "f=AB"]),
            (
                "f=A; set_len f 2; ! writeback 0; ! size f",
                "f=A0",
                &["f=A", "f=A0"],
            ),
            // To the length that it has: no shrink, so nothing waits for it.
            ("f=A; set_len f 1; write f 0 B; page f 0", "f=B", &["f=B"]),
            // A page that a pending shrink kept is written in place; one that it cut away waits.
            (
                "f=AB; set_len f 1; write f 0 C; page f 0",
                "f=C",
                &["f=C", "f=CB"],
            ),
            (
                "f=AB; set_len f 1; write f 1 C; ! page f 1; ! writeback 1",
                "f=AC",
                &["f=A", "f=A0", "f=AB", "f=AC"],
            ),
            (
                "f=AB; allocate f 1; settled; allocate f 2; settled",
                "f=AB",
                &["f=AB"],
            ),
        ],
    );
}

#[test]
fn the_cache_drops_exactly_what_it_is_told() {
    check(
        Profile::Posix,
        &[
            (
                "f=AB; write f 0 CD; fail f mark-clean; drop 2; ! drop 2",
                "f=CB",
                &["f=AB"],
            ),
            // A lost length has a place of its own after the pages of its file, and goes when the file is idle.
            (
                "f=A g=B; write f 1 C; fail f mark-clean-size-lost; write g 0 D; fail g mark-clean; close f; drop 4",
                "f=AC,g=B",
                &["f=A,g=B"],
            ),
            (
                "f=A g=B; write f 1 C; fail f mark-clean-size-lost; write g 0 D; fail g mark-clean; close f; drop 2",
                "f=A,g=D",
                &["f=A,g=B"],
            ),
            (
                "f=A g=B; write f 1 C; fail f mark-clean-size-lost; write g 0 D; fail g mark-clean; close g; ! drop 2",
                "f=AC,g=D",
                &["f=A,g=B"],
            ),
            // It keeps its place when it stays.
            (
                "f=A g=B; write f 1 C; fail f mark-clean-size-lost; write g 0 D; fail g mark-clean; drop 4",
                "f=AC,g=B",
                &["f=A,g=B"],
            ),
            (
                "f=A; write f 1 B; fail f mark-clean-size-lost; write f 1 C; close f; ! drop 3",
                "f=AC",
                &["f=A"],
            ),
        ],
    );
}

#[test]
fn the_cache_keeps_what_is_not_lost() {
    check(
        Profile::Posix,
        &[
            ("f=A; close f; ! drop 3", "f=A", &["f=A"]),
            (
                "f=A; set_len f 2; close f; ! drop 3",
                "f=A0",
                &["f=A", "f=A0"],
            ),
            (
                "f=A; write f 1 0; fail f retry-works; close f; ! drop 3",
                "f=A0",
                &["f=A"],
            ),
        ],
    );
}

#[test]
fn a_failed_directory_sync_takes_a_prefix_of_the_journal_where_metadata_is_ordered() {
    check(
        Profile::LinuxOrdered,
        &[
            (
                "f=A; create a; create b; fail_dir 1",
                "a=\"\",b=\"\",f=A",
                &["a=\"\",b=\"\",f=A", "a=\"\",f=A"],
            ),
            (
                "f=A; create a; create b; fail_dir 2",
                "a=\"\",b=\"\",f=A",
                &["a=\"\",b=\"\",f=A", "a=\"\",f=A", "f=A"],
            ),
            (
                "f=AB; set_len f 1; create a; set_len f 3; create b; fail_dir 1",
                "a=\"\",b=\"\",f=A00",
                &["a=\"\",b=\"\",f=A00", "a=\"\",f=A", "a=\"\",f=A00"],
            ),
        ],
    );
}

#[test]
fn a_shrink_that_metadata_drags_along_cuts_older_versions_and_no_younger_ones() {
    check(
        Profile::LinuxOrdered,
        &[
            (
                "f=AB; write f 1 C; set_len f 1; set_len f 2; create t; sync_dir",
                "f=A0,t=\"\"",
                &["f=A0,t=\"\""],
            ),
            (
                "f=AB; set_len f 1; write f 1 D; create t; sync_dir",
                "f=AD,t=\"\"",
                &["f=A,t=\"\"", "f=A0,t=\"\"", "f=AD,t=\"\""],
            ),
        ],
    );
}

#[test]
fn a_directory_sync_leaves_the_bytes_of_every_file_pending() {
    for profile in [Profile::LinuxOrdered, Profile::Posix] {
        check(
            profile,
            &[(
                "f=A; write f 0 B; sync_dir; sync f; settled",
                "f=B",
                &["f=B"],
            )],
        );
    }
}

#[test]
fn names_that_a_file_sync_made_durable_are_settled() {
    check(
        Profile::BtrfsLike,
        &[
            (
                "f=A; create g; sync g; settled",
                "f=A,g=\"\"",
                &["f=A,g=\"\""],
            ),
            // Out of order: the older record is still to be decided.
            (
                "f=A; create g; create h; sync h; unsettled",
                "f=A,g=\"\",h=\"\"",
                &["f=A,g=\"\",h=\"\"", "f=A,h=\"\""],
            ),
        ],
    );
}

/// A disk on which `f` holds one page, and the handle of it.
fn one_page() -> World {
    World::new(Profile::Posix, "f=A")
}

fn len_after_power_cut(world: &World) -> Vec<Option<u64>> {
    let space = world.disk.disk().images();
    let images = space.enumerate(100).unwrap();
    images.map(|found| found.image.len_of("f")).collect()
}

#[test]
fn one_byte_of_a_page_is_enough_to_bring_its_length() {
    let write = |world: &World| {
        let written = world.files["f"].write_at(b"x", PAGE_SIZE);
        assert_eq!(written.unwrap(), 1);
    };
    let lost = "mark-clean-size-lost";

    let by_a_failed_sync = one_page();
    write(&by_a_failed_sync);
    by_a_failed_sync.fail_sync("f", lost, Subset::Nothing);
    assert_eq!(len_after_power_cut(&by_a_failed_sync), [Some(4097)]);

    let by_a_sync = one_page();
    write(&by_a_sync);
    by_a_sync.fail_sync("f", lost, Subset::All);
    assert_eq!(len_after_power_cut(&by_a_sync), [Some(4096)]);
    write(&by_a_sync);
    by_a_sync.files["f"].sync_data().unwrap();
    assert_eq!(len_after_power_cut(&by_a_sync), [Some(4097)]);

    let mut by_writeback = one_page();
    write(&by_writeback);
    by_writeback.fail_sync("f", lost, Subset::All);
    write(&by_writeback);
    by_writeback.run("page f 1");
    by_writeback.run("sync f");
    assert_eq!(len_after_power_cut(&by_writeback), [Some(4097)]);
}

#[test]
fn a_last_page_that_was_given_up_is_not_tried_again_with_others() {
    let mut world = World::new(Profile::Posix, "f=AB");
    let file = &world.files["f"];
    file.set_len(PAGE_SIZE + 100).unwrap();
    file.sync_data().unwrap();
    file.write_at(b"x", PAGE_SIZE).unwrap();
    world.fail_sync("f", "mark-clean", Subset::All);
    world.run("write f 0 C");
    world.fail_sync("f", "retry-works", Subset::All);
    world.run("sync f");
    let image = world.disk.power_cut(&beaver_disk::Choice::default());
    let expected = [vec![b'C'; 4096], vec![b'B'; 100]].concat();
    assert!(image.read("f").unwrap() == expected);
}
