//! What a failed sync leaves behind on the simulated disk: rows V26 to V29, V36, V37, V46 and V47 of
//! the crash model, and the rules that stand beside them.

#![expect(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    reason = "a test stops at its first surprise, and its sizes are small"
)]

mod nth;

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use beaver_disk::notation::render;
use beaver_disk::{
    Behaviour, CallEffect, Choice, DiskEvent, FailedSync, Fault, Image, Op, PAGE_SIZE, Profile,
    SimDisk, SimOptions, Subset,
};
use beaver_storage::{Access, Storage, StorageFile};
use nth::fail_nth;

const PROFILES: [Profile; 5] = [
    Profile::LinuxOrdered,
    Profile::BtrfsLike,
    Profile::Posix,
    Profile::Alice,
    Profile::HostileDevice,
];

/// One letter a page; `0` is zeros.
fn pages(letters: &str) -> Vec<u8> {
    let bytes = letters
        .bytes()
        .map(|byte| if byte == b'0' { 0 } else { byte });
    bytes.flat_map(|byte| [byte; PAGE_SIZE as usize]).collect()
}

/// A disk with `f`, whose first sync fails.
struct Fixture {
    disk: SimDisk,
    storage: Arc<dyn Storage>,
    file: Box<dyn StorageFile>,
}

impl Fixture {
    fn new(profile: Profile, letters: &str, failed: FailedSync) -> Self {
        let image = Image::from_files([("f", pages(letters))]);
        let disk = SimDisk::new(image.disk(profile), SimOptions::default());
        fail_nth(&disk, Op::SyncData, [(1, Fault::FailedSync(failed))]);
        let storage = disk.storage();
        let file = storage.open("f", Access::Write).unwrap();
        Fixture {
            disk,
            storage,
            file,
        }
    }

    /// All pages fail.
    fn whole(profile: Profile, letters: &str, behaviour: Behaviour) -> Self {
        let failed = FailedSync {
            behaviour,
            ..FailedSync::default()
        };
        Fixture::new(profile, letters, failed)
    }

    fn write(&self, at: u64, letters: &str) {
        let bytes = pages(letters);
        let written = self.file.write_at(&bytes, at * PAGE_SIZE).unwrap();
        assert_eq!(written, bytes.len());
    }

    fn sync_fails(&self) {
        let error = self.file.sync_data().unwrap_err();
        assert_eq!(error.raw_os_error(), Some(5));
    }

    fn kill_and_reopen(&mut self) {
        self.disk.kill(CallEffect::Nothing);
        self.storage = self.disk.storage();
        self.file = self.storage.open("f", Access::Write).unwrap();
    }

