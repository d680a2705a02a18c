//! Faults: turns rates and a seed into faults at call numbers, and does them to the disk. It knows
//! storage calls and no commands.
//!
//! What goes wrong is decided call by call, because only the call tells which kinds apply to it;
//! every decision is written down as a [`PlannedFault`](crate::scenario::PlannedFault), and a run from such a list draws nothing.

mod choosing;
mod director;
pub mod files;
mod rest;
mod spoiled;
mod survival;

pub(crate) use director::{Director, Source};
pub(crate) use rest::at_rest;
pub(crate) use rest::rot;
pub(crate) use spoiled::Faults;
pub(crate) use spoiled::quiet_copy;
pub(crate) use survival::{SurvivorDraw, choose_effect, device_kinds};
