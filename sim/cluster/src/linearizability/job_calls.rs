//! An operation on the queue as operations on single jobs.

use std::collections::BTreeSet;

use beaver::{Command, JobId, JobQueue, JobSpec};

use super::job::{JobFact, JobRequest, JobStanding};
use super::wrong_answer::WrongAnswer;
use crate::operation::{ClientRequest, ClientResponse, JobAnswer, Operation};

/// What an operation asks of one job, and what its answer says of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct JobCall<'o> {
    pub(super) job: &'o str,
    pub(super) request: JobRequest,
    /// `None`: nothing is known.
    pub(super) fact: Option<JobFact>,
}

/// The jobs that `operations` name.
pub(super) fn jobs_in(operations: &[Operation]) -> BTreeSet<&str> {
    let mut jobs = BTreeSet::new();
    for operation in operations {
        match &operation.request {
            ClientRequest::JobStatus { id } => {
                jobs.insert(id.as_str());
            }
            ClientRequest::Job(Command::Enqueue(specs)) => {
                jobs.extend(specs.iter().map(|spec| spec.id.as_str()));
            }
            ClientRequest::Job(command) => {
                jobs.extend(named_by(command).map(|(id, _)| id.as_str()))
            }
            _ => {}
        }
        if let Some(ClientResponse::Job(JobAnswer::Dispatched { id, .. })) = &operation.response {
            jobs.insert(id);
        }
    }
    jobs
}

/// The job that a command names alone, and what it asks of it.
fn named_by(command: &Command) -> Option<(&JobId, JobRequest)> {
    Some(match command {
        Command::Heartbeat { id, attempt } => (id, JobRequest::Heartbeat(*attempt)),
        Command::Ack { id, attempt } => (id, JobRequest::Ack(*attempt)),
        Command::Fail { id, attempt } => (id, JobRequest::Fail(*attempt)),
        Command::Revive(id) => (id, JobRequest::Revive),
        Command::Drop(id) => (id, JobRequest::Drop),
        Command::Enqueue(_) | Command::Dispatch | Command::Tick | Command::RequeueInFlight => {
            return None;
        }
    })
}

/// What `operation` asks of each of `jobs`, as far as it may matter to it.
///
/// # Errors
/// The queue never answers so.
pub(super) fn job_calls<'o>(
    operation: &'o Operation,
    jobs: &BTreeSet<&'o str>,
) -> Result<Vec<JobCall<'o>>, WrongAnswer> {
    if !matches!(
        operation.request,
        ClientRequest::Job(_) | ClientRequest::JobStatus { .. }
    ) {
        return Ok(Vec::new());
    }
    let answer = match (operation.end, &operation.response) {
        (None, _) | (_, None | Some(ClientResponse::Unknown(_))) => None,
        (_, Some(ClientResponse::Job(answer))) => Some(answer),
        _ => return Err(WrongAnswer),
    };
    let command = match &operation.request {
        ClientRequest::Job(command) => command,
        ClientRequest::JobStatus { id } => return status(id, answer),
        _ => return Ok(Vec::new()),
    };
    let call = |job, request, fact| JobCall { job, request, fact };
    let of_all = |request| {
        let all = jobs.iter().map(move |job| call(*job, request, None));
        Ok(all.collect())
    };
    match (command, answer) {
        (Command::Enqueue(specs), _) => enqueue(specs, answer),
        (Command::Dispatch, None) => of_all(JobRequest::Dispatch),
        (Command::Dispatch, Some(JobAnswer::Dispatched { id, attempt })) => {
            let fact = JobFact::Dispatched(*attempt);
            Ok(vec![call(id, JobRequest::Dispatch, Some(fact))])
        }
        (Command::Dispatch, Some(JobAnswer::Nothing)) => {
            let passed = |job: &&'o str| call(*job, JobRequest::Dispatch, Some(JobFact::Passed));
            Ok(jobs.iter().map(passed).collect())
        }
        (Command::Tick, None) => of_all(JobRequest::Tick),
        // Which other jobs were due only the leader's clock knows.
        (Command::Tick, Some(JobAnswer::Nothing)) => Ok(Vec::new()),
        (Command::Tick, Some(JobAnswer::Accepted { jobs })) => {
            let changed = |job: &'o String| call(job, JobRequest::Tick, Some(JobFact::Changed));
            Ok(jobs.iter().map(changed).collect())
        }
        (Command::RequeueInFlight, None) => of_all(JobRequest::RequeueInFlight),
        (Command::RequeueInFlight, Some(JobAnswer::Nothing)) => Ok(requeued(&[], jobs)),
        (Command::RequeueInFlight, Some(JobAnswer::Accepted { jobs: changed })) => {
            Ok(requeued(changed, jobs))
        }
        _ => {
            let (id, request) = named_by(command).ok_or(WrongAnswer)?;
            Ok(vec![call(id.as_str(), request, fact_of(id, answer)?)])
        }
    }
}

