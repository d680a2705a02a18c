//! The simulator: it runs the library, unmodified, on a disk that fails and loses, crashes it
//! everywhere, recovers it, and checks the outcome against a model. Every run is a pure function of
//! (scenario, seed).
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
