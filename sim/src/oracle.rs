//! What must hold of every run.

pub mod damage;
mod finding;
pub mod history;
pub mod promises;
pub(crate) mod recognise;

pub use finding::Finding;
