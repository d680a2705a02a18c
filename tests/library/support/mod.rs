//! What the tests of the library are written in: a disk whose files can be edited, lines made by hand, and verbs.

pub(crate) mod client;
pub(crate) mod lines;
pub(crate) mod memory;
pub(crate) mod tape;
pub(crate) mod verbs;

pub(crate) use client::{Client, empty_disk, recorded_disk};
pub(crate) use lines::{Lines, event_crc, put_snapshot, snapshot_document_of, tape_state};
pub(crate) use memory::{Fault, Memory, Op};
pub(crate) use tape::{Line, Tape};
pub(crate) use verbs::*;
