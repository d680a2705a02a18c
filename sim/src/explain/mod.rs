//! Why a run failed, in words: what was promised, what was acknowledged and when, where it crashed,
//! what survived and what did not, the first wrong byte, and the step that is likely missing.
//!
//! An explanation is made from a failure's script alone: the script is run once more with
//! everything kept, and what is said is a function of that run. It has a text form for people (its
//! `Display`) and a JSON form for programs (its `Serialize`), with the same content.

mod acknowledged;
mod cut;
mod first_wrong;
pub mod lanes;
mod ledger;
mod missing;
mod names_lost;
mod survival;
mod text;
pub mod timeline;
mod whole;
mod words;

pub use acknowledged::{Acknowledged, Kept};
pub use first_wrong::FirstWrong;
pub use missing::MissingStep;
pub use survival::{
    FileFate, LineFate, NameFate, NameVerdict, PageFate, PageVerdict, SectorFate, Side,
    SurvivalTable,
};
pub use text::{printable, shortened};

use beaver_disk::{CrashPoint, Image, Op};
use serde::Serialize;

use crate::invariant::Invariant;
use crate::mildest::mildest_profile_of;
use crate::report::Verdict;
use crate::result::{Outcome, Violation};
use crate::run::{Watched, watch};
use crate::scenario::{CrashKind, Profile, Scenario};
use crate::subject::AnySubject;
use crate::tape::{Crashed, Happening};

use acknowledged::{Ack, acknowledged};
use cut::Cut;
use ledger::Ledger;
use missing::{Case, missing};
use timeline::Timeline;
use whole::Wholeness;

/// Why a run failed.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Explanation {
    /// The scenario.
    pub scenario: String,
    /// What it claims.
    pub claim: String,
    /// The crash profile in force.
    pub profile: &'static str,
    /// The seed that found it.
    pub seed: u64,
    /// `violation`, `budget`, `panic` or `nondeterministic`.
    pub verdict: &'static str,
    /// The number of the invariant; 0 for a budget or a panic.
    pub invariant: Invariant,
    /// Its name.
    pub name: &'static str,
    /// What it promises.
    pub promise: &'static str,
    /// The number of the command at which it was broken.
    pub step: u64,
    /// That command in words.
    pub command: String,
    /// What had to be.
    pub expected: String,
    /// What was.
    pub found: String,
    /// What the client had been told, in order.
    pub acknowledged: Vec<Acknowledged>,
    /// The crashes, in order.
    pub crashes: Vec<CrashWords>,
    /// Which of them is explained, counted from 0.
    pub explained: Option<usize>,
    /// What it left.
    pub survival: Option<SurvivalTable>,
    /// The first place where something is wrong.
    pub first_wrong: FirstWrong,
    /// The mildest file system on which it happens.
    pub mildest: Mildest,
    /// What is likely missing, the strongest first.
    pub missing: Vec<MissingStep>,
    /// The command that replays it.
    pub replay: String,
}

impl Explanation {
    /// The mildest profile in which it happens.
    #[must_use]
    pub fn mildest(&self) -> Profile {
        Profile::named(self.mildest.profile).unwrap_or_default()
    }
}

/// A crash in words.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CrashWords {
    /// What happened, when and in which call.
    pub words: String,
    /// How the process ended.
    pub kind: CrashKind,
    /// The call and the moment in it.
    pub at: CrashPoint,
    /// The kind of call, if one was under way.
    pub op: Option<&'static str>,
    /// The file of that call, if it has one.
    pub file: Option<String>,
}

/// The mildest profile in which a failure happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Mildest {
    /// Its name.
    pub profile: &'static str,
    /// What that means.
    pub words: &'static str,
}

