//! The storage contract, claim by claim, on every storage of the library, and the proof that it
//! says no to a storage that breaks it.

mod plain;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};

use beaver_disk::{
    CallEffect, Disk, FailureKind, Fault, FaultSource, Injection, Op, Profile, SimDisk, SimOptions,
    StorageCall,
};
use beaver_storage::contract::CLAIMS;
use beaver_storage::{DiskStorage, contract};
use plain::{BUGS, Bug, Plain};

#[test]
fn real_files_keep_the_contract() {
    for claim in CLAIMS {
        let directory = tempfile::tempdir().unwrap();
        println!("{}", claim.name);
        claim.check(&DiskStorage::open(directory.path()).unwrap());
    }
}

#[test]
fn a_plain_map_of_bytes_keeps_the_contract() {
    contract::check(|| Arc::new(Plain::default()));
}

#[test]
fn the_simulated_disk_keeps_the_contract_under_every_profile() {
    for profile in Profile::ALL {
        let disk = || SimDisk::new(Disk::empty(profile), SimOptions::default());
        contract::check(|| disk().storage());
        contract::check(|| Arc::new(disk().root().create_dir("d").unwrap()));
    }
}

/// Lets every read and write get less done than it might, or be interrupted.
#[derive(Debug, Default)]
struct ShortAndInterrupted {
    calls: u64,
}

impl FaultSource for ShortAndInterrupted {
    fn before(&mut self, call: &StorageCall<'_>, disk: &mut Injection<'_>) {
        self.calls += 1;
        let bytes = 1 + self.calls % 89;
        disk.fail(match call.op {
            Op::ReadAt | Op::WriteAt if self.calls.is_multiple_of(5) => Fault::Error {
                error: FailureKind::Interrupted,
                effect: CallEffect::Nothing,
                sticky: false,
            },
            Op::WriteAt => Fault::ShortWrite { bytes },
            Op::ReadAt => Fault::ShortRead { bytes },
            _ => return,
        });
    }
}

#[test]
#[cfg_attr(
    debug_assertions,
    ignore = "long where nothing is optimised: with --release"
)]
fn the_contract_allows_short_and_interrupted_calls() {
    let mut fired = 0;
    for claim in CLAIMS {
        let disk = SimDisk::new(Disk::empty(Profile::Posix), SimOptions::default());
        disk.set_faults(Some(Arc::new(Mutex::new(ShortAndInterrupted::default()))));
        claim.check(&*disk.storage());
        fired += disk.fired().values().sum::<u64>();
    }
    assert!(fired > 1_000, "only {fired} faults");
}

/// The claims that a storage with this bug breaks. The one about threads counts for the bug that no chance can hide.
fn broken_by(bug: Bug) -> Vec<&'static str> {
    let breaks = |claim: &&contract::Claim| {
        let run = || claim.check(&Plain::with(bug));
        catch_unwind(AssertUnwindSafe(run)).is_err()
    };
    CLAIMS
        .iter()
        .filter(|claim| {
            claim.name != "threads_may_share_a_handle" || bug == Bug::HandlesBelongToTheirThread
        })
        .filter(breaks)
        .map(|claim| claim.name)
        .collect()
}

