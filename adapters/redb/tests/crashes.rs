//! What redb keeps and what it does not.

use adapter_claims::{caught, silent, without_failing_syncs};
use adapter_redb::{Commit, Redb};
use beaver_sim::check::Check;
use beaver_sim::scenario::Profile;

/// A new database that was not finished is refused: that is known, and the search goes on.
fn once_created(check: Check) -> Check {
    check.allow("availability", "magic number mismatch")
}

fn until_found(check: Check) -> Check {
    check.explore(1).cap(16).torn_cap(16)
}

#[test]
fn one_phase_commits_survive_while_syncs_do_not_fail() {
    let commit = Commit::OnePhase;
    silent(
        Redb { commit },
        &once_created(without_failing_syncs(Profile::Posix)),
    );
}

#[test]
fn two_phase_commits_survive_while_syncs_do_not_fail() {
    let commit = Commit::TwoPhase;
    silent(
        Redb { commit },
        &once_created(without_failing_syncs(Profile::Posix)),
    );
}

#[test]
fn a_database_that_was_not_finished_is_refused_for_ever() {
    let commit = Commit::OnePhase;
    let check = until_found(without_failing_syncs(Profile::Strict));
    caught(
        Redb { commit },
        &check,
        "availability",
        &["magic number mismatch"],
    );
}

#[test]
fn what_a_failed_sync_left_in_the_cache_is_believed() {
    let commit = Commit::OnePhase;
    let check = once_created(Check::default())
        .explore(0)
        .depth(1)
        .cap(4)
        .torn_cap(0);
    caught(
        Redb { commit },
        &check,
        "budget or panic",
        &["left clean by a failed sync"],
    );
}
