//! One failure on a page: what broke, a picture, what survived, and the timeline.

use beaver_sim::explain::{AckFate, Acknowledged, Explained, Explanation, NameFate};

use super::picture::Picture;
use super::survival::FileBlock;
use super::text::{printable, sentence};
use super::timeline::{Filter, TimelineRow, filters, timeline};

/// Everything that a page says about a failure. What stands in the explanation, the template takes
/// from there.
#[derive(Debug)]
pub(super) struct FailureSection<'e> {
    pub(super) id: String,
    pub(super) heading: String,
    pub(super) explanation: &'e Explanation,
    pub(super) facts: Vec<(&'static str, String)>,
    pub(super) picture: Picture,
    pub(super) crash: String,
    pub(super) names: &'e [NameFate],
    pub(super) files: Vec<FileBlock<'e>>,
    pub(super) filters: Vec<Filter>,
    pub(super) hidden_rows: usize,
    pub(super) rows: Vec<TimelineRow>,
}

impl<'e> FailureSection<'e> {
    pub(super) fn new(number: usize, explained: &'e Explained, count: usize) -> Self {
        let explanation = &explained.explanation;
        let first_column = Picture::first_column(&explained.lanes);
        let (rows, hidden_rows) = timeline(explained, first_column);
        let survival = explanation.survival.as_ref();
        let crash = explanation.explained.map(|at| &explanation.crashes[at]);
        let headline = explanation.verdict.headline(explanation.invariant);
        FailureSection {
            id: format!("failure-{number}"),
            heading: sentence(&headline).trim_end_matches('.').to_owned(),
            explanation,
            facts: facts(explanation, count),
            picture: Picture::draw(&explained.lanes, first_column),
            crash: crash.map_or(String::new(), |crash| sentence(&crash.text)),
            names: survival.map_or(&[], |table| &table.names),
            files: survival.map_or(Vec::new(), FileBlock::all),
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
