//! Which sync is missing, proven: with it added to the recording, no image fails any more.
//!
//! All syncs that could be added are added, the images are made and judged again, and then what is not needed is taken out:
//! whole kinds first, then those that are alike, then one by one. What is left is a set in which each part is needed. Where
//! images were sampled, they are sampled by the same rule with and without the syncs.
//!
//! Where images fail with all of the syncs too, a part may still be repaired: then the set is one with which images fail for no
//! other reasons than with all. Numbers of images would say nothing of that where they are sampled, as the fewer combinations
//! there are, the more of them are made.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};

use crate::check_process::Judgement;
use crate::image_options::ImageOptions;
use crate::images::crash_images;
use crate::judge::{Judge, JudgeError, JudgeTime};
use crate::log::{Log, TraceEvent};
use crate::missing_sync::MissingSync;
use crate::reasons::{Reason, Reasons, class};
use crate::sync_candidates::missing_syncs;
use crate::sync_kind::SyncKind;

/// At most this many sets of syncs are tried.
const MAX_TRIALS: usize = 400;
/// A reason for which fewer than one of this many failing images fails is rare. One that is not is missed by 256 other samples
/// with a chance of two in a million.
const RARE: usize = 20;

/// What adding syncs does.
#[derive(Clone, Debug)]
pub struct Proof {
    /// The syncs that are needed, in order.
    pub missing: Vec<MissingSync>,
    /// How many images failed without them.
    pub failing_before: usize,
    /// Why images fail with them. Where all images were made, these are some of those that failed before.
    pub after: Reasons,
    /// For which reasons no image fails any more.
    pub repaired: Vec<Reason>,
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
    /// The syncs that are not `told` of already, by what they have in common, in order of the first of each kind.
    #[must_use]
    pub fn alike(&self, told: &[MissingSync]) -> Vec<AlikeSyncs<'_>> {
        let mut alike: Vec<AlikeSyncs<'_>> = Vec::new();
        for sync in self.missing.iter().filter(|sync| !told.contains(sync)) {
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

/// Finds the syncs without which images of a recording fail for the reasons `before`. Those that are `known` from another
/// profile are tried first. `None` if it was stopped before anything was known.
///
/// # Errors
///
/// The recording cannot be read, or the check cannot be run.
pub fn prove(
    log: &Log,
    options: &ImageOptions,
    judge: &Judge,
    before: &Reasons,
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
    let Some(after) = trials.reasons(&all, None)? else {
        return Ok(None);
    };
    let allowed = allowed(before, &after, trials.exhaustive);
    let mut search = SyncSearch {
        trials,
        needed: all,
        allowed,
        after,
    };
    let repaired = before.others_than(&search.allowed);
    let minimal = match repaired.is_empty() {
        // No sync changes for which reasons images fail.
        true => {
            search.needed.clear();
            true
        }
        false => {
            if let Some(known) = known {
                search.begin_with(&known.missing)?;
            }
            search.drop_what_is_not_needed()?
        }
    };
    let missing = search.needed.iter();
    Ok(Some(Proof {
        missing: missing.map(|place| candidates[*place].clone()).collect(),
        failing_before: before.failing(),
        after: search.after,
        repaired: repaired.into_iter().cloned().collect(),
        all: candidates.len(),
        exhaustive: search.trials.exhaustive,
        minimal,
    }))
}

/// For which reasons images may fail with the syncs that are looked for: those for which they fail with all of them. Where
/// images were sampled a rare reason may not have been met again, and nothing is said of it, unless no image fails at all.
fn allowed(before: &Reasons, after: &Reasons, exhaustive: bool) -> BTreeSet<String> {
    let mut allowed = after.classes(|_| true);
    if !exhaustive && !allowed.is_empty() {
        allowed.extend(before.classes(|reason| reason.count * RARE < before.failing()));
    }
    allowed
}

/// The events of a recording with some syncs added. What a sync of a mapping brings comes before it, and no longer where it was.
fn with_syncs<'c>(
    events: &[TraceEvent],
    added: impl Iterator<Item = &'c MissingSync>,
) -> Vec<TraceEvent> {
    let mut before: BTreeMap<usize, Vec<&MissingSync>> = BTreeMap::new();
    for sync in added {
        before.entry(sync.event).or_default().push(sync);
    }
    let mut with = Vec::with_capacity(events.len() + before.len());
    let mut brought = BTreeSet::new();
    for place in 0..=events.len() {
        for sync in before.get(&place).into_iter().flatten() {
            let brings = sync.brings.iter().filter(|write| brought.insert(**write));
            with.extend(brings.map(|write| events[*write].clone()));
            with.push(TraceEvent::Call {
                change: sync.change.clone(),
                bytes: None,
                fault: None,
                mapped: false,
            });
        }
        with.extend(
            events
                .get(place)
                .filter(|_| !brought.contains(&place))
                .cloned(),
        );
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
    /// Why images fail with these syncs. It ends at the first reason that is not `allowed`. `None` if the work was stopped.
    fn reasons(
        &mut self,
        added: &BTreeSet<usize>,
        allowed: Option<&BTreeSet<String>>,
    ) -> Result<Option<Reasons>, JudgeError> {
        self.tried += 1;
        let added = added.iter().map(|place| &self.candidates[*place]);
        let events = with_syncs(&self.log.events, added);
        let found = crash_images(self.log, &events, self.options, self.go_on)?;
        if found.points.len() < found.all_points {
            return Ok(None);
        }
        self.exhaustive &= found.is_exhaustive();
        let is_allowed = |reason: &str| allowed.is_none_or(|all| all.contains(&class(reason)));
        // Without a sync that is needed most of the images are back that failed before: nothing is checked.
        let known = self.judge.known_bad(&found.images);
        if known
            .by_count()
            .iter()
            .any(|reason| !is_allowed(&reason.text))
        {
            return Ok(Some(known));
        }
        let enough = AtomicBool::new(false);
        let look = |answer: &Judgement| {
            if matches!(answer, Judgement::Bad(reason) if !is_allowed(reason)) {
                enough.store(true, Ordering::Relaxed);
            }
        };
        let go_on = || !enough.load(Ordering::Relaxed) && (self.go_on)();
        let time = JudgeTime::while_true(&go_on);
        let recorded = (self.log, &events[..]);
        let answers = self.judge.judge(recorded, &found, &time, &look)?;
        let known = enough.into_inner() || !answers.contains(&Judgement::Stopped);
        Ok(known.then(|| Reasons::of(&answers)))
    }
}

/// Looks for a smallest set.
struct SyncSearch<'t> {
    trials: Trials<'t>,
    needed: BTreeSet<usize>,
    /// For which reasons images may fail with them.
    allowed: BTreeSet<String>,
    /// Why images fail with them.
    after: Reasons,
}

impl SyncSearch<'_> {
    /// Whether these syncs are enough: then they are the needed ones. `None` if the work was stopped.
    fn try_with(&mut self, some: BTreeSet<usize>) -> Result<Option<bool>, JudgeError> {
        let after = self.trials.reasons(&some, Some(&self.allowed))?;
        Ok(after.map(|after| {
            let enough = after.others_than(&self.allowed).is_empty();
            if enough {
                self.needed = some;
                self.after = after;
            }
            enough
        }))
    }

