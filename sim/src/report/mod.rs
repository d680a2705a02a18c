//! What people read about one run that did not hold, and the verdict in one word: pure functions of results.

mod failure;
#[cfg(test)]
mod testing;
mod verdict;

pub use failure::FailureReport;
pub(crate) use failure::entry;
pub use verdict::Verdict;
