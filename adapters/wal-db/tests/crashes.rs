//! What wal-db keeps and what it does not.

use adapter_claims::{caught, without_failing_syncs};
use adapter_wal_db::LastRecord;
use beaver_sim::check::Check;
use beaver_sim::scenario::Profile;

fn until_found(profile: Profile) -> Check {
    without_failing_syncs(profile)
        .explore(2)
        .cap(16)
        .torn_cap(16)
}

#[test]
fn a_segment_whose_directory_was_not_synced_is_lost() {
    let says = [
        "`00000000000000000000.wal` was created",
        "the directory was never synced",
    ];
    caught(
        LastRecord,
        &until_found(Profile::Posix),
        "durability",
        &says,
    );
}

#[test]
fn what_a_killed_process_left_is_taken_for_durable() {
    let check = until_found(Profile::LinuxOrdered);
    let says = [
        "killed before sync_data",
        "left bytes of `00000000000000000000.wal` in the cache alone",
    ];
    caught(LastRecord, &check, "decided stays decided", &says);
}

#[test]
fn a_log_whose_head_was_being_written_is_emptied() {
    let check = until_found(Profile::Strict).allow("decided stays decided", "");
    caught(LastRecord, &check, "durability", &["open head"]);
}
