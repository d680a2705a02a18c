//! Which sync is missing, proven: with it added to the recording, no image fails any more.
//!
//! All syncs that could be added are added, the images are made and judged again, and then what is not needed is taken out:
//! whole kinds first, then those that are alike, then one by one. What is left is a set of which each part is needed. Where
//! images were sampled, they are sampled by the same rule with and without the syncs.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::check_process::Judgement;
use crate::images::{ImageOptions, crash_images};
use crate::judge::{Judge, JudgeError, JudgeTime};
use crate::log::{Log, TraceEvent};
use crate::missing_sync::{MissingSync, SyncKind, missing_syncs};

/// At most this many sets of syncs are tried.
const MAX_TRIALS: usize = 400;

/// What adding syncs does.
#[derive(Clone, Debug)]
pub struct Proof {
    /// The syncs that are needed, in order.
    pub missing: Vec<MissingSync>,
    /// How many images failed without them.
    pub failing_before: usize,
    /// How many fail with them: as many as with all that could be added.
    pub failing_after: usize,
    /// How many could be added.
    pub all: usize,
    /// Whether all images were made, with and without the syncs.
    pub exhaustive: bool,
    /// Whether each of them is needed. Otherwise the work was stopped before that was known.
    pub minimal: bool,
}

/// Missing syncs that are alike: the first of them, and how many more there are.
#[derive(Clone, Debug)]
pub struct AlikeSyncs<'p> {
    /// The first.
    pub first: &'p MissingSync,
    /// How many more.
    pub more: usize,
}

impl Proof {
    /// The syncs by what they have in common, in order of the first of each kind.
    #[must_use]
    pub fn alike(&self) -> Vec<AlikeSyncs<'_>> {
        let mut alike: Vec<AlikeSyncs<'_>> = Vec::new();
        for sync in &self.missing {
            let known = alike.iter_mut();
            let mut known = known.filter(|known| known.first.pattern() == sync.pattern());
            match known.next() {
                Some(known) => known.more += 1,
                None => alike.push(AlikeSyncs {
                    first: sync,
                    more: 0,
                }),
            }
        }
        alike
    }
}

/// Finds the syncs without which `failing` images of a recording fail. Those that are `known` from another profile are tried
/// first. `None` if it was stopped before anything was known.
///
/// # Errors
///
/// The recording cannot be read, or the check cannot be run.
pub fn prove(
    log: &Log,
    options: &ImageOptions,
    judge: &Judge,
    failing: usize,
    known: Option<&Proof>,
    go_on: &(dyn Fn() -> bool + Sync),
) -> Result<Option<Proof>, JudgeError> {
    let candidates = missing_syncs(log)?;
    let mut trials = Trials {
        log,
        options,
        judge,
        go_on,
        candidates: &candidates,
        tried: 0,
        exhaustive: true,
    };
    let all: BTreeSet<usize> = (0..candidates.len()).collect();
    let Some(left) = trials.failing(&all, usize::MAX - 1)? else {
        return Ok(None);
    };
    let mut proof = Proof {
        missing: Vec::new(),
        failing_before: failing,
        failing_after: left,
        all: candidates.len(),
        exhaustive: trials.exhaustive,
        minimal: true,
    };
    if left >= failing {
        return Ok(Some(proof));
    }
    let mut search = Search {
        trials,
        needed: all,
        left,
    };
    if let Some(known) = known {
        search.begin_with(&known.missing)?;
    }
    proof.minimal = search.drop_what_is_not_needed()?;
    proof.exhaustive = search.trials.exhaustive;
    let needed = search.needed.iter();
    proof.missing = needed.map(|place| candidates[*place].clone()).collect();
    Ok(Some(proof))
}

/// The events of a recording with some syncs added.
fn with_syncs<'c>(
    events: &[TraceEvent],
    added: impl Iterator<Item = &'c MissingSync>,
) -> Vec<TraceEvent> {
    let mut before: BTreeMap<usize, Vec<&MissingSync>> = BTreeMap::new();
    for sync in added {
        before.entry(sync.event).or_default().push(sync);
    }
    let mut with = Vec::with_capacity(events.len() + before.len());
    for place in 0..=events.len() {
        let added = before.get(&place).into_iter().flatten();
        with.extend(added.map(|sync| TraceEvent::Call {
            change: sync.change.clone(),
            bytes: None,
            fault: None,
            mapped: false,
        }));
        with.extend(events.get(place).cloned());
    }
    with
}

