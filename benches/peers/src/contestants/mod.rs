//! All contestants, one file each.

mod beaver;
mod commitlog;
mod controller;
mod fjall;
mod lines;
mod okaywal;
mod raft_engine;
mod raw;
mod sqlite;
mod wal_db;
mod writeahead;

pub use self::beaver::Beaver;
pub use self::commitlog::CommitLog;
pub use self::controller::{BeaverQueue, PlainRead};
pub use self::fjall::Fjall;
pub use self::lines::{LineScan, SerdeBorrowed};
pub use self::okaywal::OkayWal;
pub use self::raft_engine::RaftEngine;
pub use self::raw::Raw;
pub use self::sqlite::Sqlite;
pub use self::wal_db::WalDb;
pub use self::writeahead::WriteAhead;
