//! How far an exploration goes.

/// How far an exploration goes.
#[derive(Clone, Debug)]
pub struct Options {
    /// How many crashes in a row: 1 crashes the workload, 2 crashes the recovery after that too.
    pub depth: u32,
    /// How many images of one power cut are judged at most, with whole pages and zeros where data was lost. Where there are
    /// more, corners and seeded samples stand for them.
    pub cap: u64,
    /// How many images of one power cut with a torn page, or with garbage where the profile has it, are judged at most beside
    /// those; 0 for none. Where there are more, as many of them stand for the others, evenly spread.
    pub torn_cap: u64,
    /// Whether the power is cut too; if not, processes are killed and nothing else.
    pub power_cuts: bool,
    /// Where samples come from.
    pub seed: u64,
    /// How many callers the small workloads have: with 2 they also share syncs, wait while the store is closed, and give
    /// commands while a checkpoint is under way.
    pub callers: u32,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            depth: 2,
            cap: 256,
            torn_cap: 2048,
            power_cuts: true,
            seed: 0,
            callers: 2,
        }
    }
}
