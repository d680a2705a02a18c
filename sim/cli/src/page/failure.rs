//! One failure on a page: words, picture, survival and timeline.

use beaver_disk::Op;

use super::picture::Picture;
use super::survival::{FileBlock, NameRow, files, names};
use beaver_sim::explain::lanes::Instant;
use beaver_sim::explain::timeline::{CallRow, Row};
use beaver_sim::explain::{Acknowledged, Explained, Explanation, Kept};
use beaver_sim::scenario::CrashKind;

/// How many rows of a timeline a page has at most.
const MOST_ROWS: usize = 1500;

/// Everything that a page says about a failure.
#[derive(Debug)]
pub(super) struct FailureSection {
    pub(super) id: String,
    pub(super) heading: String,
    pub(super) promise: &'static str,
    pub(super) missing: Vec<Vec<Part>>,
    pub(super) facts: Vec<Fact>,
    pub(super) expected: String,
    pub(super) found: String,
    pub(super) replay: String,
    pub(super) picture: Picture,
    pub(super) has_survival: bool,
    pub(super) crash: String,
    pub(super) names: Vec<NameRow>,
    pub(super) files: Vec<FileBlock>,
    pub(super) acks: Vec<AckRow>,
    pub(super) filters: Vec<Filter>,
    pub(super) hidden_rows: usize,
    pub(super) rows: Vec<TimelineRow>,
}

/// A piece of a sentence; names of files are set as code.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) code: bool,
    pub(super) text: String,
}

#[derive(Debug)]
pub(super) struct Fact {
    pub(super) label: &'static str,
    pub(super) value: String,
}

#[derive(Debug)]
pub(super) struct AckRow {
    pub(super) command: u64,
    pub(super) call: u64,
    pub(super) place: String,
    pub(super) words: String,
    pub(super) fate: String,
    pub(super) tone: &'static str,
}

/// A kind of row that can be switched off.
#[derive(Debug)]
pub(super) struct Filter {
    pub(super) kind: &'static str,
    pub(super) words: &'static str,
    pub(super) count: usize,
}

#[derive(Debug)]
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

impl FailureSection {
    pub(super) fn new(number: usize, explained: &Explained, count: usize) -> Self {
        let explanation = &explained.explanation;
        let (rows, hidden_rows, first_column) = timeline(explained);
        let survival = explanation.survival.as_ref();
        let crash = explanation.explained.map(|at| &explanation.crashes[at]);
        FailureSection {
            id: format!("failure-{number}"),
            heading: heading(explanation),
            promise: explanation.promise,
            missing: explanation
                .missing
                .iter()
                .map(|step| parts(&step.words))
                .collect(),
            facts: facts(explanation, count),
            expected: shortened(&explanation.expected),
            found: shortened(&explanation.found),
            replay: explanation.replay.clone(),
            picture: Picture::draw(&explained.timeline.lanes, first_column),
            has_survival: survival.is_some(),
            crash: crash
                .map(|crash| sentence(&crash.words))
                .unwrap_or_default(),
            names: survival.map(names).unwrap_or_default(),
            files: survival.map(files).unwrap_or_default(),
            acks: explanation.acknowledged.iter().map(AckRow::new).collect(),
            filters: filters(&rows),
            hidden_rows,
            rows,
        }
    }
}

fn heading(explanation: &Explanation) -> String {
    match (explanation.verdict, explanation.invariant) {
        ("panic", _) => "The program under test panicked".to_owned(),
        ("budget", _) => "A budget ran out".to_owned(),
        (_, invariant) => format!(
            "Invariant {} is violated: {}",
            invariant.number(),
            explanation.name
        ),
    }
}

