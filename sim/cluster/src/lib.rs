//! A Raft cluster on simulated disks, a simulated network and simulated clocks, all from one seed.
//!
//! ```text
//! Engine, Replica   the engine under test, one replica a node; it knows nothing of the simulation
//! Host              what a replica gets: clock, network, tasks, disks, and a place for observations
//! runtime           the same clock, tasks and chance as functions, for engines that need statics
//! Observation       what replicas did, in the words of the Raft paper
//!   checkers          what must hold of them, one promise a file
//! Operation         what a client asked and learned
//!   linearizability   whether one order explains a history of them
//! ```

mod draws;
pub mod entry;
mod executor;
mod fold;
pub mod host;
mod local_clock;
pub mod observation;
#[cfg(feature = "openraft")]
pub mod open_raft;
pub mod operation;
mod process_id;
mod ready;
pub mod replica;
pub mod replicated_command;
pub mod replicated_state;
pub mod small_raft;
pub mod runtime;
