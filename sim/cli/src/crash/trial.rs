//! The images of a recording under one profile after the other, judged.

use std::time::Duration;

use beaver_disk::Profile;
use beaver_trace::{
    CrashImages, FoundImage, ImageOptions, Judge, JudgeTime, Judgement, Proof, Reasons,
    crash_images, prove,
};

use super::{Acks, CliError, JudgedLog};
use crate::progress::Progress;
use crate::timer::Timer;

/// A profile takes at most a quarter of its time to find images.
const FINDING: u128 = 4;
/// At most a third of the time is kept for the missing syncs.
const PROVING: u128 = 3;

/// What is tried, and until when.
pub(super) struct Trial<'t> {
    pub(super) recording: &'t JudgedLog<'t>,
    pub(super) judge: &'t Judge,
    pub(super) go_on: &'t (dyn Fn() -> bool + Sync),
    /// How much time there is.
    pub(super) left_ms: &'t (dyn Fn() -> u128 + Sync),
}

/// What was tried under a profile.
pub(super) struct Tried {
    pub(super) found: CrashImages,
    pub(super) answers: Vec<Judgement>,
    /// The places of the images that failed.
    pub(super) failing: Vec<usize>,
    /// Which syncs are missing, if that was looked for.
    pub(super) proof: Option<Proof>,
}

impl Trial<'_> {
    pub(super) fn of_profiles(&self, profiles: &[Profile]) -> Result<Vec<Tried>, CliError> {
        let mut all: Vec<Tried> = Vec::new();
        // Where something fails, what is missing is worth more than images that fail for the same reason.
        let proof_ms = self.recording.args.proof_for.as_millis();
        let proof_ms = proof_ms.min((self.left_ms)() / PROVING);
        for (at, profile) in profiles.iter().enumerate() {
            // Each has an equal share of the time that is left.
            let left_ms = (self.left_ms)();
            let share = left_ms.saturating_sub(proof_ms) / (profiles.len() - at) as u128;
            let until_ms = left_ms - share;
            let mut tried = Tried::new(self.find(*profile, until_ms)?);
            self.judge(&mut tried, (at + 1, profiles.len()), until_ms)?;
            all.push(tried);
        }
        // What is left of the shares is for those that were too short.
        let until_ms = match all.iter().all(|tried| tried.failing.is_empty()) {
            true => 0,
            false => proof_ms,
        };
        for (at, tried) in all.iter_mut().enumerate() {
            if (self.left_ms)() <= until_ms {
                break;
            }
            if tried.judged() == tried.found.images.len() && !tried.is_whole() && (self.go_on)() {
                let again = self.find(tried.profile(), until_ms)?;
                if again.images.len() > tried.found.images.len() {
                    *tried = Tried::new(again);
                }
            }
            if tried.judged() < tried.found.images.len() {
                self.judge(tried, (at + 1, profiles.len()), until_ms)?;
            }
        }
        let failing: Vec<usize> = (0..all.len())
            .filter(|at| !all[*at].failing.is_empty())
            .collect();
        let mut left = self.recording.args.proof_for;
        for (number, at) in failing.iter().enumerate() {
            let share = left / u32::try_from(failing.len() - number).unwrap_or(1);
            if share.is_zero() || !(self.go_on)() {
                break;
            }
            let before = all[..*at].iter().rev();
            let known = before.filter_map(|tried| tried.proof.as_ref()).next();
            let timer = Timer::start();
            let go_on = || u128::from(timer.elapsed_ms()) < share.as_millis() && (self.go_on)();
            let proof = self.prove(&all[*at], known, &go_on)?;
            all[*at].proof = proof;
            left = left.saturating_sub(Duration::from_millis(timer.elapsed_ms()));
        }
        Ok(all)
    }

    pub(super) fn options(&self, profile: Profile) -> ImageOptions {
        let args = self.recording.args;
        ImageOptions {
            profile,
            cap: args.cap,
            torn_cap: args.torn_cap,
            all_acks: args.acks == Acks::All,
        }
    }

    /// Finds the images of a profile, in a part of the time before there are `until_ms` left: the rest is for their checks.
    fn find(&self, profile: Profile, until_ms: u128) -> Result<CrashImages, CliError> {
        let log = self.recording.log;
        let left_ms = (self.left_ms)();
        let until_ms = left_ms - left_ms.saturating_sub(until_ms) / FINDING;
        let go_on = || (self.left_ms)() > until_ms && (self.go_on)();
        let found = crash_images(log, &log.events, &self.options(profile), &go_on);
        found.map_err(CliError::new)
    }

    /// Judges what is not known yet.
    fn judge(
        &self,
        tried: &mut Tried,
        (at, of): (usize, usize),
        until_ms: u128,
    ) -> Result<(), CliError> {
        let log = self.recording.log;
        let recorded = (log, &log.events[..]);
        let (found, images) = (&tried.found, &tried.found.images);
        let progress = Progress::images(tried.profile().name(), at, of, images.len() as u64);
        let done = |_: &Judgement| progress.one_more();
        let time = JudgeTime {
            begin: &|| (self.left_ms)() > until_ms && (self.go_on)(),
            // Whichever profile a check is of: it is not begun for nothing.
            go_on: self.go_on,
            is_short: self.recording.args.time.is_some(),
        };
        let answers = self.judge.judge(recorded, found, &time, &done);
        tried.answers = answers.map_err(CliError::new)?;
        let answers = (0..).zip(&tried.answers);
        let bad = answers.filter(|(_, answer)| matches!(answer, Judgement::Bad(_)));
        tried.failing = bad.map(|(place, _)| place).collect();
        Ok(())
    }

    fn prove(
        &self,
        tried: &Tried,
        known: Option<&Proof>,
        go_on: &(dyn Fn() -> bool + Sync),
    ) -> Result<Option<Proof>, CliError> {
        let options = self.options(tried.profile());
        let before = tried.reasons();
        let proof = prove(
            self.recording.log,
            &options,
            self.judge,
            &before,
            known,
            go_on,
        );
        proof.map_err(CliError::new)
    }
}

