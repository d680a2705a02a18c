//! The comparison as one HTML file that needs nothing else: a bar for each contestant.

use std::fmt::Write;

use crate::roster::baseline;
use crate::sample::Sample;
use crate::summary::{Row, figure, rows};
use crate::workload::Workload;

const BAR: u32 = 22;
const GAP: u32 = 6;
const NAMES: u32 = 170;
const BARS: u32 = 430;
const FIGURES: u32 = 190;

const HEAD: &str = r#"<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Beaver beside other logs</title>
<style>
:root { color-scheme: light dark; --paper: #fff; --ink: #1c1c1c; --soft: #6a6a6a; --own: #0a6e5c;
  --peer: #9db4c0; --limit: #d8cfc0; --weak: #e0b4a8; }
@media (prefers-color-scheme: dark) { :root { --paper: #16181a; --ink: #e8e6e3; --soft: #a0a0a0;
  --own: #3fbf9f; --peer: #4f6570; --limit: #54503f; --weak: #7a4a40; } }
body { background: var(--paper); color: var(--ink); font: 15px/1.5 system-ui, sans-serif;
  max-width: 820px; margin: 2em auto; padding: 0 1em; }
h2 { font-size: 1.1em; margin: 1.6em 0 .3em; }
p { color: var(--soft); margin: .2em 0; }
svg { width: 100%; height: auto; }
text { fill: var(--ink); font: 13px system-ui, sans-serif; }
.own { fill: var(--own); } .peer { fill: var(--peer); } .limit { fill: var(--limit); }
.weak { fill: var(--weak); }
</style></head><body>
<h1>Beaver beside other logs</h1>
<p>Medians of interleaved rounds in one run. Longer is better. In brackets the median ratio to the
baseline of the same round. Green is Beaver, grey-brown a limit of the machine or of a plain reader,
red a log that does not sync before it returns.</p>
"#;

/// The whole page.
pub fn page(samples: &[Sample]) -> String {
    let mut out = HEAD.to_owned();
    for workload in Workload::ALL {
        let rows = rows(workload, samples);
        if rows.is_empty() {
            continue;
        }
        let base = baseline(workload);
        let title = workload.title();
        out.push_str(&format!("<h2>{title}</h2>\n<p>baseline: {base}</p>\n"));
        draw(&mut out, workload, &rows);
    }
    out.push_str("</body></html>\n");
    out
}

/// Names and figures come from this program alone, so none needs escaping.
fn draw(out: &mut String, workload: Workload, rows: &[Row]) {
    let width = NAMES + BARS + FIGURES;
    let height = rows.len() as u32 * (BAR + GAP);
    let longest = rows
        .iter()
        .map(|row| row.rate)
        .fold(f64::MIN_POSITIVE, f64::max);
    let title = workload.title();
    write!(
        out,
        "<svg viewBox=\"0 0 {width} {height}\" role=\"img\" aria-label=\"{title}\">\n"
    )
    .expect("a string takes everything");
    for (place, row) in rows.iter().enumerate() {
        let top = place as u32 * (BAR + GAP);
        let middle = top + BAR / 2 + 4;
        let length = (row.rate / longest * f64::from(BARS)).max(1.0);
        let class = match row.entry.name {
            name if name.starts_with("beaver") => "own",
            _ if !row.entry.durable && !row.entry.version.is_empty() => "weak",
            _ if row.entry.version.is_empty() => "limit",
            _ => "peer",
        };
        let ratio = row
            .ratio
            .map_or_else(String::new, |ratio| format!(" ({ratio:.2})"));
        let (name, figure) = (row.entry.name, figure(workload, row));
        let text_at = f64::from(NAMES) + length + 8.0;
        writeln!(
            out,
            "<text x=\"{}\" y=\"{middle}\" text-anchor=\"end\">{name}</text>\
             <rect x=\"{NAMES}\" y=\"{top}\" width=\"{length:.1}\" height=\"{BAR}\" class=\"{class}\"/>\
             <text x=\"{text_at:.1}\" y=\"{middle}\">{figure}{ratio}</text>",
            NAMES - 8,
        )
        .expect("a string takes everything");
    }
    out.push_str("</svg>\n");
}
