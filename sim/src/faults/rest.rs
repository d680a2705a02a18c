//! Faults at rest: what happens to the files between two processes, while no process has the
//! directory open.

use beaver_disk::{DiskEvent, Image};

use crate::faults::files::{segment_epoch, snapshot_epoch};
use crate::oracle::damage::Files;
use crate::scenario::{Drawn, Effect, FaultKind, FaultRate, PlannedFault, Target};
use crate::stream::Stream;

use super::choosing::is_target;
use super::spoiled::Faults;

/// Draws and applies the faults at rest, or applies those of a script; says which happened.
///
/// `earlier` is what the files held at some earlier time, for a disk that serves an old copy.
pub(crate) fn at_rest(faults: &Faults, earlier: &Files) -> Vec<PlannedFault> {
    let call = faults.disk().calls() + 1;
    let scripted = faults.director().scripted_at_rest(call);
    let mut happened = Vec::new();
    for fault in scripted {
        if take_place(faults, &fault) {
            happened.push(fault);
        }
    }
    let rates = match faults.director().rates_at(Drawn::Rest) {
        Some((rates, _)) => rates,
        None => return happened,
    };
    for rate in rates {
        let effect = {
            let mut director = faults.director();
            let Some((_, stream)) = director.rates_at(Drawn::Rest) else {
                break;
            };
            if !stream.chance_per_mille(rate.per_mille) {
                continue;
            }
            effect(&rate, &faults.disk().live(), earlier, stream)
        };
        let Some(effect) = effect else { continue };
        let fault = PlannedFault {
            step: None,
            process: 0,
            call,
            kind: rate.kind,
            effect,
        };
        if take_place(faults, &fault) {
            happened.push(fault);
        }
    }
    happened
}

/// Applies a fault at rest; false if it changed nothing.
fn take_place(faults: &Faults, fault: &PlannedFault) -> bool {
    let happened = match &fault.effect {
        Effect::Event(event) => faults.disk().happen(event),
        Effect::LockHeld => faults.disk().hold_lock(),
        Effect::ReadOnly => {
            faults.director().refuse_changes();
            true
        }
        Effect::Call(_) | Effect::Space(_) => false,
    };
    if happened {
        faults.director().note(fault.clone());
    }
    happened
}

fn effect(rate: &FaultRate, live: &Image, earlier: &Files, stream: &mut Stream) -> Option<Effect> {
    let damage = match rate.kind {
        FaultKind::LockHeld => return Some(Effect::LockHeld),
        FaultKind::ReadOnly => return Some(Effect::ReadOnly),
        FaultKind::StrayFile => {
            const NAMES: [&str; 4] = [
                "notes.txt",
                "wal-7.jsonl",
                "wal-0000000001.json",
                "report.docx.tmp",
            ];
            DiskEvent::Stray {
                file: (*stream.pick(&NAMES)).to_owned(),
                bytes: b"not a log\n".to_vec(),
            }
        }
        FaultKind::LeftoverTemporary => {
            let epoch = stream.draw(1, 4);
            let file = if stream.coin() {
                format!("wal-{epoch:010}.jsonl.tmp")
            } else {
                format!("snapshot-{epoch:010}.json.tmp")
            };
            DiskEvent::Stray {
                file,
                bytes: b"{\"wal\":\"bea".to_vec(),
            }
        }
        _ => rot(rate, live, earlier, stream)?,
    };
    Some(Effect::Event(damage))
}

/// Damage to a file of the store. `None` if there is no file for it.
pub(crate) fn rot(
    rate: &FaultRate,
    live: &Image,
    earlier: &Files,
    stream: &mut Stream,
) -> Option<DiskEvent> {
    let newest = live.names().filter_map(segment_epoch).max();
    if let Target::LineEnd | Target::Marker = rate.target {
        let file = format!("wal-{:010}.jsonl", newest?);
        let offset = weak_spot(rate.target, &live.read(&file)?, stream)?;
        return damage(rate.kind, file, offset, live, earlier, stream);
    }
    let files: Vec<(String, u64)> = live
        .names()
        .filter(|name| {
            let ours = segment_epoch(name).is_some() || snapshot_epoch(name).is_some();
            let header = rate.target == Target::Header && segment_epoch(name).is_some();
            ours && (header || is_target(rate.target, name, newest.unwrap_or(0)))
        })
        .map(|name| (name.to_owned(), live.len_of(name).unwrap_or(0)))
        .filter(|(_, len)| *len > 0)
        .collect();
    if files.is_empty() {
        return None;
    }
    if rate.kind == FaultKind::UnknownEvent {
        return unknown_event(live, newest?);
    }
    let (file, len) = stream.pick(&files).clone();
    let reach = match rate.target {
        Target::Header => live.read(&file)?.iter().position(|byte| *byte == b'\n')? as u64,
        _ => len - 1,
    };
    let offset = stream.draw(0, reach);
    damage(rate.kind, file, offset, live, earlier, stream)
}

