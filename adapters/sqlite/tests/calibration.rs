//! SQLite says what each of its modes survives. The checker has to find the same.

use adapter_claims::{caught, silent, without_failing_syncs};
use adapter_sqlite::{Mode, Sqlite};
use beaver_sim::check::Check;
use beaver_sim::run::{Keep, run_script};
use beaver_sim::scenario::{Profile, Scenario};
use beaver_sim::subject::AnySubject;
use rusqlite::ffi;

/// The random numbers of SQLite are shared by its process. What a failed sync left clean in the cache is believed by the next
/// process, and lost with what is committed after it: that is known.
fn check() -> Check {
    Check::default()
        .jobs(1)
        .allow("decided stays decided", "the history ends too early")
}

/// Ends with the first finding.
fn until_found() -> Check {
    check().explore(1).cap(16).torn_cap(16)
}

#[test]
fn delete_extra_is_silent() {
    silent(Sqlite(Mode::new("delete", "extra")), &check());
}

#[test]
fn wal_full_is_silent_while_syncs_do_not_fail() {
    let check = without_failing_syncs(Profile::LinuxOrdered).jobs(1);
    silent(Sqlite(Mode::new("wal", "full")), &check);
}

/// The process that met it is gone, and the next one finds a whole commit in the log.
#[test]
fn wal_full_believes_what_a_failed_sync_left_in_the_cache() {
    let failing: Scenario =
        serde_json::from_str(include_str!("failed-sync.json")).expect("a saved failure");
    let subject = AnySubject::new(Sqlite(Mode::new("wal", "full")));
    let result = run_script(&subject, &failing, Keep::default());
    let failure = result.outcome.failure().expect("both commits are gone");
    println!("{failure:#?}");
    assert!(failure.found.contains("0 shown, 2 missing"), "{failure:#?}");
}

#[test]
fn delete_full_may_lose_the_last_commit() {
    caught(
        Sqlite(Mode::new("delete", "full")),
        &until_found(),
        "durability",
        &[
            "`db-journal` was removed",
            "the directory was not synced after it",
        ],
    );
}

/// It loses the last commit as FULL does; that is known, and the search goes on.
#[test]
fn delete_normal_may_damage_the_database() {
    let check = until_found().allow("durability", "");
    let subject = Sqlite(Mode::new("delete", "normal"));
    caught(
        subject,
        &check,
        "availability",
        &["torn: page 0 of db-journal"],
    );
}

#[test]
fn wal_normal_may_lose_commits() {
    caught(
        Sqlite(Mode::new("wal", "normal")),
        &until_found(),
        "durability",
        &["of `db-wal`", "never synced"],
    );
}

/// What the VFS says of the device, one flag at a time, in the mode that is silent without it.
fn with_device(mode: Mode, flag: i32) -> Sqlite {
    Sqlite(Mode {
        device: mode.device.and(flag),
        ..mode
    })
}

#[test]
fn a_device_that_writes_in_sequence_is_not_this_one() {
    let subject = with_device(Mode::new("delete", "extra"), ffi::SQLITE_IOCAP_SEQUENTIAL);
    caught(subject, &until_found(), "availability", &[]);
}

#[test]
fn a_device_with_safe_append_is_not_this_one() {
    let subject = with_device(Mode::new("delete", "extra"), ffi::SQLITE_IOCAP_SAFE_APPEND);
    caught(subject, &until_found(), "availability", &[]);
}

/// `.cargo/config.toml` says how SQLite is built.
#[test]
fn a_device_with_atomic_writes_is_not_this_one() {
    let subject = with_device(Mode::new("delete", "extra"), ffi::SQLITE_IOCAP_ATOMIC);
    caught(subject, &until_found(), "availability", &[]);
}
