//! The oracle: says whether what a client saw is right.

pub mod model;
