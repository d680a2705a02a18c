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

use beaver::{ChecksumKind, Epoch, calculate_checksum, verify_checksum};
use serde_json::{Value, json};

use super::bug::PlainBug;
use beaver_sim::beaver::model::{Record, What};
use beaver_sim::subject::Position;

/// One event with its envelope.
#[derive(Clone, Debug)]
pub(super) struct EventLine {
    pub(super) seq: u64,
    pub(super) batch: u64,
    pub(super) more: bool,
    /// `None`: a type that this program does not know.
    pub(super) record: Option<Record>,
}

/// One valid line.
#[derive(Clone, Debug)]
pub(super) enum PlainLine {
    /// The last position of the segment before.
    Header(Option<Position>),
    Event(EventLine),
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
pub(super) fn header(epoch: u64, prev: Option<Position>) -> Vec<u8> {
    let prev = prev.map(|prev| json!({"epoch": prev.epoch, "last_seq": prev.seq}));
    let prev = prev.unwrap_or(Value::Null);
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
pub(super) fn event(epoch: u64, event: &EventLine, bug: Option<PlainBug>) -> Vec<u8> {
    let record = event.record.as_ref().expect("what is written is known");
    let mut stored = record.clone();
    match (&mut stored.what, bug) {
        (What::Enqueued { payload, .. }, Some(PlainBug::NumbersAsFloats)) => {
            if let Ok(number) = payload.parse::<f64>() {
                *payload = format!("{number:.0}");
            }
        }
        (_, Some(PlainBug::ChecksumBeforeEncoding)) => {
            stored.id = stored.id.replace(char::is_control, "\u{fffd}");
        }
        _ => {}
    }
    let body = body(event, &stored, bug);
    let checked = match bug {
        Some(PlainBug::ChecksumBeforeEncoding) => self::body(event, record, bug),
        _ => covered(event, &stored, &body, bug),
    };
    sealed(ChecksumKind::Event, epoch, &body, &checked)
}

fn body(event: &EventLine, record: &Record, bug: Option<PlainBug>) -> String {
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
fn covered(event: &EventLine, record: &Record, body: &str, bug: Option<PlainBug>) -> String {
    let seq = event.seq;
    match bug {
        Some(PlainBug::SeqBarelyChecked) => {
            let digit = u32::try_from(seq).ok();
            let digit = digit.and_then(|seq| char::from_digit(seq, 10));
            let rest = body.split_once(',').map_or("", |(_, rest)| rest);
            format!("{{\"seq\":{},{rest}", digit.unwrap_or('\u{fffd}'))
        }
        Some(PlainBug::PayloadNotChecked) => {
            let (kind, id) = (record.what.event_name(), json!(record.id));
            format!("{{\"seq\":{seq},\"type\":\"{kind}\",\"id\":{id}")
        }
        _ => body.to_owned(),
    }
}

fn encode(record: &Record, bug: Option<PlainBug>) -> String {
    let kind = match &record.what {
        What::Buried { .. } if bug == Some(PlainBug::DeathNotLogged) => "TIMEOUT",
        what => what.event_name(),
    };
    let (id, at_ms) = (json!(record.id), record.at_ms);
    let mut event = format!("{{\"type\":\"{kind}\",\"job_id\":{id},\"timestamp\":{at_ms}");
    if let Some(attempt) = record.what.attempt() {
        event += &format!(",\"attempt\":{attempt}");
    }
    match &record.what {
        What::Retried { delay_ms, .. } | What::TimedOut { delay_ms, .. } => {
            event += &format!(",\"delay_ms\":{delay_ms}");
        }
        What::Enqueued {
            payload,
            max_attempts,
            timeout_ms,
            backoff_ms,
        } if bug != Some(PlainBug::EnqueueWithoutPayload) => {
            event += &format!(",\"max_attempts\":{max_attempts},\"timeout_ms\":{timeout_ms}");
            if *backoff_ms != [0, 0] {
                event += &format!(",\"backoff_ms\":{}", json!(backoff_ms));
            }
            event += &format!(",\"payload\":{}", json!(payload));
        }
        _ => {}
    }
    event + "}"
}

/// Reads a line, without its newline. `None`: it is not valid.
pub(super) fn decode(epoch: u64, line: &[u8], bug: Option<PlainBug>) -> Option<PlainLine> {
    let kinds: [(&[u8], _); 3] = [
        (b"{\"wal\"", ChecksumKind::Header),
        (b"{\"synced\"", ChecksumKind::Marker),
        (b"{\"seq\"", ChecksumKind::Event),
    ];
    let (_, kind) = kinds
        .into_iter()
        .find(|(start, _)| line.starts_with(start))?;
    let covers_less = kind == ChecksumKind::Event
        && matches!(
            bug,
            Some(PlainBug::SeqBarelyChecked | PlainBug::PayloadNotChecked)
        );
    if !covers_less && verify_checksum(kind, Epoch(epoch), line).is_err() {
        return None;
    }
    let value: Value = serde_json::from_slice(line).ok()?;
    match kind {
        ChecksumKind::Header if value["prev"].is_null() => Some(PlainLine::Header(None)),
        ChecksumKind::Header => Some(PlainLine::Header(Some(Position {
            epoch: value["prev"]["epoch"].as_u64()?,
            seq: value["prev"]["last_seq"].as_u64()?,
        }))),
        ChecksumKind::Marker => Some(PlainLine::Marker(value["synced"].as_u64()?)),
        _ => {
            let event = event_line(&value, bug)?;
            let valid = !covers_less || is_valid(epoch, line, &value, &event, bug)?;
            valid.then_some(PlainLine::Event(event))
        }
    }
}

fn event_line(value: &Value, bug: Option<PlainBug>) -> Option<EventLine> {
    let seq = value["seq"].as_u64()?;
    Some(EventLine {
        seq,
        batch: value.get("batch").map_or(Some(seq), Value::as_u64)?,
        more: value.get("more").is_some(),
        record: record(&value["event"], bug)?,
    })
}

/// Whether the checksum is that of what it covers with this bug.
fn is_valid(
    epoch: u64,
    line: &[u8],
    value: &Value,
    event: &EventLine,
    bug: Option<PlainBug>,
) -> Option<bool> {
    let (body, _) = std::str::from_utf8(line).ok()?.rsplit_once(",\"crc\":")?;
    let covered = covered(event, event.record.as_ref()?, body, bug) + NO_CRC;
    let crc = calculate_checksum(ChecksumKind::Event, Epoch(epoch), covered.as_bytes());
    Some(value["crc"].as_str()? == format!("{:08x}", crc.ok()?))
}

/// A record; `Some(None)` if its type is unknown.
fn record(value: &Value, bug: Option<PlainBug>) -> Option<Option<Record>> {
    let kind = value["type"].as_str()?;
    let attempt = || u32::try_from(value["attempt"].as_u64()?).ok();
    // A death that is logged as a timeout has no delay.
    let delay_ms = || value["delay_ms"].as_u64().unwrap_or(0);
    let what = match kind {
        "ENQUEUE" if bug == Some(PlainBug::EnqueueWithoutPayload) => What::Enqueued {
            payload: String::new(),
            max_attempts: 1,
            timeout_ms: 0,
            backoff_ms: [0, 0],
        },
        "ENQUEUE" => What::Enqueued {
            payload: value["payload"].as_str()?.to_owned(),
            max_attempts: u32::try_from(value["max_attempts"].as_u64()?).ok()?,
            timeout_ms: value["timeout_ms"].as_u64()?,
            backoff_ms: match &value["backoff_ms"] {
                Value::Null => [0, 0],
                both => [both[0].as_u64()?, both[1].as_u64()?],
            },
        },
        "DISPATCH" => What::Dispatched,
        "HEARTBEAT" => What::HeldOn {
            attempt: attempt()?,
        },
        "ACK" => What::Acked {
            attempt: attempt()?,
        },
        "RETRY" => What::Retried {
            attempt: attempt()?,
            delay_ms: delay_ms(),
        },
        "TIMEOUT" => What::TimedOut {
            attempt: attempt()?,
            delay_ms: delay_ms(),
        },
        "READY" => What::Readied,
        "DEAD" => What::Buried {
            attempt: attempt()?,
        },
        "REVIVE" => What::Revived,
        "DROP" => What::Dropped,
        _ => return Some(None),
    };
    Some(Some(Record {
        id: value["job_id"].as_str()?.to_owned(),
        at_ms: value["timestamp"].as_u64()?,
        what,
    }))
}