fn facts(explanation: &Explanation, count: usize) -> Vec<Fact> {
    let mut facts = vec![
        ("scenario", explanation.scenario.clone()),
        ("profile", super::profile_words(explanation.profile)),
        (
            "at",
            format!(
                "command {} ({})",
                explanation.step,
                printable(&explanation.command)
            ),
        ),
        ("first wrong", explanation.first_wrong.to_string()),
        (
            "mildest",
            format!(
                "{}: {}",
                explanation.mildest.profile, explanation.mildest.words
            ),
        ),
    ];
    if count > 1 {
        facts.push(("stands for", format!("{count} runs")));
    }
    let facts = facts.into_iter();
    facts.map(|(label, value)| Fact { label, value }).collect()
}

/// A sentence as text and code.
fn parts(words: &str) -> Vec<Part> {
    let words = sentence(words);
    let parts = words.split('`').enumerate();
    let parts = parts
        .filter(|(_, text)| !text.is_empty())
        .map(|(at, text)| Part {
            code: at % 2 == 1,
            text: text.to_owned(),
        });
    parts.collect()
}

/// A clause with a capital and a full stop.
fn sentence(words: &str) -> String {
    let mut letters = words.chars();
    let first = letters.next().map(char::to_uppercase);
    let first: String = first.into_iter().flatten().collect();
    format!("{first}{}.", letters.as_str())
}

impl AckRow {
    fn new(ack: &Acknowledged) -> Self {
        let (fate, tone) = match &ack.fate {
            Kept::NotTouched => ("not touched by a crash".to_owned(), "plain"),
            Kept::There => ("there".to_owned(), "good"),
            Kept::NeverWritten => ("never written".to_owned(), "bad"),
            Kept::Removed { file } => (format!("removed with {file}"), "warn"),
            Kept::Lost {
                file, gone: true, ..
            } => (format!("lost with {file}"), "bad"),
            Kept::Lost { file, offset, .. } => (format!("lost at byte {offset} of {file}"), "bad"),
        };
        AckRow {
            command: ack.command,
            call: ack.call,
            place: ack.place.clone(),
            words: printable(&ack.words),
            fate,
            tone,
        }
    }
}

/// The rows of the timeline, how many were left out before them, and the first column of the picture
/// that belongs to one of them.
fn timeline(explained: &Explained) -> (Vec<TimelineRow>, usize, usize) {
    let columns = explained.timeline.lanes.columns.len();
    let mut next = 0;
    let rows = explained.timeline.rows.iter().map(|row| {
        let mut line = TimelineRow::new(row);
        let has_column = match row {
            Row::Call(call) => call.op.changes_something(),
            Row::Acknowledged { records, .. } => *records > 0,
            Row::Crash { .. } | Row::Opened { .. } => true,
            _ => false,
        };
        if has_column && next < columns {
            line.column = Some(next);
            next += 1;
        }
        line
    });
    let mut rows: Vec<TimelineRow> = rows.collect();
    drop_plain_answers(&mut rows);
    let hidden = rows.len().saturating_sub(MOST_ROWS);
    rows.drain(..hidden);
    let first = Picture::first_column(&explained.timeline.lanes);
    for row in &mut rows {
        row.column = row.column.and_then(|column| column.checked_sub(first));
    }
    (rows, hidden, first)
}

/// An answer says nothing that the acknowledgement behind it does not.
fn drop_plain_answers(rows: &mut Vec<TimelineRow>) {
    let acknowledged: Vec<bool> = rows
        .iter()
        .skip(1)
        .map(|next| next.kind == "ack")
        .chain([false])
        .collect();
    let mut acknowledged = acknowledged.into_iter();
    rows.retain(|row| {
        let next = acknowledged.next().unwrap_or(false);
        !(next && row.kind == "answer" && row.detail == "ok")
    });
}

impl TimelineRow {
    fn plain(kind: &'static str, head: &'static str, detail: String) -> Self {
        TimelineRow {
            kind,
            number: String::new(),
            head,
            detail: printable(&detail),
            result: String::new(),
            fault: None,
            bad: false,
            explained: false,
            column: None,
        }
    }

