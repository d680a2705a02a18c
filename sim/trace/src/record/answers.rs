//! Answers to the kernel, and the flags of open files.

use std::time::Duration;

use fuser::{
    Errno, FileAttr, FopenFlags, Generation, OpenFlags, ReplyAttr, ReplyEmpty, ReplyEntry,
};
use rustix::fs::OFlags;

use super::attributes::STDOUT;
use super::files::Durable;

/// How long the kernel may remember names and attributes: nobody else changes them.
pub(super) const FOREVER: Duration = Duration::from_secs(1 << 30);
pub(super) fn entry(reply: ReplyEntry, answer: Result<FileAttr, Errno>) {
    match answer {
        Ok(told) => reply.entry(&FOREVER, &told, Generation(0)),
        Err(error) => reply.error(error),
    }
}

pub(super) fn empty(reply: ReplyEmpty, answer: Result<(), Errno>) {
    match answer {
        Ok(()) => reply.ok(),
        Err(error) => reply.error(error),
    }
}

pub(super) fn attr(reply: ReplyAttr, answer: Result<FileAttr, Errno>) {
    match answer {
        // The kernel does not see how much the standard output grows.
        Ok(told) if told.ino.0 == STDOUT => reply.attr(&Duration::ZERO, &told),
        Ok(told) => reply.attr(&FOREVER, &told),
        Err(error) => reply.error(error),
    }
}

/// What a file was opened with that makes its writes durable. `O_DIRECT` is none of it: it says nothing of the caches of the
/// device, nor of the file's length.
pub(super) fn durable(flags: OpenFlags) -> Durable {
    let flags = OFlags::from_bits_retain(flags.0.cast_unsigned());
    if flags.contains(OFlags::SYNC) {
        Durable::All
    } else if flags.contains(OFlags::DSYNC) {
        Durable::Data
    } else {
        Durable::No
    }
}

pub(super) fn opened_with(number: u64) -> FopenFlags {
    match number {
        // Each write is one request, and the order of all writers is that of the requests.
        STDOUT => FopenFlags::FOPEN_DIRECT_IO | FopenFlags::FOPEN_STREAM,
        _ => FopenFlags::FOPEN_KEEP_CACHE,
    }
}
