//! Checks images, several at the same time, each distinct one once.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::thread;
use std::time::Duration;

use crate::check::{Checker, ImageCheck};
use crate::check_process::Judgement;
use crate::guard::{Guard, GuardedFolder};
use crate::hand_over::HandOver;
use crate::images::{CrashImages, FoundImage};
use crate::log::{Log, LogError, TraceEvent};
use crate::made::CrashImage;
use crate::placed::Placed;
use crate::reasons::Reasons;
#[cfg(target_os = "linux")]
use crate::record::ServedImage;
use crate::recording::RecordError;
use crate::replaced::ReplacedFiles;

/// A folder in memory, where images are written if it is there.
const MEMORY: &str = "/dev/shm";

/// Why something could not be judged.
#[derive(Debug, thiserror::Error)]
pub enum JudgeError {
    /// The recording cannot be read.
    #[error(transparent)]
    Log(#[from] LogError),
    /// An image cannot be written, or the check cannot be started.
    #[error("the check could not be run: {0}")]
    Check(#[from] io::Error),
    /// What the check does cannot be recorded.
    #[error(transparent)]
    Record(#[from] RecordError),
}

/// How images are judged.
#[derive(Clone, Debug)]
pub struct JudgeOptions {
    /// What says of an image whether it is good.
    pub check: ImageCheck,
    /// How long a check may take.
    pub limit: Duration,
    /// How many checks run at the same time. The verdicts do not depend on it.
    pub jobs: usize,
    /// What takes images and checks away if this process is killed.
    pub guard: Option<Guard>,
}

/// How long images are judged.
#[derive(Clone, Copy)]
pub struct JudgeTime<'t> {
    /// Whether another check may begin.
    pub begin: &'t (dyn Fn() -> bool + Sync),
    /// Whether one that has begun may go on.
    pub go_on: &'t (dyn Fn() -> bool + Sync),
    /// Whether it may be too short for all: then some images of each part of the recording come first.
    pub is_short: bool,
}

impl<'t> JudgeTime<'t> {
    /// Both end at the same time.
    #[must_use]
    pub fn while_true(go_on: &'t (dyn Fn() -> bool + Sync)) -> Self {
        JudgeTime {
            begin: go_on,
            go_on,
            is_short: false,
        }
    }
}

/// Judges images. What was judged once is known: images are compared by their content and the lines that were said.
pub struct Judge {
    options: JudgeOptions,
    /// What the program said, line by line.
    acks: Vec<String>,
    /// Files that must be old or new.
    replaced: Option<ReplacedFiles>,
    known: Mutex<BTreeMap<(u128, usize), Judgement>>,
    folder: GuardedFolder,
    checks: AtomicU64,
}

impl Judge {
    /// A judge of a program that said `acks`. The files of `replaced` must be old or new.
    ///
    /// # Errors
    ///
    /// There is no place for the images.
    pub fn new(
        options: JudgeOptions,
        acks: Vec<String>,
        replaced: Option<ReplacedFiles>,
    ) -> io::Result<Self> {
        let guard = options.guard.as_ref();
        let folder = GuardedFolder::new(guard, Some(Path::new(MEMORY)));
        let folder = folder.or_else(|_| GuardedFolder::new(guard, None))?;
        Ok(Judge {
            options,
            acks,
            replaced,
            known: Mutex::default(),
            folder,
            checks: AtomicU64::new(0),
        })
    }

    /// How many checks were run.
    #[must_use]
    pub fn checks(&self) -> u64 {
        self.checks.load(Ordering::Relaxed)
    }

    /// Judges one image.
    ///
    /// # Errors
    ///
    /// It cannot be written, or the check cannot be started.
    pub fn judge_one(
        &self,
        image: &CrashImage,
        go_on: &(dyn Fn() -> bool + Sync),
    ) -> io::Result<Judgement> {
        CheckJob::new(self, 0)?.answer(image, go_on)
    }

    /// Judges the images that were found in a recording, and answers in their order. What was not judged in the time that there
    /// was is [`Judgement::Stopped`]. `done` is called after each.
    ///
    /// # Errors
    ///
    /// An image cannot be made or written, or the check cannot be started.
    pub fn judge(
        &self,
        (log, events): (&Log, &[TraceEvent]),
        found: &CrashImages,
        time: &JudgeTime<'_>,
        done: &(dyn Fn(&Judgement) + Sync),
    ) -> Result<Vec<Judgement>, JudgeError> {
        let images = &found.images;
        let answers: Vec<OnceLock<Judgement>> = images.iter().map(|_| OnceLock::new()).collect();
        let answer = |place: usize, answer| done(answers[place].get_or_init(|| answer));
        let jobs = self.options.jobs.clamp(1, images.len().max(1));
        let waiting = HandOver::to(jobs);
        let work = |job: usize| {
            let images = waiting.taker();
            let mut job = CheckJob::new(self, job)?;
            while let Some((place, image)) = images.take() {
                if !(time.begin)() {
                    break;
                }
                answer(place, job.answer(&image, time.go_on)?);
            }
            io::Result::Ok(())
        };
        thread::scope(|scope| {
            // Dropped also by a panic: the jobs end.
            let giver = waiting.giver();
            let work = &work;
            let jobs = (0..jobs).map(|job| scope.spawn(move || work(job)));
            let jobs: Vec<_> = jobs.collect();
            let wanted = |place: usize| match self.known(key(&images[place])) {
                Some(known) => {
                    answer(place, known);
                    false
                }
                None => true,
            };
            let mut give = |place, image| giver.give(place, image);
            // Each round is one go through the recording.
            let rounds: &[&[usize]] = match time.is_short {
                true => &[&[0], &[4], &[1, 2, 3, 5, 6, 7]],
                false => &[&[0, 1, 2, 3, 4, 5, 6, 7]],
            };
            let made = rounds.iter().try_for_each(|round| {
                let mut wanted = |place: usize| round.contains(&(place % 8)) && wanted(place);
                found.make(log, events, &mut wanted, &mut give, time.begin)
            });
            drop(giver);
            let ended = jobs.into_iter().map(|job| match job.join() {
                Ok(ended) => ended,
                Err(panic) => std::panic::resume_unwind(panic),
            });
            ended.collect::<io::Result<()>>()?;
            made.map_err(JudgeError::Log)
        })?;
        // What is known takes no time.
        for (place, image) in images.iter().enumerate() {
            if answers[place].get().is_none()
                && let Some(known) = self.known(key(image))
            {
                answer(place, known);
            }
        }
        let answers = answers.into_iter();
        Ok(answers
            .map(|answer| answer.into_inner().unwrap_or(Judgement::Stopped))
            .collect())
    }

    /// Checks an image once more, and records into the folder `log` what the check does to it: that may be crashed as well.
    ///
    /// # Errors
    ///
    /// It cannot be served or recorded, or the check cannot be started.
    pub fn record(
        &self,
        image: &CrashImage,
        log: &Path,
        go_on: &(dyn Fn() -> bool + Sync),
    ) -> Result<Judgement, RecordError> {
        let mut job = CheckJob::new(self, 0).map_err(RecordError::Mount)?;
        job.record(image, log, go_on)
    }

    /// Why those of these images are bad that are known to be.
    pub(crate) fn known_bad(&self, images: &[FoundImage]) -> Reasons {
        let known = images.iter().filter_map(|image| self.known(key(image)));
        let known: Vec<Judgement> = known.collect();
        Reasons::of(&known)
    }

    fn known(&self, key: (u128, usize)) -> Option<Judgement> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(&key).cloned()
    }

    fn learn(&self, key: (u128, usize), answer: &Judgement) {
        if *answer != Judgement::Stopped {
            let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            known.insert(key, answer.clone());
        }
    }
}

/// Images are equal if their content and the lines are.
fn key(image: &FoundImage) -> (u128, usize) {
    (image.hash, image.acks)
}

/// One check at a time, in a folder of its own.
struct CheckJob<'j> {
    judge: &'j Judge,
    checker: Checker<'j>,
    folder: PathBuf,
    acks: PathBuf,
    /// How many lines are in the file now.
    said: Option<usize>,
    number: u64,
}