    /// Begins with these syncs alone, if they are enough: so that two profiles name the same ones.
    fn begin_with(&mut self, known: &[MissingSync]) -> Result<(), JudgeError> {
        let candidates = (0..).zip(self.trials.candidates);
        let known = candidates.filter(|(_, sync)| known.contains(sync));
        let known = known.map(|(place, _)| place).collect();
        self.try_with(known)?;
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
        self.try_with(fewer)
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
        proof_of(&log, check, profile)
    }

    fn proof_of(log: &Log, check: &str, profile: Profile) -> (usize, Proof) {
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
        let found = crash_images(log, &log.events, &options, &|| true).unwrap();
        let time = JudgeTime::while_true(&|| true);
        let recorded = (log, &log.events[..]);
        let answers = judge.judge(recorded, &found, &time, &|_| {}).unwrap();
        let before = Reasons::of(&answers);
        let proof = prove(log, &options, &judge, &before, None, &|| true).unwrap();
        (before.failing(), proof.unwrap())
    }

    fn names(proof: &Proof) -> Vec<String> {
        let alike = proof.alike(&[]);
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
            (proof.after.failing(), proof.minimal, proof.exhaustive),
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
        assert_eq!(proof.after.failing(), 0);
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
        assert!(failing > 0 && proof.after.failing() > 0);
        assert!(proof.all > 0);
    }

