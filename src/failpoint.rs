//! Commit points between two storage calls where a test can inject an error (feature `failpoints`,
//! off by default): for real files and for threads, where no simulated disk can.
//!
//! A fail point stands for the storage call that follows it: what it returns is handled as if that
//! call had failed. Only `return` and counted forms are of use: the percent form of `fail` draws
//! from a generator of its own and cannot be replayed.

use std::io;

/// All fail points, `area::operation::moment`: where a test can inject an error between two storage
/// calls, with the feature `failpoints` and the [`fail`](https://docs.rs/fail) crate.
pub const FAIL_POINTS: &[&str] = &[
    APPEND_WRITE,
    APPEND_SYNC,
    ROTATE_SYNC_DIR,
    SNAPSHOT_SYNC_DIR,
    CHECKPOINT_PRUNE,
    RECOVER_REWRITE,
    RECOVER_SYNC,
];

pub(crate) const APPEND_WRITE: &str = "append::write::before";
pub(crate) const APPEND_SYNC: &str = "append::sync::before";
pub(crate) const ROTATE_SYNC_DIR: &str = "rotate::sync_dir::before";
pub(crate) const SNAPSHOT_SYNC_DIR: &str = "snapshot::sync_dir::before";
pub(crate) const CHECKPOINT_PRUNE: &str = "checkpoint::prune::before";
pub(crate) const RECOVER_REWRITE: &str = "recover::rewrite::before";
pub(crate) const RECOVER_SYNC: &str = "recover::sync::before";

/// Passes, unless a test has armed `name`.
#[cfg_attr(
    not(feature = "failpoints"),
    expect(unused_variables, reason = "nothing to look up")
)]
pub(crate) fn hit(name: &'static str) -> io::Result<()> {
    fail::fail_point!(name, |_| Err(io::Error::other(format!(
        "fail point {name}"
    ))));
    Ok(())
}