/// A byte that a reader depends on more than on others.
fn weak_spot(target: Target, bytes: &[u8], stream: &mut Stream) -> Option<u64> {
    let spots: Vec<usize> = match target {
        Target::LineEnd => (0..bytes.len()).filter(|at| bytes[*at] == b'\n').collect(),
        _ => {
            let markers = bytes.windows(9).enumerate();
            let markers = markers.filter(|(_, bytes)| bytes.starts_with(b"{\"synced\""));
            markers.map(|(at, _)| at + 5).collect()
        }
    };
    match spots.is_empty() {
        true => None,
        false => Some(*stream.pick(&spots) as u64),
    }
}

/// What happens to `file` at `offset`.
fn damage(
    kind: FaultKind,
    file: String,
    offset: u64,
    live: &Image,
    earlier: &Files,
    stream: &mut Stream,
) -> Option<DiskEvent> {
    Some(match kind {
        FaultKind::BitFlip => DiskEvent::FlipBit {
            file,
            offset,
            bit: u8::try_from(stream.draw(0, 7)).expect("0 to 7 fit"),
        },
        FaultKind::ZeroedSector => DiskEvent::ZeroSectors {
            file,
            sector: offset / 512,
            count: 1,
        },
        FaultKind::Truncation => DiskEvent::Truncate { file, len: offset },
        FaultKind::LostLine => without_a_line(file.clone(), live.read(&file)?, stream)?,
        FaultKind::OldCopy => DiskEvent::Replace {
            bytes: earlier.get(&file)?.clone(),
            file,
        },
        _ => return None,
    })
}

/// The file without one of its lines.
fn without_a_line(file: String, mut bytes: Vec<u8>, stream: &mut Stream) -> Option<DiskEvent> {
    let mut lines: Vec<std::ops::Range<usize>> = Vec::new();
    let mut start = 0;
    for (at, byte) in bytes.iter().enumerate() {
        if *byte == b'\n' {
            lines.push(start..at + 1);
            start = at + 1;
        }
    }
    lines.retain(|line| line.len() > 1);
    if lines.is_empty() {
        return None;
    }
    bytes.drain(stream.pick(&lines).clone());
    Some(DiskEvent::Replace { file, bytes })
}

/// The newest segment with one more event, of a type from the future, if its last line is an event
/// or a marker.
fn unknown_event(live: &Image, epoch: u64) -> Option<DiskEvent> {
    let file = format!("wal-{epoch:010}.jsonl");
    let mut bytes = live.read(&file)?;
    let line = bytes
        .strip_suffix(b"\n")?
        .rsplit(|byte| *byte == b'\n')
        .next()?;
    let value: serde_json::Value = serde_json::from_slice(line).ok()?;
    let last = value.get("seq").or(value.get("synced"))?.as_u64()?;
    if value.get("more").is_some() {
        return None;
    }
    let seq = last + 1;
    let open = format!(
        "{{\"seq\":{seq},\"event\":{{\"type\":\"PAUSE\",\"job_id\":\"j\",\"timestamp\":1}},\"crc\":\""
    );
    let blank = format!("{open}00000000\"}}");
    let segment = beaver::SegmentId {
        epoch: beaver::Epoch(epoch),
        store: store_of(&bytes),
    };
    let kind = beaver::ChecksumKind::Event;
    let crc = beaver::calculate_checksum(kind, segment, blank.as_bytes()).ok()?;
    bytes.extend(format!("{open}{crc:08x}\"}}\n").into_bytes());
    Some(DiskEvent::Replace { file, bytes })
}

/// Whose a segment is, by its header; nothing in version 1.
fn store_of(segment: &[u8]) -> Option<beaver::StoreId> {
    let header = segment.split(|byte| *byte == b'\n').next()?;
    let header: serde_json::Value = serde_json::from_slice(header).ok()?;
    let digits = header.get("store")?.as_str()?;
    Some(beaver::StoreId(u64::from_str_radix(digits, 16).ok()?))
}
