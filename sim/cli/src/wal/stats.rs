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
    let stats = settled(|| match args.any_event {
        true => inspect::stats::<AnyEvent>(&log),
        false => inspect::stats::<Event>(&log),
    });
    let mut stats = stats.map_err(failed(directory))?;
    // One reason stands for as many problems as there are events: that somebody else writes this log, most likely.
    if stats.events > 0 && stats.by_kind.is_empty() {
        keep_first_undecoded(&mut stats);
    }
    stats.problems.splice(..0, out_of_place);
    Ok(stats)
}

/// Leaves one of the problems that an event cannot be decoded, and has it speak for all of them.
fn keep_first_undecoded(stats: &mut Stats) {
    let all = counted(stats.events, "valid event");
    let mut is_first = true;
    stats.problems.retain_mut(|problem| {
        if !problem.reason.contains("cannot be decoded") {
            return true;
        }
        problem.reason = format!(
            "none of {all} is one of the job queue; is this the log of another program, of which `--any-event` checks all but \
             what the events mean? {}",
            problem.reason
        );
        std::mem::take(&mut is_first)
    });
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
