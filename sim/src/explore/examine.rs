//! Everything that is asked of a store that a recovery has opened: invariants 1 to 7, 9, 11 and 12, and that it goes on.

use std::sync::Arc;

use beaver::Storage;
use beaver::storage::sim::{Disk, Image, SimDisk};

use crate::client::{Answer, Client, Report, replay_after, segment_epochs};
use crate::guard::guarded;
use crate::oracle::damage::snapshot_epoch;
use crate::oracle::history::{History, Place};
use crate::oracle::judge::{Finding, Verdict, View, Wrong as Misjudged, compare_states, judge};
use crate::oracle::tidiness;
use crate::scenario::{Job, Step};
use crate::world::check_counts;

use super::search::{Death, Search};
use super::trail::Leg;

/// A store that has just opened.
pub(super) struct Opened<'s> {
    /// What is believed about it.
    pub(super) belief: usize,
    /// Its machine.
    pub(super) sim: &'s SimDisk,
    /// The process that has it open.
    pub(super) client: Client,
    /// What opening reported.
    pub(super) report: Report,
}

impl Search<'_> {
    /// Asks everything. Answers with what is believed from now on.
    ///
    /// # Errors
    /// What is wrong.
    pub(super) fn examine(&mut self, store: &Opened<'_>) -> Result<usize, Finding> {
        let Verdict { groups, places } = self.judge_history(store)?;
        let decided = self.decide(store.belief, groups, places);
        let files = store.sim.live();
        let names: Vec<&str> = files.names().collect();
        let (snapshot, strays) = (store.report.snapshot, &store.report.strays);
        if let Some(finding) = tidiness::after_recovery(&names, snapshot, strays) {
            return Err(finding);
        }
        check_counts(&store.client.state())?;
        self.judge_without_newest(store, &files, decided)?;
        Ok(decided)
    }

    fn judge_history(&self, store: &Opened<'_>) -> Result<Verdict, Finding> {
        let history = self.history(store.belief);
        let view = view(history, &store.client, &store.report, store.sim)?;
        judge(history, &view).map_err(Misjudged::finding)
    }

    /// Invariant 6: without the snapshot that was used, if recovery must be able to do without it, the state is the same.
    fn judge_without_newest(
        &self,
        store: &Opened<'_>,
        files: &Image,
        decided: usize,
    ) -> Result<(), Finding> {
        let Some(used) = store.report.snapshot else {
            return Ok(());
        };
        let older = files.names().filter_map(snapshot_epoch);
        let older = older.filter(|epoch| *epoch < used.epoch).max();
        let bridge = older.map_or(1, |epoch| epoch + 1);
        if !segment_epochs(files.names()).contains(&bridge) {
            return Ok(());
        }
        let mut kept = files.to_files();
        kept.retain(|name, _| snapshot_epoch(name) != Some(used.epoch));
        let copy = store.sim.fork();
        copy.boot(Image::from_files(kept).disk(self.profile));
        let (client, _) = self
            .open(copy.storage())?
            .map_err(|text| Finding::new(6, "the older snapshot to do as well", text))?;
        compare_states(self.history(decided).state(), &client.state())
            .map_err(|(expected, found)| Finding::new(6, expected, found))
    }

    fn open(&self, storage: Arc<dyn Storage>) -> Result<Result<(Client, Report), String>, Finding> {
        let clock = Arc::clone(&self.clock);
        let opened = guarded(|| Client::open(storage, clock, self.settings));
        let opened = opened.map_err(|panic| Finding::new(0, "no panic", panic))?;
        Ok(opened.map_err(|failure| failure.text))
    }

    /// The store takes one more command, and its process dies at each call of it, and after it.
    ///
    /// # Errors
    /// What is wrong, unless it shows only after the next crash.
    pub(super) fn go_on(&mut self, store: &mut Opened<'_>, decided: usize) -> Result<(), Finding> {
        let before = Arc::clone(self.history(decided));
        let step = Step::Enqueue {
            jobs: vec![Job {
                id: "one-more".to_owned(),
                payload: "{}".to_owned(),
                max_attempts: 1,
                timeout_ms: 1000,
            }],
        };
        let Ok(records) = before.state().expect(&step, self.now_ms()) else {
            return Ok(());
        };
        store.sim.record_crash_points(true);
        let answer = guarded(|| store.client.command(&step));
        let answer = answer.map_err(|panic| Finding::new(0, "no panic", panic))?;
        let crashes = store.sim.take_crash_points();
        store.sim.record_crash_points(false);
        if answer != Answer::Done(None) {
            let expected = "the store to take another command after recovery";
            return Err(Finding::new(7, expected, format!("{answer:?}")));
        }
        let applied = store.client.applied();
        if applied <= before.last_place() {
            let expected = format!("a position above {}", before.last_place());
            return Err(Finding::new(9, expected, applied.to_string()));
        }
        let (doubtful, after) = self.add_append(decided, records, applied);
        compare_states(self.history(after).state(), &store.client.state())
            .map_err(|(expected, found)| Finding::new(12, expected, found))?;
        let first_wrong = self.wrong.len();
        let end = store.sim.crash_between_calls();
        let crashes = crashes.iter().map(|crash| (crash, doubtful));
        for (crash, belief) in crashes.chain([(&end, after)]) {
            self.die(&Death {
                crash,
                belief,
                calls: 0,
                depth: 1,
                shown: false,
            });
        }
        for wrong in &mut self.wrong[first_wrong..] {
            wrong.legs.push(Leg::Step(step.clone()));
        }
        Ok(())
    }
}

/// What a client sees of a store that it has just opened.
fn view(
    history: &History,
    client: &Client,
    report: &Report,
    sim: &SimDisk,
) -> Result<View, Finding> {
    let tail = replay_after(&sim.fork().storage(), Place::default())
        .map_err(|failure| Finding::new(7, "the log to be read from its start", failure.text))?;
    let files = sim.live();
    let first = segment_epochs(files.names()).first().copied().unwrap_or(0);
    let decided = history.decided().iter();
    let after = decided
        .map(|decided| decided.place)
        .take_while(|place| place.epoch < first)
        .last();
    Ok(View {
        state: client.state(),
        applied: client.applied(),
        after: after.unwrap_or_default(),
        tail,
        from_snapshot: report.snapshot.is_some(),
    })
}

/// Invariant 5: what a recovery has shown, the next one leaves byte for byte.
pub(super) fn compare_bytes(found: &Disk, left: &Disk) -> Result<(), Finding> {
    let (found, left) = (found.live(), left.live());
    if found.hash128() == left.hash128() {
        return Ok(());
    }
    let (found, left) = (found.to_files(), left.to_files());
    match tidiness::compare(
        &tidiness::accepted(&found),
        &tidiness::accepted(&left),
        false,
    ) {
        Some(finding) => Err(finding),
        None => Ok(()),
    }
}
