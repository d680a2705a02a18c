//! Why a run failed, as text: what was promised, what was acknowledged and when, where it crashed,
//! what survived and what did not, the first wrong byte, and the step that is likely missing.
//!
//! An explanation is made from a failure's script alone: the script is run once more with
//! everything kept, and what is said is a function of that run. It has a text form for people (its
//! `Display`) and a JSON form for programs (its `Serialize`), with the same content.

mod acknowledged;
mod crash_text;
mod evidence;
mod explained_crash;
mod explanation;
mod failed_calls;
mod file_ops;
mod first_wrong;
pub mod lanes;
mod log_alone;
mod lost_bytes;
mod lost_names;
mod missing;
mod plain_text;
mod reruns;
mod strikes;
mod survival;
mod text;
mod two_names;
mod unfinished;
mod whole;

pub use acknowledged::{AckFate, Acknowledged};
pub use evidence::MissingStep;
pub use explanation::{CrashSummary, Explanation, WeakestProfile};
pub use first_wrong::FirstWrong;
pub use log_alone::{ExplainedLog, explain_log};
pub use plain_text::{printable, shortened, shortened_lines};
pub use survival::{
    FileFate, LineFate, NameFate, NameVerdict, PageFate, PageVerdict, SectorFate, Side,
    SurvivalTable,
};

use beaver_disk::{Image, Op};

use crate::report::Verdict;
use crate::result::{Outcome, Violation};
use crate::run::{Watched, watch};
use crate::run_log::{CrashEvent, LoggedEvent, RunEvent};
use crate::scenario::Scenario;
use crate::shrink::Size;
use crate::subject::AnySubject;
use crate::weakest::weakest_profile;

use evidence::Evidence;
use explained_crash::ExplainedCrash;
use file_ops::FileOpLog;
use lanes::Lanes;
use reruns::Reruns;
use whole::Wholeness;

/// An explanation, and what pictures and files of it are made of.
#[derive(Clone, Debug)]
pub struct Explained {
    /// The explanation.
    pub explanation: Explanation,
    /// Everything that happened, in order; calls have the names that their files have then.
    pub log: Vec<LoggedEvent>,
    /// What was durable and what was not, by file.
    pub lanes: Lanes,
    /// What was on the disk when the last recovery began.
    pub before: Image,
    /// What was on the disk at the end.
    pub after: Image,
}

/// Explains a failure: the scenario with the script of a run that did not hold. `replay` is the
/// command that shows it again.
///
/// Returns nothing if the run holds now.
#[must_use]
pub fn explain(subject: &AnySubject, failure: &Scenario, replay: &str) -> Option<Explained> {
    let Watched {
        result,
        mut log,
        parts,
        end,
    } = watch(subject, failure, failure.seeds.start);
    let violation = result.outcome.failure()?;
    let ops = FileOpLog::read(&mut log);
    let crash = ExplainedCrash::find(&log, &ops);
    let acks = acknowledged::acknowledged(&log, &ops, crash.as_ref());
    let before = met_at_last(&log).unwrap_or(&end).clone();
    let wholeness = Wholeness::of(&before);
    let end_call = result.counts.storage_calls;
    let script = result.script.clone().unwrap_or_default();
    let reruns = Reruns::new(subject, failure, &script);
    let missing = missing::missing(&Evidence {
        log: &log,
        needs_loss: &|records| reruns.needs_loss(records),
        needs_survival: &|records| reruns.needs_survival(records),
        strikes: &strikes::needed(&script, &parts, &log, &|place| reruns.needs_fault(place)),
        window: window(crash.as_ref(), end_call),
        ops: &ops,
        acks: &acks,
        crash: crash.as_ref(),
        openings: &openings(&log),
        wholeness: &wholeness,
        violation,
        end: end_call,
        met: &before,
        left: &end,
    });
    let weakest = weakest_profile(subject, failure, &result);
    let first_wrong = first_wrong::first_wrong(&acks, crash.as_ref(), &ops, &wholeness, violation);
    let explained = crash.as_ref().map(|crash| crash.place);
    let explanation = Explanation {
        scenario: failure.name.clone(),
        claim: failure.claim.clone(),
        profile: failure.profile,
        seed: failure.seeds.start,
        verdict: Verdict::of_outcome(&result.outcome),
        invariant: violation.invariant,
        name: name_of(&result.outcome, violation),
        promise: violation.invariant.promise(),
        step: violation.step,
        command: violation.command.clone(),
        size: failure.script.as_ref().map(Size::of).unwrap_or_default(),
        expected: violation.expected.clone(),
        found: violation.found.clone(),
        crashes: crashes(&log),
        explained,
        survival: crash.as_ref().map(|crash| survival::table(crash, &ops)),
        first_wrong,
        acknowledged: acks.into_iter().map(|ack| ack.shown).collect(),
        weakest: WeakestProfile {
            profile: weakest,
            text: weakest.description(),
        },
        missing,
        replay: replay.to_owned(),
    };
    let lanes = Lanes::of(&log, &ops, crash.as_ref());
    describe_crashes(&mut log, &explanation.crashes, explained);
    Some(Explained {
        explanation,
        log,
        lanes,
        before,
        after: end,
    })
}

/// Between which calls the step is missing: up to the crash, or up to the end.
fn window(crash: Option<&ExplainedCrash<'_>>, end: u64) -> (u64, u64) {
    crash.map_or((0, end), |crash| (crash.after, crash.call))
}

/// The calls at which a process had opened the store, each with the call before it began to.
fn openings(log: &[LoggedEvent]) -> Vec<(u64, u64)> {
    let mut openings = Vec::new();
    let mut begun = 0;
    for LoggedEvent { call, event } in log {
        match event {
            RunEvent::Opening { .. } => begun = *call,
            RunEvent::Opened { .. } => openings.push((begun, *call)),
            _ => {}
        }
    }
    openings
}

/// What the last recovery met.
fn met_at_last(log: &[LoggedEvent]) -> Option<&Image> {
    log.iter().rev().find_map(|event| match &event.event {
        RunEvent::Opening { found } => Some(found),
        _ => None,
    })
}

fn crashes(log: &[LoggedEvent]) -> Vec<CrashSummary> {
    let crashes = log.iter().filter_map(|event| match &event.event {
        RunEvent::Crash(crash) => Some(summary(crash, event.call)),
        _ => None,
    });
    crashes.collect()
}

fn summary(crash: &CrashEvent, call: u64) -> CrashSummary {
    let file = crash_text::file_of(crash);
    CrashSummary {
        text: crash_text::of_crash(crash, call, file.as_deref()),
        kind: crash.kind,
        at: crash.crash.point(),
        op: crash.crash.op().map(Op::name),
        file,
    }
}

/// Says in the log of each crash what the explanation says of it.
fn describe_crashes(log: &mut [LoggedEvent], said: &[CrashSummary], explained: Option<usize>) {
    let crashes = log.iter_mut().filter_map(|event| match &mut event.event {
        RunEvent::Crash(crash) => Some(crash),
        _ => None,
    });
    for (place, (crash, summary)) in crashes.zip(said).enumerate() {
        crash.text.clone_from(&summary.text);
        crash.explained = explained == Some(place);
    }
}

fn name_of(outcome: &Outcome, violation: &Violation) -> &'static str {
    match outcome {
        Outcome::Panicked(_) => "panic",
        Outcome::Exhausted(_) => "budget",
        _ => violation.invariant.name(),
    }
}
