//! What the stores promise, claim by claim, under openraft itself.

#![expect(
    clippy::unwrap_used,
    reason = "a test ends where something unexpected happens"
)]

mod disks;
mod log;
mod one_node;
mod openraft_suite;
mod snapshots;
mod support;