    fn live(&self) -> String {
        render(&self.disk.live())
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

#[test]
fn v26_mark_clean_shows_the_new_bytes_and_loses_them() {
    for profile in PROFILES {
        let it = Fixture::whole(profile, "A", Behaviour::MarkClean);
        it.write(0, "B");
        it.sync_fails();
        assert_eq!(it.live(), "f=B");
        it.file.sync_data().unwrap();
        assert_eq!(it.after_power_cut(), ["f=A"]);
        let image = it.disk.power_cut(&Choice::default());
        assert_eq!(render(&image), "f=A");
        assert_eq!(it.disk.fired()["failed-sync-mark-clean"], 1);
    }
}

#[test]
fn v27_a_reopened_process_believes_bytes_that_are_not_on_disk() {
    for profile in PROFILES {
        let mut it = Fixture::whole(profile, "A", Behaviour::MarkClean);
        it.write(0, "B");
        it.sync_fails();
        it.kill_and_reopen();
        assert_eq!(it.live(), "f=B");
        it.file.sync_data().unwrap();
        assert_eq!(it.after_power_cut(), ["f=A"]);
    }
}

#[test]
fn v28_revert_shows_the_old_bytes_at_once() {
    for profile in PROFILES {
        let it = Fixture::whole(profile, "A", Behaviour::Revert);
        it.write(0, "BC");
        it.sync_fails();
        assert_eq!(it.live(), "f=A");
        it.file.sync_data().unwrap();
        assert_eq!(it.after_power_cut(), ["f=A"]);
    }
}

#[test]
fn v29_read_only_refuses_every_change_until_the_power_is_cut() {
    for profile in PROFILES {
        let mut it = Fixture::whole(profile, "A", Behaviour::ReadOnly);
        it.write(0, "B");
        it.sync_fails();
        assert_eq!(it.live(), "f=B");
        let refused = |result: io::Result<()>| {
            let kind = result.unwrap_err().kind();
            assert_eq!(kind, io::ErrorKind::ReadOnlyFilesystem);
        };
        refused(it.file.sync_data());
        refused(it.file.set_len(0));
        refused(it.file.allocate(9 * PAGE_SIZE));
        refused(it.file.write_at(b"C", 0).map(|_| ()));
        it.disk.kill(CallEffect::Nothing);
        it.storage = it.disk.storage();
        assert_eq!(it.live(), "f=B");
        refused(it.storage.create("g").map(|_| ()));
        refused(it.storage.rename("f", "g"));
        refused(it.storage.remove("f"));
        refused(it.storage.sync_dir());
        refused(it.storage.open("f", Access::Write).map(|_| ()));
        assert!(it.storage.open("f", Access::Read).is_ok());
        assert_eq!(it.after_power_cut(), ["f=A"]);
        it.disk.power_cut(&Choice::default());
        assert!(it.disk.storage().create("g").is_ok());
    }
}

#[test]
fn v36_an_append_keeps_its_length_or_loses_it() {
    for profile in PROFILES {
        for (behaviour, expected) in [
            (Behaviour::MarkClean, "f=A0"),
            (Behaviour::MarkCleanSizeLost, "f=A"),
            (Behaviour::MarkCleanUnwritten, "f=A0"),
            (Behaviour::Revert, "f=A"),
            (Behaviour::RetryWorks, "f=A"),
            (Behaviour::ReadOnly, "f=A"),
        ] {
            let it = Fixture::whole(profile, "A", behaviour);
            it.write(1, "B");
            it.sync_fails();
            assert_eq!(it.after_power_cut(), [expected], "{behaviour:?}");
        }
    }
}

#[test]
fn v37_a_dropped_cache_shows_the_old_bytes_without_a_crash() {
    for profile in PROFILES {
        let it = Fixture::whole(profile, "A", Behaviour::MarkClean);
        it.write(0, "B");
        it.sync_fails();
        assert!(it.disk.happen(&DiskEvent::CacheDrop(Subset::All)));
        assert_eq!(it.live(), "f=A");
        assert_eq!(it.disk.fired()["cache-drop"], 1);
        assert!(!it.disk.happen(&DiskEvent::CacheDrop(Subset::All)));
    }
}

#[test]
fn retry_writes_what_the_failed_sync_did_not() {
    for profile in PROFILES {
        let it = Fixture::whole(profile, "A", Behaviour::RetryWorks);
        it.write(0, "BC");
        it.sync_fails();
        assert_eq!(it.live(), "f=BC");
        assert_eq!(it.after_power_cut(), ["f=A"]);
        assert!(!it.disk.happen(&DiskEvent::CacheDrop(Subset::All)));
        it.file.sync_data().unwrap();
        assert_eq!(it.after_power_cut(), ["f=BC"]);
    }
}

#[test]
fn a_retry_may_fail_too_and_in_another_way() {
    let failing = |behaviour| {
        Fault::FailedSync(FailedSync {
            behaviour,
            ..FailedSync::default()
        })
    };
    for (second, cut) in [
        (Behaviour::RetryWorks, "f=A"),
        (Behaviour::MarkClean, "f=A0"),
        (Behaviour::MarkCleanSizeLost, "f=A"),
    ] {
        let it = Fixture::whole(Profile::Posix, "A", Behaviour::RetryWorks);
        let faults = [(1, failing(Behaviour::RetryWorks)), (2, failing(second))];
        fail_nth(&it.disk, Op::SyncData, faults);
        it.write(0, "BC");
        it.sync_fails();
        it.sync_fails();
        assert_eq!(it.live(), "f=BC");
        assert_eq!(it.after_power_cut(), [cut], "{second:?}");
        it.file.sync_data().unwrap();
        let retried = second == Behaviour::RetryWorks;
        let expected = if retried { "f=BC" } else { cut };
        assert_eq!(it.after_power_cut(), [expected], "{second:?}");
    }
}

/// V46: `f=A`, and the sync of an appended page fails, which leaves its block unwritten.
fn unwritten(profile: Profile) -> Fixture {
    let it = Fixture::whole(profile, "A", Behaviour::MarkCleanUnwritten);
    it.write(1, "B");
    it.sync_fails();
    it
}

#[test]
fn v46_what_is_written_again_to_an_unwritten_page_is_lost_though_the_sync_says_ok() {
    for profile in PROFILES {
        let mut it = unwritten(profile);
        it.kill_and_reopen();
        it.write(1, "B");
        it.file.sync_data().unwrap();
        assert_eq!(it.live(), "f=AB");
        assert_eq!(it.after_power_cut(), ["f=A0"]);
        let image = it.disk.power_cut(&Choice::default());
        assert_eq!(render(&image), "f=A0");
        assert_eq!(it.disk.fired()["failed-sync-mark-clean-unwritten"], 1);
        // The file system is mounted anew: the page is like any other.
        let file = it.disk.storage().open("f", Access::Write).unwrap();
        file.write_at(&pages("B"), PAGE_SIZE).unwrap();
        file.sync_data().unwrap();
        assert_eq!(it.after_power_cut(), ["f=AB"]);
    }
}

/// As on ext4: `tests/real_kernels` of the library shows it.
#[test]
fn unwritten_page_that_was_cut_away_is_written_again() {
    for profile in PROFILES {
        for len in [0, PAGE_SIZE] {
            let mut it = unwritten(profile);
            it.kill_and_reopen();
            it.file.set_len(len).unwrap();
            it.write(0, "CB");
            it.file.sync_data().unwrap();
            assert_eq!(it.after_power_cut(), ["f=CB"]);
        }
    }
}

#[test]
fn v47_a_dropped_cache_shows_zeros_and_ends_the_loss() {
    for profile in PROFILES {
        for by_call in [false, true] {
            let mut it = unwritten(profile);
            it.kill_and_reopen();
            match by_call {
                true => it.file.drop_cache().unwrap(),
                false => assert!(it.disk.happen(&DiskEvent::CacheDrop(Subset::All))),
            }
            assert_eq!(it.live(), "f=A0");
            it.write(1, "B");
            it.file.sync_data().unwrap();
            assert_eq!(it.live(), "f=AB");
            assert_eq!(it.after_power_cut(), ["f=AB"]);
            assert!(it.disk.disk().is_settled());
        }
    }
}

#[test]
fn unwritten_page_stays_so_when_it_is_cut_in_part_or_fails_again_and_a_new_file_has_none() {
    let it = unwritten(Profile::Posix);
    it.file.set_len(PAGE_SIZE + 100).unwrap();
    it.file.sync_data().unwrap();
    let image = it.disk.disk().images().image(&Choice::default());
    let mut expected = pages("A");
    expected.resize(4196, 0);
    assert_eq!(image.read("f").unwrap(), expected);
    it.write(1, "CD");
    it.file.sync_data().unwrap();
    assert_eq!(it.after_power_cut(), ["f=A0D"]);
    let copy = it.storage.create("g").unwrap();
    copy.write_at(&pages("ACD"), 0).unwrap();
    copy.sync_data().unwrap();
    it.storage.sync_dir().unwrap();
    assert_eq!(it.after_power_cut(), ["f=A0D,g=ACD"]);
}

#[test]
fn page_that_was_on_disk_before_is_written_again_like_any_other() {
    let failed = FailedSync {
        behaviour: Behaviour::MarkCleanUnwritten,
        left: BTreeMap::from([(2, 1)]),
        ..FailedSync::default()
    };
    let it = Fixture::new(Profile::Posix, "A", failed);
    it.write(0, "BCD");
    it.sync_fails();
    assert_eq!(it.after_power_cut(), ["f=A0D"]);
    it.write(0, "EFG");
    it.file.sync_data().unwrap();
    assert_eq!(it.after_power_cut(), ["f=E0G"]);
}

#[test]
fn unwritten_page_makes_another_disk_although_all_bytes_are_the_same() {
    let it = unwritten(Profile::Posix);
    it.write(1, "0");
    it.file.sync_data().unwrap();
    assert_eq!(it.live(), "f=A0");
    assert!(!it.disk.disk().is_settled());
    let before = it.disk.disk().fingerprint();
    it.file.drop_cache().unwrap();
    assert!(it.disk.disk().is_settled());
    assert_ne!(it.disk.disk().fingerprint(), before);
}

#[test]
fn drop_cache_shows_the_disk_where_nothing_is_dirty() {
    let it = Fixture::whole(Profile::Posix, "AB", Behaviour::MarkClean);
    it.write(0, "CD");
    it.sync_fails();
    it.write(1, "E");
    it.file.drop_cache().unwrap();
    assert_eq!(it.live(), "f=AE");
    it.file.sync_data().unwrap();
    it.file.drop_cache().unwrap();
    assert_eq!(it.live(), "f=AE");
    assert_eq!(it.after_power_cut(), ["f=AE"]);
    // Written to an unwritten page and not synced yet: it is dirty, so it stays.
    let it = unwritten(Profile::Posix);
    it.write(1, "C");
    it.file.drop_cache().unwrap();
    assert_eq!(it.live(), "f=AC");
    it.file.sync_data().unwrap();
    it.file.drop_cache().unwrap();
    assert_eq!(it.live(), "f=A0");
}

#[test]
fn drop_cache_leaves_a_lost_length_and_other_files_alone() {
    let it = Fixture::whole(Profile::Posix, "A", Behaviour::MarkCleanSizeLost);
    it.write(1, "B");
    it.sync_fails();
    let other = it.storage.create("g").unwrap();
    other.write_at(&pages("C"), 0).unwrap();
    other.sync_data().unwrap();
    other.drop_cache().unwrap();
    assert_eq!(it.live(), "f=AB,g=C");
    let reader = it.storage.open("f", Access::Read).unwrap();
    reader.drop_cache().unwrap();
    assert_eq!(it.live(), "f=A0,g=C");
}

#[test]
fn drop_cache_can_fail_before_and_after_it_did_something() {
    for (effect, live) in [
        (CallEffect::Nothing, "f=B"),
        (CallEffect::Everything, "f=A"),
    ] {
        let it = Fixture::whole(Profile::Posix, "A", Behaviour::MarkClean);
        it.write(0, "B");
        it.sync_fails();
        let fault = Fault::Error {
            error: beaver_disk::FailureKind::Unsupported,
            effect,
            sticky: false,
        };
        fail_nth(&it.disk, Op::DropCache, [(1, fault)]);
        let error = it.file.drop_cache().unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::Unsupported);
        assert_eq!(it.live(), live);
    }
}

#[test]
fn pages_that_did_not_fail_are_durable() {
    for behaviour in Behaviour::ALL {
        let failed = FailedSync {
            behaviour,
            failed: Subset::Only(vec![1]),
            ..FailedSync::default()
        };
        let it = Fixture::new(Profile::Posix, "aaa", failed);
        it.write(0, "BCD");
        it.sync_fails();
        let images = it.after_power_cut();
        assert_eq!(images, ["f=BaD"], "{behaviour:?}");
    }
}

#[test]
fn a_failed_page_may_have_an_intermediate_version_on_disk() {
    let failed = FailedSync {
        left: BTreeMap::from([(0, 1)]),
        ..FailedSync::default()
    };
    let it = Fixture::new(Profile::Posix, "A", failed);
    it.write(0, "B");
    it.write(0, "C");
    it.sync_fails();
    assert_eq!(it.live(), "f=C");
    assert_eq!(it.after_power_cut(), ["f=B"]);
}

#[test]
fn an_error_may_be_reported_although_everything_was_written() {
    for behaviour in Behaviour::ALL {
        let failed = FailedSync {
            behaviour,
            failed: Subset::Nothing,
            ..FailedSync::default()
        };
        let it = Fixture::new(Profile::Posix, "A", failed);
        it.write(0, "BC");
        it.sync_fails();
        assert_eq!(it.live(), "f=BC", "{behaviour:?}");
        assert_eq!(it.after_power_cut(), ["f=BC"], "{behaviour:?}");
    }
}

#[test]
fn rewriting_in_place_brings_a_lost_length_back() {
    let it = Fixture::whole(Profile::Posix, "A", Behaviour::MarkCleanSizeLost);
    it.write(1, "BC");
    it.sync_fails();
    it.write(1, "B");
    it.file.sync_data().unwrap();
    assert_eq!(it.after_power_cut(), ["f=AB"]);
    it.write(2, "C");
    it.file.sync_data().unwrap();
    assert_eq!(it.after_power_cut(), ["f=ABC"]);
}

#[test]
fn an_append_beyond_a_lost_length_leaves_zeros_between() {
    let it = Fixture::whole(Profile::Posix, "A", Behaviour::MarkCleanSizeLost);
    it.write(1, "BC");
    it.sync_fails();
    it.write(3, "D");
    it.file.sync_data().unwrap();
    assert_eq!(it.live(), "f=ABCD");
    assert_eq!(it.after_power_cut(), ["f=A00D"]);
}

#[test]
fn a_rewrite_of_the_whole_page_makes_it_dirty_again() {
    let it = Fixture::whole(Profile::Posix, "A", Behaviour::MarkClean);
    it.write(0, "B");
    it.sync_fails();
    it.file.write_at(b"C", 0).unwrap();
    it.file.sync_data().unwrap();
    let image = it.disk.power_cut(&Choice::default());
    let mut expected = pages("B");
    expected[0] = b'C';
    assert_eq!(image.read("f").unwrap(), expected);
}

#[test]
fn a_shrink_survives_a_failed_sync_or_stays_pending() {
    for behaviour in [
        Behaviour::MarkClean,
        Behaviour::MarkCleanSizeLost,
        Behaviour::RetryWorks,
    ] {
        let it = Fixture::whole(Profile::Posix, "AB", behaviour);
        it.file.set_len(PAGE_SIZE).unwrap();
        it.write(1, "C");
        it.sync_fails();
        let images = it.after_power_cut();
        let expected: &[&str] = match behaviour {
            Behaviour::MarkClean => &["f=A0"],
            _ => &["f=A", "f=AB"],
        };
        assert_eq!(images, expected, "{behaviour:?}");
        it.file.sync_data().unwrap();
        let expected = match behaviour {
            Behaviour::MarkClean => "f=A0",
            Behaviour::MarkCleanSizeLost => "f=A",
            _ => "f=AC",
        };
        assert_eq!(it.after_power_cut(), [expected], "{behaviour:?}");
    }
}

#[test]
fn another_open_handle_gets_the_error_once_and_a_new_one_never() {
    let it = Fixture::whole(Profile::Posix, "A", Behaviour::MarkClean);
    let other = it.storage.open("f", Access::Write).unwrap();
    it.write(0, "B");
    it.sync_fails();
    let new = it.storage.open("f", Access::Write).unwrap();
    new.sync_data().unwrap();
    assert_eq!(other.sync_data().unwrap_err().raw_os_error(), Some(5));
    other.sync_data().unwrap();
    assert_eq!(it.disk.fired()["late-sync-error"], 1);
}

#[test]
fn a_failed_sync_commits_no_name() {
    for profile in PROFILES {
        let it = Fixture::whole(profile, "A", Behaviour::MarkClean);
        let new = it.storage.create("g").unwrap();
        new.write_at(&pages("B"), 0).unwrap();
        assert!(new.sync_data().is_err());
        assert!(it.after_power_cut().contains(&"f=A".to_owned()));
    }
}

#[test]
fn a_failed_directory_sync_leaves_its_records_pending() {
    let image = Image::from_files([("f", pages("A"))]);
    let failing = |durable: Subset| Fault::FailedSyncDir {
        error: beaver_disk::FailureKind::Io,
        durable,
    };
    for (durable, expected) in [
        (
            Subset::Nothing,
            vec!["a=\"\",b=\"\",f=A", "a=\"\",f=A", "b=\"\",f=A", "f=A"],
        ),
        (Subset::Mask(0b01), vec!["a=\"\",b=\"\",f=A", "a=\"\",f=A"]),
        (Subset::Mask(0b10), vec!["a=\"\",b=\"\",f=A", "b=\"\",f=A"]),
        (Subset::All, vec!["a=\"\",b=\"\",f=A"]),
    ] {
        let disk = SimDisk::new(image.disk(Profile::Posix), SimOptions::default());
        fail_nth(&disk, Op::SyncDir, [(1, failing(durable))]);
        let storage = disk.storage();
        storage.create("a").unwrap();
        storage.create("b").unwrap();
        assert!(storage.sync_dir().is_err());
        let space = disk.disk().images();
        let images = space.enumerate(100).unwrap();
        let mut lines: Vec<String> = images.map(|found| render(&found.image)).collect();
        lines.sort();
        assert_eq!(lines, expected);
        storage.sync_dir().unwrap();
        assert_eq!(disk.disk().images().count(), 1);
    }
}
