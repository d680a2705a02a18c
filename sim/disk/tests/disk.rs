//! The simulated disk as a value: its limits, what it forgets, what makes two disks different, and what can be counted.

#![expect(
    clippy::unwrap_used,
    reason = "a test stops at its first surprise, and its sizes are small"
)]

mod nth;

use std::collections::{BTreeMap, BTreeSet};
use std::io::ErrorKind;

use beaver_disk::notation::{FileHistory, render};
use beaver_disk::{
    Behaviour, CallEffect, Change, Choice, CrashPoint, Disk, DiskEvent, FailedSync, Fault, Image,
    InodeId, Moment, Op, PAGE_SIZE, Profile, SimDisk, SimOptions,
};
use beaver_storage::Access;
use nth::fail_nth;

/// The only file that a history of one file has.
const F: InodeId = InodeId(1);

fn disk(profile: Profile, history: &str) -> Disk {
    FileHistory::parse(history).unwrap().run(profile).unwrap()
}

fn posix(history: &str) -> Disk {
    disk(Profile::Posix, history)
}

/// A machine after `history`.
fn machine(profile: Profile, history: &str) -> SimDisk {
    SimDisk::new(disk(profile, history), SimOptions::default())
}

/// The disk after `history`, in the middle of a write.
fn dying_in_a_write(history: &str, file: &str, offset: u64, bytes: &[u8]) -> u128 {
    let disk = machine(Profile::Posix, history);
    let storage = disk.storage();
    let file = storage.open(file, Access::Write).unwrap();
    disk.crash_at(Some(CrashPoint {
        call: 2,
        moment: Moment::Inside,
    }));
    file.write_at(bytes, offset).unwrap_err();
    disk.crash().fingerprint()
}

fn all_differ(fingerprints: impl IntoIterator<Item = u128>) {
    let all: Vec<u128> = fingerprints.into_iter().collect();
    let different: BTreeSet<&u128> = all.iter().collect();
    assert_eq!(different.len(), all.len());
}

#[test]
fn a_file_ends_where_file_offsets_do() {
    let last = i64::MAX as u64;
    let mut disk = posix("f=A");
    let mut write = |offset, len| {
        let change = Change::Write {
            inode: F,
            offset,
            bytes: vec![b'x'; len],
        };
        disk.apply(&change).map_err(|error| error.kind())
    };
    for (offset, len) in [(last - 1, 2), (last - 1, 3), (last, 1), (last + 9, 1)] {
        assert_eq!(write(offset, len), Err(ErrorKind::InvalidInput), "{offset}");
    }
    assert_eq!(write(last + 9, 0), Ok(()), "nothing is written");
    assert_eq!(write(last - 1, 1), Ok(()));
    assert_eq!(disk.live().len_of("f"), Some(last));

    let mut disk = posix("f=A");
    let mut set_len = |len| {
        let changes = [
            Change::SetLen { inode: F, len },
            Change::Allocate { inode: F, len },
        ];
        changes.map(|change| disk.apply(&change).map_err(|error| error.kind()))
    };
    assert_eq!(set_len(last + 1), [Err(ErrorKind::InvalidInput); 2]);
    assert_eq!(set_len(last), [Ok(()); 2]);
    assert_eq!(disk.live().len_of("f"), Some(last));
}

#[test]
fn the_disk_counts_the_bytes_of_files_that_have_a_name() {
    let mut disk = posix("f=AB; create g; write g 0 C; set_len f 1; allocate f 3; remove g");
    assert_eq!(disk.used(), 3 * PAGE_SIZE);
    let stray = |file: &str| DiskEvent::Stray {
        file: file.to_owned(),
        bytes: b"left".to_vec(),
    };
    assert!(disk.happen(&stray("x")) && !disk.happen(&stray("x")));
    assert_eq!(disk.used(), 3 * PAGE_SIZE + 4);
}

/// Makes a file, gives it bytes and a durable name, and takes the name away again for good.
fn come_and_go(disk: &SimDisk) -> Box<dyn beaver_storage::StorageFile> {
    let storage = disk.storage();
    let file = storage.create("gone").unwrap();
    storage.sync_dir().unwrap();
    file.write_at(b"bytes", 0).unwrap();
    storage.remove("gone").unwrap();
    storage.sync_dir().unwrap();
    file
}

