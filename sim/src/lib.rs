//! Does a store keep what it acknowledged? The simulator runs it, unmodified, on a disk that fails and
//! forgets, crashes it everywhere, opens it again, and compares what it shows with a model. Every run
//! is a pure function of (scenario, seed).
//!
//! | To … | use |
//! | --- | --- |
//! | test a store of your own | [`check`](check::check) with a [`Subject`](subject::Subject), in a `#[test]` |
//! | say what may go wrong, as a file | [`Scenario`](scenario::Scenario) |
//! | run its seeds | [`run`] |
//! | crash a small workload in every way | [`explore`] |
//! | make a failure small | [`shrink`] |
//! | say why it failed | [`explain`], from a [`run_log`] |
//! | keep it, and see it again | [`failure_folder`] |
//!
//! Five concerns stay apart: workload (commands, knows no storage), faults (call numbers, know no
//! commands), world (the only loop), oracle (sees only what a client sees), [`report`] (a pure
//! function of scenario, trace and verdict).

pub mod beaver;
pub mod check;
pub mod coverage;
mod erased;
pub mod explain;
pub mod explore;
pub mod failure_folder;
mod faults;
mod guard;
pub mod invariant;
mod lockstep;
pub mod marks;
mod oracle;
mod plural;
mod recorder;
pub mod report;
pub mod result;
pub mod run;
pub mod run_log;
pub mod scenario;
pub mod shrink;
pub mod stream;
pub mod subject;
pub mod validate;
mod weakest;
mod workload;
mod world;

/// The code of the page runs as it stands there.
#[cfg(doctest)]
#[doc = include_str!("../../docs/your-own-store.md")]
pub struct YourOwnStore;
