//! The claims about the content of files: len, `read_at`, `write_at`, `set_len`, allocate,
//! `sync_data`, `drop_cache`.

use std::io::ErrorKind::{PermissionDenied, Unsupported};

use super::{
    create, create_with, fails, holds, named_holds, ok, pattern, read, reads_nothing,
    uninterrupted, write,
};
use crate::{Access, Storage};

/// The size of a page of the page cache on most systems: lengths around it are where storages
/// differ.
const PAGE: usize = 4096;

/// A page boundary and its neighbours.
const EDGES: [usize; 8] = [
    1,
    511,
    513,
    PAGE - 1,
    PAGE,
    PAGE + 1,
    2 * PAGE,
    3 * PAGE + 7,
];

pub(super) fn handles_of_one_file_share_its_content(storage: &dyn Storage) {
    let first = create(storage, "a");
    let second = ok(storage.open("a", Access::Write), "`open` opens a file");
    let reader = ok(storage.open("a", Access::Read), "`open` opens a file");
    let sentence = "what one handle wrote, another one reads at once";
    write(&*first, b"first", 0);
    holds(&*reader, b"first", sentence);
    write(&*second, b"second", 5);
    holds(&*first, b"firstsecond", sentence);
    ok(second.set_len(3), "`set_len` cuts a file");
    holds(&*reader, b"fir", sentence);
}

pub(super) fn closing_one_handle_leaves_the_others(storage: &dyn Storage) {
    let first = create_with(storage, "a", b"text");
    let second = ok(storage.open("a", Access::Write), "`open` opens a file");
    drop(first);
    write(&*second, b"T", 0);
    holds(
        &*second,
        b"Text",
        "closing one handle leaves the others usable",
    );
    drop(second);
    named_holds(storage, "a", b"Text", "a file outlives its handles");
}

pub(super) fn reads_are_short_at_the_end(storage: &dyn Storage) {
    let file = create(storage, "a");
    let mut buf = [0x33; 8];
    let sentence = "`read_at` returns 0 at and after the end";
    reads_nothing(&*file, &mut buf, 0, sentence);
    write(&*file, b"text", 0);
    for offset in [4, 5, PAGE as u64, 1 << 40] {
        reads_nothing(&*file, &mut buf, offset, sentence);
    }
    reads_nothing(
        &*file,
        &mut [],
        0,
        "`read_at` into an empty buffer returns 0",
    );
    assert_eq!(read(&*file, 2, 8), b"xt", "`read_at` is short at the end");
}

pub(super) fn a_gap_before_a_write_reads_as_zeros(storage: &dyn Storage) {
    for (index, gap) in EDGES.into_iter().enumerate() {
        let file = create_with(storage, &format!("f{index}"), b"head");
        let mut expected = b"head".to_vec();
        expected.resize(4 + gap, 0);
        expected.extend_from_slice(b"tail");
        write(&*file, b"tail", 4 + gap as u64);
        holds(&*file, &expected, "a gap before a write reads as zeros");
    }
}

pub(super) fn a_write_changes_its_range_and_nothing_else(storage: &dyn Storage) {
    let file = create(storage, "a");
    let mut expected = pattern(1, 4 * PAGE);
    write(&*file, &expected, 0);
    for (seed, start) in (2..).zip(EDGES) {
        for len in [1, 100, PAGE, PAGE + 1] {
            let len = len.min(expected.len() - start);
            let bytes = pattern(seed, len);
            write(&*file, &bytes, start as u64);
            expected[start..start + len].copy_from_slice(&bytes);
            holds(
                &*file,
                &expected,
                "a write changes its range and nothing else",
            );
        }
    }
    for start in EDGES {
        let found = read(&*file, start as u64, PAGE);
        let end = expected.len().min(start + PAGE);
        assert!(
            found == expected[start..end],
            "`read_at` reads the bytes at its offset"
        );
    }
}

pub(super) fn a_large_write_reads_back(storage: &dyn Storage) {
    let bytes = pattern(3, (1 << 20) + 3);
    let file = create_with(storage, "a", &bytes);
    holds(&*file, &bytes, "what was written reads back");
}

pub(super) fn an_empty_write_does_nothing(storage: &dyn Storage) {
    let file = create_with(storage, "a", b"text");
    let sentence = "`write_at` of nothing returns 0 and does nothing";
    for offset in [0, 4, 100] {
        let written = ok(uninterrupted(|| file.write_at(&[], offset)), sentence);
        assert_eq!(written, 0, "{sentence}");
    }
    holds(&*file, b"text", sentence);
}

pub(super) fn set_len_cuts_and_grows_with_zeros(storage: &dyn Storage) {
    let file = create(storage, "a");
    let mut expected = Vec::new();
    for len in EDGES.into_iter().chain(EDGES.into_iter().rev()).chain([0]) {
        ok(file.set_len(len as u64), "`set_len` sets the length");
        expected.resize(len, 0);
        holds(
            &*file,
            &expected,
            "`set_len` cuts the file, or grows it with zeros",
        );
        let bytes = pattern(4, len / 2);
        write(&*file, &bytes, 0);
        expected[..bytes.len()].copy_from_slice(&bytes);
        holds(
            &*file,
            &expected,
            "a write inside the file keeps its length",
        );
    }
}

