//! A recording and its check: how images are judged, and that the check is none that always fails.

use std::io;
use std::path::Path;

use beaver_disk::Profile;
use beaver_trace::{
    AT_THE_END, Guard, ImageCheck, Judge, JudgeOptions, Judgement, Log, ProgramEnd, ReplacedFiles,
    TraceEvent, good_images,
};

use super::command_line::names_folder;
use super::{CliError, CrashArgs, text};
use crate::report::numbers::counted;

/// A recording, and how its images are judged.
pub(super) struct JudgedLog<'r> {
    pub(super) args: &'r CrashArgs,
    pub(super) guard: &'r Guard,
    /// How the program ended, if that is known.
    pub(super) ended: Option<ProgramEnd>,
    pub(super) folder: &'r Path,
    pub(super) log: &'r Log,
    pub(super) check: ImageCheck,
    pub(super) acks: Vec<String>,
}

impl JudgedLog<'_> {
    pub(super) fn judge(&self) -> Result<Judge, CliError> {
        judge(
            self.args,
            self.guard,
            &self.check,
            self.acks.clone(),
            replaced(&self.check, self.log)?,
        )
    }

    pub(super) fn announced(&self, profiles: &[Profile]) -> Vec<(&'static str, String)> {
        let events = counted(self.log.events.len() as u64, "event");
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
        let profiles = profiles.iter();
        let disks =
            profiles.map(|profile| format!("{} ({})", text::disk(*profile), profile.name()));
        vec![
            ("program", program),
            ("recording", format!("{folder}: {events}, {said}")),
            ("check", check),
            ("disks", disks.collect::<Vec<_>>().join("; ")),
        ]
    }

    /// Whether the program changed no file that is recorded.
    pub(super) fn is_idle(&self) -> bool {
        let events = self.log.events.iter().rev();
        let mut events = events.take_while(|event| **event != TraceEvent::Begin);
        !events.any(|event| matches!(event, TraceEvent::Call { .. }))
    }

    /// Where nothing was changed there is nothing to crash, and nothing is said of the program.
    pub(super) fn refuse_idle(&self) -> Result<(), CliError> {
        if !self.is_idle() {
            return Ok(());
        }
        let program = &self.args.program;
        let is_told = program.iter().any(|word| names_folder(word));
        let advice = match is_told || program.is_empty() {
            true => "there is nothing to crash",
            false => {
                "`{dir}` is not among its arguments: put it where the folder of its files belongs"
            }
        };
        let how = match self.ended {
            Some(ended @ (ProgramEnd::With { code: 1.. } | ProgramEnd::Killed { .. })) => {
                format!("the program {ended} and changed nothing in {{dir}}")
            }
            _ => "the program changed nothing in {dir}".to_owned(),
        };
        Err(CliError::new(format_args!("{how}: {advice}")))
    }

    /// The check must hold on files that no crash has touched. What it says of an empty folder with which the program began, if
    /// it refuses that.
    pub(super) fn try_good_images(
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
                return Err(self.broken(good.when, &reason));
            }
        }
        Ok(refused)
    }

    /// The check fails on files that were there without a crash.
    fn broken(&self, when: &str, reason: &str) -> CliError {
        let at_the_end = when == AT_THE_END;
        let when = format!("good files, those {when} without a crash");
        let text = match (self.ended, &self.check) {
            (Some(ended @ (ProgramEnd::With { code: 1.. } | ProgramEnd::Killed { .. })), _)
                if at_the_end =>
            {
                format!("the program {ended}, so look there first: the check fails on what it left")
            }
            (_, ImageCheck::Program(_)) => {
                format!("the check fails on {when}: give a check of your own with --check")
            }
            _ => format!("the check fails on {when}: repair the check first"),
        };
        CliError::new(format_args!("{text}\nit says: {reason}"))
    }
}

pub(super) fn judge(
    args: &CrashArgs,
    guard: &Guard,
    check: &ImageCheck,
    acks: Vec<String>,
    replaced: Option<ReplacedFiles>,
) -> Result<Judge, CliError> {
    let cores = || std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let options = JudgeOptions {
        check: check.clone(),
        limit: args.check_limit,
        jobs: args.jobs.map_or_else(cores, std::num::NonZero::get),
        guard: Some(guard.clone()),
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
