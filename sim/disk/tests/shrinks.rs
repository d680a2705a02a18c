//! Shrinks that end inside a page, by bytes: examples of section 3.3 of the crash model.

#![expect(clippy::unwrap_used, reason = "a test stops at its first surprise")]

use std::collections::BTreeSet;

use beaver_disk::{Change, Disk, DiskEvent, Image, InodeId, Profile};

const F: InodeId = InodeId(1);

fn set_len(disk: &mut Disk, len: u64) {
    disk.apply(&Change::SetLen { inode: F, len }).unwrap();
}

fn write(disk: &mut Disk, offset: u64, bytes: &[u8]) {
    let bytes = bytes.to_vec();
    let change = Change::Write {
        inode: F,
        offset,
        bytes,
    };
    disk.apply(&change).unwrap();
}

/// Everything that `f` may hold after a power cut.
fn images(disk: &Disk) -> BTreeSet<Vec<u8>> {
    let space = disk.images();
    let images = space.enumerate(1000).unwrap();
    images.map(|found| found.image.read("f").unwrap()).collect()
}

/// `parts` one after the other: a byte, and up to where it goes.
fn file(parts: &[(u8, usize)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (byte, end) in parts {
        bytes.resize(*end, *byte);
    }
    bytes
}

/// Three pages of old bytes, cut inside the second one, and 100 bytes appended there.
fn cut_and_appended(profile: Profile) -> Disk {
    let image = Image::from_files([("f", [b'o'; 12_288])]);
    let mut disk = image.disk(profile);
    set_len(&mut disk, 5_000);
    write(&mut disk, 5_000, &[b'n'; 100]);
    disk
}

/// Seen on ext4 and on XFS: the old length, the new bytes, zeros to the end of their page, and the
/// stale old page after it.
#[test]
fn page_that_a_lost_shrink_cut_inside_shows_zeros_before_stale_pages() {
    let seen = file(&[(b'o', 5_000), (b'n', 5_100), (0, 8_192), (b'o', 12_288)]);
    for profile in Profile::ALL.into_iter().filter(|it| *it != Profile::Strict) {
        let images = images(&cut_and_appended(profile));
        assert!(images.contains(&seen), "{profile}");
        let expected = [
            // The old length with each of the three versions of the page.
            file(&[(b'o', 12_288)]),
            file(&[(b'o', 5_000), (0, 8_192), (b'o', 12_288)]),
            seen.clone(),
            // The shrink survived.
            file(&[(b'o', 5_000)]),
            file(&[(b'o', 5_000), (0, 5_100)]),
            file(&[(b'o', 5_000), (b'n', 5_100)]),
        ];
        assert_eq!(images, BTreeSet::from(expected), "{profile}");
    }
}

#[test]
fn writeback_of_a_page_that_a_pending_shrink_cut_inside_keeps_what_was_written_after_it() {
    let mut disk = cut_and_appended(Profile::Posix);
    assert!(disk.happen(&DiskEvent::WritebackPage {
        file: "f".to_owned(),
        page: 1,
    }));
    let expected = [
        file(&[(b'o', 5_000), (b'n', 5_100), (0, 8_192), (b'o', 12_288)]),
        file(&[(b'o', 5_000)]),
        file(&[(b'o', 5_000), (b'n', 5_100)]),
    ];
    assert_eq!(images(&disk), BTreeSet::from(expected));
    disk.apply(&Change::SyncData { inode: F }).unwrap();
    let expected = file(&[(b'o', 5_000), (b'n', 5_100)]);
    assert_eq!(images(&disk), BTreeSet::from([expected]));
    assert!(disk.is_settled());
}

#[test]
fn shrink_that_is_younger_than_the_page_on_disk_takes_its_end() {
    let mut disk = cut_and_appended(Profile::Posix);
    let writeback = DiskEvent::WritebackPage {
        file: "f".to_owned(),
        page: 1,
    };
    assert!(disk.happen(&writeback));
    set_len(&mut disk, 5_050);
    let page = [(b'o', 5_000), (b'n', 5_100), (0, 8_192), (b'o', 12_288)];
    let cut = [(b'o', 5_000), (b'n', 5_050), (0, 8_192), (b'o', 12_288)];
    let expected = [
        file(&page),
        file(&cut),
        file(&page[..1]),
        file(&page[..2]),
        file(&[(b'o', 5_000), (b'n', 5_050), (0, 5_100)]),
        file(&cut[..2]),
    ];
    assert_eq!(images(&disk), BTreeSet::from(expected));
}
