//! Everything that is asked of a store that a recovery has opened: invariants 1 to 7, 9, 11 and 12, and that it goes on.

use std::sync::Arc;

use beaver::{Clock, Storage};
use beaver_disk::{Image, SimDisk};

use crate::guard::guarded;
use crate::invariant::Invariant;
use crate::oracle::damage::{Scars, excuse_refusal};
use crate::oracle::history::{History, Place};
use crate::oracle::judge::{Finding, Verdict, View, Wrong as Misjudged, judge};
use crate::scenario::{Job, Step, SyncSetting};
use crate::subject::{Answer, Failure, Layout, Opening, Process, Report};

use super::beliefs::BeliefId;
use super::files;
use super::search::{Death, Search};
use super::trail::{Leg, Wrong};

/// The number of the command with which a store of one's own goes on: no workload comes so far.
const ONE_MORE: u64 = 1_000;

/// A store that has just opened.
pub(super) struct Opened<'s> {
    /// What is believed about it.
    pub(super) belief: BeliefId,
    /// Its machine.
    pub(super) sim: &'s SimDisk,
    /// The number of the last storage call before its process started, counted over the whole run.
    pub(super) calls: u64,
    /// The process that has it open.
    pub(super) client: Box<dyn Process>,
    /// What opening reported.
    pub(super) report: Report,
}

impl Search<'_> {
    /// Asks everything. Answers with what is believed from now on.
    ///
    /// # Errors
    /// What is wrong.
    pub(super) fn examine(&mut self, store: &mut Opened<'_>) -> Result<BeliefId, Finding> {
        let files = store.sim.live();
        let Verdict { groups, places } = self.judge_history(store, &files)?;
        let decided = self.beliefs.decide(store.belief, groups, places);
        self.judge_without_newest(store, &files, decided)?;
        if self.tested.subject.is_documented() {
            let keep = self.tested.scenario.log.keep_old_snapshots;
            files::check_tidy(&files, &store.report, keep)?;
        }
        store.client.state().check_counts()?;
        Ok(decided)
    }

    fn judge_history(&self, store: &mut Opened<'_>, files: &Image) -> Result<Verdict, Finding> {
        let history = self.beliefs.history(store.belief);
        let recognised = guarded(|| store.client.recognise(history));
        let recognised =
            recognised.map_err(|panic| Finding::new(Invariant::Progress, "no panic", panic))?;
        let view = match recognised {
            Some(view) => view?,
            None => self.view(history, store, files)?,
        };
        judge(history, &view).map_err(Misjudged::finding)
    }

    /// What a client sees of the store.
    fn view(&self, history: &History, store: &Opened<'_>, files: &Image) -> Result<View, Finding> {
        let reader = &self.tested.subject.store;
        let storage = store.sim.fork().storage();
        let tail = guarded(|| reader.replay_after(&storage, Place::default()));
        let tail = tail.map_err(|panic| Finding::new(Invariant::Progress, "no panic", panic))?;
        Ok(View {
            state: store.client.state(),
            applied: store.client.applied(),
            after: files::start_of_log(files, history),
            tail: tail.map_err(|failure| refusal(&failure))?,
            from_snapshot: store.report.snapshot.is_some(),
        })
    }

    /// Invariant 6: without the snapshot that was used the state is the same.
    fn judge_without_newest(
        &self,
        store: &Opened<'_>,
        files: &Image,
        decided: BeliefId,
    ) -> Result<(), Finding> {
        let Some(older) = files::without_newest_snapshot(files, &store.report) else {
            return Ok(());
        };
        let copy = store.sim.fork();
        copy.boot(older.disk(self.profile));
        let (mut client, _) = self.open(copy.storage())?.map_err(|failure| {
            Finding::new(
                Invariant::SnapshotEquivalence,
                "to open once more",
                failure.text,
            )
        })?;
        client
            .compare(self.beliefs.history(decided).state())
            .map_err(|(expected, found)| {
                Finding::new(Invariant::SnapshotEquivalence, expected, found)
            })
    }

    /// A process opens the store.
    ///
    /// # Errors
    /// It panicked.
    pub(super) fn open(&self, disk: Arc<dyn Storage>) -> Result<Opening, Finding> {
        let (subject, settings) = (self.tested.subject, &self.tested.scenario.log);
        let clock: Arc<dyn Clock> = self.clock.clone();
        let opened = guarded(|| subject.open(disk, clock, settings));
        opened.map_err(|panic| Finding::new(Invariant::Progress, "no panic", panic))
    }

    /// The store takes one more command, and its process dies at each call of it, and after it. What is wrong is remembered
    /// with the way to it.
    pub(super) fn go_on(&mut self, store: &mut Opened<'_>, decided: BeliefId) {
        let job = match self.tested.subject.store.layout() {
            Layout::Documented => Job {
                id: "one-more".to_owned(),
                payload: "{}".to_owned(),
                max_attempts: 1,
                timeout_ms: 1000,
            },
            Layout::Own { words } => Job::numbered(ONE_MORE, &words(ONE_MORE)),
        };
        let step = Step::Enqueue { jobs: vec![job] };
        let first_wrong = self.wrong.len();
        if let Err(finding) = self.take_one_more(store, decided, &step) {
            self.wrong.push(Wrong::new(finding));
        }
        for wrong in &mut self.wrong[first_wrong..] {
            wrong.legs.push(Leg::Step(step.clone()));
        }
    }

    fn take_one_more(
        &mut self,
        store: &mut Opened<'_>,
        decided: BeliefId,
        step: &Step,
    ) -> Result<(), Finding> {
        let before = Arc::clone(self.beliefs.history(decided));
        let Ok(records) = before.state().expect(step, self.clock.now_ms()) else {
            return Ok(());
        };
        store.sim.record_crash_points(true);
        let on_request = self.tested.scenario.log.sync == SyncSetting::OnRequest;
        let answer = guarded(|| match store.client.command(step) {
            Answer::Done(None) if on_request => match store.client.sync() {
                Ok(_) => Answer::Done(None),
                Err(failure) => Answer::Failed(failure),
            },
            answer => answer,
        });
        let answer =
            answer.map_err(|panic| Finding::new(Invariant::Progress, "no panic", panic))?;
        let crashes = store.sim.take_crash_points();
        store.sim.record_crash_points(false);
        if answer != Answer::Done(None) {
            let expected = "the store to take another command after recovery";
            return Err(Finding::new(
                Invariant::Availability,
                expected,
                format!("{answer:?}"),
            ));
        }
        let applied = store.client.applied();
        if applied <= before.last_place() {
            let expected = format!("a position above {}", before.last_place());
            return Err(Finding::new(
                Invariant::Positions,
                expected,
                applied.to_string(),
            ));
        }
        let (doubtful, after) = self.beliefs.append(decided, records, applied);
        store
            .client
            .compare(self.beliefs.history(after).state())
            .map_err(|(expected, found)| Finding::new(Invariant::JobRules, expected, found))?;
        let end = store.sim.crash_between_calls();
        let crashes = crashes.iter().map(|crash| (crash, doubtful));
        for (crash, belief) in crashes.chain([(&end, after)]) {
            self.die(&Death {
                crash,
                at: crash.point(),
                belief,
                calls: store.calls,
                depth: 1,
                shown: false,
            });
        }
        Ok(())
    }
}

/// The store cannot be opened, or its log not be read, and no fault explains that.
pub(super) fn refusal(failure: &Failure) -> Finding {
    let refused = excuse_refusal(&Scars::default(), failure.file.as_deref(), &failure.text);
    refused.expect_err("without damage nothing excuses a refusal")
}
