//! A drop-in for [`std::fs`]: real files by default, a simulated disk below a mount point.
//!
//! ```text
//! calls, directory   the functions: read, write, rename, create_dir_all …
//! File, OpenOptions  an open file: a real one, or a description of a simulated one
//!   place            where a path leads, through links and ..
//!     mount          the table: each mount point and its disk
//!       Tree         the disk, from beaver-disk or from the checker
//! ```
//!
//! A store says in one place which of the two it uses, and nothing else in it changes:
//!
//! ```
//! # mod store {
//! #[cfg(test)]
//! use beaver_fs as fs;
//! #[cfg(not(test))]
//! use std::fs;
//! # pub fn uses() -> bool { fs::exists(".").is_ok() }
//! # }
//! # assert!(store::uses());
//! ```
//!
//! Every function and type has the signature of its namesake in [`std::fs`], whose documentation holds;
//! what is said here is what is different on a simulated disk. Real files are those of the standard
//! library itself. On a simulated disk each call is the storage call that the system call would be, so
//! that it can fail, be crashed at and be seen in a trace. What the disk has not is an error of kind
//! `Unsupported` that names the call.

mod calls;
mod description;
mod directory;
mod errors;
mod file;
mod metadata;
mod mount;
mod mounted_path;
mod options;
mod reading_and_writing;

pub use calls::{
    canonicalize, copy, exists, hard_link, metadata, read, read_link, read_to_string, remove_file,
    rename, set_permissions, symlink_metadata, unix, write,
};
pub use directory::{
    DirBuilder, DirEntry, ReadDir, create_dir, create_dir_all, read_dir, remove_dir, remove_dir_all,
};
pub use file::File;
pub use metadata::{FileType, Metadata};
pub use mount::{Mounted, mount, mount_numbered};
pub use options::OpenOptions;
pub use std::fs::{FileTimes, Permissions, TryLockError};

/// The README's example is run.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct FsReadme;
