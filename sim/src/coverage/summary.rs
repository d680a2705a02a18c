//! x

/// x
#[derive(Debug)]
pub struct Row;
/// x
#[derive(Debug)]
pub struct Summary;
