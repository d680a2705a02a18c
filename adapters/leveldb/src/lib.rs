//! rusty-leveldb under the crash checker, through its `Env`.

mod disk;
mod store;

pub use disk::Disk;
pub use store::Leveldb;
