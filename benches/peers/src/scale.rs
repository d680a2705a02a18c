//! Beaver alone, for logs that grow tenfold: what a command, a replayed event and a recovered event
//! cost must not depend on the size of the log, and a replay must not need more memory.

use std::path::Path;

use anyhow::Result;

use crate::comparison::one;
use crate::workload::Workload;

/// The smallest log, as a power of ten.
const FIRST_POWER: u32 = 4;

/// Prints one line for each size.
pub fn run(powers: u32, directory: &Path) -> Result<()> {
    println!(
        "| events | append M/s | replay M/s | replay peak MiB | recover jobs+events s | \
         recover M/s | recover peak MiB |"
    );
    println!("|---|---|---|---|---|---|---|");
    for power in FIRST_POWER..=powers {
        let events = 10_u64.pow(power);
        let append = one("beaver", Workload::Batch1000, events, directory)?;
        let replay = one("beaver", Workload::Replay, events, directory)?;
        // Half of the events are jobs in the snapshot, the other half events after it.
        let recover = one("beaver-queue", Workload::Recover, events / 2, directory)?;
        println!(
            "| {events} | {:.2} | {:.2} | {:.1} | {:.3} | {:.2} | {:.0} |",
            append.rate() / 1e6,
            replay.rate() / 1e6,
            replay.peak_mib,
            recover.seconds,
            2.0 * recover.rate() / 1e6,
            recover.peak_mib,
        );
    }
    Ok(())
}
