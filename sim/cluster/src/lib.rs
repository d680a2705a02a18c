//! A Raft cluster on simulated disks, a simulated network and simulated clocks, all from one seed.
//!
//! ```text
//! RaftEngine          the engine under test; it knows nothing of simulation
//!   Replica           one node of it
//! Host                what a replica gets: clock, network, tasks, disks
//! runtime             the same as functions, for engines that need statics
//! Observation         what replicas did, in the words of the Raft paper
//!   checkers          what must hold of them, one promise a file
//! Operation           what a client asked and learned
//!   linearizability   whether one order explains a history of them
//! ClusterScenario     the claim under test, as data
//!   ChaosAction       what goes wrong and when, drawn from the seed, or given
//! run                 one run, and what it came to
//! ```

pub mod chaos;
mod chaos_plan;
mod chaos_text;
pub mod checkers;
mod client;
pub mod cluster_case;
mod cluster_node;
mod disk_faults;
mod draws;
mod ending;
pub mod engine_choice;
pub mod entry;
mod executor;
pub mod failure_story;
mod fold;
mod history;
pub mod host;
pub mod linearizability;
mod local_clock;
mod network;
pub mod observation;
#[cfg(feature = "openraft")]
pub mod open_raft;
pub mod operation;
mod operator;
mod process_id;
pub mod promises;
mod ready;
pub mod recording;
mod referee;
pub mod replica;
pub mod replicated_command;
pub mod replicated_state;
pub mod run;
pub mod run_folder;
pub mod runtime;
pub mod saved_run;
pub mod scenario;
pub mod seeds;
mod shared;
pub mod shrink;
mod sim_host;
pub mod small_raft;
pub mod storyline;
mod strikes;
mod survivors;
mod world;

pub use chaos_plan::draw_chaos;
pub use checkers::ClusterViolation;
pub use network::{DropCause, MessageFate, MessageRecord};