pub(super) fn cut_bytes_never_come_back(storage: &dyn Storage) {
    let sentence = "bytes that were cut never come back: what grows again is zeros";
    let all = pattern(5, 4 * PAGE);
    for (index, cut) in EDGES.into_iter().chain([0]).enumerate() {
        let mut expected = all[..cut].to_vec();
        expected.resize(all.len(), 0);

        let by_set_len = create_with(storage, &format!("s{index}"), &all);
        ok(by_set_len.set_len(cut as u64), "`set_len` cuts a file");
        ok(
            by_set_len.set_len(all.len() as u64),
            "`set_len` grows a file",
        );
        holds(&*by_set_len, &expected, sentence);

        let by_write = create_with(storage, &format!("w{index}"), &all);
        ok(by_write.set_len(cut as u64), "`set_len` cuts a file");
        write(&*by_write, b"end", all.len() as u64);
        expected.extend_from_slice(b"end");
        holds(&*by_write, &expected, sentence);
    }
}

pub(super) fn set_len_to_the_same_length_changes_nothing(storage: &dyn Storage) {
    let bytes = pattern(6, PAGE + 9);
    let file = create_with(storage, "a", &bytes);
    ok(
        file.set_len(bytes.len() as u64),
        "`set_len` to the same length succeeds",
    );
    holds(
        &*file,
        &bytes,
        "`set_len` to the same length changes nothing",
    );
}

pub(super) fn allocate_keeps_what_was_there_and_adds_zeros(storage: &dyn Storage) {
    let file = create_with(storage, "a", b"text");
    let mut expected = b"text".to_vec();
    for len in [0, 2, 4, 100, PAGE, 3 * PAGE + 1, PAGE] {
        match file.allocate(len as u64) {
            Ok(()) => expected.resize(expected.len().max(len), 0),
            Err(error) => assert_eq!(
                error.kind(),
                Unsupported,
                "`allocate` fails with `Unsupported` if there is room but no way to reserve it"
            ),
        }
        holds(
            &*file,
            &expected,
            "`allocate` keeps what was there and adds zeros",
        );
    }
    write(&*file, b"more", 2 * PAGE as u64);
    expected.resize(expected.len().max(2 * PAGE + 4), 0);
    expected[2 * PAGE..2 * PAGE + 4].copy_from_slice(b"more");
    holds(&*file, &expected, "reserved space can be written");
}

pub(super) fn a_read_handle_refuses_every_change(storage: &dyn Storage) {
    create_with(storage, "a", b"text");
    let reader = ok(storage.open("a", Access::Read), "`open` opens a file");
    let sentence = "a handle opened for reading refuses changes with `PermissionDenied`";
    fails(reader.write_at(b"T", 0), PermissionDenied, sentence);
    fails(reader.set_len(0), PermissionDenied, sentence);
    fails(reader.set_len(9), PermissionDenied, sentence);
    fails(reader.allocate(9), PermissionDenied, sentence);
    holds(&*reader, b"text", "a call that was refused changes nothing");
}

pub(super) fn sync_data_changes_nothing_that_is_seen(storage: &dyn Storage) {
    let file = create(storage, "a");
    ok(file.sync_data(), "`sync_data` succeeds on an empty file");
    let bytes = pattern(7, PAGE + 1);
    write(&*file, &bytes, 0);
    ok(file.sync_data(), "`sync_data` succeeds after a write");
    ok(
        file.sync_data(),
        "`sync_data` succeeds when there is nothing to do",
    );
    holds(&*file, &bytes, "`sync_data` changes no content");
    ok(file.set_len(3), "`set_len` cuts a file");
    ok(file.sync_data(), "`sync_data` succeeds after `set_len`");
    holds(&*file, &bytes[..3], "`sync_data` changes no content");
}

pub(super) fn drop_cache_loses_nothing_that_was_synced(storage: &dyn Storage) {
    let bytes = pattern(8, 3 * PAGE + 9);
    let file = create_with(storage, "a", &bytes);
    ok(file.sync_data(), "`sync_data` succeeds after a write");
    for _ in 0..2 {
        if let Err(error) = file.drop_cache() {
            assert_eq!(
                error.kind(),
                Unsupported,
                "`drop_cache` fails with `Unsupported` if there is no way to do it"
            );
        }
        holds(
            &*file,
            &bytes,
            "after `sync_data` and `drop_cache` the same bytes are read",
        );
    }
}

pub(super) fn threads_may_share_a_handle(storage: &dyn Storage) {
    const PART: usize = 1000;
    let file = create(storage, "a");
    std::thread::scope(|scope| {
        for seed in 0..4u8 {
            let file = &file;
            scope.spawn(move || {
                let start = u64::from(seed) * PART as u64;
                write(&**file, &pattern(seed, PART), start);
                assert_eq!(
                    read(&**file, start, PART),
                    pattern(seed, PART),
                    "a thread reads what it wrote, whatever others write beside it"
                );
            });
        }
    });
    let expected: Vec<u8> = (0..4).flat_map(|seed| pattern(seed, PART)).collect();
    holds(
        &*file,
        &expected,
        "writes of several threads to disjoint ranges all arrive",
    );
}
