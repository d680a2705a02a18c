//! The storage contract, claim by claim, on every storage of the library.

use std::sync::Arc;

use beaver::storage::contract::CLAIMS;
use beaver::storage::{DiskStorage, contract};

#[test]
fn real_files_keep_the_contract() {
    for claim in CLAIMS {
        let directory = tempfile::tempdir().unwrap();
        println!("{}", claim.name);
        claim.check(&DiskStorage::open(directory.path()).unwrap());
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
