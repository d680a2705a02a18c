//! Everything that the rules about missing steps may look at.

use std::fmt;

use beaver_disk::{Image, Op};
use serde::Serialize;

use super::acknowledged::Ack;
use super::explained_crash::{BeforeAfter, ExplainedCrash};
use super::file_ops::{FileId, FileOp, FileOpLog};
use super::strikes::Strike;
use super::whole::Wholeness;
use crate::result::Violation;
use crate::run_log::LoggedEvent;

/// A step that is likely missing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MissingStep {
    /// The rule that found it.
    pub rule: &'static str,
    /// What is missing, in text.
    pub text: String,
    /// The storage call at which it shows, if it shows at one.
    pub call: Option<u64>,
}

/// Everything that a rule may look at.
#[derive(Clone, Copy)]
pub(super) struct Evidence<'c> {
    /// The calls that are looked at: after the first, up to the second.
    pub(super) window: (u64, u64),
    pub(super) ops: &'c FileOpLog,
    pub(super) acks: &'c [Ack],
    pub(super) crash: Option<&'c ExplainedCrash<'c>>,
    /// Calls at which a process had opened the store, and the call before it began to.
    pub(super) openings: &'c [(u64, u64)],
    pub(super) wholeness: &'c Wholeness,
    pub(super) violation: &'c Violation,
    /// Everything that happened.
    pub(super) log: &'c [LoggedEvent],
    /// Whether the run holds where these records, by their names, survived every power cut.
    pub(super) needs_loss: &'c dyn Fn(&[String]) -> bool,
    /// Whether it holds where none of them survived any.
    pub(super) needs_survival: &'c dyn Fn(&[String]) -> bool,
    /// The faults without which the run holds.
    pub(super) strikes: &'c [Strike<'c>],
    /// The last call of the run.
    pub(super) end: u64,
    /// What the last recovery met.
    pub(super) met: &'c Image,
    /// What is on the disk at the end.
    pub(super) left: &'c Image,
}

/// Where a store went on: from here on it counts on what it did before.
pub(super) struct WentOn {
    /// The last call before it.
    pub(super) call: u64,
    what: String,
}

impl fmt::Display for WentOn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

/// A finding of a rule at a call.
pub(super) fn step(rule: &'static str, call: u64, text: String) -> Option<MissingStep> {
    let call = Some(call);
    Some(MissingStep { rule, text, call })
}

impl<'c> Evidence<'c> {
    /// The calls that can matter: those since the power cut before, or all.
    pub(super) fn ops(&self) -> impl Iterator<Item = &'c FileOp> + Clone {
        let (after, until) = self.window;
        self.ops.between(after, until)
    }

    /// Acknowledgements in the same time.
    pub(super) fn acks(&self) -> impl Iterator<Item = &'c Ack> {
        let (after, until) = self.window;
        let acks = self.acks.iter();
        acks.filter(move |ack| ack.shown.call > after && ack.shown.call <= until)
    }

    /// The files with a write that took only a part of its bytes.
    pub(super) fn short_writes(&self) -> impl Iterator<Item = FileId> {
        let short = self.strikes.iter().filter_map(|strike| {
            let record = strike.record?;
            let short = record.op == Op::WriteAt && record.answer.ok()? < record.len;
            short.then_some(record.call)
        });
        short.filter_map(|call| self.ops.between(call - 1, call).next()?.file)
    }

    /// The first thing after a call and before the crash that is explained for which what was done
    /// until then must be durable.
    pub(super) fn went_on(&self, after: u64) -> Option<WentOn> {
        let crash = self.crash?;
        let here = |call: u64| call >= after && call <= crash.call;
        let acks = self.acks.iter().filter(|ack| here(ack.shown.call));
        let acks = acks.map(|ack| WentOn {
            call: ack.shown.call,
            what: format!("{ack} was acknowledged"),
        });
        let opened = self.openings.iter().filter(|(_, opened)| here(*opened));
        let opened = opened.map(|(_, opened)| WentOn {
            call: *opened,
            what: format!("the store opened at call {opened}"),
        });
        let left = &crash.crashed.left;
        let removed = self
            .ops
            .between(after, crash.call)
            .filter(|op| op.op == Op::Remove && op.ok && left.inode(&op.name).is_none());
        let removed = removed.map(|op| WentOn {
            call: op.call,
            what: format!("`{}` was removed (call {})", op.name, op.call),
        });
        acks.chain(opened)
            .chain(removed)
            .min_by_key(|told| told.call)
    }

    /// Whether bytes of a file are gone, or the file is.
    pub(super) fn lost(&self, file: FileId) -> bool {
        let sides = self.crash.and_then(|cut| cut.sides_of(file));
        sides.is_some_and(BeforeAfter::changed)
    }
}
