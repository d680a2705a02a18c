//! Shrinking: from a run that failed to a smaller one that fails alike.
//!
//! Commands, faults, crashes and what survived are taken out and made plainer as long as the same
//! invariant breaks in the same place. Nothing is drawn from outside and no clock is read: the same
//! failure and the same number of candidates give the same result.
//!
//! ```text
//! Draft      a history with its crashes and faults, counted process by process, so that parts can go
//!   edits      drafts that are a little smaller
//!   Size       what "smaller" means
//! Likeness   what "fails alike" means
//! Sameness   what makes two shrunk failures one
//! search     tries drafts until none that is smaller fails alike, or the limit is reached
//! ```

mod draft;
mod edits;
mod likeness;
mod rerun;
mod sameness;
mod search;
mod size;
mod values;
mod words;

pub use likeness::Likeness;
pub use sameness::Sameness;
pub use search::{Ended, Limits, Shrunk, shrink};
pub use size::Size;
pub use words::words;
