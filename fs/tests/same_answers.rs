//! Random calls on `std::fs` in a real directory and on `beaver_fs` on a simulated disk: the answers are
//! the same, error kinds included, and so is what is there in the end.

#![expect(clippy::unwrap_used, reason = "a test stops at its first surprise")]

use beaver_disk::{Disk, Profile, SimDisk, SimOptions};
use proptest::collection::vec;
use proptest::prelude::*;

mod with_std {
    use std::fs::{self, File};
    use std::os::unix::fs::symlink;
    include!("both/player.rs");
}

mod with_beaver {
    use beaver_fs::unix::symlink;
    use beaver_fs::{self as fs, File};
    include!("both/player.rs");
}

type Name = &'static str;

#[derive(Clone, Debug)]
enum Call {
    Open { slot: usize, path: Name, bits: u32 },
    Clone { from: usize, to: usize },
    Close { slot: usize },
    OnFile { slot: usize, call: FileCall },
    CreateDir(Name),
    CreateDirAll(Name),
    RemoveFile(Name),
    RemoveDir(Name),
    RemoveDirAll(Name),
    Rename(Name, Name),
    HardLink(Name, Name),
    Symlink(Name, Name),
    AbsoluteLink(Name, Name),
    Read(Name),
    Write(Name, Vec<u8>),
    Copy(Name, Name),
    Metadata(Name),
    LinkMetadata(Name),
    Canonicalize(Name),
    ReadLink(Name),
    ReadDir(Name),
}

#[derive(Clone, Debug)]
enum FileCall {
    Read(usize),
    ReadAt(usize, u64),
    Write(Vec<u8>),
    WriteAt(Vec<u8>, u64),
    SetLen(u64),
    Seek((u8, i64)),
    Metadata,
    Sync,
    SyncData,
    TryLock,
    TryLockShared,
    Unlock,
}

/// Few names, so that calls meet; some that lead up, or below what may be a file.
fn name() -> impl Strategy<Value = Name> {
    prop_oneof![
        8 => prop::sample::select(vec!["a", "b", "a/a", "a/b", "b/a", "b/b", "a/a/a"]),
        1 => prop::sample::select(vec!["a/../b", "./a//b", "a/a/..", "a/b/a/b", "c"]),
    ]
}

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    // Within a page, up to its end, and over several.
    prop_oneof![
        vec(any::<u8>(), 0..6),
        (any::<u8>(), 4_094_usize..9_000).prop_map(|(byte, count)| vec![byte; count]),
    ]
}

fn offset() -> impl Strategy<Value = u64> {
    prop_oneof![0_u64..8, 4_090_u64..8_200]
}

fn file_call() -> impl Strategy<Value = FileCall> {
    let by = prop_oneof![-4_i64..9, Just(4_096), Just(i64::MIN), Just(-4_096)];
    prop_oneof![
        (0_usize..10_000).prop_map(FileCall::Read),
        (0_usize..10, offset()).prop_map(|(count, at)| FileCall::ReadAt(count, at)),
        bytes().prop_map(FileCall::Write),
        bytes().prop_map(FileCall::Write),
        (bytes(), offset()).prop_map(|(bytes, at)| FileCall::WriteAt(bytes, at)),
        offset().prop_map(FileCall::SetLen),
        (0_u8..3, by).prop_map(FileCall::Seek),
        Just(FileCall::Metadata),
        Just(FileCall::Sync),
        Just(FileCall::SyncData),
        Just(FileCall::TryLock),
        Just(FileCall::TryLockShared),
        Just(FileCall::Unlock),
    ]
}

fn on_names() -> impl Strategy<Value = Call> {
    let two = || (name(), name());
    prop_oneof![
        3 => name().prop_map(Call::CreateDir),
        1 => name().prop_map(Call::CreateDirAll),
        1 => name().prop_map(Call::RemoveFile),
        1 => name().prop_map(Call::RemoveDir),
        1 => name().prop_map(Call::RemoveDirAll),
        4 => two().prop_map(|(from, to)| Call::Rename(from, to)),
        1 => two().prop_map(|(from, to)| Call::HardLink(from, to)),
        2 => two().prop_map(|(from, to)| Call::Symlink(from, to)),
        1 => two().prop_map(|(from, to)| Call::AbsoluteLink(from, to)),
        1 => name().prop_map(Call::Read),
        3 => (name(), bytes()).prop_map(|(path, bytes)| Call::Write(path, bytes)),
        1 => two().prop_map(|(from, to)| Call::Copy(from, to)),
        1 => name().prop_map(Call::Metadata),
        1 => name().prop_map(Call::LinkMetadata),
        1 => name().prop_map(Call::Canonicalize),
        1 => name().prop_map(Call::ReadLink),
        1 => name().prop_map(Call::ReadDir),
    ]
}

fn call() -> impl Strategy<Value = Call> {
    // Those that make sense, and all others.
    let bits = prop_oneof![
        prop::sample::select(vec![0b01_0011, 0b01_1010, 0b01_0101, 0b10_0011, 0b00_0001]),
        0_u32..64
    ];
    prop_oneof![
        3 => (0_usize..3, name(), bits).prop_map(|(slot, path, bits)| Call::Open { slot, path, bits }),
        1 => (0_usize..3, 0_usize..3).prop_map(|(from, to)| Call::Clone { from, to }),
        1 => (0_usize..3).prop_map(|slot| Call::Close { slot }),
        6 => (0_usize..3, file_call()).prop_map(|(slot, call)| Call::OnFile { slot, call }),
        6 => on_names(),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(400),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn random_calls_answer_as_on_real_files(calls in vec(call(), 1..40)) {
        let directory = tempfile::tempdir().unwrap();
        let real = directory.path().canonicalize().unwrap();
        let disk = SimDisk::new(Disk::empty(Profile::Posix), SimOptions::default());
        let mounted = beaver_fs::mount_numbered("same-answers", disk.storage()).unwrap();
        let mut with_std = with_std::Player::default();
        let mut with_beaver = with_beaver::Player::default();
        for call in &calls {
            let expected = with_std.play(&real, call);
            let found = with_beaver.play(mounted.path(), call);
            prop_assert_eq!(expected, found, "{:?}", call);
        }
        prop_assert_eq!(with_std::tree(&real), with_beaver::tree(mounted.path()));
    }
}