impl<'j> CheckJob<'j> {
    fn new(judge: &'j Judge, job: usize) -> io::Result<Self> {
        let folder = judge.folder.path().join(job.to_string());
        fs::create_dir_all(&folder)?;
        let options = &judge.options;
        Ok(CheckJob {
            judge,
            checker: Checker::new(
                &options.check,
                options.limit,
                folder.join("output"),
                options.guard.as_ref(),
            ),
            acks: folder.join("acks"),
            folder,
            said: None,
            number: 0,
        })
    }

    fn answer(&mut self, image: &CrashImage, go_on: &dyn Fn() -> bool) -> io::Result<Judgement> {
        let key = (image.image.hash128(), image.acks);
        if let Some(answer) = self.judge.known(key) {
            return Ok(answer);
        }
        let torn = self.judge.replaced.as_ref();
        let answer = match torn.and_then(|replaced| replaced.neither_old_nor_new(&image.image)) {
            Some(reason) => Judgement::Bad(reason),
            None => self.check(image, go_on)?,
        };
        self.judge.learn(key, &answer);
        Ok(answer)
    }

    fn check(&mut self, image: &CrashImage, go_on: &dyn Fn() -> bool) -> io::Result<Judgement> {
        // Another folder each time: a server that still holds the old one sees that it is gone.
        self.number += 1;
        let folder = self.folder.join(format!("image-{}", self.number));
        let placed = Placed::new(image, folder, self.judge.options.guard.as_ref())?;
        self.say(image.acks)?;
        let answer = self.checker.check(placed.path(), &self.acks, go_on);
        self.judge.checks.fetch_add(1, Ordering::Relaxed);
        placed.remove()?;
        answer
    }

