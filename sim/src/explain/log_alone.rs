//! What a log alone tells of its last crash, whatever wrote the files: of a store under test, or of any program that was recorded.

use beaver_disk::Image;

use super::acknowledged::{Acknowledged, acknowledged};
use super::explained_crash::ExplainedCrash;
use super::explanation::CrashSummary;
use super::file_ops::FileOpLog;
use super::lanes::Lanes;
use super::survival::{SurvivalTable, table};
use super::{crashes, describe_crashes};
use crate::run_log::LoggedEvent;

/// A crash without a judgement: what was durable, what had been said, and what was left.
#[derive(Clone, Debug)]
pub struct ExplainedLog {
    /// Everything that happened, in order; calls have the names that their files have then.
    pub log: Vec<LoggedEvent>,
    /// What was durable and what was not, by file.
    pub lanes: Lanes,
    /// What had been said, in order, and what became of its bytes.
    pub acknowledged: Vec<Acknowledged>,
    /// The crash.
    pub crash: CrashSummary,
    /// What it left.
    pub survival: SurvivalTable,
    /// The files after it.
    pub after: Image,
}

/// Explains the crash that a log ends with; nothing if it has none.
#[must_use]
pub fn explain_log(mut log: Vec<LoggedEvent>) -> Option<ExplainedLog> {
    let ops = FileOpLog::read(&mut log);
    let crash = ExplainedCrash::find(&log, &ops)?;
    let acks = acknowledged(&log, &ops, Some(&crash));
    let (lanes, survival) = (Lanes::of(&log, &ops, Some(&crash)), table(&crash, &ops));
    let (explained, after) = (crash.place, crash.crashed.left.clone());
    let crashes = crashes(&log);
    describe_crashes(&mut log, &crashes, Some(explained));
    Some(ExplainedLog {
        log,
        lanes,
        acknowledged: acks.into_iter().map(|ack| ack.shown).collect(),
        crash: crashes[explained].clone(),
        survival,
        after,
    })
}
