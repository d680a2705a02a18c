//! Choices beyond names, lengths and versions: tears, fill, and what only a bad device does.

#![expect(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    reason = "a test stops at its first surprise, and its sizes are small"
)]

use std::collections::BTreeMap;

use beaver_disk::notation::{FileHistory, render};
use beaver_disk::{
    About, Choice, Corner, Decision, DeviceExtra, Disk, DiskEvent, Fate, Fill, Image, ImageSpace,
    InodeId, NameOutcome, PAGE_SIZE, Profile, SimDisk, SimOptions, Tear,
};
use beaver_storage::Storage;

const SECTOR: usize = 512;

fn space(profile: Profile, history: &str) -> ImageSpace {
    let history = FileHistory::parse(history).unwrap();
    history.run(profile).unwrap().images()
}

/// The only file that a history of one file has.
const F: InodeId = InodeId(1);

fn newest(page: u64, version: u32) -> Choice {
    Choice {
        pages: BTreeMap::from([(F, BTreeMap::from([(page, version)]))]),
        ..Choice::default()
    }
}

/// The first byte of every sector.
fn sectors(image: &Image) -> String {
    let bytes = image.read("f").unwrap();
    let sectors = bytes.chunks(SECTOR).map(|sector| {
        assert!(sector.iter().all(|byte| *byte == sector[0]));
        char::from(sector[0])
    });
    sectors.collect()
}

#[test]
fn a_torn_page_mixes_sectors_of_a_version_and_of_any_older_one() {
    let space = space(Profile::Posix, "f=A; write f 0 B; write f 0 C");
    let torn = |version, newer_sectors, older| {
        let tear = Tear {
            inode: F,
            page: 0,
            newer_sectors,
            older,
        };
        let choice = Choice {
            tears: vec![tear],
            ..newest(0, version)
        };
        sectors(&space.image(&choice))
    };
    assert_eq!(torn(2, 0b0000_1111, 1), "CCCCBBBB");
    assert_eq!(torn(2, 0b1010_0000, 0), "AAAAACAC");
    assert_eq!(torn(1, 0b0000_0001, 0), "BAAAAAAA");
    assert_eq!(
        torn(1, 0b0000_0001, 9),
        "BAAAAAAA",
        "older than the version"
    );
    assert_eq!(torn(0, 0b0000_0001, 0), "AAAAAAAA", "nothing to mix");
}

#[test]
fn btrfs_never_tears_an_overwritten_page_and_the_others_may() {
    let history = "f=A; write f 0 BC";
    for (profile, pages) in [
        (Profile::BtrfsLike, vec![1]),
        (Profile::LinuxOrdered, vec![0, 1]),
        (Profile::Posix, vec![0, 1]),
        (Profile::Strict, vec![]),
    ] {
        let points = space(profile, history).tear_points();
        let found: Vec<u64> = points.iter().map(|point| point.page).collect();
        assert_eq!(found, pages, "{profile}");
    }
    let choice = Choice {
        sizes: BTreeMap::from([(F, 1)]),
        pages: BTreeMap::from([(F, BTreeMap::from([(0, 1), (1, 1)]))]),
        tears: [0, 1]
            .map(|page| Tear {
                inode: F,
                page,
                newer_sectors: 1,
                older: 0,
            })
            .to_vec(),
        ..Choice::default()
    };
    let torn = |profile| sectors(&space(profile, history).image(&choice)).replace('\0', "0");
    assert_eq!(torn(Profile::BtrfsLike), "BBBBBBBBC0000000");
    assert_eq!(torn(Profile::Posix), "BAAAAAAAC0000000");
}