/// The claims that must say no to it, each for itself: weakening one of them fails here.
#[expect(clippy::too_many_lines, reason = "a table, two lines a bug")]
fn breaks(bug: Bug) -> &'static [&'static str] {
    match bug {
        Bug::CreateReplaces => &["create_is_exclusive"],
        Bug::NewFilesHaveAByte => &[
            "a_created_file_is_empty_and_open_for_both",
            "a_file_made_under_a_removed_name_is_a_new_file",
            "reads_are_short_at_the_end",
            "set_len_cuts_and_grows_with_zeros",
        ],
        Bug::OpenCreates => &[
            "open_never_creates",
            "rename_moves_the_file_and_not_only_its_name",
            "remove_takes_the_name_and_leaves_open_handles_usable",
        ],
        Bug::ListIsInOrderOfCreation => &["list_is_complete_and_in_bytewise_order"],
        Bug::ListShowsTheLock => &["the_lock_is_not_a_file_of_the_directory"],
        Bug::NamesAreNotChecked => &["names_that_lead_elsewhere_are_refused"],
        Bug::DotNamesAreRefused => &["names_that_only_look_special_are_accepted"],
        Bug::RenameCopies => &["rename_moves_the_file_and_not_only_its_name"],
        Bug::RenameRefusesATakenName => &[
            "rename_replaces_what_had_the_name",
            "rename_onto_itself_changes_nothing",
        ],
        Bug::RenameOfNothingSucceeds => &[
            "rename_of_a_missing_file_changes_nothing",
            "remove_takes_the_name_and_leaves_open_handles_usable",
        ],
        Bug::RenameOntoItselfRemoves => &["rename_onto_itself_changes_nothing"],
        Bug::RemoveEmptiesTheFile => &["remove_takes_the_name_and_leaves_open_handles_usable"],
        Bug::RemoveOfNothingSucceeds => &["remove_takes_the_name_and_leaves_open_handles_usable"],
        Bug::NamesKeepTheirFile => &["a_file_made_under_a_removed_name_is_a_new_file"],
        Bug::SyncOfAnEmptyDirectoryFails => &["sync_dir_changes_nothing_that_is_seen"],
        Bug::HandlesHaveTheirOwnCopy => &[
            "remove_takes_the_name_and_leaves_open_handles_usable",
            "handles_of_one_file_share_its_content",
            "closing_one_handle_leaves_the_others",
        ],
        Bug::HandlesBelongToTheirThread => &["threads_may_share_a_handle"],
        Bug::ReadsBeyondTheEndFail => &["reads_are_short_at_the_end"],
        Bug::GapsKeepGarbage => &[
            "a_gap_before_a_write_reads_as_zeros",
            "cut_bytes_never_come_back",
        ],
        Bug::EmptyWritesGrow => &["an_empty_write_does_nothing"],
        Bug::WritesCut => &[
            "closing_one_handle_leaves_the_others",
            "a_write_changes_its_range_and_nothing_else",
            "set_len_cuts_and_grows_with_zeros",
            "allocate_keeps_what_was_there_and_adds_zeros",
        ],
        Bug::LongWritesLoseTheirEnd => &["a_large_write_reads_back"],
        Bug::CutBytesCanBeRead => &[
            "remove_takes_the_name_and_leaves_open_handles_usable",
            "handles_of_one_file_share_its_content",
            "set_len_cuts_and_grows_with_zeros",
            "sync_data_changes_nothing_that_is_seen",
        ],
        Bug::CutBytesComeBack => &["cut_bytes_never_come_back"],
        Bug::SetLenOnlyCuts => &[
            "set_len_cuts_and_grows_with_zeros",
            "cut_bytes_never_come_back",
        ],
        Bug::SetLenToTheSameLengthEmpties => &[
            "set_len_cuts_and_grows_with_zeros",
            "set_len_to_the_same_length_changes_nothing",
        ],
        Bug::AllocateCuts => &["allocate_keeps_what_was_there_and_adds_zeros"],
        Bug::AllocateEmpties => &["allocate_keeps_what_was_there_and_adds_zeros"],
        Bug::AllocateAddsGarbage => &["allocate_keeps_what_was_there_and_adds_zeros"],
        Bug::ReadHandlesWrite => &["a_read_handle_refuses_every_change"],
        Bug::ReadHandlesAreRefusedOtherwise => &["a_read_handle_refuses_every_change"],
        Bug::SyncOfAnEmptyFileFails => &["sync_data_changes_nothing_that_is_seen"],
        Bug::DropCacheLosesTheEnd => &["drop_cache_loses_nothing_that_was_synced"],
        Bug::DropCacheFails => &["drop_cache_loses_nothing_that_was_synced"],
        Bug::TheLockIsShared => &["the_lock_is_exclusive_until_it_is_dropped"],
        Bug::TheLockHindersItsHolder => &["the_lock_does_not_hinder_its_holder"],
        Bug::TheLockStays => &["the_lock_is_exclusive_until_it_is_dropped"],
    }
}

#[test]
#[cfg_attr(
    debug_assertions,
    ignore = "long where nothing is optimised: with --release"
)]
fn every_planted_bug_is_caught() {
    for &bug in BUGS {
        assert_eq!(broken_by(bug), breaks(bug), "{bug:?}");
    }
}

#[test]
fn claims_have_names_of_their_own() {
    let mut names: Vec<_> = CLAIMS.iter().map(|claim| claim.name).collect();
    let count = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), count);
}

#[test]
#[should_panic(expected = "a claim needs an empty storage")]
fn a_claim_refuses_a_storage_that_is_in_use() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("a"), "").unwrap();
    contract::check(|| Arc::new(DiskStorage::open(directory.path()).unwrap()));
}
