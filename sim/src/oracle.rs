//! What must hold of every run.

pub(crate) mod damage;
mod finding;
pub(crate) mod history;
pub(crate) mod kind;
#[cfg(test)]
mod numbers;
pub(crate) mod promises;
pub(crate) mod recognise;

pub use finding::Finding;
