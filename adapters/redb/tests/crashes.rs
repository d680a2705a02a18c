//! What redb keeps and what it does not.

use adapter_claims::{caught, silent};
use adapter_redb::{Commit, Redb};
use beaver_sim::check::Check;

#[test]
fn one_phase() {
    silent(
        Redb {
            commit: Commit::OnePhase,
        },
        &Check::default(),
    );
}

#[test]
fn two_phase() {
    silent(
        Redb {
            commit: Commit::TwoPhase,
        },
        &Check::default(),
    );
}
