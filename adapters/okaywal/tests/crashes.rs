//! What okaywal keeps and what it does not.

use adapter_claims::{caught, without_failing_syncs};
use adapter_okaywal::Log;
use beaver_sim::check::Check;
use beaver_sim::scenario::Profile;

fn until_found(profile: Profile) -> Check {
    without_failing_syncs(profile)
        .explore(2)
        .cap(16)
        .torn_cap(16)
}

#[test]
fn a_segment_that_was_new_is_refused_for_ever() {
    let check = until_found(Profile::LinuxOrdered);
    let says = ["failed to fill whole buffer", "before its first sync"];
    caught(Log, &check, "availability", &says);
}

#[test]
fn a_full_disk_is_a_panic() {
    let check = until_found(Profile::LinuxOrdered)
        .allow("availability", "failed to fill whole buffer")
        .allow("availability", "magic code")
        .allow("availability", "crc check failed");
    let says = ["full-at-write", "chunk writer dropped without finishing"];
    caught(Log, &check, "budget or panic", &says);
}

#[test]
fn a_torn_entry_is_refused() {
    let check = until_found(Profile::Strict)
        .allow("availability", "failed to fill whole buffer")
        .allow("availability", "magic code")
        .allow("durability", "");
    caught(Log, &check, "availability", &["crc check failed"]);
}