    /// Checks an image that is served, and records into `log` what the check does to it.
    #[cfg(target_os = "linux")]
    fn record(
        &mut self,
        image: &CrashImage,
        log: &Path,
        go_on: &dyn Fn() -> bool,
    ) -> Result<Judgement, RecordError> {
        let guard = self.judge.options.guard.as_ref();
        let served = ServedImage::mount(&image.image, &image.modes, Some(log), guard)?;
        let at_log = |error| RecordError::Log {
            path: log.to_owned(),
            error,
        };
        self.say(image.acks).map_err(at_log)?;
        let answer = self.checker.check(served.path(), &self.acks, go_on);
        self.judge.checks.fetch_add(1, Ordering::Relaxed);
        served.finish().map_err(at_log)?;
        answer.map_err(RecordError::Mount)
    }

    /// Only where an image can be served.
    #[cfg(not(target_os = "linux"))]
    fn record(
        &mut self,
        _: &CrashImage,
        _: &Path,
        _: &dyn Fn() -> bool,
    ) -> Result<Judgement, RecordError> {
        Err(RecordError::NotLinux)
    }

    fn say(&mut self, acks: usize) -> io::Result<()> {
        if self.said != Some(acks) {
            let lines = self.judge.acks[..acks].iter();
            let text: String = lines.map(|line| format!("{line}\n")).collect();
            fs::write(&self.acks, text)?;
            self.said = Some(acks);
        }
        Ok(())
    }
}

/// The place where images are written: for a message.
#[must_use]
pub fn image_place() -> PathBuf {
    let memory = Path::new(MEMORY);
    match memory.is_dir() {
        true => memory.to_owned(),
        false => std::env::temp_dir(),
    }
}

#[cfg(test)]
mod tests;
