//! Lines of the plain store's segments: the documented format, written a second time.
//!
//! ```text
//! {"wal":"beaver","version":1,"epoch":2,"prev":{"epoch":1,"last_seq":3},"created_ms":0,"crc":"…"}
//! {"seq":1,"event":{"type":"ACK","job_id":"a","timestamp":7},"crc":"…"}
//! {"seq":2,"batch":1,"more":true,"event":{…},"crc":"…"}
//! {"synced":2,"crc":"…"}
//! ```
//!
//! Payloads are kept as JSON strings, so that they survive byte for byte without a parser that
//! keeps raw text.

use beaver::{ChecksumKind, Epoch, calculate_checksum};
use serde_json::{Value, json};

use super::bug::Bug;
use beaver_sim::oracle::model::{Record, What};

/// One event with its envelope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Event {
    pub(super) seq: u64,
    pub(super) batch: u64,
    pub(super) more: bool,
    /// Nothing: a type that this program does not know.
    pub(super) record: Option<Record>,
}

/// One valid line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// The last place of the segment before.
    Header(Option<(u64, u64)>),
    Event(Event),
    Marker(u64),
}

const NO_CRC: &str = ",\"crc\":\"00000000\"}";

/// Puts the checksum of `covered` on the line `body`, which lacks its closing brace.
fn sealed(kind: ChecksumKind, epoch: u64, body: &str, covered: &str) -> Vec<u8> {
    let covered = format!("{covered}{NO_CRC}");
    let crc = calculate_checksum(kind, Epoch(epoch), covered.as_bytes());
    let crc = crc.expect("the line ends as a checked line must");
    format!("{body},\"crc\":\"{crc:08x}\"}}\n").into_bytes()
}

/// The first line of a segment.
pub(super) fn header(epoch: u64, prev: Option<(u64, u64)>) -> Vec<u8> {
    let prev = prev.map_or("null".to_owned(), |(epoch, last_seq)| {
        format!("{{\"epoch\":{epoch},\"last_seq\":{last_seq}}}")
    });
    let body = format!(
        "{{\"wal\":\"beaver\",\"version\":1,\"epoch\":{epoch},\"prev\":{prev},\"created_ms\":0"
    );
    sealed(ChecksumKind::Header, epoch, &body, &body)
}

/// The line that says that everything up to `seq` is durable.
pub(super) fn marker(epoch: u64, seq: u64) -> Vec<u8> {
    let body = format!("{{\"synced\":{seq}");
    sealed(ChecksumKind::Marker, epoch, &body, &body)
}

/// A document that is one line: a snapshot.
pub(super) fn snapshot(epoch: u64, body: &str) -> Vec<u8> {
    sealed(ChecksumKind::Snapshot, epoch, body, body)
}

/// The line of an event.
pub(super) fn event(epoch: u64, event: &Event, bug: Option<Bug>) -> Vec<u8> {
    let record = event.record.as_ref().expect("what is written is known");
    let mut stored = record.clone();
    match (&mut stored.what, bug) {
        (What::Enqueued { payload, .. }, Some(Bug::NumbersAsFloats)) => {
            if let Ok(number) = payload.parse::<f64>() {
                *payload = format!("{number:.0}");
            }
        }
        _ if bug == Some(Bug::ChecksumBeforeEncoding) => {
            let plain = |letter: char| {
                if letter.is_control() {
                    '\u{fffd}'
                } else {
                    letter
                }
            };
            stored.id = stored.id.chars().map(plain).collect();
        }
        _ => {}
    }
    let body = body(event, &stored, bug);
    let raw = self::body(event, record, bug);
    let checked = match bug {
        Some(Bug::ChecksumBeforeEncoding) => &raw,
        _ => &body,
    };
    sealed(
        ChecksumKind::Event,
        epoch,
        &body,
        &covered(event, &stored, checked, bug),
    )
}

fn body(event: &Event, record: &Record, bug: Option<Bug>) -> String {
    let mut body = format!("{{\"seq\":{}", event.seq);
    if event.batch != event.seq {
        body += &format!(",\"batch\":{}", event.batch);
    }
    if event.more {
        body += ",\"more\":true";
    }
    body + &format!(",\"event\":{}", encode(record, bug))
}

/// What the checksum of an event covers: all of its line, unless a bug says otherwise.
fn covered(event: &Event, record: &Record, body: &str, bug: Option<Bug>) -> String {
    match bug {
        Some(Bug::SeqBarelyChecked) => {
            let digit = u32::try_from(event.seq).ok();
            let digit = digit.and_then(|seq| char::from_digit(seq, 10));
            let rest = body.split_once(',').map_or("", |(_, rest)| rest);
            format!("{{\"seq\":{},{rest}", digit.unwrap_or('\u{fffd}'))
        }
        Some(Bug::PayloadNotChecked) => {
            let kind = type_of(&record.what);
            format!(
                "{{\"seq\":{},\"type\":\"{kind}\",\"id\":{}",
                event.seq,
                json!(record.id)
            )
        }
        _ => body.to_owned(),
    }
}

