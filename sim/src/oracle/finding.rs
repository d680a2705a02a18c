//! Something that must not be.

use crate::invariant::Invariant;

/// Something that must not be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The invariant that it violates.
    pub invariant: Invariant,
    /// What had to be.
    pub expected: String,
    /// What was.
    pub found: String,
}

impl Finding {
    /// `invariant` wants `expected`, but there is `found`.
    pub fn new(
        invariant: Invariant,
        expected: impl Into<String>,
        found: impl Into<String>,
    ) -> Self {
        Finding {
            invariant,
            expected: expected.into(),
            found: found.into(),
        }
    }
}
