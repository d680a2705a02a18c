//! What the library promises, claim by claim, through its public interface.

#![expect(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    reason = "a test that meets an error it does not expect has failed, and its files are small"
)]

#[path = "../hooked/mod.rs"]
mod hooked;
mod support;

mod checkpoint;
mod command_json;
mod commands;
mod commit_queue;
mod copies;
mod errors;
mod every_call;
mod format;
mod identity;
mod inspect;
mod install;
mod kept_queue;
mod lifecycle;
mod lost_header;
mod lost_lock;
mod metrics;
mod mixtures;
mod names;
mod old_files;
mod properties;
mod repair;
mod snapshot;
mod store_recovery;
mod torn_tail;
mod wal_append;
mod wal_open;
mod wal_replay;
mod wal_rotate;
