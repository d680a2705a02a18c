//! A Raft cluster on simulated disks, a simulated network and simulated clocks, all from one seed.
//!
//! ```text
//! Engine, Replica   the engine under test, one replica a node; it knows nothing of the simulation
//! Host              what a replica gets: clock, network, tasks, disks, and a place for observations
//! Observation       what replicas did, in the words of the Raft paper
//!   checkers          what must hold of them, one promise a file
//! Operation         what a client asked and learned
//!   linearizability   whether one order explains a history of them
//! ```

pub mod checkers;
pub mod entry;
pub mod host;
pub mod linearizability;
pub mod observation;
pub mod operation;
pub mod replica;
