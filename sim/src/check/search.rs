//! The search of a check: small workloads breadth first, and beside them the seeds of a scenario, until
//! both are through or the time is over.
//!
//! ```text
//! explored   1 op with 1 crash, 1 op with 2 crashes, 2 ops with 1 crash …   each from every start
//! sampled    the first seed, the next one …
//! ```
//!
//! Each has its own fixed order. A free thread takes the next piece of the one that got less time
//! so far; the clock decides how far each of them gets, and nothing else.

use std::sync::Arc;
use std::time::Duration;

use crate::explore::{Findings, SmallWorkload};
use crate::oracle::Finding;
use crate::plural::counted;
use crate::result::RunResult;

use super::checked::{AllowedCount, Checked};
use super::found::{Found, FoundBy, Shown};
use super::plan::{Piece, Plan, WorkDone, finding_of};

/// How long at least a search with a time limit goes on after the last kind of failure that it found.
const LINGERS: Duration = Duration::from_secs(2);

/// The work that is left, and what came of the rest.
pub(super) struct WorkQueue<'p> {
    plan: &'p Plan<'p>,
    /// The workloads that are being explored, and how many of them were begun.
    workloads: Arc<Vec<(usize, SmallWorkload)>>,
    begun: usize,
    /// How many pieces of each source were begun.
    explored: u64,
    sampled: u64,
    /// The time that each source has got, and the pieces under way, with when they began.
    spent: [Duration; 2],
    under_way: Vec<(FoundBy, Duration)>,
    checked: Checked,
    pub(super) found: Found,
    /// When the last failure of a new kind was found.
    news_at: Option<Duration>,
}

impl<'p> WorkQueue<'p> {
    pub(super) fn new(plan: &'p Plan<'p>) -> Self {
        WorkQueue {
            plan,
            workloads: Arc::default(),
            begun: 0,
            explored: 0,
            sampled: 0,
            spent: [Duration::ZERO; 2],
            under_way: Vec::new(),
            checked: Checked::default(),
            found: Found::default(),
            news_at: None,
        }
    }

    /// The next piece of work; nothing if there is none left. It is `now` since the search began.
    pub(super) fn next(&mut self, now: Duration) -> Option<Piece> {
        let (first, second) =
            match self.time(FoundBy::Explored, now) > self.time(FoundBy::Sampled, now) {
                true => (FoundBy::Sampled, FoundBy::Explored),
                false => (FoundBy::Explored, FoundBy::Sampled),
            };
        let next = self.next_of(first).map(|piece| (piece, first));
        let (piece, source) = match next {
            Some(next) => next,
            None => (self.next_of(second)?, second),
        };
        self.under_way.push((source, now));
        Some(piece)
    }

    /// The time that a source has got.
    fn time(&self, source: FoundBy, now: Duration) -> Duration {
        let under_way = self.under_way.iter().filter(|(of, _)| *of == source);
        let under_way: Duration = under_way.map(|(_, began)| now.saturating_sub(*began)).sum();
        self.spent[source as usize] + under_way
    }

    fn next_of(&mut self, source: FoundBy) -> Option<Piece> {
        let piece = match source {
            FoundBy::Explored => self.next_workload(),
            FoundBy::Sampled => self.next_seed(),
        };
        if piece.is_none() {
            let all = match source {
                FoundBy::Explored => self.explored,
                FoundBy::Sampled => self.sampled,
            };
            self.found.ends(source, all);
        }
        piece
    }

    fn next_seed(&mut self) -> Option<Piece> {
        let seeds = &self.plan.scenario.seeds;
        let seed = seeds.start.checked_add(self.sampled);
        let seed = seed.filter(|seed| *seed < seeds.end)?;
        self.sampled += 1;
        Some(Piece::Seed {
            number: self.sampled - 1,
            seed,
        })
    }

