//! Commands in words.

use crate::scenario::{Job, Step};

/// A command in a few words.
pub(crate) fn describe(step: &Step) -> String {
    match step {
        Step::Enqueue { jobs } => {
            let jobs: Vec<String> = jobs.iter().map(Job::describe).collect();
            format!("enqueue {}", jobs.join(", "))
        }
        Step::Dispatch => "dispatch".to_owned(),
        Step::Ack { id } => format!("ack {id}"),
        Step::Fail { id } => format!("fail {id}"),
        Step::Tick { ms } => format!("tick after {ms} ms"),
        Step::Requeue => "requeue what is in flight".to_owned(),
        Step::Group { steps } => format!("together: {}", describe_all(steps)),
        Step::CloseQueued { steps } => format!("closed while waiting: {}", describe_all(steps)),
        Step::Checkpoint => "checkpoint".to_owned(),
        Step::QueuedCheckpoint {
            steps,
            before_write,
            before_finish,
        } => {
            let between = describe_between(before_write, before_finish);
            format!(
                "checkpoint while these wait: {}{between}",
                describe_all(steps)
            )
        }
        Step::SlowCheckpoint {
            before_write,
            before_finish,
        } => format!(
            "checkpoint{}",
            describe_between(before_write, before_finish)
        ),
        Step::CheckpointAmid { during_write } => {
            let amid = during_write
                .iter()
                .map(|amid| format!("before call {} {}", amid.before_call, describe(&amid.step)));
            let amid: Vec<String> = amid.collect();
            format!(
                "checkpoint, and while it writes its snapshot: {}",
                amid.join("; ")
            )
        }
        Step::Reopen => "close and open again".to_owned(),
        Step::Kill => "kill".to_owned(),
        Step::PowerCut { .. } => "power cut".to_owned(),
        Step::SecondOpener => "a second process opens the store".to_owned(),
        Step::Inspect => "inspect while in use".to_owned(),
        Step::Lenient { .. } => "read a damaged copy leniently".to_owned(),
        Step::Sync => "sync".to_owned(),
        Step::Rotate => "rotate".to_owned(),
        Step::Preallocate { bytes } => format!("sync and make space for {bytes} bytes"),
    }
}

fn describe_all(steps: &[Step]) -> String {
    let steps: Vec<String> = steps.iter().map(describe).collect();
    steps.join("; ")
}

/// What comes between the steps of a checkpoint.
fn describe_between(before_write: &[Step], before_finish: &[Step]) -> String {
    let between = [("writes", before_write), ("ends", before_finish)];
    let between = between.iter().filter(|(_, steps)| !steps.is_empty());
    let words: Vec<String> = between
        .map(|(when, steps)| format!("before it {when}: {}", describe_all(steps)))
        .collect();
    match words[..] {
        [] => String::new(),
        _ => format!(" ({})", words.join("; ")),
    }
}
