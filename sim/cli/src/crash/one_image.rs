//! One image: written out to look at, or a saved one checked again.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use beaver_disk::Profile;
use beaver_sim::report::Verdict;
use beaver_trace::{
    CrashImage, FailingImage, Guard, ImageOptions, Judgement, Log, crash_images, write_image,
};
use serde::Serialize;

use super::{
    Acks, CliError, CrashArgs, Exit, Format, Output, acks, check, judge, not_run, replaced, text,
};
use crate::report::numbers::counted;

/// Writes an image out, by the number that it has in the report.
pub(super) fn write(
    args: &CrashArgs,
    log: &Log,
    profile: Profile,
    number: u64,
    to: &Path,
    out: &mut Output,
) -> Result<Exit, CliError> {
    let options = ImageOptions {
        profile,
        cap: args.cap,
        torn_cap: args.torn_cap,
        all_acks: args.acks == Acks::All,
    };
    let found = crash_images(log, &log.events, &options, &|| true).map_err(CliError::new)?;
    let place = usize::try_from(number - 1).ok();
    let Some((place, image)) = place.and_then(|place| Some((place, found.images.get(place)?)))
    else {
        return Err(CliError::at(
            format_args!("image {number}"),
            format_args!(
                "there are {} on {}",
                found.images.len(),
                text::disk(profile)
            ),
        ));
    };
    let mut written = Ok(());
    let mut write = |_, made: CrashImage| {
        written = write_image(&made.image, &made.modes, to);
        true
    };
    let made = found.make(log, &log.events, &mut |at| at == place, &mut write, &|| {
        true
    });
    made.map_err(CliError::new)?;
    written.map_err(|error| CliError::at(to.display(), error))?;
    out.line(format_args!(
        "image {number} of {} on {}: the power was cut after event {} of {}, and {} had been said\nwritten to {}",
        found.images.len(),
        text::disk(profile),
        image.event,
        log.events.len(),
        counted(image.acks as u64, "line"),
        to.display(),
    ));
    Ok(Exit::HELD)
}

#[derive(Serialize)]
struct AgainDocument<'a> {
    tool: &'static str,
    version: &'static str,
    profile: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    /// Why it failed when it was saved.
    reason_before: &'a str,
    verdict: &'static str,
}

/// Checks a saved image again, with its own check or with another one.
pub(super) fn again(
    args: &CrashArgs,
    log: &Log,
    folder: &Path,
    stop: &AtomicBool,
    guard: &Guard,
    out: &mut Output,
) -> Result<Exit, CliError> {
    let failing = FailingImage::open(folder);
    let failing =
        failing.map_err(|error| CliError::at(folder.join("failure.json").display(), error))?;
    let said = acks(log);
    if failing.event > log.events.len() || failing.acks > said.len() {
        return Err(CliError::at(
            folder.join("failure.json").display(),
            "it is of another recording: there are fewer events, or lines that were said, than it has",
        ));
    }
    let check = match args.check {
        Some(_) => check(args, log)?,
        None => failing.check.clone(),
    };
    let judge = judge(args, guard, &check, said, replaced(&check, log)?)?;
    let (image, ..) = failing.image(log).map_err(CliError::new)?;
    let go_on = || !stop.load(Ordering::SeqCst);
    let answer = judge.judge_one(&image, &go_on);
    let answer = answer.map_err(|error| not_run(&error))?;
    let (reason, verdict) = match &answer {
        Judgement::Bad(reason) => (Some(reason.as_str()), Verdict::Violation),
        Judgement::Good => (None, Verdict::Pass),
        Judgement::Stopped => (None, Verdict::Interrupted),
    };
    let exit = Exit::Judged(verdict);
    if args.format == Format::Json {
        out.json(&AgainDocument {
            tool: "beaver",
            version: env!("CARGO_PKG_VERSION"),
            profile: failing.profile.name(),
            reason,
            reason_before: &failing.reason,
            verdict: verdict.name(),
        })?;
        return Ok(exit);
    }
    let after = folder.join("after");
    out.line(match (reason, exit) {
        (Some(reason), _) if failing.fails_by(reason) => format!("still fails: {reason}"),
        // Also a check that is looked for in another directory than where the failure was saved.
        (Some(reason), _) => {
            let here = match args.check {
                None => "\nthe check is run here, and looks for its own files here",
                Some(_) => "",
            };
            let before = &failing.reason;
            format!("fails for another reason: {reason}\nbefore it failed: {before}{here}")
        }
        (None, Exit::HELD) => format!("holds now; before it failed: {}", failing.reason),
        (None, _) => "stopped before the check had ended".to_owned(),
    });
    out.line(format_args!("the files: {}", after.display()));
    Ok(exit)
}
