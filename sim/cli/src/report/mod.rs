//! What people and programs read: pure functions of results. Nothing here runs, prints or looks at a clock.

mod coverage;
mod exploration;
mod json;
mod scenario_report;
mod shrinking;
mod table;
mod tally;
#[cfg(test)]
mod testing;
mod zoo;

pub use beaver_sim::report::{Failure, Verdict};
pub use coverage::{CoverageText, page_sites};
pub use exploration::{Exploration, ExplorationTable, conclusion};
pub use json::{Document, RunDocument};
pub use scenario_report::{Disagreement, SavedFailure, ScenarioReport};
pub use shrinking::ShrinkDocument;
pub use table::Table;
pub use tally::Tally;
pub use zoo::{Shown, ZooDocument, ZooReport};
