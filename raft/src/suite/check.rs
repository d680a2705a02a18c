//! Runs the script, and has everything looked at that it may leave wherever it ends.

use std::collections::BTreeMap;

use beaver_disk::{CallEffect, Disk, FailureKind, Fault, FaultPlan, Profile};

use super::judge::LogJudge;
use super::run::{NumberedConfig, ScriptRun, on};
use super::script::SCRIPT;
use super::subject::{BrokenPromise, LogUnderTest, SuiteOptions, SuiteReport};

/// Runs the whole suite on a store.
///
/// # Errors
/// The first promise that is broken.
///
/// # Panics
/// If a call fails for no reason, or is never answered.
pub fn check_log_store<C, S>(
    subject: &S,
    options: &SuiteOptions,
) -> Result<SuiteReport, BrokenPromise>
where
    C: NumberedConfig,
    S: LogUnderTest<C>,
{
    let mut report = SuiteReport::default();
    for profile in &options.profiles {
        crash_everywhere(subject, *profile, options, &mut report)?;
    }
    fail_every_call(subject, &mut report)?;
    Ok(report)
}

fn crash_everywhere<C, S>(
    subject: &S,
    profile: Profile,
    options: &SuiteOptions,
    report: &mut SuiteReport,
) -> Result<(), BrokenPromise>
where
    C: NumberedConfig,
    S: LogUnderTest<C>,
{
    let mut run = ScriptRun::new(subject, on(Disk::empty(profile)));
    run.disk.record_crash_points(true);
    run.open().expect("nothing fails here");
    for (number, call) in SCRIPT.iter().enumerate() {
        let before = run.history.clone();
        run.carry_out(*call).expect("nothing fails here");
        let mut judge = LogJudge::new(subject);
        let during = run.history.answered_as_in(&before);
        for crash in run.disk.take_crash_points() {
            let what = format!("{} {number} {call:?}, {}", profile.name(), crash.point());
            judge.check_crash(&crash, &during, options.images, &what)?;
            report.crashes += 1;
        }
        report.images += judge.seen.len() as u64;
        judge.seen.clear();
        let after = run.disk.crash_between_calls();
        let what = format!("{} after {number} {call:?}", profile.name());
        judge.check_crash(&after, &run.history, options.images, &what)?;
        report.images += judge.seen.len() as u64;
    }
    Ok(())
}

fn fail_every_call<C, S>(subject: &S, report: &mut SuiteReport) -> Result<(), BrokenPromise>
where
    C: NumberedConfig,
    S: LogUnderTest<C>,
{
    for effect in [CallEffect::Nothing, CallEffect::Everything] {
        for call in 1.. {
            let disk = on(Disk::empty(Profile::Posix));
            let fault = Fault::Error {
                error: FailureKind::Io,
                effect,
                sticky: false,
            };
            disk.set_plan(FaultPlan {
                calls: BTreeMap::from([(call, fault)]),
                ..FaultPlan::default()
            });
            let mut run = ScriptRun::new(subject, disk);
            // openraft stops at the first error, so nothing comes after it.
            let mut calls = SCRIPT.iter();
            let opened = run.open();
            let failed = opened.is_err() || calls.any(|call| run.carry_out(*call).is_err());
            if run.disk.calls() < call {
                break;
            }
            run.store = None;
            let mut judge = LogJudge::new(subject);
            let left = run.disk.crash_between_calls();
            let what = format!("call {call} failed ({effect:?}, noticed: {failed})");
            judge.check_crash(&left, &run.history, 20, &what)?;
            report.images += judge.seen.len() as u64;
            report.failed_calls += 1;
        }
    }
    Ok(())
}
