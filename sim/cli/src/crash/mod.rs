//! `beaver crash`: what any program did to its files, crashed everywhere, and judged by the user's own check.

mod document;
mod first_failing;
mod one_image;
mod report_page;
mod second;
mod text;
mod trial;

use std::fmt;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use beaver_disk::Profile;
use beaver_sim::report::Verdict;
use beaver_trace::{
    FailingImage, ImageCheck, Judge, JudgeOptions, Judgement, Log, ProgramEnd, RecordError,
    RecordOptions, ReplacedFiles, TraceEvent, good_images,
};

use super::args::{Acks, CrashArgs, Format};
use super::exit::{CliError, Exit};
use super::failure_saver::this_program;
use super::output::Output;
use super::page_file;
use super::timer::Timer;
use super::trace::{stop_flag, this_program_as};
use document::CrashDocument;
use first_failing::{FirstFailing, again, save};
use trial::{Trial, Tried};

/// The profiles whose images are tried, the mildest first.
const PROFILES: [Profile; 3] = [Profile::LinuxOrdered, Profile::BtrfsLike, Profile::Posix];

pub(crate) fn crash(args: &CrashArgs, out: &mut Output) -> Result<Exit, CliError> {
    let stop = stop_flag()?;
    let profiles = profiles(args)?;
    let Some(folder) = &args.log else {
        return record_and_crash(args, &profiles, &stop, out);
    };
    if let (Some(number), Some(to)) = (args.image, &args.to) {
        return one_image::write(args, &open(folder)?, profiles[0], number, to, out);
    }
    if FailingImage::is_in(folder) {
        return one_image::again(args, &open(folder)?, folder, &stop, out);
    }
    crash_recording(args, folder, &profiles, &stop, out)
}

fn open(folder: &Path) -> Result<Log, CliError> {
    let advice = "`beaver trace --out LOG -- PROGRAM` makes a recording";
    Log::open(folder).map_err(|error| CliError::new(format_args!("{error}\n{advice}")))
}

/// Records the program, then goes on as with its recording.
fn record_and_crash(
    args: &CrashArgs,
    profiles: &[Profile],
    stop: &AtomicBool,
    out: &mut Output,
) -> Result<Exit, CliError> {
    let folder = tempfile::Builder::new().prefix("beaver-log-").tempdir();
    let folder = folder.map_err(|error| CliError::at("no place for a recording", error))?;
    let log = folder.path().join("log");
    let options = RecordOptions {
        program: args.program.clone(),
        setup: args.setup.clone(),
        log: log.clone(),
        faults: args.faults.clone(),
        guard: Some(this_program_as("stand-guard")?),
        watch: Some(this_program_as("run-watched")?),
        stop: Some(stop),
    };
    // Standard output has the verdict alone.
    let recorded = beaver_trace::record(&options, Box::new(io::stderr()));
    let recorded = match recorded {
        // Ctrl-C before the program began.
        Err(RecordError::Setup {
            ended: ProgramEnd::Stopped,
            ..
        }) => return Ok(Exit::Interrupted),
        recorded => recorded.map_err(CliError::new)?,
    };
    recorded.warnings.iter().for_each(warn);
    match recorded.ended {
        ProgramEnd::Stopped => return Ok(Exit::Interrupted),
        ProgramEnd::With { code: 0 } | ProgramEnd::PowerCut => {}
        ended => warn(format_args!("the program {ended}")),
    }
    crash_recording(args, &log, profiles, stop, out)
}

/// Says something that does not stop the work.
fn warn(warning: impl fmt::Display) {
    let mut error = Output::error();
    error.line(format_args!("warning: {warning}"));
    // Nothing more can be said when standard error cannot be written to either.
    let _ = error.finish();
}

/// A recording, and how its images are judged.
pub(super) struct JudgedLog<'r> {
    pub(super) args: &'r CrashArgs,
    pub(super) folder: &'r Path,
    pub(super) log: &'r Log,
    pub(super) check: ImageCheck,
    pub(super) acks: Vec<String>,
}

