//! SQLite under the crash checker, through a VFS of its own.

mod file;
mod store;
mod vfs;

pub use file::Device;
pub use store::{Mode, Sqlite};
