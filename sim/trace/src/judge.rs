//! Checks images, several at the same time, each distinct one once.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::thread;
use std::time::Duration;

use crate::check::{Checker, ImageCheck};
use crate::check_process::Judgement;
use crate::guard::{Guard, GuardedFolder};
use crate::images::CrashImage;
use crate::log::LogError;
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

    /// Judges images and answers in their order. After `go_on` says no what was not judged is [`Judgement::Stopped`]. `done` is
    /// called after each.
    ///
    /// # Errors
    ///
    /// An image cannot be written, or the check cannot be started.
    pub fn judge(
        &self,
        images: &[CrashImage],
        go_on: &(dyn Fn() -> bool + Sync),
        done: &(dyn Fn(&Judgement) + Sync),
    ) -> io::Result<Vec<Judgement>> {
        let next = AtomicUsize::new(0);
        let answers: Vec<OnceLock<Judgement>> = images.iter().map(|_| OnceLock::new()).collect();
        let jobs = self.options.jobs.clamp(1, images.len().max(1));
        let work = |job: usize| {
            let mut job = CheckJob::new(self, job)?;
            while go_on() {
                let place = next.fetch_add(1, Ordering::Relaxed);
                let Some(image) = images.get(place) else {
                    break;
                };
                let answer = job.answer(image, go_on)?;
                done(answers[place].get_or_init(|| answer));
            }
            io::Result::Ok(())
        };
        let work = &work;
        thread::scope(|scope| {
            let jobs = (0..jobs).map(|job| scope.spawn(move || work(job)));
            let jobs: Vec<_> = jobs.collect();
            let ended = jobs.into_iter().map(|job| match job.join() {
                Ok(ended) => ended,
                Err(panic) => std::panic::resume_unwind(panic),
            });
            ended.collect::<io::Result<()>>()
        })?;
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
    pub(crate) fn known_bad(&self, images: &[CrashImage]) -> Reasons {
        let known = images
            .iter()
            .filter_map(|image| self.known((image.image.hash128(), image.acks)));
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
mod tests {
    use std::time::Duration;

    use beaver_disk::Profile;

    use super::*;
    use crate::images::{ImageOptions, crash_images};
    use crate::log::{Log, TraceEvent};
    use crate::testing::recorded;

    const STEPS: &str = "create f; write f 0 old; begin; create t; write t 0 new; rename t f; ack saved; sync_dir .";

    fn judge_with(
        log: &Log,
        check: ImageCheck,
        jobs: usize,
        limit: Duration,
    ) -> (Judge, Vec<Judgement>) {
        let said = log.events.iter().filter_map(|event| match event {
            TraceEvent::Ack(line) => Some(line.clone()),
            _ => None,
        });
        let options = JudgeOptions {
            check,
            limit,
            jobs,
            guard: None,
        };
        let replaced = ReplacedFiles::of(log).unwrap();
        let replaced = matches!(options.check, ImageCheck::Program(_)).then_some(replaced);
        let judge = Judge::new(options, said.collect(), replaced).unwrap();
        let images = crash_images(
            log,
            &log.events,
            &ImageOptions::new(Profile::Posix),
            &|| true,
        );
        let answers = judge
            .judge(&images.unwrap().images, &|| true, &|_| {})
            .unwrap();
        (judge, answers)
    }

    fn answers(check: ImageCheck, limit: Duration) -> Vec<Judgement> {
        let (_folder, log) = recorded(STEPS);
        let (_, answers) = judge_with(&log, check, 1, limit);
        assert!(answers.len() > 3);
        answers
    }

    const LONG: Duration = Duration::from_secs(60);

    fn command(text: &str) -> ImageCheck {
        ImageCheck::Command(text.to_owned())
    }

    fn server(text: &str) -> ImageCheck {
        ImageCheck::Server(text.to_owned())
    }

    fn check_all_say(answers: &[Judgement], part: &str) {
        for answer in answers {
            assert!(
                matches!(answer, Judgement::Bad(why) if why.contains(part)),
                "{answer:?}"
            );
        }
    }

    #[test]
    fn a_command_and_a_server_say_the_same_with_any_number_of_jobs() {
        let test = "c=$(cat $d/f); [ \"$c\" = old ] || [ \"$c\" = new ]";
        let (_folder, log) = recorded(STEPS);
        let once = command(&format!(
            "d={{dir}}; {test} || {{ echo it is \"<$c>\"; exit 1; }}"
        ));
        let tab = "$(printf '\\t')";
        let asked = format!(
            "while IFS=\"{tab}\" read -r d acks; do if {test}; then echo ok; else echo \"it is <$c>\"; fi; done"
        );
        let (judge, expected) = judge_with(&log, once.clone(), 1, LONG);
        assert!(expected.contains(&Judgement::Good));
        assert!(expected.contains(&Judgement::Bad("it is <>".to_owned())));
        assert_eq!(judge.checks(), expected.len() as u64);
        for jobs in [2, 5] {
            assert_eq!(judge_with(&log, once.clone(), jobs, LONG).1, expected);
            assert_eq!(judge_with(&log, server(&asked), jobs, LONG).1, expected);
        }
    }

    #[test]
    fn what_was_judged_once_is_known() {
        let (_folder, log) = recorded(STEPS);
        let (judge, first) = judge_with(&log, command("exit 1"), 2, LONG);
        let checks = judge.checks();
        let images = crash_images(
            &log,
            &log.events,
            &ImageOptions::new(Profile::Posix),
            &|| true,
        );
        let again = judge
            .judge(&images.unwrap().images, &|| true, &|_| {})
            .unwrap();
        assert_eq!(again, first);
        assert_eq!(judge.checks(), checks);
    }

    #[test]
    fn a_check_that_does_not_end_is_ended_and_said() {
        let limit = Duration::from_millis(1);
        check_all_say(
            &answers(command("sleep 1000 & wait"), limit),
            "did not end within 1ms",
        );
        check_all_say(
            &answers(server("sleep 1000 & wait"), limit),
            "did not end within 1ms",
        );
    }

    #[test]
    fn a_check_that_is_killed_is_said_with_its_signal() {
        check_all_say(
            &answers(command("kill -BUS $$"), LONG),
            "killed by signal 7",
        );
        let dies = "read line; echo about to >&2; kill -SEGV $$";
        let answers = answers(server(dies), LONG);
        check_all_say(&answers, "killed by signal 11");
        check_all_say(&answers, "about to");
    }

    #[test]
    fn a_server_that_ends_is_started_again() {
        let answers = answers(server("read line; echo ok"), LONG);
        let good = answers
            .iter()
            .filter(|answer| **answer == Judgement::Good)
            .count();
        assert!(good > 0, "{answers:?}");
    }

    #[test]
    fn a_replaced_file_is_old_or_new_without_a_check() {
        let answers = answers(ImageCheck::Program(vec!["true".to_owned()]), LONG);
        assert!(answers.contains(&Judgement::Good));
        let empty = "`f` was replaced by a rename, and is empty";
        assert!(answers.contains(&Judgement::Bad(empty.to_owned())));
        let mixture = "`f` was replaced by a rename, and is neither old nor new";
        assert!(answers.contains(&Judgement::Bad(mixture.to_owned())));
    }

    #[test]
    fn the_lines_and_the_files_are_given_and_nothing_is_left() {
        let (_folder, log) = recorded(STEPS);
        let (judge, answers) = judge_with(&log, command("cat {acks} | grep -q saved"), 1, LONG);
        assert!(
            answers.contains(&Judgement::Good) && answers.len() > 3,
            "{answers:?}"
        );
        let place = judge.folder.path().to_owned();
        assert!(place.exists());
        drop(judge);
        assert!(!place.exists());
    }

    #[test]
    fn work_that_is_stopped_says_so() {
        let (_folder, log) = recorded(STEPS);
        let options = JudgeOptions {
            check: command("sleep 1000"),
            limit: LONG,
            jobs: 1,
            guard: None,
        };
        let judge = Judge::new(options, vec!["saved".to_owned()], None).unwrap();
        let images = crash_images(
            &log,
            &log.events,
            &ImageOptions::new(Profile::Posix),
            &|| true,
        );
        let asked = AtomicU64::new(0);
        let go_on = || asked.fetch_add(1, Ordering::Relaxed) < 2;
        let answers = judge
            .judge(&images.unwrap().images, &go_on, &|_| {})
            .unwrap();
        assert!(answers.iter().all(|answer| *answer == Judgement::Stopped));
    }
}
