//! Limits of reading: the lines of Beaver's own log, read without Beaver.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::Beaver;
use super::raw::each_line;
use crate::contestant::{Contestant, Plan};
use crate::record::{Form, Tally};

/// The newest file with this end of its name; the digits in a name are as many in all of them.
pub fn newest(directory: &Path, end: &str) -> Result<PathBuf> {
    let mut newest = None;
    for entry in std::fs::read_dir(directory)? {
        let name = entry?.file_name().into_string().unwrap_or_default();
        if name.ends_with(end) && newest.as_ref().is_none_or(|other| *other < name) {
            newest = Some(name);
        }
    }
    let name = newest.with_context(|| format!("no {end} in {}", directory.display()))?;
    Ok(directory.join(name))
}

/// Header and markers stand between the events.
pub fn is_event(line: &[u8]) -> bool {
    line.starts_with(b"{\"seq\"")
}

/// Every newline is found, and with `CRC` the checksum of every line computed.
pub struct LineScan<const CRC: bool>;

impl<const CRC: bool> Contestant for LineScan<CRC> {
    type Input = ();

    fn input(_number: u64, _form: Form) {}

    fn create(_directory: &Path, _plan: Plan) -> Result<Self> {
        bail!("it only reads")
    }

    fn fill(directory: &Path, plan: Plan) -> Result<()> {
        Beaver::<false>::fill(directory, plan)
    }

    fn replay(directory: &Path, tally: &mut Tally) -> Result<()> {
        for number in 0..Self::validate(directory)? {
            tally.add(number);
        }
        Ok(())
    }

    /// Nothing is checked: this is what looking at every line costs.
    fn validate(directory: &Path) -> Result<u64> {
        let (mut events, mut combined) = (0, 0);
        each_line(&newest(directory, ".jsonl")?, |line| {
            events += u64::from(is_event(line));
            if CRC {
                combined ^= crc32fast::hash(line);
            }
            Ok(())
        })?;
        std::hint::black_box(combined);
        Ok(events)
    }
}

/// Every line through `serde_json` into a struct of borrowed fields; no checksum, no order. With
/// `ONCE`, UTF-8 is checked for the whole line first, which is faster.
pub struct SerdeBorrowed<const ONCE: bool>;

#[derive(Deserialize)]
struct Line<'a> {
    seq: u64,
    batch: Option<u64>,
    more: Option<bool>,
    #[serde(borrow)]
    event: Fields<'a>,
    crc: &'a str,
}

#[derive(Deserialize)]
struct Fields<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    job_id: &'a str,
    timestamp: u64,
    #[serde(borrow)]
    payload: Option<&'a RawValue>,
}

impl<const ONCE: bool> Contestant for SerdeBorrowed<ONCE> {
    type Input = ();

    fn input(_number: u64, _form: Form) {}

    fn create(_directory: &Path, _plan: Plan) -> Result<Self> {
        bail!("it only reads")
    }

    fn fill(directory: &Path, plan: Plan) -> Result<()> {
        Beaver::<false>::fill(directory, plan)
    }

    fn replay(directory: &Path, tally: &mut Tally) -> Result<()> {
        each_line(&newest(directory, ".jsonl")?, |line| {
            if !is_event(line) {
                return Ok(());
            }
            let line: Line<'_> = match ONCE {
                true => serde_json::from_str(std::str::from_utf8(line)?)?,
                false => serde_json::from_slice(line)?,
            };
            let payload = line.event.payload.map(RawValue::get);
            std::hint::black_box((
                line.seq,
                line.batch,
                line.more,
                line.event.kind,
                line.event.job_id,
                payload,
                line.crc,
            ));
            tally.add_timestamp(line.event.timestamp);
            Ok(())
        })
    }
}
