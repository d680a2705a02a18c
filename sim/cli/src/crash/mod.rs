//! `beaver crash`: what any program did to its files, crashed everywhere, and judged by the user's own check.

mod command_line;
mod document;
mod first_failing;
mod judged_log;
mod one_image;
mod report_page;
mod second;
mod text;
mod trial;

use std::fmt;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use beaver_cluster::saved_run::CLUSTER_FILE;
use beaver_disk::Profile;
use beaver_sim::failure_folder::SCENARIO;
use beaver_sim::report::Verdict;
use beaver_trace::{
    FailingImage, Guard, GuardedFolder, Log, ProgramEnd, RecordError, RecordOptions,
};

use super::args::{Acks, CrashArgs, Format};
use super::exit::{CliError, Exit};
use super::failure_saver::this_program;
use super::output::Output;
use super::scenario_files::{profile_named, refuse_own_store};
use super::timer::Timer;
use super::trace::{start_guard, stop_flag, this_program_as};
use document::CrashDocument;
use first_failing::{FirstFailing, again, save};
use judged_log::{JudgedLog, acks, check, judge, not_run, replaced};
use second::Second;
use trial::{Trial, Tried};

/// The profiles whose images are tried, the mildest first.
const PROFILES: [Profile; 3] = [Profile::LinuxOrdered, Profile::BtrfsLike, Profile::Posix];

pub(crate) fn crash(args: &CrashArgs, out: &mut Output) -> Result<Exit, CliError> {
    let stop = stop_flag()?;
    command_line::examine(args)?;
    if args.log.is_none() {
        beaver_trace::check_recorder().map_err(CliError::new)?;
    }
    // It stands before there is anything that could be left.
    let guard = start_guard()?;
    let profiles = profiles(args)?;
    let Some(folder) = &args.log else {
        return record_and_crash(args, &profiles, &stop, &guard, out);
    };
    if let (Some(number), Some(to)) = (args.image, &args.to) {
        return one_image::write(args, &open(folder)?, profiles[0], number, to, out);
    }
    if FailingImage::is_in(folder) {
        if args.fs.is_some() || args.time.is_some() || args.depth > 1 || args.report.is_some() {
            return Err(CliError::at(
                folder.display(),
                "is one image of one disk: --fs, --for and --depth have nothing to choose there, and --report writes its page \
                 where the failure is found",
            ));
        }
        return one_image::again(args, &open(folder)?, folder, &stop, &guard, out);
    }
    crash_recording(args, (folder, None), &profiles, &stop, &guard, out)
}

fn open(folder: &Path) -> Result<Log, CliError> {
    refuse_own_store(folder)?;
    if folder.join(SCENARIO).is_file() || folder.join(CLUSTER_FILE).is_file() {
        let why = "is a failure of a simulation: `beaver replay FOLDER` runs it again";
        return Err(CliError::at(folder.display(), why));
    }
    let advice = match folder.is_file() {
        true => "a program comes after `--`: `beaver crash … -- PROGRAM`",
        false => "`beaver trace --out LOG -- PROGRAM` makes a recording",
    };
    Log::open(folder).map_err(|error| CliError::new(format_args!("{error}\n{advice}")))
}

/// Records the program, then goes on as with its recording.
fn record_and_crash(
    args: &CrashArgs,
    profiles: &[Profile],
    stop: &AtomicBool,
    guard: &Guard,
    out: &mut Output,
) -> Result<Exit, CliError> {
    let folder = GuardedFolder::new(Some(guard), None);
    let folder = folder.map_err(|error| CliError::at("no place for a recording", error))?;
    let log = folder.path().join("log");
    let options = RecordOptions {
        program: args.program.clone(),
        setup: args.setup.clone(),
        log: log.clone(),
        faults: args.faults.clone(),
        guard: Some(guard.clone()),
        watch: Some(this_program_as("run-watched")?),
        terminal: args.pty,
        stop: Some(stop),
    };
    // Standard output has the verdict alone.
    let recorded = beaver_trace::record(&options, Box::new(io::stderr()));
    let recorded = match recorded {
        // Ctrl-C before the program began.
        Err(RecordError::Setup {
            ended: ProgramEnd::Stopped,
            ..
        }) => return Ok(Exit::INTERRUPTED),
        recorded => recorded.map_err(CliError::new)?,
    };
    recorded.warnings.iter().for_each(warn);
    match recorded.ended {
        ProgramEnd::Stopped => {
            warn(
                "stopped while the program was recorded, so nothing is crashed; of a program that never ends, record a part with \
                 `beaver trace`, and crash that recording",
            );
            return Ok(Exit::INTERRUPTED);
        }
        ProgramEnd::With { code: 0 } | ProgramEnd::PowerCut => {}
        ended => warn(format_args!("the program {ended}")),
    }
    let ended = Some(recorded.ended);
    crash_recording(args, (&log, ended), profiles, stop, guard, out)
}

/// Says something that does not stop the work.
fn warn(warning: impl fmt::Display) {
    let mut error = Output::error();
    error.line(format_args!("warning: {warning}"));
    // Nothing more can be said when standard error cannot be written to either.
    let _ = error.finish();
}

fn crash_recording(
    args: &CrashArgs,
    (folder, ended): (&Path, Option<ProgramEnd>),
    profiles: &[Profile],
    stop: &AtomicBool,
    guard: &Guard,
    out: &mut Output,
) -> Result<Exit, CliError> {
    let log = &open(folder)?;
    let recording = JudgedLog {
        args,
        guard,
        ended,
        folder,
        log,
        check: check(args, log)?,
        acks: acks(log),
    };
    let judge = recording.judge()?;
    out.announce(&recording.announced(profiles), args.format)?;
    let timer = Timer::start();
    let limit_ms = args.time.map(|time| time.as_millis());
    let interrupted = || stop.load(Ordering::SeqCst);
    let left_ms = || match limit_ms {
        Some(limit) => limit.saturating_sub(u128::from(timer.elapsed_ms())),
        None => u128::MAX,
    };
    let go_on = || left_ms() > 0 && !interrupted();
    recording.refuse_idle()?;
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
    let verdict = match found(&tried, &seconds) {
        true => Verdict::Violation,
        false if interrupted() => Verdict::Interrupted,
        false => verdict_of_good(&tried, &seconds, left_ms() == 0),
    };
    if args.format == Format::Json {
        out.json(&CrashDocument::new(
            &recording, &tried, &seconds, saved, checks, verdict,
        ))?;
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
    let exit = Exit::Judged(verdict);
    match &args.report {
        Some(path) => report_page::write(&recording, &tried, first, saved, path, exit),
        None => Ok(exit),
    }
}

fn found(tried: &[Tried], seconds: &[Second]) -> bool {
    tried.iter().any(|tried| !tried.failing.is_empty()) || seconds.iter().any(Second::fails)
}

/// Where no image failed.
fn verdict_of_good(tried: &[Tried], seconds: &[Second], time_is_over: bool) -> Verdict {
    let is_cut = tried.iter().any(|tried| !tried.is_whole());
    if tried.iter().all(|tried| tried.judged() == 0) {
        // The time was over before the first image.
        Verdict::Nothing
    } else if is_cut || time_is_over && seconds.iter().any(Second::is_cut) {
        Verdict::Budget
    } else {
        Verdict::Pass
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

fn profiles(args: &CrashArgs) -> Result<Vec<Profile>, CliError> {
    match &args.fs {
        None => Ok(PROFILES.to_vec()),
        Some(name) => Ok(vec![profile_named(name)?]),
    }
}