#[test]
fn lost_data_reads_as_garbage_where_asked_and_cut_bytes_never_do() {
    let grown = space(Profile::Alice, "f=A; write f 1 BC");
    let choice = |seed| Choice {
        sizes: BTreeMap::from([(F, 2)]),
        pages: BTreeMap::from([(F, BTreeMap::from([(1, 1)]))]),
        fill: Fill::Garbage(seed),
        ..Choice::default()
    };
    let image = grown.image(&choice(7));
    assert_eq!(render(&image), "f=AB?");
    assert_eq!(image, grown.image(&choice(7)));
    assert_ne!(image, grown.image(&choice(8)));
    // A hole and a length that was set are zeros; so is what a surviving shrink cut.
    for (history, size, expected) in [
        ("f=A; set_len f 3", 1, "f=A00"),
        ("f=A; write f 3 D", 1, "f=A00?"),
        ("f=AB; set_len f 1; write f 1 C", 2, "f=A0"),
    ] {
        let space = space(Profile::Alice, history);
        let choice = Choice {
            sizes: BTreeMap::from([(F, size)]),
            fill: Fill::Garbage(1),
            ..Choice::default()
        };
        assert_eq!(render(&space.image(&choice)), expected, "{history}");
    }
}

#[test]
fn what_writeback_put_ahead_of_its_length_is_there_and_no_garbage() {
    let history = FileHistory::parse("f=A; write f 1 B").unwrap();
    let mut disk = history.run(Profile::Alice).unwrap();
    let page = DiskEvent::WritebackPage {
        file: "f".to_owned(),
        page: 1,
    };
    assert!(disk.happen(&page));
    let choice = Choice {
        sizes: BTreeMap::from([(F, 1)]),
        fill: Fill::Garbage(7),
        ..Choice::default()
    };
    assert_eq!(render(&disk.images().image(&choice)), "f=AB");
}

#[test]
fn a_shorn_sector_is_new_in_front_and_old_behind() {
    let history = "f=A; write f 0 B";
    let choice = Choice {
        device: vec![DeviceExtra::ShornSector {
            inode: F,
            page: 0,
            sector: 1,
            keep: 100,
            older: 0,
        }],
        ..newest(0, 1)
    };
    let bytes = space(Profile::HostileDevice, history).image(&choice);
    let bytes = bytes.read("f").unwrap();
    assert!(bytes[..612].iter().all(|byte| *byte == b'B'));
    assert!(bytes[612..1024].iter().all(|byte| *byte == b'A'));
    assert!(bytes[1024..].iter().all(|byte| *byte == b'B'));
    let posix = space(Profile::Posix, history).image(&choice);
    assert_eq!(render(&posix), "f=B", "only a hostile device does this");
}

#[test]
fn behind_a_shorn_edge_lies_an_older_version_whatever_the_choice_asks_for() {
    let space = space(Profile::HostileDevice, "f=A; write f 0 B; write f 0 C");
    let shorn = |older| {
        let choice = Choice {
            device: vec![DeviceExtra::ShornSector {
                inode: F,
                page: 0,
                sector: 9,
                keep: 0,
                older,
            }],
            ..newest(0, 2)
        };
        sectors(&space.image(&choice))
    };
    assert_eq!(shorn(0), "CACCCCCC", "sectors count round");
    assert_eq!(shorn(1), "CBCCCCCC");
    assert_eq!(shorn(2), "CBCCCCCC", "the version itself is not older");
    assert_eq!(shorn(9), "CBCCCCCC");
}

#[test]
fn a_bad_device_strikes_the_file_that_the_choice_names_and_no_other() {
    let history = "f=A; g=A; write f 0 B; write g 0 B; sync f; sync g; write f 0 C; write g 0 C";
    let space = space(Profile::HostileDevice, history);
    let g = InodeId(2);
    let image = |pages: &[InodeId], extra: DeviceExtra| {
        let pages = pages.iter().map(|id| (*id, BTreeMap::from([(0, 1)])));
        space.image(&Choice {
            pages: pages.collect(),
            device: vec![extra],
            ..Choice::default()
        })
    };
    let shorn = DeviceExtra::ShornSector {
        inode: g,
        page: 0,
        sector: 0,
        keep: 0,
        older: 0,
    };
    assert_eq!(render(&image(&[F, g], shorn)), "f=C,g=?");
    let revert = DeviceExtra::Revert { inode: g, page: 0 };
    assert_eq!(render(&image(&[], revert)), "f=B,g=A");
    let unreadable = DeviceExtra::UnreadableSector {
        inode: g,
        page: 0,
        sector: 0,
    };
    let image = image(&[], unreadable);
    let storage = SimDisk::new(image.disk(Profile::HostileDevice), SimOptions::default()).storage();
    for (name, readable) in [("f", true), ("g", false)] {
        let file = storage.open(name, beaver_storage::Access::Read).unwrap();
        assert_eq!(file.read_at(&mut [0], 0).is_ok(), readable, "{name}");
    }
}

