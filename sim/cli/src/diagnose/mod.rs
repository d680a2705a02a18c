//! Turns "this file is wrong" into what to change and where.

mod place;
mod refusal;
mod scenario_text;
mod suggest;

pub use place::{Place, find};
pub use scenario_text::{Problem, read_scenario};
pub use suggest::{did_you_mean, nearest};
