//! What must hold of every run.

pub(crate) mod damage;
mod finding;
pub(crate) mod history;
#[cfg(test)]
mod numbers;
pub(crate) mod promises;
pub(crate) mod recognise;

pub(crate) use finding::Finding;
