//! The timeline of a failure: a row for each command, storage call, crash and recovery.

use beaver_disk::{Op, TraceRecord};
use beaver_sim::explain::lanes::Lanes;
use beaver_sim::run_log::{CrashEvent, LoggedEvent, RunEvent, result_of};
use beaver_sim::scenario::CrashKind;

use super::text::{printable, sentence};

/// How many rows of a timeline a page has at most.
const MOST_ROWS: usize = 1500;

/// A kind of row that can be switched off.
#[derive(Debug)]
pub(super) struct Filter {
    pub(super) kind: &'static str,
    pub(super) label: &'static str,
    pub(super) count: usize,
}

#[derive(Debug, Default)]
pub(super) struct TimelineRow {
    pub(super) kind: &'static str,
    pub(super) number: String,
    pub(super) head: &'static str,
    pub(super) detail: String,
    pub(super) result: String,
    pub(super) fault: Option<&'static str>,
    pub(super) bad: bool,
    pub(super) explained: bool,
    pub(super) column: Option<usize>,
}

/// The last rows, and how many were left out before them. Rows know their column in a picture that
/// begins at `first_column`.
pub(super) fn timeline(
    log: &[LoggedEvent],
    lanes: &Lanes,
    first_column: usize,
) -> (Vec<TimelineRow>, usize) {
    let mut column = 0..lanes.columns.len();
    let mut rows: Vec<TimelineRow> = Vec::new();
    for event in log {
        let mut row = TimelineRow::new(&event.event);
        let has_column = match &event.event {
            RunEvent::Call { record } => record.op.changes_something(),
            RunEvent::Acknowledged { .. } | RunEvent::Crash(_) | RunEvent::Opened { .. } => true,
            _ => false,
        };
        if has_column {
            let column = column.next();
            row.column = column.and_then(|column| column.checked_sub(first_column));
        }
        // A plain answer says nothing that the acknowledgement after it does not.
        let last = rows.last();
        let plain = last.is_some_and(|last| last.kind == "answer" && last.detail == "ok");
        if row.kind == "ack" && plain {
            rows.pop();
        }
        rows.push(row);
    }
    let hidden = rows.len().saturating_sub(MOST_ROWS);
    rows.drain(..hidden);
    (rows, hidden)
}

impl TimelineRow {
    fn plain(kind: &'static str, head: &'static str, detail: &str) -> Self {
        TimelineRow {
            kind,
            head,
            detail: printable(detail),
            ..TimelineRow::default()
        }
    }

    fn new(event: &RunEvent) -> Self {
        match event {
            RunEvent::Command { number, text } => TimelineRow {
                result: format!("command {number}"),
                ..TimelineRow::plain("command", "command", text)
            },
            RunEvent::Answer { text } | RunEvent::Note { text } => TimelineRow {
                bad: text.starts_with("failed") || text.starts_with("no answer"),
                ..TimelineRow::plain("answer", "answer", text)
            },
            RunEvent::Acknowledged { text, position } => TimelineRow {
                result: position.map_or_else(String::new, |at| format!("at {at}")),
                ..TimelineRow::plain("ack", "acknowledged", text)
            },
            RunEvent::Call { record } => TimelineRow::of_call(record),
            RunEvent::Crash(crash) => TimelineRow::of_crash(crash),
            RunEvent::Opening { found } => {
                let names: Vec<&str> = found.names().collect();
                let names = match names[..] {
                    [] => "an empty directory".to_owned(),
                    _ => names.join(", "),
                };
                TimelineRow::plain("open", "opening", &names)
            }
            RunEvent::Opened { position } => TimelineRow {
                result: position.map_or_else(String::new, |at| format!("at {at}")),
                ..TimelineRow::plain("open", "opened", "the store")
            },
            RunEvent::Refused { text } => TimelineRow {
                bad: true,
                ..TimelineRow::plain("open", "refused", text)
            },
        }
    }

    fn of_crash(crash: &CrashEvent) -> Self {
        let (kind, head) = match crash.kind {
            CrashKind::Kill => ("crash kill", "kill"),
            CrashKind::PowerCut => ("crash", "power cut"),
        };
        TimelineRow {
            explained: crash.explained,
            ..TimelineRow::plain(kind, head, &sentence(&crash.text))
        }
    }

    fn of_call(call: &TraceRecord) -> Self {
        let kind = match call.op {
            Op::SyncData | Op::SyncDir => "sync",
            Op::WriteAt | Op::SetLen | Op::Allocate => "write",
            Op::Create | Op::Rename | Op::Remove => "name",
            _ => "read",
        };
        let TraceRecord {
            file, offset, len, ..
        } = call;
        let detail = match (call.op, &call.to) {
            (Op::SyncDir | Op::List | Op::Lock, _) => "the directory".to_owned(),
            (_, Some(to)) => format!("{file} → {to}"),
            (Op::ReadAt | Op::WriteAt, _) => format!("{file}, {len} bytes at {offset}"),
            (Op::SetLen | Op::Allocate, _) => format!("{file} to {offset} bytes"),
            _ => file.to_string(),
        };
        TimelineRow {
            number: call.call.to_string(),
            result: result_of(call),
            fault: call.fault,
            bad: call.answer.is_err(),
            ..TimelineRow::plain(kind, call.op.name(), &detail)
        }
    }
}

/// The kinds of rows that there are.
pub(super) fn filters(rows: &[TimelineRow]) -> Vec<Filter> {
    const KINDS: [(&str, &str); 9] = [
        ("command", "commands"),
        ("answer", "answers"),
        ("ack", "acknowledgements"),
        ("write", "writes"),
        ("sync", "syncs"),
        ("name", "names"),
        ("read", "reads"),
        ("open", "recoveries"),
        ("crash", "crashes"),
    ];
    let filters = KINDS.iter().map(|(kind, label)| {
        let is_one = |row: &&TimelineRow| row.kind.split(' ').next() == Some(*kind);
        let count = rows.iter().filter(is_one).count();
        Filter { kind, label, count }
    });
    filters.filter(|filter| filter.count > 0).collect()
}