#[test]
fn a_file_that_nobody_can_reach_again_is_forgotten() {
    for profile in [Profile::Posix, Profile::LinuxOrdered] {
        let disk = machine(profile, "f=A");
        let open = come_and_go(&disk);
        assert!(!disk.disk().is_settled(), "an open file is there");
        assert_eq!(open.len().unwrap(), 5);
        drop(open);
        disk.storage().sync_dir().unwrap();
        assert!(disk.disk().is_settled());

        // Whatever else is there, and pending, has nothing to do with it.
        let disk = machine(profile, "f=A; create g; sync_dir");
        let open = come_and_go(&disk);
        disk.storage().create("h").unwrap();
        drop(open);
        disk.kill(CallEffect::Nothing);
        let without = machine(profile, "f=A; create g; sync_dir");
        without.storage().create("h").unwrap();
        assert_eq!(disk.disk().fingerprint(), without.disk().fingerprint());
    }
}

#[test]
fn a_file_that_a_power_cut_may_bring_back_is_kept() {
    let disk = machine(Profile::Posix, "f=A");
    let storage = disk.storage();
    let file = storage.create("g").unwrap();
    file.write_at(b"bytes", 0).unwrap();
    file.sync_data().unwrap();
    drop(file);
    storage.remove("g").unwrap();
    disk.kill(CallEffect::Nothing);
    let space = disk.disk().images();
    let images = space.enumerate(10).unwrap();
    let found: Vec<_> = images.map(|found| found.image.read("g")).collect();
    assert!(found.contains(&Some(b"bytes".to_vec())));
    // A durable name brings its file back too.
    let disk = machine(Profile::Posix, "f=A");
    disk.storage().remove("f").unwrap();
    disk.kill(CallEffect::Nothing);
    let space = disk.disk().images();
    let images = space.enumerate(10).unwrap();
    let found: Vec<String> = images.map(|found| render(&found.image)).collect();
    assert_eq!(found, ["f=A", "(none)"]);
}

#[test]
fn a_disk_shows_every_file_that_has_a_name_live_or_durable() {
    let files = posix("a=A; b=B; remove a; create c; create d; remove d").files();
    let names = files
        .iter()
        .map(|file| (file.live_names.join(" "), file.durable_names.join(" ")));
    let names: Vec<_> = names.collect();
    let expected = [("", "a"), ("b", "b"), ("c", "")];
    assert_eq!(
        names,
        expected.map(|(live, durable)| (live.to_owned(), durable.to_owned()))
    );
}

#[test]
fn a_disk_is_settled_when_the_cache_shows_what_it_has() {
    assert!(posix("f=A; write f 0 B; sync f; create g; sync_dir").is_settled());
    for history in [
        "f=A; create g",
        "f=A; remove f",
        "f=A; write f 0 B",
        "f=A; set_len f 1",
    ] {
        assert!(!posix(history).is_settled(), "{history}");
    }
    for behaviour in Behaviour::ALL {
        let disk = machine(Profile::Posix, "f=A");
        first_sync_fails(&disk, behaviour);
        let file = disk.storage().open("f", Access::Write).unwrap();
        file.write_at(b"x", 0).unwrap();
        file.sync_data().unwrap_err();
        let shows_the_disk = behaviour == Behaviour::Revert;
        assert_eq!(disk.disk().is_settled(), shows_the_disk, "{behaviour:?}");
    }
}