impl Tried {
    fn new(found: CrashImages) -> Self {
        Tried {
            found,
            answers: Vec::new(),
            failing: Vec::new(),
            proof: None,
        }
    }

    /// Whether all power cuts were tried, with all images that are looked for.
    pub(super) fn is_whole(&self) -> bool {
        self.points() == self.found.all_points
    }

    /// The image that fails at the earliest power cut, its place, and why: of several the one in which the most survived.
    pub(super) fn first(&self) -> Option<(usize, &FoundImage, &str)> {
        let images = &self.found.images;
        let failing = self.failing.iter().copied();
        let first = failing.min_by_key(|place| (images[*place].order(), *place))?;
        match &self.answers[first] {
            Judgement::Bad(reason) => Some((first, &images[first], reason)),
            Judgement::Good | Judgement::Stopped => None,
        }
    }

    pub(super) fn profile(&self) -> Profile {
        self.found.options.profile
    }

    /// How many images were judged.
    pub(super) fn judged(&self) -> usize {
        let judged = self
            .answers
            .iter()
            .filter(|answer| **answer != Judgement::Stopped);
        judged.count()
    }

    /// How many points, from the first one on, were tried with all images that were made.
    pub(super) fn points(&self) -> usize {
        let answers = self.answers.iter().zip(&self.found.images);
        let open = answers.filter(|(answer, _)| **answer == Judgement::Stopped);
        let open = open.map(|(_, image)| image.first_point).next();
        open.unwrap_or(self.found.points.len())
    }

    /// Why images failed.
    pub(super) fn reasons(&self) -> Reasons {
        Reasons::of(&self.answers)
    }
}
