//! Where a process dies: a storage call, and a moment in it.

use std::fmt;

use serde::{Deserialize, Serialize};

/// When in a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Moment {
    /// It was about to start.
    Before,
    /// It was running. What it changes is pending; of a sync, some records may be durable.
    Inside,
    /// It was done, but its caller never learned of it.
    After,
}

/// A storage call and a moment in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CrashPoint {
    /// The number of the call.
    pub call: u64,
    /// When in the call.
    pub moment: Moment,
}

impl fmt::Display for CrashPoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let moment = match self.moment {
            Moment::Before => "before",
            Moment::Inside => "inside",
            Moment::After => "after",
        };
        write!(f, "{moment} call {}", self.call)
    }
}
