//! Who really syncs: the sync calls of the kernel, counted by `strace`.
//!
//! Two runs of different length are compared, so that what opening and closing sync does not count.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::roster::Entry;
use crate::workload::Workload;

const CALLS: &str = "trace=fsync,fdatasync,sync_file_range,msync,syncfs";

/// The two lengths, in appends.
const LENGTHS: [u64; 2] = [50, 250];

/// A line for each contestant that appends durably, `commitlog` included for what it claims.
pub fn table(directory: &Path) -> Result<String> {
    if Command::new("strace").arg("-V").output().is_err() {
        bail!("strace is not installed");
    }
    let mut out = "| who | sync calls for each append |\n|---|---|\n".to_owned();
    for entry in Entry::of(Workload::Append1) {
        let [short, long] = [
            count(entry, LENGTHS[0], directory)?,
            count(entry, LENGTHS[1], directory)?,
        ];
        let each = (long as f64 - short as f64) / (LENGTHS[1] - LENGTHS[0]) as f64;
        out.push_str(&format!("| {} | {each:.2} |\n", entry.name));
    }
    Ok(out)
}

fn count(entry: &Entry, records: u64, directory: &Path) -> Result<usize> {
    let directory = tempfile::Builder::new()
        .prefix("beaver-syncs-")
        .tempdir_in(directory)?;
    let log = directory.path().join("log");
    std::fs::create_dir(&log)?;
    let trace = directory.path().join("trace");
    let status = Command::new("strace")
        .args(["-f", "-e", CALLS, "-o"])
        .arg(&trace)
        .arg(std::env::current_exe()?)
        .args(["step", "measure", entry.name, "append-1"])
        .arg(&log)
        .arg(records.to_string())
        .stdout(std::process::Stdio::null())
        .status()
        .context("strace")?;
    if !status.success() {
        bail!("{} failed under strace: {status}", entry.name);
    }
    let trace = std::fs::read_to_string(&trace)?;
    Ok(trace
        .lines()
        .filter(|line| line.contains("sync") && line.contains('('))
        .count())
}
