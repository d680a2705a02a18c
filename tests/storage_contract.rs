//! The storage contract, claim by claim, on every storage of the library, and the proof that it
//! says no to a storage that breaks it.

mod plain;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use beaver::storage::contract::CLAIMS;
use beaver::storage::sim::{Disk, Profile, SimDisk, SimOptions};
use beaver::storage::{DiskStorage, contract};
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
    }
}

/// The claims that a storage with this bug breaks.
fn broken_by(bug: Bug) -> Vec<&'static str> {
    let breaks = |claim: &&contract::Claim| {
        let run = || claim.check(&Plain::with(bug));
        catch_unwind(AssertUnwindSafe(run)).is_err()
    };
    CLAIMS
        .iter()
        .filter(breaks)
        .map(|claim| claim.name)
        .collect()
}

#[test]
fn every_planted_bug_is_caught() {
    for &bug in BUGS {
        let broken = broken_by(bug);
        println!("{bug:?}: {broken:?}");
        assert!(!broken.is_empty(), "nobody noticed {bug:?}");
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
