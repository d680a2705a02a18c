//! What people and programs read: pure functions of results. Nothing here runs, prints or looks at a clock.

mod cluster;
mod cluster_document;
mod completeness;
mod coverage;
mod json;
mod must_reach;
mod name_counts;
pub(crate) mod numbers;
mod run_report;
mod shrinking;
mod table;
#[cfg(test)]
mod testing;
mod zoo;

pub use beaver_sim::report::{FailureReport, Verdict};
pub use cluster::ClusterReport;
pub(crate) use cluster::{ClusterRow, ShownFailure, cluster_columns, cluster_heading, happenings};
pub use cluster_document::ClusterDocument;
pub(crate) use completeness::completeness;
pub use coverage::{CoverageRow, CoverageTable};
pub use json::{ReplayDocument, RunDocument};
pub use must_reach::MustReach;
pub use name_counts::{NameCount, NameCounts};
pub use run_report::{Disagreement, RunKind, RunReport, SavedFailure, ScenarioReport};
pub use shrinking::ShrinkDocument;
pub use table::{Table, coloured, conclusion};
pub use zoo::{CaughtBug, ZooDocument, ZooReport};
