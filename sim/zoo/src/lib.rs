//! The zoo: known bugs, injected on purpose, so that the judge is judged.
//!
//! A judge that never says no proves nothing. Each bug here was shipped by a program in use, or is a
//! step of the protocol, left out, that a model showed to be needed. It is injected outside the
//! library: a storage call that is missing or wrong between the real library and its disk, and
//! everything else in a [plain store](plain) of its own.

pub mod catalogue;
pub mod cluster_bugs;
pub mod false_alarms;
pub mod find;
pub mod interposed;
pub mod left_out;
pub mod misuse;
pub mod plain;
pub mod scenarios;
pub mod shared_front;
pub mod wrapped;