#[test]
fn disks_that_differ_in_a_name_or_in_who_has_it_have_other_fingerprints() {
    let pending = |files: &str| posix(&format!("{files}; create z")).fingerprint();
    all_differ([
        pending("a=A"),
        pending("b=A"),
        pending("a=B"),
        pending("a=A;b=A"),
    ]);
    // The names of the steps, where nothing else tells.
    all_differ(
        [
            "create g; remove g",
            "create h; remove h",
            "create g; rename g h; remove h",
        ]
        .map(|history| posix(history).fingerprint()),
    );
    // Six files as they were, and with two names changed round.
    let mut orders = vec![["a", "b", "c", "d", "e", "f"]];
    for (first, second) in (0..6).flat_map(|first| (0..first).map(move |second| (first, second))) {
        let mut names = orders[0];
        names.swap(first, second);
        orders.push(names);
    }
    all_differ(orders.iter().map(|names| {
        let files = names.iter().zip(b'A'..).map(|(name, byte)| (name, [byte]));
        let mut disk = Image::from_files(files).disk(Profile::Posix);
        disk.apply(&Change::Create {
            dir: InodeId::ROOT,
            name: "z".into(),
        })
        .unwrap();
        disk.fingerprint()
    }));
}

#[test]
fn disks_on_which_other_things_are_pending_have_other_fingerprints() {
    // The same changes in every order: what is pending is the same, its order is not.
    let steps = [
        "create g",
        "write f 0 B",
        "set_len h 1",
        "remove k",
        "write i 0 B",
    ];
    let orders = (0..5 * 5 * 5 * 5 * 5usize).filter_map(|number| {
        let order = [1, 5, 25, 125, 625].map(|place| number / place % 5);
        let all: BTreeSet<usize> = order.into_iter().collect();
        (all.len() == 5).then(|| order.map(|index| steps[index]).join(";"))
    });
    let orders: Vec<String> = orders.collect();
    assert_eq!(orders.len(), 120);
    let files = "f=A; h=AB; i=A; k=A";
    all_differ(
        orders
            .iter()
            .map(|steps| posix(&format!("{files}; {steps}")).fingerprint()),
    );
    all_differ(
        [
            "f=A; write f 0 B",
            "f=A; write f 0 C; write f 0 B",
            "f=AB; write f 1 A",
            "f=A; set_len f 2",
            "f=A; set_len f 3; set_len f 2",
            "f=A; write f 1 0",
        ]
        .map(|history| posix(history).fingerprint()),
    );
    // Names that a file sync committed out of order.
    let pending = "create a; create b; create c";
    let btrfs = |history: &str| disk(Profile::BtrfsLike, history).fingerprint();
    all_differ([
        btrfs(pending),
        btrfs(&format!("{pending}; sync b")),
        btrfs(&format!("{pending}; sync c")),
        btrfs(&format!("{pending}; sync b; sync c")),
    ]);
}

/// The first sync of a file fails like this.
fn first_sync_fails(disk: &SimDisk, behaviour: Behaviour) {
    let fault = Fault::FailedSync(FailedSync {
        behaviour,
        ..FailedSync::default()
    });
    fail_nth(disk, Op::SyncData, [(1, fault)]);
}

/// The fingerprint after `f=AB`, these steps, and a sync of `f` that fails among them.
fn after_a_failed_sync(behaviour: Behaviour, steps: &[Step]) -> u128 {
    let disk = machine(Profile::Posix, "f=AB");
    first_sync_fails(&disk, behaviour);
    let file = disk.storage().open("f", Access::Write).unwrap();
    for step in steps {
        match step {
            Step::Write => assert_eq!(file.write_at(&[b'x'; 4096], 0).unwrap(), 4096),
            Step::GrowByZeros => {
                assert_eq!(file.write_at(&[0; 4096], 2 * PAGE_SIZE).unwrap(), 4096);
            }
            Step::Shrink => file.set_len(PAGE_SIZE).unwrap(),
            Step::Fail => drop(file.sync_data().unwrap_err()),
        }
    }
    assert!(disk.missed().is_empty() && !disk.fired().is_empty());
    disk.disk().fingerprint()
}

enum Step {
    Write,
    GrowByZeros,
    Shrink,
    Fail,
}

#[test]
fn what_a_failed_sync_left_to_be_tried_again_is_part_of_the_fingerprint() {
    use Step::{Fail, GrowByZeros, Shrink, Write};
    let (retry, lost) = (Behaviour::RetryWorks, Behaviour::MarkCleanSizeLost);
    // The page may be written without the shrink, or not; the next sync writes it, or not.
    all_differ([
        after_a_failed_sync(retry, &[Shrink, Write, Fail]),
        after_a_failed_sync(retry, &[Write, Fail, Shrink]),
        after_a_failed_sync(lost, &[Shrink, Write, Fail]),
    ]);
    // The next sync brings the length, or not.
    all_differ([
        after_a_failed_sync(retry, &[GrowByZeros, Fail]),
        after_a_failed_sync(lost, &[GrowByZeros, Fail]),
    ]);
}

