//! The verdict for programs. Field names and values are promises: a change breaks scripts.

use std::path::Path;

use beaver_sim::report::Verdict;
use beaver_trace::SyncKind;
use serde::Serialize;

use super::JudgedLog;
use super::second::Second;
use super::trial::Tried;

/// The one object that `beaver crash --format json` prints.
#[derive(Debug, Serialize)]
pub(super) struct CrashDocument<'c> {
    tool: &'static str,
    version: &'static str,
    program: &'c [String],
    events: usize,
    /// How many lines the program said.
    acks: usize,
    profiles: Vec<ProfileDocument<'c>>,
    /// With --depth 2: what interrupting the checks came to.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    interrupted_checks: Vec<InterruptedDocument>,
    /// How many checks were run: equal images are checked once. With several jobs it differs a little from run to run.
    checks: u64,
    /// The folder of the first failure.
    #[serde(skip_serializing_if = "Option::is_none")]
    saved: Option<String>,
    verdict: &'static str,
}

#[derive(Debug, Serialize)]
struct ProfileDocument<'c> {
    profile: &'static str,
    /// At how many points the power was cut, of how many.
    points: usize,
    all_points: usize,
    /// At how many of them all combinations were tried.
    exhaustive_points: usize,
    images: usize,
    judged: usize,
    failing: usize,
    reasons: Vec<ReasonDocument>,
    #[serde(skip_serializing_if = "Option::is_none")]
    first: Option<FirstDocument<'c>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    proof: Option<ProofDocument>,
}

#[derive(Debug, Serialize)]
struct InterruptedDocument {
    profile: &'static str,
    /// How many checks were interrupted, and what that left.
    checks: usize,
    images: usize,
    failing: usize,
    exhaustive: bool,
    /// The recording of what the first check does that must not be interrupted.
    #[serde(skip_serializing_if = "Option::is_none")]
    saved: Option<String>,
}

#[derive(Debug, Serialize)]
struct ReasonDocument {
    text: String,
    count: usize,
    /// Whether numbers in what was said of the others differ.
    numbers_vary: bool,
}

#[derive(Debug, Serialize)]
struct FirstDocument<'c> {
    /// What `--image` calls it.
    image: usize,
    /// After how many events the power was cut.
    after_event: usize,
    acks: usize,
    reason: &'c str,
}

#[derive(Debug, Serialize)]
struct ProofDocument {
    missing: Vec<SyncDocument>,
    failing_before: usize,
    failing_after: usize,
    /// Reasons for which no image fails any more, and those for which images still fail.
    repaired: Vec<String>,
    left: Vec<String>,
    /// How many syncs could be added.
    possible: usize,
    exhaustive: bool,
    minimal: bool,
}

#[derive(Debug, Serialize)]
struct SyncDocument {
    text: String,
    kind: SyncKind,
    path: String,
    /// The number of the event before which it is missing, from 1.
    before_event: usize,
}

impl<'c> CrashDocument<'c> {
    pub(super) fn new(
        recording: &'c JudgedLog<'_>,
        tried: &'c [Tried],
        seconds: &[Second],
        saved: Option<&Path>,
        checks: u64,
        verdict: Verdict,
    ) -> Self {
        CrashDocument {
            tool: "beaver",
            version: env!("CARGO_PKG_VERSION"),
            program: &recording.log.format.program,
            events: recording.log.events.len(),
            acks: recording.acks.len(),
            profiles: tried.iter().map(of_profile).collect(),
            interrupted_checks: seconds.iter().map(of_second).collect(),
            checks,
            saved: saved.map(|folder| folder.display().to_string()),
            verdict: verdict.name(),
        }
    }
}

fn of_second(second: &Second) -> InterruptedDocument {
    let crashed = &second.crashed;
    InterruptedDocument {
        profile: second.profile.name(),
        checks: crashed.checks,
        images: crashed.images,
        failing: crashed.failed.len(),
        exhaustive: crashed.exhaustive,
        saved: second
            .saved
            .as_ref()
            .map(|folder| folder.display().to_string()),
    }
}

fn of_profile(tried: &Tried) -> ProfileDocument<'_> {
    let points = tried.points();
    let exhaustive = tried.found.points[..points].iter();
    let first = tried.first().map(|(place, image, reason)| FirstDocument {
        image: place + 1,
        after_event: image.event,
        acks: image.acks,
        reason,
    });
    let reasons = tried.reasons();
    let reasons = reasons.by_count().into_iter().map(|reason| ReasonDocument {
        text: reason.text.clone(),
        count: reason.count,
        numbers_vary: reason.numbers_vary,
    });
    let proof = tried.proof.as_ref().map(|proof| ProofDocument {
        missing: proof
            .missing
            .iter()
            .map(|sync| SyncDocument {
                text: sync.to_string(),
                kind: sync.kind,
                path: sync.path.clone(),
                before_event: sync.event + 1,
            })
            .collect(),
        failing_before: proof.failing_before,
        failing_after: proof.after.failing(),
        repaired: proof
            .repaired
            .iter()
            .map(|reason| reason.text.clone())
            .collect(),
        left: proof
            .after
            .by_count()
            .into_iter()
            .map(|reason| reason.text.clone())
            .collect(),
        possible: proof.all,
        exhaustive: proof.exhaustive,
        minimal: proof.minimal,
    });
    ProfileDocument {
        profile: tried.profile().name(),
        points,
        all_points: tried.found.all_points,
        exhaustive_points: exhaustive.filter(|point| point.exhaustive).count(),
        images: tried.found.images.len(),
        judged: tried.judged(),
        failing: tried.failing.len(),
        reasons: reasons.collect(),
        first,
        proof,
    }
}
