//! Why a run failed, for people and for programs: what broke, what went wrong before, and what each
//! node did.

use std::fmt;

use serde::Serialize;

use crate::promises::{UNDECIDED, promise_of};
use crate::run::ClusterOutcome;
use crate::saved_run::SavedRun;
use crate::storyline::{StoryLine, Weight, storyline};

/// How many lines of routine are shown before the failure.
const LAST_ROUTINE: usize = 24;

/// Nanoseconds in a second.
const SECOND: u64 = 1_000_000_000;

/// A failed run, explained.
#[derive(Clone, Debug, Serialize)]
pub struct FailureStory {
    /// The scenario.
    pub scenario: String,
    /// What was under test.
    pub engine: String,
    /// The promise that was broken.
    pub breaks: String,
    /// The promise in words.
    pub promise: &'static str,
    /// What was found.
    pub found: String,
    /// By which node; 0: by all of them together.
    pub node: u64,
    /// When, in nanoseconds of virtual time.
    pub at: u64,
    /// How many actions of chaos there were before it was made smaller; none where that is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub actions_before: Option<usize>,
    /// How many there are.
    pub actions: usize,
    /// What went wrong, in words.
    pub chaos: Vec<String>,
    /// What nodes did: landmarks of the whole run, and everything of its last moments.
    pub story: Vec<StoryLine>,
    /// The command that replays it.
    pub replay: String,
}

impl FailureStory {
    /// Explains the run that `saved` replays; nothing if it does not fail.
    #[must_use]
    pub fn new(
        saved: &SavedRun,
        outcome: &ClusterOutcome,
        actions_before: Option<usize>,
        replay: String,
    ) -> Option<Self> {
        let broken = outcome.violations.first()?;
        Some(FailureStory {
            scenario: saved.scenario.name.clone(),
            engine: saved.engine.to_string(),
            breaks: broken.checker.to_owned(),
            promise: promise_of(broken.checker),
            found: broken.text.clone(),
            node: broken.node,
            at: broken.at,
            actions_before,
            actions: saved.chaos.len(),
            chaos: saved.chaos.iter().map(ToString::to_string).collect(),
            story: shown(storyline(&outcome.events), broken.at),
            replay,
        })
    }
}

impl FailureStory {
    /// What broke, as a heading.
    #[must_use]
    pub fn headline(&self) -> String {
        match self.breaks == UNDECIDED {
            true => self.breaks.clone(),
            false => format!("{} is broken", self.breaks),
        }
    }

    /// How many actions of chaos there are, and were.
    #[must_use]
    pub fn chaos_line(&self) -> String {
        match (self.actions_before, self.actions) {
            (Some(before), 0) => format!("none: {before} actions were there, and none is needed"),
            (Some(before), after) => format!("{before} actions, {after} of them needed"),
            (None, actions) => format!("{actions} actions"),
        }
    }
}

/// Landmarks and steps of the whole run until the failure, and of the routine the last lines.
fn shown(story: Vec<StoryLine>, end: u64) -> Vec<StoryLine> {
    let until: Vec<StoryLine> = story.into_iter().filter(|line| line.at <= end).collect();
    let first_routine = until.len().saturating_sub(LAST_ROUTINE);
    let kept = (0..)
        .zip(until)
        .filter(|(place, line)| line.weight > Weight::Routine || *place >= first_routine);
    kept.map(|(_, line)| line).collect()
}

impl fmt::Display for FailureStory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}: {}", self.headline(), self.found)?;
        writeln!(f, "  promise   {}", self.promise)?;
        writeln!(f, "  scenario  {}", self.scenario)?;
        writeln!(f, "  engine    {}", self.engine)?;
        let by = match self.node {
            0 => String::new(),
            node => format!(", on node {node}"),
        };
        writeln!(f, "  at        {}{by}", time(self.at))?;
        writeln!(f, "  chaos     {}", self.chaos_line())?;
        for action in &self.chaos {
            writeln!(f, "    {action}")?;
        }
        writeln!(f, "  what happened")?;
        for line in &self.story {
            writeln!(f, "    {}  node {} {}", time(line.at), line.node, line.text)?;
        }
        writeln!(f, "  replay    {}", self.replay)
    }
}

/// A moment of virtual time in seconds.
fn time(at: u64) -> String {
    format!("{}.{:06} s", at / SECOND, at % SECOND / 1_000)
}
