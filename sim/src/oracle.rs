//! What must hold of every run.

pub mod damage;
mod finding;
pub mod history;
#[cfg(test)]
mod numbers;
pub mod promises;
pub(crate) mod recognise;

pub use finding::Finding;
