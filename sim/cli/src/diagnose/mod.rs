//! Turns "this file is wrong" into what to change and where.

mod old_words;
mod position;
mod refusal;
mod scenario_text;
mod suggest;

pub use old_words::old_words;
pub use position::{TextPosition, find};
pub use scenario_text::{ScenarioProblem, read_cluster_scenario, read_scenario};
pub use suggest::{did_you_mean, nearest};