    fn next_workload(&mut self) -> Option<Piece> {
        while self.begun == self.workloads.len() {
            let mut next = self.plan.extent_after(self.checked.extents.last())?;
            self.workloads = Arc::new(self.plan.workloads(next.ops));
            self.begun = 0;
            next.histories = self.workloads.len() as u64;
            self.checked.extents.push(next);
        }
        let extent = self.checked.extents.len() - 1;
        self.begun += 1;
        self.explored += 1;
        Some(Piece::Workload {
            number: self.explored - 1,
            extent,
            workloads: Arc::clone(&self.workloads),
            nth: self.begun - 1,
            crashes: self.checked.extents[extent].crashes,
        })
    }

    /// A piece is done, `now` since the search began. Answers with what is new in it, if that is the first failure of all.
    pub(super) fn take(&mut self, piece: &Piece, done: WorkDone, now: Duration) -> Option<Finding> {
        let (place, shown) = match (piece, done) {
            (_, WorkDone::Cut) => return None,
            (Piece::Workload { number, .. }, WorkDone::Workload(findings)) => (
                (*number, FoundBy::Explored),
                self.take_workload(piece, findings),
            ),
            (Piece::Seed { number, seed }, WorkDone::Seed(run)) => {
                ((*number, FoundBy::Sampled), self.take_run(*seed, &run))
            }
            _ => panic!("a piece of work is done as what it is"),
        };
        let source = place.1;
        // Which of those under way it was makes no difference to their sum.
        if let Some(at) = self.under_way.iter().position(|(of, _)| *of == source) {
            let (_, began) = self.under_way.swap_remove(at);
            self.spent[source as usize] += now.saturating_sub(began);
        }
        let is_first = self.found.failures() == 0;
        if !self.found.add(place, shown, self.plan.kept.allowed) {
            return None;
        }
        self.news_at = Some(now);
        let first = self.found.first_failures(1).pop().filter(|_| is_first);
        first.map(|first| first.shown.finding().clone())
    }

    /// Whether the search is over: enough is known, or something is, and nothing else came up for as long as it took to
    /// find that.
    pub(super) fn is_over(&self, now: Duration) -> bool {
        let lingers = |news_at: Duration| now >= news_at + news_at.max(LINGERS);
        let is_quiet = self.plan.breadth_first && self.news_at.is_some_and(lingers);
        self.found.is_enough(self.plan.kept.most) || (is_quiet && self.found.is_enough(1))
    }

    fn take_workload(&mut self, piece: &Piece, findings: Findings) -> Vec<Shown> {
        let Piece::Workload {
            extent,
            workloads,
            nth,
            ..
        } = piece
        else {
            return Vec::new();
        };
        let extent = &mut self.checked.extents[*extent];
        extent.done += u64::from(!findings.is_cut_off);
        extent.tally += findings.tally;
        self.checked.explored += findings.tally;
        let failures = findings.failures.into_iter();
        let start = workloads[*nth].0;
        failures
            .map(|failure| Shown::Script(start, failure))
            .collect()
    }

    fn take_run(&mut self, seed: u64, run: &RunResult) -> Vec<Shown> {
        self.checked.runs += 1;
        self.checked.counts.add(&run.counts);
        let finding = finding_of(run).into_iter();
        finding.map(|finding| Shown::Seed(seed, finding)).collect()
    }

    /// What was done.
    pub(super) fn checked(&self) -> Checked {
        let allowed = self.plan.kept.allowed.iter().enumerate();
        let allowed = allowed.map(|(entry, allowed)| AllowedCount {
            promise: allowed.invariant.name(),
            text: allowed.text.clone(),
            count: self.found.allowed(entry),
        });
        Checked {
            allowed: allowed.collect(),
            ..self.checked.clone()
        }
    }

    /// How far the work is, in a line.
    pub(super) fn line(&self) -> String {
        let now = self.checked.extents.last();
        let now = now.map_or_else(String::new, |extent| format!("{extent}, "));
        let seeds = counted(self.checked.runs, "seed", "seeds");
        let failures = counted(
            self.found.failures() as u64,
            "kind of finding",
            "kinds of findings",
        );
        format!("{now}{seeds}, {failures}")
    }
}