    fn new(row: &Row) -> Self {
        match row {
            Row::Command { number, words } => TimelineRow {
                result: format!("command {number}"),
                ..TimelineRow::plain("command", "command", words.clone())
            },
            Row::Answer { words } => TimelineRow {
                bad: words.starts_with("failed") || words.starts_with("no answer"),
                ..TimelineRow::plain("answer", "answer", words.clone())
            },
            Row::Acknowledged {
                words,
                records,
                place,
            } => TimelineRow {
                result: match records {
                    0 => "nothing to store".to_owned(),
                    1 => format!("1 record, at {place}"),
                    _ => format!("{records} records, to {place}"),
                },
                ..TimelineRow::plain("ack", "acknowledged", words.clone())
            },
            Row::Call(call) => TimelineRow::of_call(call),
            Row::Crash {
                words,
                kind,
                explained,
            } => TimelineRow {
                explained: *explained,
                ..TimelineRow::plain(
                    match kind {
                        CrashKind::Kill => "crash kill",
                        CrashKind::PowerCut => "crash",
                    },
                    match kind {
                        CrashKind::Kill => "kill",
                        CrashKind::PowerCut => "power cut",
                    },
                    sentence(words),
                )
            },
            Row::Opening { names } => {
                let names = match names.is_empty() {
                    true => "an empty directory".to_owned(),
                    false => names.join(", "),
                };
                TimelineRow::plain("open", "opening", names)
            }
            Row::Opened { place } => TimelineRow {
                result: format!("at {place}"),
                ..TimelineRow::plain("open", "opened", "the store".to_owned())
            },
            Row::Refused { text } => TimelineRow {
                bad: true,
                ..TimelineRow::plain("open", "refused", text.clone())
            },
        }
    }

    fn of_call(call: &CallRow) -> Self {
        let kind = match call.op {
            Op::SyncData | Op::SyncDir => "sync",
            Op::WriteAt | Op::SetLen | Op::Allocate => "write",
            Op::Create | Op::Rename | Op::Remove => "name",
            _ => "read",
        };
        let file = match call.op {
            Op::SyncDir | Op::List | Op::Lock => "the directory".to_owned(),
            _ => call.file.clone(),
        };
        let detail = match (call.op, &call.to, call.offset, call.len) {
            (_, Some(to), _, _) => format!("{file} → {to}"),
            (_, _, Some(offset), Some(len)) => format!("{file}, {len} bytes at {offset}"),
            (_, _, Some(len), None) => format!("{file} to {len} bytes"),
            _ => file,
        };
        TimelineRow {
            number: call.call.to_string(),
            result: call.result.clone(),
            fault: call.fault,
            bad: !call.ok,
            ..TimelineRow::plain(kind, call.op.name(), detail)
        }
    }
}

/// The kinds of rows that there are.
fn filters(rows: &[TimelineRow]) -> Vec<Filter> {
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
    let filters = KINDS.iter().map(|(kind, words)| Filter {
        kind,
        words,
        count: rows
            .iter()
            .filter(|row| row.kind.split(' ').next() == Some(*kind))
            .count(),
    });
    filters.filter(|filter| filter.count > 0).collect()
}

/// What a column of the picture is called.
pub(super) fn instant_words(what: &Instant, call: u64) -> String {
    match what {
        Instant::Call { op, ok: true } => format!("call {call}: {op}"),
        Instant::Call { op, ok: false } => format!("call {call}: {op} failed"),
        Instant::Acknowledged { place } => format!("acknowledged: {place}"),
        Instant::Crash { power: true, .. } => "power cut".to_owned(),
        Instant::Crash { power: false, .. } => "process killed".to_owned(),
        Instant::Opened => "the store opened".to_owned(),
    }
}

fn printable(text: &str) -> String {
    beaver_sim::explain::printable(text)
}

fn shortened(text: &str) -> String {
    beaver_sim::explain::shortened(text)
}
