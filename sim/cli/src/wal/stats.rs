//! `beaver wal stats` and `beaver wal validate`: what is in a store, and everything that is wrong with it.

use beaver::inspect::{self, Stats, StoreProblem};
use beaver::wal::{LostRange, TornTail};
use beaver::{Event, Position};
use beaver_sim::explain::printable;
use serde_json::{Value, json};

use super::any_event::AnyEvent;
use super::{exit_for, failed, log, out_of_place, settled};
use crate::args::{EventLogArgs, Format};
use crate::exit::{CliError, Exit};
use crate::output::Output;
use crate::report::numbers::counted;

/// Prints counts and everything that is wrong; ends with 1 if something is.
pub(super) fn stats(args: &EventLogArgs, out: &mut Output) -> Result<Exit, CliError> {
    let stats = survey(args)?;
    match args.log.format {
        Format::Json => out.json(&stats_json(&stats))?,
        Format::Text => print_stats(&stats, out),
    }
    Ok(exit_for(!stats.problems.is_empty()))
}

/// Prints everything that is wrong; ends with 1 if something is.
pub(super) fn validate(args: &EventLogArgs, out: &mut Output) -> Result<Exit, CliError> {
    let stats = survey(args)?;
    match args.log.format {
        Format::Json => out.json(&findings_json(&stats))?,
        Format::Text => {
            print_findings(&stats, out);
            let found = match stats.problems.len() as u64 {
                0 => "whole".to_owned(),
                problems => counted(problems, "problem"),
            };
            let (events, segments) = (
                counted(stats.events, "event"),
                counted(stats.segments, "segment"),
            );
            let identity = stats.identity();
            out.line(format_args!("{events} in {segments}: {found} ({identity})"));
        }
    }
    Ok(exit_for(!stats.problems.is_empty()))
}

fn survey(args: &EventLogArgs) -> Result<Stats, CliError> {
    let directory = &args.log.dir;
    let log = log(directory)?;
    let out_of_place = out_of_place::find(directory)?;
    let of_any_event = || settled(|| inspect::stats::<AnyEvent>(&log)).map_err(failed(directory));
    let mut stats = match args.any_event {
        true => of_any_event()?,
        false => settled(|| inspect::stats::<Event>(&log)).map_err(failed(directory))?,
    };
    // One reason stands for as many problems as there are events: that somebody else writes this log.
    if stats.events > 0 && stats.by_kind.is_empty() {
        let first = stats.problems.into_iter().find(is_undecoded);
        stats = of_any_event()?;
        stats.problems.splice(..0, first.map(of_other_program));
    }
    stats.problems.splice(..0, out_of_place);
    Ok(stats)
}

/// Whether it is that an event cannot be decoded.
fn is_undecoded(problem: &StoreProblem) -> bool {
    problem.reason.contains("cannot be decoded")
}

/// What stands for all of them where no event can be decoded.
fn of_other_program(first: StoreProblem) -> StoreProblem {
    let reason = format!(
        "no event of this log is one of the job queue, so it is of another program, and `--any-event` checks all but what \
         the events mean; {}",
        first.reason
    );
    StoreProblem { reason, ..first }
}

fn print_stats(stats: &Stats, out: &mut Output) {
    let mut row = |label: &str, value: String| out.line(format_args!("{label:<12} {value}"));
    row("identity", stats.identity());
    row(
        "segments",
        format!("{} ({} bytes)", stats.segments, stats.segment_bytes),
    );
    row(
        "snapshots",
        format!("{} ({} bytes)", stats.snapshots, stats.snapshot_bytes),
    );
    row(
        "events",
        format!("{} ({} bytes of lines)", stats.events, stats.line_bytes),
    );
    for (kind, count) in &stats.by_kind {
        row(&format!("  {kind}"), count.to_string());
    }
    row("markers", stats.markers.to_string());
    row("first", at(stats.first, stats.earliest_ms, "earliest"));
    row("last", at(stats.last, stats.latest_ms, "latest"));
    print_findings(stats, out);
}

/// A position, and the time stamp at that end of the range.
fn at(position: Option<Position>, time_ms: Option<u64>, end: &str) -> String {
    let position = position.map_or_else(|| "none".to_owned(), |position| position.to_string());
    match time_ms {
        Some(ms) => format!("{position} ({end} time stamp {ms} ms)"),
        None => position,
    }
}

/// What is wrong, and what looks wrong and is not.
fn print_findings(stats: &Stats, out: &mut Output) {
    for problem in &stats.problems {
        out.line(format_args!(
            "problem      {}",
            printable(&problem.to_string())
        ));
    }
    for LostRange { from, to } in &stats.lost {
        out.line(format_args!(
            "lost         {from} to {to}, as an earlier repair says"
        ));
    }
    if let Some(TornTail {
        file,
        offset,
        bytes,
    }) = &stats.torn_tail
    {
        out.line(format_args!(
            "torn tail    {file}: {} from byte {offset}, torn or in flight",
            counted(*bytes, "byte")
        ));
    }
    for stray in &stats.strays {
        out.line(format_args!("stray        {}", printable(stray)));
    }
}

fn stats_json(stats: &Stats) -> Value {
    let mut json = findings_json(stats);
    let counts = json!({
        "store": stats.store.map(|store| store.to_string()),
        "versions": stats.versions.keys().collect::<Vec<_>>(),
        "snapshots": stats.snapshots,
        "by_kind": stats.by_kind,
        "markers": stats.markers,
        "first": position_json(stats.first),
        "last": position_json(stats.last),
        "earliest_ms": stats.earliest_ms,
        "latest_ms": stats.latest_ms,
        "line_bytes": stats.line_bytes,
        "segment_bytes": stats.segment_bytes,
        "snapshot_bytes": stats.snapshot_bytes,
    });
    if let (Value::Object(json), Value::Object(counts)) = (&mut json, counts) {
        json.extend(counts);
    }
    json
}

fn findings_json(stats: &Stats) -> Value {
    let problem =
        |StoreProblem {
             file,
             offset,
             reason,
         }: &StoreProblem| { json!({"file": file, "offset": offset, "reason": reason}) };
    let lost = |range: &LostRange| json!({"epoch": range.from.epoch.0, "from": range.from.seq.0, "to": range.to.0});
    let torn = stats.torn_tail.as_ref().map(
        |TornTail {
             file,
             offset,
             bytes,
         }| { json!({"file": file, "offset": offset, "bytes": bytes}) },
    );
    json!({
        "segments": stats.segments,
        "events": stats.events,
        "problems": stats.problems.iter().map(problem).collect::<Vec<_>>(),
        "lost": stats.lost.iter().map(lost).collect::<Vec<_>>(),
        "torn_tail": torn,
        "strays": stats.strays,
    })
}

fn position_json(position: Option<Position>) -> Value {
    position.map_or(Value::Null, |position| Value::String(position.to_string()))
}
