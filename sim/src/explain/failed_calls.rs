//! The rules about calls that failed, or said less than they seemed to. Each speaks of a fault without which the run holds.

use beaver_disk::Op;

use super::crash_text::of_damage;
use super::evidence::{Evidence, MissingStep, step};
use super::strikes::{Strike, StruckEnd};
use crate::run_log::RunEvent;
use crate::scenario::FaultKind;

/// A page stayed unwritten after a failed sync, although later syncs of its file said `Ok`.
pub(super) fn stays_unwritten(evidence: &Evidence<'_>) -> Option<MissingStep> {
    let crash = evidence.crash?;
    crash.files.iter().find_map(|sides| {
        let (file, left) = (sides.file?, sides.left.as_deref()?);
        let live = &sides.view.live;
        let page = sides.view.unwritten_pages.iter().find(|page| {
            let size = usize::try_from(beaver_disk::PAGE_SIZE).ok();
            let start = usize::try_from(**page).ok().zip(size);
            start.is_some_and(|(page, size)| {
                let part = |bytes: &[u8]| -> Vec<u8> {
                    let bytes = bytes.iter().skip(page * size);
                    bytes.take(size).copied().collect()
                };
                part(live) != part(left)
            })
        })?;
        let syncs = || {
            let ops = evidence.ops.between(crash.after, crash.call);
            ops.filter(move |op| op.op == Op::SyncData && op.file == Some(file))
        };
        let failed = syncs().find(|sync| !sync.ok)?;
        let later = syncs().filter(|sync| sync.ok && sync.call > failed.call);
        let later = later.last()?;
        let text = format!(
            "page {page} of `{}` stayed unwritten after a sync that failed (call {}), although a later sync said Ok (call {}): \
             until the cache drops such a page, nothing that is written to it reaches the disk",
            evidence.ops.name(file),
            failed.call,
            later.call
        );
        step("stays-unwritten", failed.call, text)
    })
}

/// A write took a part of its bytes, and the rest was not written.
pub(super) fn short_write(evidence: &Evidence<'_>) -> Option<MissingStep> {
    evidence.strikes.iter().find_map(|strike| {
        let record = strike.record.filter(|record| record.op == Op::WriteAt)?;
        let taken = record.answer.ok().filter(|taken| *taken < record.len)?;
        let mut ops = evidence.ops.between(record.call, evidence.end);
        let write = evidence.ops.between(record.call - 1, record.call).next()?;
        let goes_on = ops
            .find(|op| op.file == write.file)
            .is_some_and(|op| op.op == Op::WriteAt && op.offset == record.offset + taken);
        if goes_on {
            return None;
        }
        let text = format!(
            "the write of {} bytes at offset {} of `{}` took only {taken} of them (call {}), and the rest was not written after it",
            record.len, record.offset, record.file, record.call
        );
        step("short-write", record.call, text)
    })
}

/// A read failed, and the store went on without what it could not read.
pub(super) fn read_error_ignored(evidence: &Evidence<'_>) -> Option<MissingStep> {
    let ignored = |strike: &&Strike<'_>| {
        strike.fault.kind.fails_a_read() && strike.end != StruckEnd::Otherwise
    };
    let strike = evidence.strikes.iter().find(ignored)?;
    let record = strike.record?;
    let failed = |call: &&beaver_disk::TraceRecord| call.call >= record.call;
    let again = evidence.log.iter().filter_map(|event| match &event.event {
        RunEvent::Call { record } => Some(record),
        _ => None,
    });
    let mut again = again
        .filter(failed)
        .take_while(|call| call.call <= evidence.end);
    let read_again = again.any(|call| {
        call.op == record.op
            && call.inode == record.inode
            && call.answer.is_ok()
            && call.offset <= record.offset
    });
    if read_again {
        return None;
    }
    let how = match strike.end {
        StruckEnd::Opened => "the store opened",
        _ => "the command answered",
    };
    let text = format!(
        "the {} of `{}` failed (call {}), and {how} without what it could not read",
        record.op, record.file, record.call
    );
    step("read-error-ignored", record.call, text)
}

/// A call that changes something failed, and the command or the recovery that made it said nothing of it.
pub(super) fn error_swallowed(evidence: &Evidence<'_>) -> Option<MissingStep> {
    let swallowed = |strike: &&Strike<'_>| {
        let failed = strike
            .record
            .is_some_and(|record| record.op.changes_something() && record.answer.is_err());
        failed && strike.end != StruckEnd::Otherwise
    };
    let strike = evidence.strikes.iter().find(swallowed)?;
    let (record, how) = (strike.record?, told(strike.end));
    let text = format!(
        "{} failed (call {}), and {how}: without that failure this run holds",
        what_failed(record),
        record.call
    );
    step("error-swallowed", record.call, text)
}

fn told(end: StruckEnd) -> &'static str {
    match end {
        StruckEnd::Opened => "the store opened all the same",
        _ => "the command answered all the same",
    }
}

fn what_failed(record: &beaver_disk::TraceRecord) -> String {
    match (record.op, &record.to) {
        (Op::SyncDir, _) => "the sync of the directory".to_owned(),
        (Op::SyncData, _) => format!("the sync of `{}`", record.file),
        (Op::Rename, Some(to)) => format!("the rename of `{}` to `{to}`", record.file),
        (Op::List | Op::Lock, _) => format!("the call {}", record.op),
        _ => format!("the {} of `{}`", record.op, record.file),
    }
}

/// What failed, where the failure needed it and no other rule says what is missing.
pub(super) fn failed_call(evidence: &Evidence<'_>) -> Option<MissingStep> {
    let struck = evidence.strikes.iter();
    let mut record = struck.filter_map(|strike| strike.record);
    let record = record.rfind(|record| record.answer.is_err())?;
    let text = format!(
        "{} failed (call {}): without that failure this run holds; look at what the store does after it",
        what_failed(record),
        record.call
    );
    step("failed-call", record.call, text)
}

/// Bytes rotted, or a call moved other bytes than it was asked to, and the failure needed that.
pub(super) fn damage_believed(evidence: &Evidence<'_>) -> Option<MissingStep> {
    let damages = |strike: &&Strike<'_>| {
        let kind = strike.fault.kind;
        kind.damages() || kind == FaultKind::WrongRead
    };
    let strike = evidence.strikes.iter().rfind(damages)?;
    let call = strike.call;
    let what = match strike.fault.kind {
        FaultKind::WrongRead => format!("the read of call {call} returned wrong bytes"),
        FaultKind::MisplacedWrite => format!("the write of call {call} landed at another offset"),
        _ => format!("{} before call {call}", of_damage(&strike.fault.effect)),
    };
    let opened = evidence
        .log
        .iter()
        .rev()
        .find_map(|event| match event.event {
            RunEvent::Opened { .. } => Some(true),
            RunEvent::Refused { .. } => Some(false),
            _ => None,
        });
    if opened == Some(false) {
        let text = format!(
            "{what}, and the store refused to open: without that damage this run holds; look at what the refusal overlooks"
        );
        return step("refused-for-damage", call, text);
    }
    let text = format!(
        "{what}: the store did not notice, or made something wrong of it; without that this run holds"
    );
    step("damage-believed", call, text)
}
