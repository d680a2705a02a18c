//! What is written: the same numbered record in the form of each contestant, and the proof that all came back.

use beaver::event::DEFAULT_MAX_ATTEMPTS;
use beaver::{Event, EventKind, JobId, Payload};

/// The time stamp of record 0, in milliseconds since the Unix epoch.
const FIRST_MS: u64 = 1_700_000_000_000;

/// The number in the bytes of record 0, so that all numbers have seven digits.
const FIRST_SEQ: u64 = 1_000_000;

/// How long a record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// 101 bytes.
    Short,
    /// 1,024 bytes.
    Long,
}

/// Record `number` as the peers store it: one JSON object.
pub fn bytes(number: u64, form: Form) -> Vec<u8> {
    let mut out = format!(
        "{{\"seq\":{:07},\"type\":\"ENQUEUE\",\"job_id\":\"job-{:06}\",\"timestamp\":{},\"checksum\":{:09}",
        FIRST_SEQ + number,
        number % 1_000_000,
        FIRST_MS + number,
        number.wrapping_mul(0x9e37_79b9) % 1_000_000_000,
    );
    if form == Form::Long {
        let fill = 1024 - out.len() - ",\"payload\":\"\"}".len();
        out.push_str(",\"payload\":\"");
        out.extend(std::iter::repeat_n('x', fill));
        out.push('"');
    }
    out.push('}');
    out.into_bytes()
}

/// Record `number` as Beaver stores it: the event alone, because number and checksum are the log's.
pub fn event(number: u64, form: Form) -> Event {
    let id = format!("job-{:06}", number % 1_000_000);
    let payload = match form {
        Form::Short => "{}".to_owned(),
        Form::Long => format!("\"{}\"", "x".repeat(905)),
    };
    let kind = EventKind::Enqueue {
        payload: Payload::new(payload).expect("it is JSON"),
        max_attempts: DEFAULT_MAX_ATTEMPTS,
        timeout_ms: 60_000,
    };
    Event::new(
        JobId::new(id).expect("it is short"),
        FIRST_MS + number,
        kind,
    )
}

/// What came back: enough to tell whether every record is there once, in any order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    pub count: u64,
    sum: u64,
    mixed: u64,
}

impl Tally {
    /// The tally of the records 0 to `count`.
    pub fn of(count: u64) -> Self {
        let mut tally = Tally::default();
        (0..count).for_each(|number| tally.add(number));
        tally
    }

    /// Counts record `number`.
    pub fn add(&mut self, number: u64) {
        let mut mixed = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        self.count += 1;
        self.sum = self.sum.wrapping_add(number);
        self.mixed = self.mixed.wrapping_add(mixed ^ (mixed >> 27));
    }

    /// Counts the record that `bytes` are, by the number in its fixed place.
    pub fn add_bytes(&mut self, bytes: &[u8]) {
        let digits = bytes.get(7..14).unwrap_or_default();
        let seq = digits.iter().fold(0_u64, |number, digit| {
            number * 10 + u64::from(digit.wrapping_sub(b'0'))
        });
        self.add(seq.wrapping_sub(FIRST_SEQ));
    }

    /// Counts the record that an event with this time stamp is.
    pub fn add_timestamp(&mut self, timestamp_ms: u64) {
        self.add(timestamp_ms.wrapping_sub(FIRST_MS));
    }
}

impl Tally {
    /// The number of the only record that was counted.
    pub fn only(&self) -> u64 {
        assert_eq!(self.count, 1, "exactly one record was counted");
        self.sum
    }
}