fn crash_recording(
    args: &CrashArgs,
    folder: &Path,
    profiles: &[Profile],
    stop: &AtomicBool,
    out: &mut Output,
) -> Result<Exit, CliError> {
    let log = &open(folder)?;
    let recording = JudgedLog {
        args,
        folder,
        log,
        check: check(args, log)?,
        acks: acks(log),
    };
    let judge = recording.judge()?;
    page_file::claim(args.report.as_deref())?;
    out.announce(&recording.announced(profiles), args.format)?;
    let timer = Timer::start();
    let limit_ms = args.time.map(|time| time.as_millis());
    let interrupted = || stop.load(Ordering::SeqCst);
    let left_ms = || match limit_ms {
        Some(limit) => limit.saturating_sub(u128::from(timer.elapsed_ms())),
        None => u128::MAX,
    };
    let go_on = || left_ms() > 0 && !interrupted();
    if recording.is_idle() {
        warn("the program changed nothing in {dir}: is `{dir}` among its arguments?");
    }
    let refused = recording.try_good_images(&judge, &go_on)?;
    let trial = Trial {
        recording: &recording,
        judge: &judge,
        go_on: &go_on,
        left_ms: &left_ms,
    };
    let tried = trial.of_profiles(profiles)?;
    let seconds = match args.depth {
        2 => tried
            .iter()
            .map(|tried| second::crash_checks(&trial, tried))
            .collect(),
        _ => Ok(Vec::new()),
    }?;
    let first = tried.iter().find(|tried| !tried.failing.is_empty());
    let first = first.map(|first| FirstFailing::new(&recording, first));
    let first = first.transpose()?.flatten();
    let first = first.as_ref();
    let saved = first.and_then(|first| save(&recording, first));
    let (saved, checks) = (saved.as_deref(), judge.checks());
    if args.format == Format::Json {
        out.json(&CrashDocument::new(&recording, &tried, saved, checks))?;
    } else {
        print(&recording, &tried, first, saved, out);
        seconds.iter().for_each(|second| out.line(second.text()));
        if let Some(reason) = refused.filter(|_| first.is_some()) {
            out.line(format_args!(
                "\nnote: the check fails on an empty folder too, which is what the program began with: {reason}\n      \
                 If that is no failure, let the check accept it, or let a --setup make the first files."
            ));
        }
        out.line(text::time(&tried, checks, timer.elapsed_ms()));
    }
    let found = first.is_some() || seconds.iter().any(second::Second::fails);
    let exit = match (found, interrupted()) {
        (true, _) => Exit::FOUND,
        (false, true) => Exit::Interrupted,
        // The time was over before the first image.
        (false, false) if tried.iter().all(|tried| tried.judged() == 0) => {
            Exit::Judged(Verdict::Nothing)
        }
        (false, false) => Exit::HELD,
    };
    match &args.report {
        Some(path) => report_page::write(&recording, &tried, first, saved, path, exit),
        None => Ok(exit),
    }
}

fn print(
    recording: &JudgedLog<'_>,
    tried: &[Tried],
    first: Option<&FirstFailing<'_>>,
    saved: Option<&Path>,
    out: &mut Output,
) {
    for tried in tried {
        out.line(text::count(tried));
    }
    if let Some(first) = first {
        out.write(&first.explanation);
    }
    out.write(text::proofs(tried, !recording.args.proof_for.is_zero()));
    if let Some(saved) = saved {
        out.line(format_args!("\nagain: {}", again(saved)));
    }
}

