//! Named places between two storage calls where a test can inject an error (feature `failpoints`,
//! off by default).
//!
//! A fail point stands for the storage call that follows it: what it returns is handled as if that
//! call had failed, so a test can fail or crash each commit point on real files too. Only `return`
//! and counted forms are of use: the percent form of `fail` draws from a generator of its own and
//! cannot be replayed.

use std::io;

/// All fail points, `area::operation::moment`.
pub const FAIL_POINTS: &[&str] = &[
    APPEND_WRITE,
    APPEND_SYNC,
    APPEND_UNDO,
    ROTATE_TRIM,
    ROTATE_SYNC,
    ROTATE_CREATE,
    ROTATE_RENAME,
    ROTATE_SYNC_DIR,
    ROTATE_UNDO,
    CLOSE_MARKER,
    SNAPSHOT_WRITE,
    SNAPSHOT_SYNC,
    SNAPSHOT_RENAME,
    SNAPSHOT_SYNC_DIR,
    CHECKPOINT_BEGIN,
    CHECKPOINT_PRUNE,
    CHECKPOINT_SYNC_DIR,
    RECOVER_SYNC_DIR,
    RECOVER_CUT,
    RECOVER_REWRITE,
    RECOVER_SYNC,
    RECOVER_CLEAN,
];

pub(crate) const APPEND_WRITE: &str = "append::write::before";
pub(crate) const APPEND_SYNC: &str = "append::sync::before";
pub(crate) const APPEND_UNDO: &str = "append::undo::before";
pub(crate) const ROTATE_TRIM: &str = "rotate::trim::before";
pub(crate) const ROTATE_SYNC: &str = "rotate::sync::before";
pub(crate) const ROTATE_CREATE: &str = "rotate::create::before";
pub(crate) const ROTATE_RENAME: &str = "rotate::rename::before";
pub(crate) const ROTATE_SYNC_DIR: &str = "rotate::sync_dir::before";
pub(crate) const ROTATE_UNDO: &str = "rotate::undo::before";
pub(crate) const CLOSE_MARKER: &str = "close::marker::before";
pub(crate) const SNAPSHOT_WRITE: &str = "snapshot::write::before";
pub(crate) const SNAPSHOT_SYNC: &str = "snapshot::sync::before";
pub(crate) const SNAPSHOT_RENAME: &str = "snapshot::rename::before";
pub(crate) const SNAPSHOT_SYNC_DIR: &str = "snapshot::sync_dir::before";
pub(crate) const CHECKPOINT_BEGIN: &str = "checkpoint::begin::before";
pub(crate) const CHECKPOINT_PRUNE: &str = "checkpoint::prune::before";
pub(crate) const CHECKPOINT_SYNC_DIR: &str = "checkpoint::sync_dir::before";
pub(crate) const RECOVER_SYNC_DIR: &str = "recover::sync_dir::before";
pub(crate) const RECOVER_CUT: &str = "recover::cut::before";
pub(crate) const RECOVER_REWRITE: &str = "recover::rewrite::before";
pub(crate) const RECOVER_SYNC: &str = "recover::sync::before";
pub(crate) const RECOVER_CLEAN: &str = "recover::clean::before";

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