/// Tries sets of syncs.
struct Trials<'t> {
    log: &'t Log,
    options: &'t ImageOptions,
    judge: &'t Judge,
    go_on: &'t (dyn Fn() -> bool + Sync),
    candidates: &'t [MissingSync],
    tried: usize,
    exhaustive: bool,
}

impl Trials<'_> {
    /// How many images fail with these syncs; of more than `most` only that it is one more. `None` if the work was stopped.
    fn failing(
        &mut self,
        added: &BTreeSet<usize>,
        most: usize,
    ) -> Result<Option<usize>, JudgeError> {
        self.tried += 1;
        let added = added.iter().map(|place| &self.candidates[*place]);
        let events = with_syncs(&self.log.events, added);
        let found = crash_images(self.log, &events, self.options, self.go_on)?;
        if found.points.len() < found.all_points {
            return Ok(None);
        }
        self.exhaustive &= found.is_exhaustive();
        // Without a sync that is needed most of the images are back that failed before: nothing is checked.
        if self.judge.known_bad(&found.images) > most {
            return Ok(Some(most + 1));
        }
        let bad = AtomicUsize::new(0);
        let count = |answer: &Judgement| {
            if matches!(answer, Judgement::Bad(_)) {
                bad.fetch_add(1, Ordering::Relaxed);
            }
        };
        let go_on = || bad.load(Ordering::Relaxed) <= most && (self.go_on)();
        let time = JudgeTime::while_true(&go_on);
        let recorded = (self.log, &events[..]);
        let answers = self.judge.judge(recorded, &found, &time, &count)?;
        let bad = bad.load(Ordering::Relaxed);
        let stopped = answers.contains(&Judgement::Stopped);
        Ok(match bad > most {
            true => Some(most + 1),
            false if stopped => None,
            false => Some(bad),
        })
    }
}

/// Looks for a smallest set.
struct Search<'t> {
    trials: Trials<'t>,
    needed: BTreeSet<usize>,
    /// How many images fail with all of them.
    left: usize,
}

