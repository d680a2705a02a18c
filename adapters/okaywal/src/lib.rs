//! okaywal.
include!(concat!(env!("OUT_DIR"), "/engine.rs"));