#[test]
fn a_page_of_any_file_on_a_bad_device_can_be_taken_back() {
    let take_back = |disk: &Disk, inode| {
        let space = disk.images();
        space.image(&Choice {
            device: vec![DeviceExtra::Revert { inode, page: 0 }],
            ..Choice::default()
        })
    };
    let history = "create f; sync_dir; write f 0 A; sync f; write f 0 B; sync f";
    let disk = FileHistory::parse(history).unwrap();
    let disk = disk.run(Profile::HostileDevice).unwrap();
    assert_eq!(render(&take_back(&disk, F)), "f=A");
    let mut disk = Disk::empty(Profile::HostileDevice);
    assert!(disk.happen(&DiskEvent::Stray {
        file: "f".to_owned(),
        bytes: vec![b'A'; PAGE_SIZE as usize],
    }));
    let change = beaver_disk::Change::Write {
        inode: F,
        offset: 0,
        bytes: vec![b'B'; PAGE_SIZE as usize],
    };
    disk.apply(&change).unwrap();
    disk.apply(&beaver_disk::Change::SyncData { inode: F })
        .unwrap();
    assert_eq!(render(&take_back(&disk, F)), "f=A");
}

#[test]
fn a_lying_sync_takes_a_page_back_to_what_was_before_it() {
    let space = space(
        Profile::HostileDevice,
        "f=A; write f 0 B; sync f; write f 0 C; sync f",
    );
    let points = space.device_points();
    assert!(points.len() == 1 && points[0].can_revert && points[0].versions == 0);
    let choice = Choice {
        device: vec![DeviceExtra::Revert { inode: F, page: 0 }],
        ..Choice::default()
    };
    assert_eq!(render(&space.image(&choice)), "f=B");
    assert_eq!(render(&space.image(&Choice::default())), "f=C");
    // What a power cut left is settled: there is nothing to take back.
    let disk = space.image(&Choice::default()).disk(Profile::HostileDevice);
    assert_eq!(render(&disk.images().image(&choice)), "f=C");
}

#[test]
fn an_unreadable_sector_fails_every_read_until_it_is_written() {
    let space = space(Profile::HostileDevice, "f=A");
    let choice = Choice {
        device: vec![DeviceExtra::UnreadableSector {
            inode: F,
            page: 0,
            sector: 3,
        }],
        ..Choice::default()
    };
    let image = space.image(&choice);
    assert_ne!(image, space.image(&Choice::default()));
    let disk = SimDisk::new(image.disk(Profile::HostileDevice), SimOptions::default());
    let storage = disk.storage();
    let file = storage.open("f", beaver_storage::Access::Write).unwrap();
    let mut bytes = [0; 2 * SECTOR];
    assert!(file.read_at(&mut bytes, 0).is_ok());
    for _ in 0..2 {
        let error = file.read_at(&mut bytes, 2 * SECTOR as u64).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(5));
    }
    assert_eq!(disk.fired()["unreadable-sector"], 2);
    // A power cut heals nothing.
    let image = disk.power_cut(&Choice::default());
    let storage = SimDisk::new(image.disk(Profile::HostileDevice), SimOptions::default()).storage();
    let file = storage.open("f", beaver_storage::Access::Write).unwrap();
    assert!(file.read_at(&mut bytes, 3 * SECTOR as u64).is_err());
    file.write_at(&[b'x'; SECTOR], 3 * SECTOR as u64).unwrap();
    assert!(file.read_at(&mut bytes, 3 * SECTOR as u64).is_ok());
}