impl Search<'_> {
    /// Begins with these syncs alone, if they are enough: so that two profiles name the same ones.
    fn begin_with(&mut self, known: &[MissingSync]) -> Result<(), JudgeError> {
        let candidates = (0..).zip(self.trials.candidates);
        let known = candidates.filter(|(_, sync)| known.contains(sync));
        let known: BTreeSet<usize> = known.map(|(place, _)| place).collect();
        let failing = self.trials.failing(&known, self.left)?;
        if failing.is_some_and(|failing| failing <= self.left) {
            self.needed = known;
        }
        Ok(())
    }

    /// Says whether it came to the end.
    fn drop_what_is_not_needed(&mut self) -> Result<bool, JudgeError> {
        let candidates = self.trials.candidates;
        for kind in SyncKind::ALL {
            let alike = |place: &usize| candidates[*place].kind == kind;
            let alike: Vec<usize> = self.needed.iter().copied().filter(alike).collect();
            if self.try_without(&alike)?.is_none() {
                return Ok(false);
            }
        }
        let mut patterns: BTreeMap<(SyncKind, String), Vec<usize>> = BTreeMap::new();
        for place in &self.needed {
            let pattern = candidates[*place].pattern();
            patterns.entry(pattern).or_default().push(*place);
        }
        for alike in patterns.into_values() {
            if !self.drop_of(&alike)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Drops as much as possible of some syncs: all of them, or of each half what is possible.
    fn drop_of(&mut self, some: &[usize]) -> Result<bool, JudgeError> {
        match self.try_without(some)? {
            None => Ok(false),
            Some(true) => Ok(true),
            Some(false) if some.len() < 2 => Ok(true),
            Some(false) => {
                let (first, second) = some.split_at(some.len() / 2);
                Ok(self.drop_of(first)? && self.drop_of(second)?)
            }
        }
    }

    /// Whether it goes without these; `None` if the work was stopped.
    fn try_without(&mut self, some: &[usize]) -> Result<Option<bool>, JudgeError> {
        if some.is_empty() {
            return Ok(Some(true));
        }
        if self.trials.tried >= MAX_TRIALS {
            return Ok(None);
        }
        let mut fewer = self.needed.clone();
        some.iter().for_each(|place| {
            fewer.remove(place);
        });
        let failing = self.trials.failing(&fewer, self.left)?;
        let enough = failing.map(|failing| failing <= self.left);
        if enough == Some(true) {
            self.needed = fewer;
        }
        Ok(enough)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use beaver_disk::Profile;

    use super::*;
    use crate::check::ImageCheck;
    use crate::judge::JudgeOptions;
    use crate::testing::recorded;

    /// How many images fail, and what adding syncs does.
    fn proof(steps: &str, check: &str, profile: Profile) -> (usize, Proof) {
        let (_folder, log) = recorded(steps);
        let acks = log.events.iter().filter_map(|event| match event {
            TraceEvent::Ack(line) => Some(line.clone()),
            _ => None,
        });
        let options = JudgeOptions {
            check: ImageCheck::Command(check.to_owned()),
            limit: Duration::from_secs(60),
            jobs: 2,
            guard: None,
        };
        let judge = Judge::new(options, acks.collect(), None).unwrap();
        let options = ImageOptions::new(profile);
        let found = crash_images(&log, &log.events, &options, &|| true).unwrap();
        let time = JudgeTime::while_true(&|| true);
        let recorded = (&log, &log.events[..]);
        let answers = judge.judge(recorded, &found, &time, &|_| {}).unwrap();
        let failing = answers.iter().filter(|answer| **answer != Judgement::Good);
        let failing = failing.count();
        let proof = prove(&log, &options, &judge, failing, None, &|| true).unwrap();
        (failing, proof.unwrap())
    }

    fn names(proof: &Proof) -> Vec<String> {
        let alike = proof.alike();
        alike
            .iter()
            .map(|alike| format!("{} +{}", alike.first, alike.more))
            .collect()
    }

    /// The file is what it was, or what the last line says.
    const SAVED: &str = "c=$(cat {dir}/f) && { [ \"$c\" = old ] || [ \"$c\" = new ]; } && \
                         { ! grep -q saved {acks} || [ \"$c\" = new ]; }";

    #[test]
    fn a_file_that_is_not_synced_before_its_rename_is_named() {
        let steps = "create f; write f 0 old; begin; create t; write t 0 new; rename t f";
        let (failing, proof) = proof(steps, SAVED, Profile::LinuxOrdered);
        assert!(failing > 0);
        assert_eq!(
            names(&proof),
            ["fsync of `t` before it is renamed to `f` +0"]
        );
        assert_eq!(
            (proof.failing_after, proof.minimal, proof.exhaustive),
            (0, true, true)
        );
    }

    #[test]
    fn a_directory_that_is_not_synced_before_a_promise_is_named() {
        let steps = "create f; write f 0 old; begin; create t; write t 0 new; sync t; rename t f; ack saved";
        let (failing, proof) = proof(steps, SAVED, Profile::LinuxOrdered);
        assert_eq!(failing, 1);
        assert_eq!(
            names(&proof),
            ["fsync of the directory `.` before the program says \"saved\" +0"]
        );
        assert_eq!(proof.failing_after, 0);
    }

    #[test]
    fn syncs_that_are_alike_are_named_once() {
        let save = "create t; write t 0 new; rename t f";
        let steps = format!("create f; write f 0 old; begin; {save}; {save}; {save}");
        let (_, proof) = proof(&steps, SAVED, Profile::LinuxOrdered);
        assert_eq!(
            names(&proof),
            ["fsync of `t` before it is renamed to `f` +2"]
        );
    }

    #[test]
    fn what_is_not_atomic_is_repaired_by_no_sync() {
        let steps = "create f; write f 0 old; begin; set_len f 0; write f 0 new; ack saved";
        let (failing, proof) = proof(steps, SAVED, Profile::LinuxOrdered);
        assert!(failing > 0 && proof.failing_after > 0);
        assert!(proof.all > 0);
    }

    #[test]
    fn a_header_that_may_get_there_before_what_it_describes_is_named() {
        let steps = "create f; set_len f 8192; begin; write f 4096 body; write f 0 valid; sync f";
        let check = "! grep -q valid {dir}/f || grep -q body {dir}/f";
        let (failing, proof) = proof(steps, check, Profile::LinuxOrdered);
        assert_eq!((failing, proof.failing_after), (1, 0));
        assert_eq!(
            names(&proof),
            ["fsync of `f` before byte 0 of it is written +0"]
        );
    }
}
