//! Medians over rounds, and the ratio to the baseline of the same round.

use crate::roster::{Entry, baseline};
use crate::sample::Sample;
use crate::workload::Workload;

/// One contestant in one workload.
pub struct Row {
    pub entry: &'static Entry,
    /// Records in a second; the median.
    pub rate: f64,
    /// Seconds for the whole; the median.
    pub seconds: f64,
    /// How much faster than the baseline of the same round; the median. Nothing without one.
    pub ratio: Option<f64>,
    pub p50_us: Option<f64>,
    pub p99_us: Option<f64>,
    pub cpu_us: f64,
    pub peak_mib: f64,
    pub disk_mib: f64,
    pub rounds: usize,
}

/// The middle of `values`, or the mean of the two in the middle.
pub fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let upper = values.get(values.len() / 2)?;
    let lower = values.get((values.len() - 1) / 2)?;
    Some((lower + upper) / 2.0)
}

/// The rows of `workload`, fastest first.
pub fn rows(workload: Workload, samples: &[Sample]) -> Vec<Row> {
    let of = |name: &str| -> Vec<&Sample> {
        let all = samples.iter();
        all.filter(|sample| sample.workload == workload && sample.contestant == name)
            .collect()
    };
    let base = of(baseline(workload));
    let mut rows: Vec<Row> = Entry::of(workload)
        .into_iter()
        .filter_map(|entry| {
            let own = of(entry.name);
            let ratios = own.iter().filter_map(|sample| {
                let base = base.iter().find(|base| base.round == sample.round)?;
                Some(sample.rate() / base.rate())
            });
            let middle = |value: fn(&Sample) -> f64| median(own.iter().map(|s| value(s)).collect());
            Some(Row {
                entry,
                rate: middle(Sample::rate)?,
                seconds: middle(|sample| sample.seconds)?,
                ratio: median(ratios.collect()),
                p50_us: median(own.iter().filter_map(|sample| sample.p50_us).collect()),
                p99_us: median(own.iter().filter_map(|sample| sample.p99_us).collect()),
                cpu_us: middle(|sample| sample.cpu_us)?,
                peak_mib: middle(|sample| sample.peak_mib)?,
                disk_mib: middle(|sample| sample.disk_mib)?,
                rounds: own.len(),
            })
        })
        .collect();
    rows.sort_by(|one, other| other.rate.total_cmp(&one.rate));
    rows
}

/// Whether a row may stand beside durable ones: in a workload that must be durable, only those
/// that sync before they return.
pub fn durable(workload: Workload, entry: &Entry) -> &'static str {
    match (workload.is_durable(), entry.durable) {
        (false, _) => "",
        (true, true) => "yes",
        (true, false) => "no",
    }
}

/// A number of records in a second, or a time, to three digits.
pub fn figure(workload: Workload, row: &Row) -> String {
    if workload.is_one_act() {
        return format!("{} ms", three_digits(row.seconds * 1e3));
    }
    match row.rate {
        rate if rate >= 1e6 => format!("{} M/s", three_digits(rate / 1e6)),
        rate if rate >= 1e4 => format!("{} k/s", three_digits(rate / 1e3)),
        rate => format!("{rate:.0} /s"),
    }
}

fn three_digits(number: f64) -> String {
    match number {
        number if number >= 100.0 => format!("{number:.0}"),
        number if number >= 10.0 => format!("{number:.1}"),
        number => format!("{number:.2}"),
    }
}
