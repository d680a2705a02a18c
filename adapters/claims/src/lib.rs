//! What the adapters share: transactions over a few keys, and claims about an engine as tests.

mod claim;
mod transaction;

pub use claim::{caught, silent, without_failing_syncs};
pub use transaction::{Entries, Transaction, Value};
