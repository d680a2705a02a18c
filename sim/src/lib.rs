//! The simulator.

pub mod diagnose;