#[test]
fn only_reads_that_touch_an_unreadable_sector_fail_and_only_writes_over_it_heal_it() {
    let space = space(Profile::HostileDevice, "f=AAA");
    let unreadable = |page, sector| DeviceExtra::UnreadableSector {
        inode: F,
        page,
        sector,
    };
    let image = space.image(&Choice {
        device: vec![unreadable(0, 1), unreadable(0, 3), unreadable(1, 6)],
        ..Choice::default()
    });
    let storage = SimDisk::new(image.disk(Profile::HostileDevice), SimOptions::default()).storage();
    let file = storage.open("f", beaver_storage::Access::Write).unwrap();
    let readable = || -> Vec<u64> {
        let reads = |sector: &u64| {
            let mut bytes = [0; SECTOR];
            file.read_at(&mut bytes, sector * SECTOR as u64).is_ok()
        };
        (0..24).filter(reads).collect()
    };
    let all_but = |missing: &[u64]| -> Vec<u64> {
        (0..24).filter(|sector| !missing.contains(sector)).collect()
    };
    assert_eq!(readable(), all_but(&[1, 3, 14]));
    assert_eq!(file.read_at(&mut [], 3 * SECTOR as u64 + 5).unwrap(), 0);
    let last_byte = 4 * SECTOR as u64 - 1;
    assert!(file.read_at(&mut [0], last_byte).is_err());
    file.write_at(&[b'x'; SECTOR], 3 * SECTOR as u64).unwrap();
    assert_eq!(readable(), all_but(&[1, 14]));
    file.write_at(b"x", 14 * SECTOR as u64).unwrap();
    assert_eq!(readable(), all_but(&[1]));
}

#[test]
fn the_space_of_decisions_says_what_there_is_to_decide() {
    let history = "f=A; write f 0 BC; create g; rename g h";
    let about = |profile| -> Vec<(About, u32)> {
        let decisions = space(profile, history).decisions().into_iter();
        decisions
            .map(|Decision { about, options }| (about, options))
            .collect()
    };
    let data = [
        (About::Size { inode: F }, 2),
        (About::Page { inode: F, page: 0 }, 2),
        (About::Page { inode: F, page: 1 }, 2),
    ];
    let posix = about(Profile::Posix);
    assert_eq!(posix[2..], data);
    let options: Vec<u32> = posix[..2].iter().map(|(_, options)| *options).collect();
    assert_eq!(options, [2, 3], "a rename may leave both names");
    let ordered = about(Profile::LinuxOrdered);
    assert_eq!(ordered[0], (About::Metadata, 3));
    assert_eq!(ordered[1..], data);
    assert_eq!(about(Profile::Alice)[1].1, 4);
    assert_eq!(about(Profile::BtrfsLike)[1].1, 2);
    assert!(about(Profile::Strict).is_empty());
}

#[test]
fn corners_are_what_their_names_say() {
    let space = space(Profile::Posix, "f=AA; write f 0 BBB; create g");
    let image = |corner| render(&space.image(&space.corner(corner)));
    assert_eq!(image(Corner::Nothing), "f=AA");
    assert_eq!(image(Corner::Everything), "f=BBB,g=\"\"");
    assert_eq!(image(Corner::NamesWithoutData), "f=AA,g=\"\"");
    assert_eq!(image(Corner::DataWithoutNames), "f=BBB");
    assert_eq!(image(Corner::SizeWithoutData), "f=AA0,g=\"\"");
    assert_eq!(image(Corner::DataWithoutSize), "f=BB,g=\"\"");
    assert_eq!(image(Corner::EvenPages), "f=BAB,g=\"\"");
    assert_eq!(image(Corner::OddPages), "f=AB0,g=\"\"");
    assert_eq!(image(Corner::AllBut(0)), "f=BBB");
    assert_eq!(image(Corner::Only(2)), "f=BA");
    assert_eq!(image(Corner::OldestFirst(2)), "f=BB");
    let corners = space.corners();
    assert_eq!(corners.len(), 2 + 5 + 5 + 6 + 5);
    assert!(corners.contains(&Corner::OldestFirst(2)));
}

#[test]
fn corners_of_a_large_space_are_spread_evenly() {
    let steps: Vec<String> = (0..40).map(|n| format!("create f{n:02}")).collect();
    let corners = space(Profile::Posix, &steps.join(";")).corners();
    let only = corners.iter().filter_map(|corner| match corner {
        Corner::Only(index) => Some(*index),
        _ => None,
    });
    let evenly = [0, 2, 5, 7, 10, 12, 15, 17, 20, 22, 25, 27, 30, 32, 35, 37];
    assert_eq!(only.collect::<Vec<_>>(), evenly);
    assert_eq!(corners.len(), 2 + 16 + 16 + 6 + 16);
}

