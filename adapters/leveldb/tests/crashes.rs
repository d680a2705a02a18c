//! What rusty-leveldb keeps and what it does not.

use adapter_claims::{caught, without_failing_syncs};
use adapter_leveldb::{Flush, Leveldb};
use beaver_sim::check::Check;
use beaver_sim::scenario::Profile;

fn until_found(profile: Profile) -> Check {
    without_failing_syncs(profile)
        .explore(1)
        .cap(16)
        .torn_cap(16)
}

#[test]
fn current_gets_its_name_before_it_is_synced() {
    let flush = Flush::Syncs;
    let says = ["`000001.dbtmp` was renamed to `CURRENT`", "before its data"];
    let check = until_found(Profile::LinuxOrdered);
    caught(Leveldb { flush }, &check, "availability", &says);
}

/// What is there instead of the database that was lost is no database: that is known from the test above.
#[test]
fn its_own_environment_syncs_nothing() {
    let flush = Flush::DoesNothing;
    let check = until_found(Profile::Strict)
        .allow("availability", "")
        .depth(1)
        .cap(2)
        .torn_cap(0);
    caught(Leveldb { flush }, &check, "durability", &["never synced"]);
}
