//! `beaver wal dump`: every line of a log with its place, damage included.

use std::io;
use std::path::Path;

use beaver::inspect::{self, DumpLine, LineContent};
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::out_of_place::note;
use super::{exit_for, failed, log};
use crate::args::Format;
use crate::exit::{CliError, Exit};
use crate::output::Output;

/// Prints one line for each thing in the log, as text or as one JSON object; ends with 1 if there is damage.
pub(super) fn dump(directory: &Path, format: Format, out: &mut Output) -> Result<Exit, CliError> {
    let from = log(directory)?;
    note(directory)?;
    let mut damaged = false;
    let done = inspect::dump(&from, &mut |line| {
        damaged |= matches!(line.content, LineContent::Damage(_));
        match format {
            Format::Json => out.line(json_line(line)),
            Format::Text => out.line(text_line(line)),
        }
        // The reader is gone: stop early.
        if out.is_gone() {
            Err(io::ErrorKind::BrokenPipe.into())
        } else {
            Ok(())
        }
    });
    match done {
        Err(_) if out.is_gone() => {}
        done => done.map_err(failed(directory))?,
    }
    Ok(exit_for(damaged))
}

/// File, byte offset, then what stands there.
fn text_line(line: &DumpLine<'_>) -> String {
    let what = match &line.content {
        LineContent::Header {
            version,
            store,
            epoch,
            prev,
        } => {
            let after = prev.map_or_else(|| ", the first".to_owned(), |it| format!(" after {it}"));
            let store = store.map_or_else(String::new, |store| format!(" of store {store}"));
            format!("header of epoch {epoch}{after}{store}, version {version}")
        }
        LineContent::Event {
            position,
            batch,
            more,
            json,
        } => {
            let batch = if *batch == position.seq {
                String::new()
            } else {
                format!(" batch {batch}")
            };
            let more = if *more { " more" } else { "" };
            format!("{position}{batch}{more} {}", String::from_utf8_lossy(json))
        }
        LineContent::Marker(synced) => format!("marker: durable through {synced}"),
        LineContent::Lost(from, to) => format!("lost: {from} to {to}"),
        LineContent::Damage(reason) => format!("DAMAGE: {reason}"),
        LineContent::TornTail(reason) => format!("torn tail, torn or in flight: {reason}"),
        LineContent::Free(bytes) => format!("free: {bytes} bytes"),
    };
    format!("{}:{} {what}", line.file, line.offset)
}

fn json_line(line: &DumpLine<'_>) -> String {
    let (kind, facts) = match &line.content {
        LineContent::Header {
            version,
            store,
            epoch,
            prev,
        } => {
            let prev = prev.map(|prev| prev.to_string());
            let store = store.map(|store| store.to_string());
            let facts = json!({"version": version, "store": store, "epoch": epoch.0, "prev": prev});
            ("header", facts)
        }
        LineContent::Event {
            position,
            batch,
            more,
            ..
        } => (
            "event",
            json!({"position": position.to_string(), "batch": batch.0, "more": more}),
        ),
        LineContent::Marker(synced) => ("marker", json!({"synced": synced.0})),
        LineContent::Lost(from, to) => ("lost", json!({"from": from.0, "to": to.0})),
        LineContent::Damage(reason) => ("damage", json!({"reason": reason})),
        LineContent::TornTail(reason) => ("torn-tail", json!({"reason": reason})),
        LineContent::Free(bytes) => ("free", json!({"bytes": bytes})),
    };
    let place = json!({"file": line.file, "offset": line.offset, "kind": kind});
    match &line.content {
        LineContent::Event { json, .. } => joined(&[place, facts], Some(json)),
        _ => joined(&[place, facts], None),
    }
}

/// One object with the members of all `parts`, and the event byte for byte as it is stored.
fn joined(parts: &[Value], event: Option<&[u8]>) -> String {
    let members = parts.iter().filter_map(Value::as_object).flatten();
    let mut text: Vec<String> = members
        .map(|(name, value)| format!("{name:?}:{value}"))
        .collect();
    if let Some(event) = event {
        text.push(format!("\"event\":{}", event_json(event)));
    }
    format!("{{{}}}", text.join(","))
}

/// The event if it is JSON, which the log does not check; else its text as a string.
fn event_json(event: &[u8]) -> String {
    let text = String::from_utf8_lossy(event);
    match serde_json::from_str::<&RawValue>(&text) {
        Ok(raw) => raw.get().to_owned(),
        Err(_) => Value::String(text.into_owned()).to_string(),
    }
}

#[cfg(test)]
mod tests {
    use beaver::{Position, Seq};

    use super::*;

    #[test]
    fn an_event_keeps_its_bytes() {
        let line = DumpLine {
            file: "wal-0000000001.jsonl",
            offset: 81,
            content: LineContent::Event {
                position: Position::new(1, 2),
                batch: Seq(1),
                more: true,
                json: br#"{"n":1.50}"#,
            },
        };
        assert_eq!(
            text_line(&line),
            r#"wal-0000000001.jsonl:81 1:2 batch 1 more {"n":1.50}"#
        );
        assert_eq!(
            json_line(&line),
            r#"{"file":"wal-0000000001.jsonl","kind":"event","offset":81,"batch":1,"more":true,"position":"1:2","event":{"n":1.50}}"#
        );
    }

    #[test]
    fn an_event_that_is_no_json_is_shown_as_text() {
        assert_eq!(event_json(b"not json"), "\"not json\"");
    }
}