#[test]
fn deaths_in_the_middle_of_different_writes_have_other_fingerprints() {
    let history = "f=A; g=A";
    all_differ([
        posix(history).fingerprint(),
        dying_in_a_write(history, "f", 0, b"x"),
        dying_in_a_write(history, "g", 0, b"x"),
        dying_in_a_write(history, "f", 1, b"x"),
        dying_in_a_write(history, "f", 0, b"y"),
        dying_in_a_write(history, "f", 0, b"xx"),
        dying_in_a_write("f=A; g=B", "f", 0, b"x"),
    ]);
    let again = dying_in_a_write(history, "g", 0, b"x");
    assert_eq!(again, dying_in_a_write(history, "g", 0, b"x"));
    let disk = machine(Profile::Posix, history);
    assert_eq!(disk.crash().fingerprint(), posix(history).fingerprint());
}

#[test]
fn a_space_says_how_many_combinations_there_are() {
    for (history, combinations, images) in [
        ("f=A", 1, 1),
        // A page past the end has nothing to choose: 2 versions, or 2 times 2.
        ("f=A; write f 0 BC", 6, 6),
        ("f=A; write f 0 B; create g", 4, 4),
        ("create a; create b", 4, 4),
        // Both records are about one name, which is there or not.
        ("create f; remove f", 2, 2),
        ("create f; remove f; sync_dir; create g", 2, 2),
        // Two files that are both empty, and none.
        ("create f; remove f; create f", 3, 2),
        ("f=A; rename f g", 3, 3),
        // The same bytes once more are no other version.
        ("f=A; write f 0 A; write f 0 B", 2, 2),
    ] {
        let space = posix(history).images();
        assert_eq!(space.count(), combinations, "{history}");
        for limit in 0..combinations {
            assert!(space.enumerate(limit).is_none(), "{history}: {limit}");
        }
        let mut all = space.enumerate(combinations).unwrap();
        assert_eq!(all.combinations(), combinations, "{history}");
        assert_eq!(all.by_ref().count(), images, "{history}");
        let dropped = combinations - images as u64;
        assert_eq!(all.dropped(), dropped, "{history}");
    }
}

#[test]
fn a_directory_of_ordered_metadata_forces_lengths_on_files_without_a_name_too() {
    let space = disk(
        Profile::LinuxOrdered,
        "f=AB; set_len f 1; remove f; create g",
    )
    .images();
    let mut images = space.enumerate(100).unwrap();
    let all: Vec<_> = images.by_ref().collect();
    let lines: Vec<String> = all.iter().map(|found| render(&found.image)).collect();
    assert_eq!(lines, ["f=AB", "f=A", "(none)", "g=\"\""]);
    for candidate in &all {
        let choice = images.choice(candidate);
        assert_eq!(space.image(&choice), candidate.image);
        assert_eq!(space.settle(&choice), choice);
    }
}

#[test]
fn a_choice_is_settled_to_what_makes_a_difference() {
    let pages = |pages: &[(u64, u32)]| BTreeMap::from([(F, pages.iter().copied().collect())]);
    let space = posix("f=A; write f 0 BC").images();
    let chosen = |size: u32, chosen: &[(u64, u32)]| Choice {
        sizes: BTreeMap::from([(F, size)]),
        pages: pages(chosen),
        ..Choice::default()
    };
    // A page past the end is not there.
    let short = Choice {
        pages: pages(&[(0, 1)]),
        ..Choice::default()
    };
    assert_eq!(space.settle(&chosen(0, &[(0, 1), (1, 1)])), short);
    assert_eq!(space.settle(&chosen(0, &[(1, 1)])), Choice::default());
    let long = chosen(1, &[(0, 1), (1, 1)]);
    assert_eq!(space.settle(&chosen(9, &[(0, 9), (1, 9), (7, 1)])), long);
}
