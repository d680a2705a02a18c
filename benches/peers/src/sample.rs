//! One measurement, and what the kernel says about the process that made it.

use std::path::Path;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::workload::Workload;

/// What one process measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    pub round: usize,
    pub workload: Workload,
    pub contestant: String,
    /// How many records were written, read or found.
    pub records: u64,
    pub seconds: f64,
    /// Half of the calls took at most this long; nothing where calls were not timed one by one.
    pub p50_us: Option<f64>,
    /// 99 of 100 calls took at most this long.
    pub p99_us: Option<f64>,
    /// Processor time of all threads for one record.
    pub cpu_us: f64,
    /// The most memory the process ever had resident, in MiB.
    pub peak_mib: f64,
    /// What the directory holds afterwards, in MiB.
    pub disk_mib: f64,
}

impl Sample {
    /// Records in a second.
    pub fn rate(&self) -> f64 {
        self.records as f64 / self.seconds
    }
}

/// Processor time of this process so far, in seconds; the kernel counts it in hundredths.
pub fn cpu_seconds() -> Result<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let (_, rest) = stat.rsplit_once(')').context("no end of the name")?;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    let ticks = |place: usize| -> Result<f64> {
        let field = fields.get(place).context("too few fields")?;
        Ok(field.parse::<u64>()? as f64)
    };
    // User and system time, the 14th and 15th field; two fields stand before the bracket.
    Ok((ticks(11)? + ticks(12)?) / 100.0)
}

/// The most memory this process ever had resident, in MiB.
pub fn peak_mib() -> Result<f64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.split_whitespace().next());
    Ok(kib.context("no VmHWM")?.parse::<u64>()? as f64 / 1024.0)
}

/// The bytes of the files below `directory`, in MiB.
pub fn disk_mib(directory: &Path) -> Result<f64> {
    fn bytes(directory: &Path) -> Result<u64> {
        let mut sum = 0;
        for entry in std::fs::read_dir(directory)? {
            let entry = entry?;
            let metadata = entry.metadata()?;
            sum += match metadata.is_dir() {
                true => bytes(&entry.path())?,
                false => metadata.len(),
            };
        }
        Ok(sum)
    }
    Ok(bytes(directory)? as f64 / f64::from(1 << 20))
}
