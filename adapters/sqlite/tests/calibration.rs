//! SQLite says what each of its modes survives. The checker has to find the same.

use adapter_claims::{caught, silent};
use adapter_sqlite::{Mode, Sqlite};
use beaver_sim::check::Check;

/// The random numbers of SQLite are shared by its process.
fn check() -> Check {
    Check::default().jobs(1)
}

#[test]
fn delete_extra_is_silent() {
    silent(Sqlite(Mode::new("delete", "extra")), &check());
}

#[test]
fn wal_full_is_silent() {
    silent(Sqlite(Mode::new("wal", "full")), &check());
}

#[test]
fn delete_full_may_lose_the_last_commit() {
    caught(Sqlite(Mode::new("delete", "full")), &check().explore(2), "durability", &[]);
}

#[test]
fn delete_normal_may_lose_the_last_commit() {
    caught(Sqlite(Mode::new("delete", "normal")), &check().explore(2), "durability", &[]);
}

#[test]
fn wal_normal_may_lose_commits() {
    caught(Sqlite(Mode::new("wal", "normal")), &check().explore(2), "durability", &[]);
}