#[test]
fn a_choice_is_written_with_what_it_chooses_alone() {
    let tear = Tear {
        inode: F,
        page: 0,
        newer_sectors: 1,
        older: 0,
    };
    let choice = Choice {
        tears: vec![tear],
        fill: Fill::Garbage(7),
        device: vec![DeviceExtra::Revert { inode: F, page: 0 }],
        ..newest(0, 1)
    };
    let text = serde_json::to_string(&choice).unwrap();
    assert_eq!(
        text,
        r#"{"pages":{"1":{"0":1}},"tears":[{"inode":1,"page":0,"newer_sectors":1,"older":0}],"fill":{"garbage":7},"device":[{"revert":{"inode":1,"page":0}}]}"#
    );
    assert_eq!(serde_json::from_str::<Choice>(&text).unwrap(), choice);
    assert_eq!(serde_json::to_string(&Choice::default()).unwrap(), "{}");
    // What is not about versions and names is kept when a choice is settled.
    let space = space(Profile::HostileDevice, "f=A; write f 0 B");
    assert_eq!(space.settle(&choice), choice);
}

#[test]
fn a_choice_that_its_profile_does_not_permit_becomes_the_nearest_that_it_does() {
    // Ordered metadata: the rename cannot survive without the create.
    let names = |space: &ImageSpace| -> Vec<u64> {
        let decisions = space.corner(Corner::Everything).names;
        decisions.into_keys().collect()
    };
    let history = "f=A; create g; rename f h";
    let ordered = space(Profile::LinuxOrdered, history);
    let [create, rename] = names(&ordered)[..] else {
        panic!()
    };
    let only_rename = Choice {
        names: BTreeMap::from([(rename, NameOutcome::Both)]),
        ..Choice::default()
    };
    assert_eq!(render(&ordered.image(&only_rename)), "f=A");
    let posix = space(Profile::Posix, history);
    assert_eq!(render(&posix.image(&only_rename)), "f=A,h=A");
    let both = Choice {
        names: BTreeMap::from([(create, NameOutcome::New), (rename, NameOutcome::Neither)]),
        ..Choice::default()
    };
    assert_eq!(render(&posix.image(&both)), "g=\"\",h=A");
    let alice = space(Profile::Alice, history);
    assert_eq!(render(&alice.image(&both)), "g=\"\"");
    assert_eq!(posix.settle(&both).names[&rename], NameOutcome::New);
}

#[test]
fn a_choice_can_be_put_into_words() {
    let space = space(
        Profile::Posix,
        "f=A; create t; write t 0 B; write t 0 C; rename t f",
    );
    let choice = space.corner(Corner::NamesWithoutData);
    let words: Vec<String> = space
        .describe(&choice)
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(
        words,
        [
            "create t survived",
            "t/f: page 0, version 1 was lost",
            "t/f: length 4096 was lost",
            "t/f: page 0, version 2 was lost",
            "rename t to f survived",
        ]
    );
    let all = space.describe(&space.corner(Corner::Everything));
    assert_eq!(all[1].fate, Fate::Replaced);
}

#[test]
fn names_and_lengths_go_in_every_way_that_words_know() {
    let words = |profile, history: &str, names: &[NameOutcome]| -> Vec<String> {
        let space = space(profile, history);
        let records = space.corner(Corner::Everything).names.into_keys();
        let choice = Choice {
            names: records.zip(names.iter().copied()).collect(),
            ..Choice::default()
        };
        let lines = space.describe(&choice);
        lines.iter().map(ToString::to_string).collect()
    };
    let (new, both, neither) = (NameOutcome::New, NameOutcome::Both, NameOutcome::Neither);
    // Two files: the words of one never name the other.
    let history = "f=A; g=B; rename f h; create k; set_len g 2; remove g";
    assert_eq!(
        words(Profile::Alice, history, &[both, new]),
        [
            "rename f to h left both names",
            "create k survived",
            "g: set_len 8192 was lost",
            "remove g was lost",
        ]
    );
    assert_eq!(
        words(Profile::Alice, history, &[neither])[0],
        "rename f to h left neither name"
    );
    assert_eq!(
        words(
            Profile::Alice,
            "create a; create b; write a 0 A; rename a c",
            &[]
        ),
        [
            "create a was lost",
            "create b was lost",
            "a/c: page 0, version 1 was lost",
            "a/c: length 4096 was lost",
            "rename a to c was lost",
        ]
    );
    // A name that a file sync committed ahead of an older one has survived, whatever is chosen.
    assert_eq!(
        words(Profile::BtrfsLike, "create a; create b; sync b", &[]),
        ["create a was lost", "create b survived"]
    );
}

