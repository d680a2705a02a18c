//! The comparison as text: one table for each workload, in the form that GitHub shows.

use std::fmt::Write;

use crate::roster::baseline;
use crate::sample::Sample;
use crate::summary::{durable, figure, rows};
use crate::workload::Workload;

/// The table of one workload; empty if there are no samples.
pub fn table(workload: Workload, samples: &[Sample]) -> String {
    let rows = rows(workload, samples);
    let Some(first) = rows.first() else {
        return String::new();
    };
    let records = samples
        .iter()
        .find(|sample| sample.workload == workload)
        .map_or(0, |sample| sample.records);
    let mut out = format!(
        "### {}\n\n{records} records, {} rounds; the ratio is to {} of the same round.\n\n",
        workload.title(),
        first.rounds,
        baseline(workload),
    );
    out.push_str("| who | figure | ratio | p50 µs | p99 µs | CPU µs | peak MiB | bytes a record | durable |\n");
    out.push_str("|---|---|---|---|---|---|---|---|---|\n");
    for row in &rows {
        let name = match row.entry.version {
            "" => row.entry.name.to_owned(),
            version => format!("{} {version}", row.entry.name),
        };
        let optional = |number: Option<f64>, digits: usize| {
            number.map_or_else(String::new, |number| format!("{number:.digits$}"))
        };
        let bytes = row.disk_mib * f64::from(1 << 20) / records as f64;
        writeln!(
            out,
            "| {name} | {} | {} | {} | {} | {:.2} | {:.0} | {bytes:.0} | {} |",
            figure(workload, row),
            optional(row.ratio, 2),
            optional(row.p50_us, 0),
            optional(row.p99_us, 0),
            row.cpu_us,
            row.peak_mib,
            durable(workload, row.entry),
        )
        .expect("a string takes everything");
    }
    out.push('\n');
    out
}