const TYPES: [&str; 6] = ["ENQUEUE", "DISPATCH", "ACK", "RETRY", "TIMEOUT", "DEAD"];

fn type_of(what: &What) -> &'static str {
    match what {
        What::Enqueued { .. } => TYPES[0],
        What::Dispatched => TYPES[1],
        What::Acked => TYPES[2],
        What::Retried => TYPES[3],
        What::TimedOut => TYPES[4],
        What::Buried => TYPES[5],
    }
}

fn encode(record: &Record, bug: Option<Bug>) -> String {
    let kind = match (&record.what, bug) {
        (What::Buried, Some(Bug::DeathNotLogged)) => "TIMEOUT",
        (what, _) => type_of(what),
    };
    let head = format!(
        "{{\"type\":\"{kind}\",\"job_id\":{},\"timestamp\":{}",
        json!(record.id),
        record.at_ms
    );
    match &record.what {
        What::Enqueued {
            payload,
            max_attempts,
            timeout_ms,
        } if bug != Some(Bug::EnqueueWithoutPayload) => {
            let payload = json!(payload);
            format!(
                "{head},\"max_attempts\":{max_attempts},\"timeout_ms\":{timeout_ms},\"payload\":{payload}}}"
            )
        }
        _ => head + "}",
    }
}

/// Reads a line, without its newline. Nothing: it is not valid.
pub(super) fn decode(epoch: u64, line: &[u8], bug: Option<Bug>) -> Option<Line> {
    let valid = |kind| beaver::verify_checksum(kind, Epoch(epoch), line).is_ok();
    if line.starts_with(b"{\"wal\"") && valid(ChecksumKind::Header) {
        let value: Value = serde_json::from_slice(line).ok()?;
        let prev = &value["prev"];
        let prev = (!prev.is_null()).then_some((prev["epoch"].as_u64(), prev["last_seq"].as_u64()));
        return match prev {
            None => Some(Line::Header(None)),
            Some((epoch, seq)) => Some(Line::Header(Some((epoch?, seq?)))),
        };
    }
    if line.starts_with(b"{\"synced\"") && valid(ChecksumKind::Marker) {
        let value: Value = serde_json::from_slice(line).ok()?;
        return Some(Line::Marker(value["synced"].as_u64()?));
    }
    if !line.starts_with(b"{\"seq\"") {
        return None;
    }
    let odd = matches!(bug, Some(Bug::SeqBarelyChecked | Bug::PayloadNotChecked));
    if !odd && !valid(ChecksumKind::Event) {
        return None;
    }
    let value: Value = serde_json::from_slice(line).ok()?;
    let seq = value["seq"].as_u64()?;
    let event = Event {
        seq,
        batch: value.get("batch").map_or(Some(seq), Value::as_u64)?,
        more: value.get("more").is_some(),
        record: record(&value["event"], bug)?,
    };
    if odd {
        let record = event.record.as_ref()?;
        let text = std::str::from_utf8(line).ok()?;
        let (body, _) = text.rsplit_once(",\"crc\":")?;
        let covered = covered(&event, record, body, bug) + NO_CRC;
        let crc = calculate_checksum(ChecksumKind::Event, Epoch(epoch), covered.as_bytes());
        if value["crc"].as_str()? != format!("{:08x}", crc.ok()?) {
            return None;
        }
    }
    Some(Line::Event(event))
}

/// A record; `Some(None)` if its type is unknown.
fn record(value: &Value, bug: Option<Bug>) -> Option<Option<Record>> {
    let what = match value["type"].as_str()? {
        "ENQUEUE" if bug == Some(Bug::EnqueueWithoutPayload) => What::Enqueued {
            payload: String::new(),
            max_attempts: 1,
            timeout_ms: 0,
        },
        "ENQUEUE" => What::Enqueued {
            payload: value["payload"].as_str()?.to_owned(),
            max_attempts: u32::try_from(value["max_attempts"].as_u64()?).ok()?,
            timeout_ms: value["timeout_ms"].as_u64()?,
        },
        "DISPATCH" => What::Dispatched,
        "ACK" => What::Acked,
        "RETRY" => What::Retried,
        "TIMEOUT" => What::TimedOut,
        "DEAD" => What::Buried,
        _ => return Some(None),
    };
    Some(Some(Record {
        id: value["job_id"].as_str()?.to_owned(),
        at_ms: value["timestamp"].as_u64()?,
        what,
    }))
}