    #[test]
    fn what_syncs_repair_is_named_beside_what_they_do_not() {
        // `f` is replaced without a sync, `g` is overwritten in place.
        let save = "create t; write t 0 new; rename t f; write g 4095 new";
        let steps =
            format!("create f; write f 0 old; create g; set_len g 8192; begin; {save}; ack saved");
        let check = format!(
            "( {SAVED} ) || {{ echo f is bad; exit 1; }}; \
             c=$(tr -d '\\0' < {{dir}}/g); [ \"$c\" = '' ] || [ \"$c\" = new ] || {{ echo g is torn; exit 1; }}"
        );
        let file = "fsync of `t` before it is renamed to `f` +0";
        // A sync of any file commits the names before it here.
        let names_too = "fsync of `g` before the program says \"saved\" +0";
        let (failing, all) = proof(&steps, &check, Profile::LinuxOrdered);
        assert_eq!(names(&all), [file, names_too]);
        let texts = |reasons: &[&Reason]| -> Vec<String> {
            reasons.iter().map(|reason| reason.text.clone()).collect()
        };
        assert_eq!(
            texts(&all.repaired.iter().collect::<Vec<_>>()),
            ["f is bad"]
        );
        assert_eq!(texts(&all.after.by_count()), ["g is torn"]);
        assert!(all.exhaustive && all.minimal);
        assert!(all.after.failing() < failing);
    }

    #[test]
    fn a_header_that_may_get_there_before_what_it_describes_is_named() {
        let steps = "create f; set_len f 8192; begin; write f 4096 body; write f 0 valid; sync f";
        let check = "! grep -q valid {dir}/f || grep -q body {dir}/f";
        let (failing, proof) = proof(steps, check, Profile::LinuxOrdered);
        assert_eq!((failing, proof.after.failing()), (1, 0));
        assert_eq!(
            names(&proof),
            ["fsync of `f` before byte 0 of it is written +0"]
        );
    }

    #[test]
    fn a_mark_that_may_get_there_before_what_it_says_is_named() {
        // A file that says by its name that another one is whole.
        let steps = "create f; begin; write f 0 body; create done; sync_dir .";
        let check = "[ ! -e {dir}/done ] || grep -q body {dir}/f";
        let (failing, of_name) = proof(steps, check, Profile::LinuxOrdered);
        assert!(failing > 0);
        assert_eq!(of_name.after.failing(), 0);
        assert_eq!(names(&of_name), ["fsync of `f` before `done` is made +0"]);
        // A page that says that the one before it is whole.
        let steps = "create f; begin; write f 0 body; set_len f 4096; write f 4096 done; sync f";
        let check = "! grep -q done {dir}/f || grep -q body {dir}/f";
        let (failing, of_page) = proof(steps, check, Profile::LinuxOrdered);
        assert!(failing > 0);
        assert_eq!(of_page.after.failing(), 0);
        assert_eq!(
            names(&of_page),
            ["fsync of `f` before byte 4096 of it is written +0"]
        );
    }

    #[test]
    fn a_mapping_that_is_not_synced_before_a_promise_is_named() {
        let (folder, mut log) = recorded(
            "create f; set_len f 4096; begin; ack saved; write f 0 new; ack again; sync f",
        );
        for event in &mut log.events {
            if let TraceEvent::Call { change, mapped, .. } = event {
                *mapped = matches!(change, beaver_disk::Change::Write { .. });
            }
        }
        let check = "! grep -q saved {acks} || grep -q new {dir}/f";
        let (failing, proof) = proof_of(&log, check, Profile::LinuxOrdered);
        assert!(failing > 0);
        assert_eq!(proof.after.failing(), 0);
        assert_eq!(
            names(&proof),
            ["msync of `f` before the program says \"saved\" +0"]
        );
        drop(folder);
    }
}