#[test]
fn images_of_links_differ_from_images_of_copies() {
    let space = space(Profile::Posix, "f=A; rename f g");
    let image = |candidate: &beaver_disk::Candidate| candidate.image.clone();
    let images: Vec<Image> = space.enumerate(10).unwrap().map(|c| image(&c)).collect();
    let linked = images
        .iter()
        .find(|image| image.names().count() == 2)
        .unwrap();
    let copied = Image::from_files(linked.to_files());
    assert_eq!(render(linked), render(&copied));
    assert_ne!(linked, &copied);
    // What is written through one name is read through the other.
    let disk = SimDisk::new(linked.disk(Profile::Posix), SimOptions::default());
    let storage = disk.storage();
    let file = storage.open("f", beaver_storage::Access::Write).unwrap();
    file.write_at(&[b'B'; PAGE_SIZE as usize], 0).unwrap();
    assert_eq!(render(&disk.live()), "f=B,g=B");
    storage.rename("f", "g").unwrap();
    assert_eq!(
        render(&disk.live()),
        "f=B,g=B",
        "rename(2) of two links does nothing"
    );
}

#[test]
fn a_space_that_is_too_large_is_sampled_not_enumerated() {
    let steps: Vec<String> = (0..40)
        .map(|n| format!("create f{n}; write f{n} 0 ABC"))
        .collect();
    let space = space(Profile::Alice, &steps.join(";"));
    assert_eq!(space.count(), u64::MAX);
    assert!(space.enumerate(1 << 16).is_none());
    let image = space.image(&space.resolve(&[1; 200]));
    assert_eq!(image.names().count(), 40);
}

#[test]
fn an_image_is_found_in_the_spaces_that_permit_it() {
    let history = "s=A; create t; write t 0 B; sync t; remove s";
    let nothing = Image::from_files::<&str, &[u8]>([]);
    assert!(
        space(Profile::LinuxOrdered, history)
            .find(&nothing, 1000)
            .is_none()
    );
    let posix = space(Profile::Posix, history);
    let choice = posix.find(&nothing, 1000).unwrap();
    assert_eq!(posix.image(&choice), nothing);
    assert!(
        posix.find(&nothing, 2).is_none(),
        "more combinations than the limit"
    );
}

#[test]
fn mistakes_in_a_history_are_explained() {
    let wrong = |text: &str| match FileHistory::parse(text) {
        Ok(history) => history.run(Profile::Posix).unwrap_err().to_string(),
        Err(error) => error.to_string(),
    };
    for (text, message) in [
        (
            "f=A; wipe f",
            "step 2 (\"wipe f\"): expected FILE=LETTERS, DIRECTORY/ or one of create",
        ),
        (
            "f=A; write f B",
            "step 2 (\"write f B\"): expected: write FILE OFFSET LETTERS",
        ),
        (
            "f=A; write f x B",
            "expected a number of pages from 0 to 4096, found \"x\"",
        ),
        (
            "f=A-B",
            "step 1 (\"f=A-B\"): expected letters or digits, one for each page",
        ),
        ("f=A; f=B", "step 2 (\"f=B\"): \"f\" is there twice"),
        ("sync_dir; f=A", "files stand before the first step"),
        (
            "create a/b",
            "step 1 (\"create a/b\") fails: entity not found",
        ),
        ("create a//b", "\"\" is not a file name: it is empty"),
        ("f=A; create f/b", "fails: not a directory"),
        (
            "create a,b",
            "step 1 (\"create a,b\"): \"a,b\" has a comma or a quote",
        ),
        ("create a\"", "has a comma or a quote"),
        ("create", "expected: create FILE"),
        ("f=A; write f", "expected: write FILE OFFSET LETTERS"),
        ("f=A; set_len f", "expected: set_len FILE LENGTH"),
        ("f=A; allocate f", "expected: allocate FILE LENGTH"),
        ("f=A; rename f", "expected: rename FROM TO"),
        ("remove", "expected: remove FILE"),
        ("sync", "expected: sync FILE"),
        ("sync_data", "expected: sync FILE"),
        ("sync_all", "expected: sync_all FILE"),
        ("sync_dir f g", "expected: sync_dir, or sync_dir DIRECTORY"),
        ("f=A; sync_dir f", "fails: not a directory"),
        ("mkdir", "expected: mkdir DIRECTORY"),
        ("rmdir", "expected: rmdir DIRECTORY"),
        ("link f", "expected: link FILE NAME"),
        ("symlink f", "expected: symlink TARGET NAME"),
        (
            "d/; rmdir d; rmdir d",
            "step 2 (\"rmdir d\") fails: entity not found",
        ),
        (
            "d/f=A; rmdir d",
            "step 1 (\"rmdir d\") fails: directory not empty",
        ),
        ("d/; remove d", "fails: is a directory"),
        ("d/; link d e", "fails: permission denied"),
        ("d/; mkdir d/e; rename d d/e/f", "fails: invalid input"),
        ("f=A; create f", "step 1 (\"create f\") fails"),
        ("remove f", "step 1 (\"remove f\") fails"),
    ] {
        let found = wrong(text);
        assert!(found.contains(message), "{text}: {found}");
    }
}