impl JudgedLog<'_> {
    fn judge(&self) -> Result<Judge, CliError> {
        judge(
            self.args,
            &self.check,
            self.acks.clone(),
            replaced(&self.check, self.log)?,
        )
    }

    fn announced(&self, profiles: &[Profile]) -> Vec<(&'static str, String)> {
        let events = self.log.events.len();
        let program = self.log.format.program.join(" ");
        let folder = match self.args.log {
            Some(_) => self.folder.display().to_string(),
            None => "made now".to_owned(),
        };
        let check = match &self.check {
            ImageCheck::Command(command) => command.clone(),
            ImageCheck::Server(command) => {
                format!("{command}, which answers for one image after the other")
            }
            ImageCheck::Program(_) => "the program starts on the files and ends with 0".to_owned(),
        };
        let said = match self.acks.len() {
            1 => "1 line said".to_owned(),
            lines => format!("{lines} lines said"),
        };
        let profiles: Vec<&str> = profiles.iter().map(|profile| profile.name()).collect();
        vec![
            ("program", program),
            ("recording", format!("{folder}: {events} events, {said}")),
            ("check", check),
            ("disks", profiles.join(", ")),
        ]
    }

    /// Whether the program changed no file that is recorded.
    fn is_idle(&self) -> bool {
        let events = self.log.events.iter().rev();
        let mut events = events.take_while(|event| **event != TraceEvent::Begin);
        !events.any(|event| matches!(event, TraceEvent::Call { .. }))
    }

    /// The check must hold on files that no crash has touched. What it says of an empty folder with which the program began, if
    /// it refuses that.
    fn try_good_images(
        &self,
        judge: &Judge,
        go_on: &(dyn Fn() -> bool + Sync),
    ) -> Result<Option<String>, CliError> {
        let mut refused = None;
        for good in good_images(self.log).map_err(CliError::new)? {
            let answer = judge.judge_one(&good.image, go_on);
            if let Judgement::Bad(reason) = answer.map_err(|error| not_run(&error))? {
                if !good.must_hold {
                    refused = Some(reason);
                    continue;
                }
                let advice = match self.check {
                    _ if self.is_idle() => {
                        "the program changed nothing in {dir}, so look there first"
                    }
                    ImageCheck::Program(_) => "give a check of your own with --check",
                    _ => "repair the check first",
                };
                return Err(CliError::new(format_args!(
                    "the check fails on good files, those {} without a crash: {advice}\nit says: {reason}",
                    good.when
                )));
            }
        }
        Ok(refused)
    }
}

pub(super) fn judge(
    args: &CrashArgs,
    check: &ImageCheck,
    acks: Vec<String>,
    replaced: Option<ReplacedFiles>,
) -> Result<Judge, CliError> {
    let cores = || std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let options = JudgeOptions {
        check: check.clone(),
        limit: args.check_limit,
        jobs: args.jobs.map_or_else(cores, std::num::NonZero::get),
        guard: Some(this_program_as("stand-guard")?),
    };
    let judge = Judge::new(options, acks, replaced);
    judge.map_err(|error| CliError::at("no place to write images", error))
}

/// Where the program itself is the check, what it replaces must be old or new.
pub(super) fn replaced(check: &ImageCheck, log: &Log) -> Result<Option<ReplacedFiles>, CliError> {
    let is_program = matches!(check, ImageCheck::Program(_));
    let replaced = is_program.then(|| ReplacedFiles::of(log)).transpose();
    replaced.map_err(CliError::new)
}

pub(super) fn not_run(error: &io::Error) -> CliError {
    CliError::at("the check could not be run", error)
}

fn profiles(args: &CrashArgs) -> Result<Vec<Profile>, CliError> {
    let Some(name) = &args.fs else {
        return Ok(PROFILES.to_vec());
    };
    let profile = Profile::named(name);
    let unknown = || CliError::at(name, "is no crash profile: `beaver profiles` lists them");
    Ok(vec![profile.ok_or_else(unknown)?])
}

/// The check that was asked for, or the program itself.
pub(super) fn check(args: &CrashArgs, log: &Log) -> Result<ImageCheck, CliError> {
    match &args.check {
        Some(command) if args.serve => Ok(ImageCheck::Server(command.clone())),
        Some(command) => Ok(ImageCheck::Command(command.clone())),
        None if log.format.program.is_empty() => Err(CliError::new(
            "the recording does not say which program it is of: give a check with --check",
        )),
        None => Ok(ImageCheck::Program(log.format.program.clone())),
    }
}

/// What the program said, line by line.
pub(super) fn acks(log: &Log) -> Vec<String> {
    let said = log.events.iter().filter_map(|event| match event {
        TraceEvent::Ack(line) => Some(line.clone()),
        _ => None,
    });
    said.collect()
}
