//! The images of a recording under one profile after the other, judged.

use std::collections::BTreeMap;
use std::time::Duration;

use beaver_disk::Profile;
use beaver_trace::{
    CrashImage, CrashImages, ImageOptions, Judge, Judgement, Proof, Reasons, crash_images, prove,
};

use super::{Acks, CliError, JudgedLog, not_run};
use crate::progress::Progress;
use crate::timer::Timer;

/// What is tried, and until when.
pub(super) struct Trial<'t> {
    pub(super) recording: &'t JudgedLog<'t>,
    pub(super) judge: &'t Judge,
    pub(super) go_on: &'t (dyn Fn() -> bool + Sync),
    /// How much time there is.
    pub(super) left_ms: &'t dyn Fn() -> u128,
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
        let tried = (1..).zip(profiles);
        let tried = tried.map(|(at, profile)| self.of_profile(*profile, at, profiles.len()));
        let mut all: Vec<Tried> = tried.collect::<Result<_, CliError>>()?;
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

    fn of_profile(&self, profile: Profile, at: usize, of: usize) -> Result<Tried, CliError> {
        let log = self.recording.log;
        // Images are not made for longer than half of the time that is left: the others would not be checked.
        let half = (self.left_ms)() / 2;
        let go_on = || (self.left_ms)() > half && (self.go_on)();
        let found = crash_images(log, &log.events, &self.options(profile), &go_on);
        let found = found.map_err(CliError::new)?;
        let progress = Progress::images(profile.name(), at, of, found.images.len() as u64);
        let done = |_: &Judgement| progress.one_more();
        let answers = self.judge.judge(&found.images, self.go_on, &done);
        let answers = answers.map_err(|error| not_run(&error))?;
        let bad = answers
            .iter()
            .enumerate()
            .filter(|(_, answer)| matches!(answer, Judgement::Bad(_)));
        Ok(Tried {
            failing: bad.map(|(place, _)| place).collect(),
            found,
            answers,
            proof: None,
        })
    }

    fn prove(
        &self,
        tried: &Tried,
        known: Option<&Proof>,
        go_on: &(dyn Fn() -> bool + Sync),
    ) -> Result<Option<Proof>, CliError> {
        let options = self.options(tried.found.profile);
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
    /// The image that fails at the earliest power cut, and why: of several the one in which the most survived, because the
    /// least is lost that a person has to think of.
    pub(super) fn first(&self) -> Option<(&CrashImage, &str)> {
        let first = self.first_place()?;
        match &self.answers[first] {
            Judgement::Bad(reason) => Some((&self.found.images[first], reason)),
            Judgement::Good | Judgement::Stopped => None,
        }
    }

    /// The number of that image, from 1.
    pub(super) fn first_number(&self) -> usize {
        self.first_place().map_or(0, |place| place + 1)
    }

    fn first_place(&self) -> Option<usize> {
        let places = self.failing.iter().copied();
        places.min_by_key(|place| {
            let image = &self.found.images[*place];
            let choice = &image.choice;
            let lengths = choice.sizes.values().map(|size| *size as usize);
            let pages = choice.pages.values().map(BTreeMap::len);
            let survived = choice.names.len() + lengths.chain(pages).sum::<usize>();
            let torn = choice.tears.len();
            (image.event, torn, std::cmp::Reverse(survived), *place)
        })
    }

    /// How many images were judged.
    pub(super) fn judged(&self) -> usize {
        let judged = self
            .answers
            .iter()
            .filter(|answer| **answer != Judgement::Stopped);
        judged.count()
    }

    /// How many points were tried with all images that were made.
    pub(super) fn points(&self) -> usize {
        let answers = self.answers.iter().zip(&self.found.images);
        let open = answers.filter(|(answer, _)| **answer == Judgement::Stopped);
        let open = open.map(|(_, image)| image.first_point).min();
        open.unwrap_or(self.found.points.len())
    }

    /// Whether it was stopped before all was tried.
    pub(super) fn is_cut(&self) -> bool {
        self.points() < self.found.all_points
    }

    /// Why images failed.
    pub(super) fn reasons(&self) -> Reasons {
        Reasons::of(&self.answers)
    }
}