#[test]
fn every_spelling_of_a_step_is_read() {
    let history = "f=\"\"\n write f 1 AB ; allocate f 4; sync_data f; sync_all f; allocate f 2;";
    let history = FileHistory::parse(history).unwrap();
    let images = history.images(Profile::Posix, 10).unwrap();
    assert_eq!(images, ["f=0AB0"]);
    assert_eq!(history.steps().count(), 5);
    assert_eq!(history.files()["f"], "");
    let disk: Disk = history.run(Profile::Posix).unwrap();
    assert_eq!(disk.profile(), Profile::Posix);
}

#[test]
fn a_history_has_at_most_so_many_pages_and_steps() {
    let letters = "A".repeat(4096);
    let file = FileHistory::parse(&format!("f={letters}")).unwrap();
    assert_eq!(file.files()["f"], letters);
    assert!(FileHistory::parse(&format!("f={letters}A")).is_err());
    assert!(FileHistory::parse("f=A; set_len f 4096").is_ok());
    assert!(FileHistory::parse("f=A; set_len f 4097").is_err());
    let steps = vec!["sync_dir"; 4096].join(";");
    let history = FileHistory::parse(&steps).unwrap();
    assert!(history.steps().eq(vec!["sync_dir"; 4096]));
    let error = FileHistory::parse(&format!("{steps}; sync_dir")).unwrap_err();
    assert!(error.to_string().contains("at most 4096 steps"), "{error}");
}

#[test]
fn a_page_shows_as_its_letter_only_if_it_is_whole_and_all_of_it() {
    let shown = |bytes: &[u8]| render(&Image::from_files([("f", bytes)]));
    let page = PAGE_SIZE as usize;
    for (bytes, expected) in [
        (vec![], "f=\"\""),
        (vec![b'A'; page], "f=A"),
        (vec![0; page], "f=0"),
        (vec![b'A'; 100], "f=?"),
        (vec![0; 100], "f=?"),
        (vec![b'-'; page], "f=?"),
        (vec![1; page], "f=?"),
        ([vec![b'A'; page], vec![b'A'; 1]].concat(), "f=A?"),
        ([vec![b'A'; page - 1], vec![b'B'; 1]].concat(), "f=?"),
        ([vec![0; page - 1], vec![b'B'; 1]].concat(), "f=?"),
    ] {
        assert_eq!(shown(&bytes), expected);
    }
    assert_eq!(render(&Image::from_files::<&str, &[u8]>([])), "(none)");
}

#[test]
fn a_storage_made_for_a_test_is_a_storage() {
    let disk = SimDisk::new(Disk::empty(Profile::default()), SimOptions::default());
    let storage: std::sync::Arc<dyn Storage> = disk.storage();
    assert!(storage.list().unwrap().is_empty());
}
