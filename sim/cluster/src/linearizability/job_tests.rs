use beaver::{Backoff, Command, Event, JobId, JobQueue, JobSpec, Payload, StateMachine};
use proptest::prelude::*;

use super::{DEFAULT_BUDGET, HistoryVerdict, judge};
use crate::operation::{ClientRequest, ClientResponse, JobAnswer, Operation};

fn id(number: u32) -> JobId {
    JobId::new(format!("job-{number}")).unwrap()
}

fn spec(number: u32) -> JobSpec {
    let payload = Payload::new("1").unwrap();
    let limit = 2.try_into().unwrap();
    JobSpec::new(id(number), payload).with_max_attempts(limit)
}

/// Operations one after the other; `None`: the answer is lost.
fn history(calls: Vec<(ClientRequest, Option<JobAnswer>)>) -> Vec<Operation> {
    let operations = (1..)
        .zip(calls)
        .map(|(number, (request, answer))| Operation {
            client: 1,
            start: number * 10,
            end: answer.is_some().then_some(number * 10 + 5),
            request,
            response: answer.map(ClientResponse::Job),
        });
    operations.collect()
}

fn object_to_blame(history: &[Operation]) -> Option<String> {
    match judge(history, DEFAULT_BUDGET) {
        HistoryVerdict::Linearizable => None,
        HistoryVerdict::NotLinearizable(unexplained) => Some(unexplained.object),
        HistoryVerdict::Undecided { object } => panic!("{object} is undecided"),
    }
}

fn blame(calls: Vec<(ClientRequest, Option<JobAnswer>)>) -> Option<String> {
    object_to_blame(&history(calls))
}

fn command(command: Command) -> ClientRequest {
    ClientRequest::Job(command)
}

fn enqueue(number: u32) -> ClientRequest {
    command(Command::Enqueue(vec![spec(number)]))
}

fn ack(number: u32, attempt: u32) -> ClientRequest {
    let id = id(number);
    command(Command::Ack { id, attempt })
}

fn accepted(number: u32) -> Option<JobAnswer> {
    let jobs = vec![id(number).as_str().to_owned()];
    Some(JobAnswer::Accepted { jobs })
}

fn refused(number: u32) -> Option<JobAnswer> {
    Some(JobAnswer::Refused {
        id: id(number).as_str().to_owned(),
        reason: String::new(),
    })
}

fn dispatched(number: u32, attempt: u32) -> Option<JobAnswer> {
    let id = id(number).as_str().to_owned();
    Some(JobAnswer::Dispatched { id, attempt })
}

fn dispatch() -> ClientRequest {
    command(Command::Dispatch)
}

#[test]
fn a_job_that_is_handed_out_twice_as_one_attempt_is_blamed() {
    let twice = vec![
        (enqueue(1), accepted(1)),
        (dispatch(), dispatched(1, 1)),
        (dispatch(), dispatched(1, 1)),
    ];
    assert_eq!(blame(twice), Some("job job-1".into()));
}

#[test]
fn an_acknowledged_job_that_nobody_finds_is_blamed() {
    let lost = |last| vec![(enqueue(1), accepted(1)), last];
    let nothing = Some(JobAnswer::Nothing);
    assert!(blame(lost((dispatch(), nothing))).is_some());
    assert!(blame(lost((enqueue(1), accepted(1)))).is_some());
    assert!(blame(lost((enqueue(1), refused(1)))).is_none());
    let status = ClientRequest::JobStatus { id: "job-1".into() };
    assert!(blame(lost((status, Some(JobAnswer::Status(None))))).is_some());
}

#[test]
fn a_dispatch_without_an_answer_may_have_handed_out_the_job() {
    let with = |answer| {
        let calls = vec![
            (enqueue(1), accepted(1)),
            (dispatch(), answer),
            (dispatch(), Some(JobAnswer::Nothing)),
            (ack(1, 1), accepted(1)),
        ];
        blame(calls)
    };
    assert_eq!(with(None), None);
    assert_eq!(with(Some(JobAnswer::Nothing)), Some("job job-1".into()));
}

#[test]
fn a_job_completes_once_and_only_by_its_last_attempt() {
    let after = |calls: &[(ClientRequest, Option<JobAnswer>)]| {
        let mut all = vec![
            (enqueue(1), accepted(1)),
            (dispatch(), dispatched(1, 1)),
            (command(Command::Tick), accepted(1)),
            (dispatch(), dispatched(1, 2)),
        ];
        all.extend_from_slice(calls);
        blame(all)
    };
    assert!(after(&[(ack(1, 2), accepted(1)), (ack(1, 2), refused(1))]).is_none());
    assert!(after(&[(ack(1, 2), accepted(1)), (ack(1, 2), accepted(1))]).is_some());
    assert!(after(&[(ack(1, 1), refused(1))]).is_none());
    assert!(after(&[(ack(1, 1), accepted(1))]).is_some());
    assert!(after(&[(ack(1, 2), refused(1))]).is_some());
    // Two attempts are its limit.
    let tick = (command(Command::Tick), accepted(1));
    assert!(after(&[tick.clone(), (dispatch(), Some(JobAnswer::Nothing))]).is_none());
    assert!(after(&[tick, (dispatch(), dispatched(1, 3))]).is_some());
}

