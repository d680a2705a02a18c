//! A crash in a recording as the log of a run: what the pictures and tables of a report are made of.

use beaver_disk::{Choice, Profile};
use beaver_sim::explain::{ExplainedLog, explain_log};
use beaver_sim::run_log::{CrashEvent, LoggedEvent, RunEvent};
use beaver_sim::scenario::CrashKind;
use beaver_trace::{Log, LogError, LogReplay, TraceEvent};

/// The power fails before event `until` of these events, and this survives.
///
/// # Errors
/// The bytes of the recording cannot be read.
pub(crate) fn explained(
    log: &Log,
    events: &[TraceEvent],
    until: usize,
    profile: Profile,
    choice: &Choice,
) -> Result<Option<ExplainedLog>, LogError> {
    let mut replay = LogReplay::traced(log, events, profile);
    let mut logged = Vec::new();
    while replay.position() < until {
        let event = replay.next();
        replay.step()?;
        let disk = replay.disk();
        logged.extend(disk.take_trace().into_iter().map(|record| LoggedEvent {
            call: record.call,
            event: RunEvent::Call { record },
        }));
        let said = match event {
            // What was made durable before is no part of the picture.
            Some(TraceEvent::Begin) => {
                logged.clear();
                continue;
            }
            Some(TraceEvent::Ack(said)) => RunEvent::Acknowledged {
                text: said.clone(),
                position: None,
            },
            Some(TraceEvent::Sync) => RunEvent::Note {
                text: "sync(2): everything is durable".to_owned(),
            },
            _ => continue,
        };
        let call = disk.calls();
        logged.push(LoggedEvent { call, event: said });
    }
    let crash = replay.disk().crash_between_calls();
    let left = crash.images().image(choice);
    let crash = CrashEvent {
        text: "the power failed".to_owned(),
        kind: CrashKind::PowerCut,
        explained: true,
        crash,
        choice: Some(choice.clone()),
        left,
    };
    logged.push(LoggedEvent {
        call: replay.disk().calls(),
        event: RunEvent::Crash(Box::new(crash)),
    });
    Ok(explain_log(logged))
}
