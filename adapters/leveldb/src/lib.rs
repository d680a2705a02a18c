//! rusty-leveldb under the crash checker, through its `Env`.

mod disk;
mod store;

pub use disk::Flush;
pub use store::Leveldb;