/// What an answer says of the one job that the command names.
fn fact_of(job: &JobId, answer: Option<&JobAnswer>) -> Result<Option<JobFact>, WrongAnswer> {
    match answer {
        None => Ok(None),
        Some(JobAnswer::Accepted { jobs }) if *jobs == [job.as_str()] => Ok(Some(JobFact::Changed)),
        Some(JobAnswer::Refused { id, .. }) if id == job.as_str() => Ok(Some(JobFact::Refused)),
        Some(_) => Err(WrongAnswer),
    }
}

fn status<'o>(job: &'o str, answer: Option<&JobAnswer>) -> Result<Vec<JobCall<'o>>, WrongAnswer> {
    let fact = match answer {
        None => return Ok(Vec::new()),
        Some(JobAnswer::Status(status)) => Some(JobFact::Stands(JobStanding::of(*status))),
        Some(_) => return Err(WrongAnswer),
    };
    let request = JobRequest::Status;
    Ok(vec![JobCall { job, request, fact }])
}

/// All of the list are enqueued or none. A refusal names one job that was known; of the others it says
/// nothing.
fn enqueue<'o>(
    specs: &'o [JobSpec],
    answer: Option<&JobAnswer>,
) -> Result<Vec<JobCall<'o>>, WrongAnswer> {
    let names: Vec<&str> = specs.iter().map(|spec| spec.id.as_str()).collect();
    let repeats = names.iter().collect::<BTreeSet<_>>().len() < names.len();
    let all = |fact| {
        let calls = specs.iter().map(move |spec| JobCall {
            job: spec.id.as_str(),
            request: JobRequest::enqueue(spec),
            fact,
        });
        calls.collect::<Vec<_>>()
    };
    match answer {
        None if repeats => Ok(Vec::new()),
        None => Ok(all(None)),
        Some(JobAnswer::Nothing) if names.is_empty() => Ok(Vec::new()),
        Some(JobAnswer::Accepted { jobs }) if !repeats && *jobs == names => {
            Ok(all(Some(JobFact::Changed)))
        }
        // The list itself may be the reason.
        Some(JobAnswer::Refused { .. }) if repeats => Ok(Vec::new()),
        Some(JobAnswer::Refused { id, .. }) if names.contains(&id.as_str()) => {
            let mut calls = all(Some(JobFact::Refused));
            calls.retain(|call| call.job == id);
            Ok(calls)
        }
        Some(_) => Err(WrongAnswer),
    }
}

/// Every job in flight was taken, unless there were too many.
fn requeued<'o>(changed: &'o [String], jobs: &BTreeSet<&'o str>) -> Vec<JobCall<'o>> {
    let call = |job, fact| JobCall {
        job,
        request: JobRequest::RequeueInFlight,
        fact: Some(fact),
    };
    let took: BTreeSet<&str> = changed.iter().map(String::as_str).collect();
    let mut calls: Vec<_> = took
        .iter()
        .map(|job| call(*job, JobFact::Changed))
        .collect();
    if changed.len() < JobQueue::PLAN_LIMIT {
        let others = jobs.difference(&took);
        calls.extend(others.map(|job| call(*job, JobFact::Passed)));
    }
    calls
}
