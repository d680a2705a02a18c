//! One failure on a page: what broke, a picture, what survived, and the timeline.

use beaver_sim::explain::lanes::Lanes;
use beaver_sim::explain::{
    AckFate, Acknowledged, Explained, ExplainedLog, Explanation, MissingStep, NameFate,
};
use beaver_sim::run_log::LoggedEvent;

use super::picture::Picture;
use super::survival::FileBlock;
use super::text::{printable, sentence};
use super::timeline::{Filter, TimelineRow, filters, timeline};

/// Everything that a page says about a failure.
#[derive(Debug)]
pub(super) struct FailureSection<'e> {
    pub(super) id: String,
    pub(super) heading: String,
    pub(super) promise: String,
    pub(super) missing: Vec<&'e str>,
    pub(super) facts: Vec<(&'static str, String)>,
    pub(super) expected: String,
    pub(super) found: String,
    pub(super) replay: String,
    pub(super) picture: Picture,
    /// Where the crash came, if there was one.
    pub(super) crash: Option<String>,
    pub(super) names: &'e [NameFate],
    pub(super) files: Vec<FileBlock<'e>>,
    pub(super) acknowledged: &'e [Acknowledged],
    pub(super) filters: Vec<Filter>,
    pub(super) hidden_rows: usize,
    pub(super) rows: Vec<TimelineRow>,
}

/// What a program that was recorded broke: what its check said, and what is missing.
#[derive(Clone, Debug)]
pub struct BrokenCheck {
    /// What broke, as a sentence.
    pub heading: String,
    /// What is missing, or that nothing repairs it.
    pub missing: Vec<String>,
    /// Numbers, and what they count.
    pub facts: Vec<(&'static str, String)>,
    /// What the check said.
    pub found: String,
    /// The command that shows it again.
    pub replay: String,
}

impl<'e> FailureSection<'e> {
    pub(super) fn new(number: usize, explained: &'e Explained, count: usize) -> Self {
        let explanation = &explained.explanation;
        let survival = explanation.survival.as_ref();
        let crash = explanation.explained.map(|at| &explanation.crashes[at]);
        let crash = crash.filter(|_| survival.is_some());
        let headline = explanation.verdict.headline(explanation.invariant);
        let text = |missing: &'e MissingStep| &*missing.text;
        FailureSection {
            heading: sentence(&headline).trim_end_matches('.').to_owned(),
            promise: explanation.promise.to_owned(),
            missing: explanation.missing.iter().map(text).collect(),
            facts: facts(explanation, count),
            expected: explanation.expected.clone(),
            found: explanation.found.clone(),
            replay: explanation.replay.clone(),
            crash: crash.map(|crash| sentence(&crash.text)),
            names: survival.map_or(&[], |table| &table.names),
            files: survival.map_or(Vec::new(), FileBlock::all),
            acknowledged: &explanation.acknowledged,
            ..FailureSection::drawn(number, &explained.lanes, &explained.log)
        }
    }

    /// The crash of a recorded program.
    pub(super) fn of_check(broken: &'e BrokenCheck, explained: &'e ExplainedLog) -> Self {
        FailureSection {
            heading: broken.heading.clone(),
            promise: "What the check asks of the files holds after any crash.".to_owned(),
            missing: broken.missing.iter().map(String::as_str).collect(),
            facts: broken.facts.clone(),
            expected: "exit code 0, or `ok`".to_owned(),
            found: broken.found.clone(),
            replay: broken.replay.clone(),
            crash: Some(sentence(&explained.crash.text)),
            names: &explained.survival.names,
            files: FileBlock::all(&explained.survival),
            acknowledged: &explained.acknowledged,
            ..FailureSection::drawn(1, &explained.lanes, &explained.log)
        }
    }

    /// The picture and the timeline.
    fn drawn(number: usize, lanes: &Lanes, log: &[LoggedEvent]) -> Self {
        let first_column = Picture::first_column(lanes);
        let (rows, hidden_rows) = timeline(log, lanes, first_column);
        FailureSection {
            id: format!("failure-{number}"),
            heading: String::new(),
            promise: String::new(),
            missing: Vec::new(),
            facts: Vec::new(),
            expected: String::new(),
            found: String::new(),
            replay: String::new(),
            picture: Picture::draw(lanes, first_column),
            crash: None,
            names: &[],
            files: Vec::new(),
            acknowledged: &[],
            filters: filters(&rows),
            hidden_rows,
            rows,
        }
    }
}

fn facts(explanation: &Explanation, count: usize) -> Vec<(&'static str, String)> {
    let (profile, weakest) = (explanation.profile, &explanation.weakest);
    let command = printable(&explanation.command);
    let mut facts = vec![
        ("scenario", explanation.scenario.clone()),
        ("profile", format!("{profile}: {}", profile.description())),
        ("at", format!("command {} ({command})", explanation.step)),
        ("first wrong", explanation.first_wrong.to_string()),
        ("weakest", format!("{}: {}", weakest.profile, weakest.text)),
    ];
    if count > 1 {
        facts.push(("stands for", format!("{count} runs")));
    }
    facts
}

pub(super) fn ack_tone(ack: &Acknowledged) -> &'static str {
    match &ack.fate {
        AckFate::NotTouched => "plain",
        AckFate::There => "good",
        AckFate::Removed { .. } => "warn",
        AckFate::NeverWritten | AckFate::Lost { .. } => "bad",
    }
}
