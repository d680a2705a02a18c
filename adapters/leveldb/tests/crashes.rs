//! What rusty-leveldb keeps and what it does not.

use adapter_claims::{caught, without_failing_syncs};
use adapter_leveldb::Leveldb;
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
    let check = until_found(Profile::LinuxOrdered);
    caught(Leveldb, &check, "availability", &[]);
}
