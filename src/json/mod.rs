//! The JSON that the library writes, and a reader for exactly that.
//!
//! Log lines and snapshots have one spelling each: fixed fields in a fixed order, no spaces, plain
//! decimals. [`write_string`] and [`write_u64`] make it, [`JsonReader`] and [`read_u64`] read it
//! back. A [`JsonReader`] does not understand any other spelling: its callers either refuse that or
//! hand the same bytes to `serde_json`.
//!
//! A payload is the caller's JSON, kept byte for byte and therefore in any spelling.
//! [`value_end`] finds where it ends and that it is valid, without recursion: bytes from a disk
//! never decide how deep the stack gets.

mod plain;
mod reader;
mod value;

pub(crate) use plain::{read_u64, write_string, write_u64};
pub(crate) use reader::JsonReader;
pub(crate) use value::{JsonError, MAX_DEPTH, value_end};
