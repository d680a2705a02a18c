//! Turns "this file is wrong" into what to change and where.

mod place;
mod suggest;

pub use place::{Place, find};
pub use suggest::{did_you_mean, nearest};
