//! Faults: turns rates and a seed into faults at call numbers, and hands them to the disk. It knows
//! storage calls and no commands.
//!
//! What goes wrong is decided call by call, because only the call tells which kinds apply to it;
//! every decision is written down as a [`PlannedFault`](crate::scenario::PlannedFault), and a run from such a list draws nothing.

mod between;
mod choosing;
mod director;
mod faulty_storage;
mod rest;
mod survival;

pub use between::Between;
pub(crate) use choosing::{applies_to, changes};
pub use director::{Director, Source};
pub(crate) use faulty_storage::quiet_copy;
pub use faulty_storage::{Faults, FaultyStorage};
pub use rest::at_rest;
pub(crate) use rest::rot;
pub use survival::{Survivors, choose_progress, device_kinds};
