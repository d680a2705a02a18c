//! What must hold of every run.

pub mod damage;
mod finding;
pub mod history;

pub use finding::Finding;
