//! The oracle: says whether what a client saw is right.
//!
//! It knows the commands and their answers, and what the store shows of itself. It knows no type of
//! the log, no file format and no code of the queue under test.

pub mod damage;
pub mod history;
pub mod judge;
pub mod model;
pub mod salvage;
pub mod shown;
pub mod tidiness;