#[test]
fn an_answer_that_the_queue_never_gives_is_blamed() {
    for (request, answer) in [
        (enqueue(1), accepted(2)),
        (enqueue(1), Some(JobAnswer::Nothing)),
        (dispatch(), accepted(1)),
        (ack(1, 1), refused(2)),
        (command(Command::Tick), refused(1)),
    ] {
        assert_eq!(blame(vec![(request, answer)]), Some("the job queue".into()));
    }
}

fn any_command() -> impl Strategy<Value = ClientRequest> {
    let attempt = || (1..4_u32, 1..3_u32).prop_map(|(number, attempt)| (id(number), attempt));
    let backoff = prop_oneof![Just(Backoff::NONE), Just(Backoff::new(3, 9))];
    let enqueue =
        (proptest::collection::vec(1..5_u32, 1..3), backoff).prop_map(|(jobs, backoff)| {
            let specs = jobs
                .into_iter()
                .map(|number| spec(number).with_timeout_ms(4).with_backoff(backoff));
            Command::Enqueue(specs.collect())
        });
    let command = prop_oneof![
        3 => enqueue,
        4 => Just(Command::Dispatch),
        2 => attempt().prop_map(|(id, attempt)| Command::Ack { id, attempt }),
        2 => attempt().prop_map(|(id, attempt)| Command::Fail { id, attempt }),
        1 => attempt().prop_map(|(id, attempt)| Command::Heartbeat { id, attempt }),
        2 => Just(Command::Tick),
        1 => Just(Command::RequeueInFlight),
        1 => attempt().prop_map(|(id, _)| Command::Revive(id)),
        1 => attempt().prop_map(|(id, _)| Command::Drop(id)),
    ];
    let status = (1..5_u32).prop_map(|number| id(number).as_str().to_owned());
    prop_oneof![
        5 => command.prop_map(ClientRequest::Job),
        1 => status.prop_map(|id| ClientRequest::JobStatus { id }),
    ]
}

/// What the library's own queue answers.
fn answer(queue: &mut JobQueue, request: &ClientRequest, now_ms: u64) -> JobAnswer {
    let command = match request {
        ClientRequest::Job(command) => command,
        ClientRequest::JobStatus { id } => {
            return JobAnswer::Status(queue.status(&JobId::new(id).unwrap()));
        }
        other => unreachable!("{other:?}"),
    };
    let events: Vec<Event> = match queue.plan(command, now_ms) {
        Ok(events) => events,
        Err(error) => {
            let reason = error.to_string();
            // Every such error names its job in quotes, and no other.
            let id = reason.split('"').nth(1).unwrap().to_owned();
            return JobAnswer::Refused { id, reason };
        }
    };
    for event in &events {
        queue.apply(event).unwrap();
    }
    let jobs: Vec<_> = events
        .iter()
        .map(|event| event.job_id.as_str().to_owned())
        .collect();
    match (command, events.first()) {
        (_, None) => JobAnswer::Nothing,
        (Command::Dispatch, Some(event)) => JobAnswer::Dispatched {
            id: jobs[0].clone(),
            attempt: queue.job(&event.job_id).unwrap().attempts(),
        },
        _ => JobAnswer::Accepted { jobs },
    }
}

/// What a request is, how long it lasts before and after it happens, and whether its answer is lost
/// (0: and its effect too).
type Planned = (ClientRequest, u64, u64, u32);

fn performed(planned: &[Planned]) -> Vec<Operation> {
    let mut queue = JobQueue::new();
    let mut history = Vec::new();
    for (moment, (request, before, after, fate)) in (1..).zip(planned) {
        let moment = moment * 4;
        let seen = (*fate > 0).then(|| answer(&mut queue, request, moment / 2));
        let seen = seen.filter(|_| *fate > 1);
        history.push(Operation {
            client: 1,
            start: moment - before.min(&moment),
            end: seen.is_some().then_some(moment + after),
            request: request.clone(),
            response: seen.map(ClientResponse::Job),
        });
    }
    history
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn what_the_library_answers_is_never_blamed(
        planned in proptest::collection::vec((any_command(), 0..16_u64, 0..16_u64, 0..12_u32), 1..40)
    ) {
        prop_assert_eq!(object_to_blame(&performed(&planned)), None);
    }

    #[test]
    fn an_attempt_that_is_repeated_is_always_blamed(
        planned in proptest::collection::vec((any_command(), 0..16_u64, 0..16_u64, 0..12_u32), 10..40)
    ) {
        let mut history = performed(&planned);
        let is_dispatched = |operation: &&Operation| {
            matches!(operation.response, Some(ClientResponse::Job(JobAnswer::Dispatched { .. })))
        };
        if let Some(again) = history.iter().find(is_dispatched).cloned() {
            history.push(again);
            prop_assert!(object_to_blame(&history).is_some());
        }
    }
}