/// An explanation, and what pictures and files of it are made of.
#[derive(Clone, Debug)]
pub struct Explained {
    /// The explanation.
    pub explanation: Explanation,
    /// Commands, storage calls and crashes, in order.
    pub timeline: Timeline,
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
    let watched = watch(subject, failure, failure.seeds.start);
    let violation = watched.result.outcome.failure()?.clone();
    let ledger = Ledger::read(&watched);
    let cut = Cut::find(&watched, &ledger);
    let acks = acknowledged(&watched, &ledger, cut.as_ref());
    let wholeness = Wholeness::of(&met_at_last(&watched));
    let missing = missing_steps(
        failure,
        &watched,
        &ledger,
        &acks,
        cut.as_ref(),
        &wholeness,
        &violation,
    );
    let mildest = mildest_profile_of(subject, failure, &watched.result);
    let timeline = Timeline::of(&watched, &ledger, cut.as_ref());
    let explanation = Explanation {
        scenario: failure.name.clone(),
        claim: failure.claim.clone(),
        profile: failure.profile.name(),
        seed: failure.seeds.start,
        verdict: Verdict::of_outcome(&watched.result.outcome).name(),
        invariant: violation.invariant,
        name: name_of(&watched.result.outcome, &violation),
        promise: violation.invariant.promise(),
        step: violation.step,
        command: violation.command.clone(),
        expected: violation.expected.clone(),
        found: violation.found.clone(),
        crashes: crashes(&watched),
        explained: cut.as_ref().map(|cut| cut.place),
        survival: cut.as_ref().map(|cut| survival::table(cut, &ledger)),
        first_wrong: first_wrong::first_wrong(&acks, cut.as_ref(), &ledger, &wholeness, &violation),
        acknowledged: acks.into_iter().map(|ack| ack.shown).collect(),
        mildest: Mildest {
            profile: mildest.name(),
            words: mildest.description(),
        },
        missing,
        replay: replay.to_owned(),
    };
    Some(Explained {
        explanation,
        timeline,
        before: met_at_last(&watched),
        after: watched.end,
    })
}

fn missing_steps(
    failure: &Scenario,
    watched: &Watched,
    ledger: &Ledger,
    acks: &[Ack],
    cut: Option<&Cut<'_>>,
    wholeness: &Wholeness,
    violation: &Violation,
) -> Vec<MissingStep> {
    let mut openings = Vec::new();
    let mut opening = 0;
    for entry in &watched.tape {
        match &entry.what {
            Happening::Opening { .. } => opening = entry.call,
            Happening::Opened { .. } => openings.push((opening, entry.call)),
            _ => {}
        }
    }
    let names = |image: &Image| -> Vec<String> { image.names().map(str::to_owned).collect() };
    let end = watched.result.counts.storage_calls;
    missing(&Case {
        window: cut.map_or((0, end), |cut| (cut.after, cut.call)),
        ledger,
        acks,
        cut,
        openings: &openings,
        wholeness,
        violation,
        script: failure.script.as_ref(),
        end,
        met: &names(&met_at_last(watched)),
        names: &names(&watched.end),
    })
}

/// What the last recovery met.
fn met_at_last(watched: &Watched) -> Image {
    let met = watched
        .tape
        .iter()
        .rev()
        .find_map(|entry| match &entry.what {
            Happening::Opening { found } => Some(found.clone()),
            _ => None,
        });
    met.unwrap_or_else(|| watched.end.clone())
}

fn crashes(watched: &Watched) -> Vec<CrashWords> {
    let crashes = watched.tape.iter().filter_map(|entry| match &entry.what {
        Happening::Crashed(crashed) => Some(crash_words(crashed)),
        _ => None,
    });
    crashes.collect()
}

fn crash_words(crashed: &Crashed) -> CrashWords {
    let file = words::file_of(crashed);
    CrashWords {
        words: words::of_crash(crashed, file.as_deref()),
        kind: crashed.kind,
        at: crashed.crash.point(),
        op: crashed.crash.op().map(Op::name),
        file,
    }
}

fn name_of(outcome: &Outcome, violation: &Violation) -> &'static str {
    match outcome {
        Outcome::Panicked(_) => "panic",
        Outcome::Exhausted(_) => "budget",
        _ => violation.invariant.name(),
    }
}
