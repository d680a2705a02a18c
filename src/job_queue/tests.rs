//! Claims about the job queue, by example.

use std::num::NonZeroU32;

use super::*;
use crate::event::{Backoff, EventKind, EventType, Payload};

fn id(name: &str) -> JobId {
    JobId::new(name).unwrap()
}

fn spec(name: &str) -> JobSpec {
    JobSpec::new(id(name), Payload::new(r#"{"n":1}"#).unwrap())
}

fn with_limit(name: &str, attempts: u32) -> JobSpec {
    spec(name).with_max_attempts(NonZeroU32::new(attempts).unwrap())
}

/// Plans and applies, as a controller does, and checks that the state still holds together.
fn run(queue: &mut JobQueue, command: &Command, now_ms: u64) -> Vec<EventType> {
    let events = queue.plan(command, now_ms).unwrap();
    for event in &events {
        queue.apply(event).unwrap();
    }
    queue.verify().unwrap();
    events.iter().map(Event::event_type).collect()
}

fn ack(name: &str, attempt: u32) -> Command {
    let id = id(name);
    Command::Ack { id, attempt }
}

fn fail(name: &str, attempt: u32) -> Command {
    let id = id(name);
    Command::Fail { id, attempt }
}

fn heartbeat(name: &str, attempt: u32) -> Command {
    let id = id(name);
    Command::Heartbeat { id, attempt }
}

fn queue_of(specs: impl IntoIterator<Item = JobSpec>) -> JobQueue {
    let mut queue = JobQueue::new();
    run(
        &mut queue,
        &Command::Enqueue(specs.into_iter().collect()),
        0,
    );
    queue
}

fn pending(queue: &JobQueue) -> Vec<&str> {
    queue.pending().map(|(id, _)| id.as_str()).collect()
}

fn check_refused(queue: &JobQueue, event: &Event, expected: &JobError) {
    let mut after = queue.clone();
    assert_eq!(after.apply(event).as_ref(), Err(expected));
    assert_eq!(&after, queue, "a refused event changed the state");
}

#[test]
fn jobs_are_dispatched_first_in_first_out() {
    let mut queue = queue_of([spec("b"), spec("a"), spec("c")]);
    for expected in ["b", "a", "c"] {
        let events = queue.plan(&Command::Dispatch, 1).unwrap();
        assert_eq!(events[0].job_id.as_str(), expected);
        run(&mut queue, &Command::Dispatch, 1);
    }
    assert_eq!(queue.plan(&Command::Dispatch, 1), Ok(vec![]));
}

#[test]
fn failed_job_goes_to_the_back_of_the_queue() {
    let mut queue = queue_of([spec("a"), spec("b")]);
    run(&mut queue, &Command::Dispatch, 1);
    assert_eq!(run(&mut queue, &fail("a", 1), 2), [EventType::Retry]);
    assert_eq!(pending(&queue), ["b", "a"]);
}

#[test]
fn attempt_is_counted_once_at_dispatch() {
    let mut queue = queue_of([spec("a")]);
    for attempts in 1..=3 {
        assert_eq!(queue.job(&id("a")).unwrap().attempts(), attempts - 1);
        run(&mut queue, &Command::Dispatch, 1);
        assert_eq!(queue.job(&id("a")).unwrap().attempts(), attempts);
        run(&mut queue, &fail("a", attempts), 1);
        assert_eq!(queue.job(&id("a")).unwrap().attempts(), attempts);
    }
}

#[test]
fn job_without_attempts_left_dies_on_failure() {
    let mut queue = queue_of([with_limit("a", 1)]);
    run(&mut queue, &Command::Dispatch, 1);
    assert_eq!(run(&mut queue, &fail("a", 1), 2), [EventType::Dead]);
    assert_eq!(queue.status(&id("a")), Some(JobStatus::Dead));
    assert_eq!(
        queue.plan(&Command::Dispatch, 3),
        Ok(vec![]),
        "a dead job was handed out"
    );
}

#[test]
fn job_without_attempts_left_dies_on_timeout_and_the_log_says_so() {
    let mut queue = queue_of([
        with_limit("a", 1).with_timeout_ms(10),
        spec("b").with_timeout_ms(10),
    ]);
    run(&mut queue, &Command::Dispatch, 1);
    run(&mut queue, &Command::Dispatch, 1);
    assert_eq!(
        run(&mut queue, &Command::Tick, 11),
        [EventType::Dead, EventType::Timeout]
    );
}

#[test]
fn deadline_comes_from_the_event_and_saturates() {
    let mut queue = queue_of([
        spec("a").with_timeout_ms(5),
        spec("b").with_timeout_ms(u64::MAX),
    ]);
    run(&mut queue, &Command::Dispatch, 100);
    run(&mut queue, &Command::Dispatch, 100);
    assert_eq!(
        queue.status(&id("a")),
        Some(JobStatus::InFlight { deadline_ms: 105 })
    );
    assert_eq!(
        queue.status(&id("b")),
        Some(JobStatus::InFlight {
            deadline_ms: u64::MAX
        })
    );
    assert_eq!(queue.next_tick_ms(100), Some(105));
}

#[test]
fn tick_takes_what_is_due_in_the_order_of_deadlines_then_names() {
    let timeouts = [("d", 30), ("c", 20), ("b", 10), ("a", 20), ("e", 21)];
    let mut queue = queue_of(timeouts.map(|(name, ms)| spec(name).with_timeout_ms(ms)));
    for _ in timeouts {
        run(&mut queue, &Command::Dispatch, 0);
    }
    assert_eq!(queue.plan(&Command::Tick, 9), Ok(vec![]));
    run(&mut queue, &Command::Tick, 20);
    assert_eq!(pending(&queue), ["b", "a", "c"]);
    assert_eq!(queue.next_tick_ms(20), Some(21));
}

#[test]
fn requeue_takes_everything_in_flight_and_counts_no_attempt() {
    let mut queue = queue_of([with_limit("a", 1), spec("b")]);
    run(&mut queue, &Command::Dispatch, 0);
    run(&mut queue, &Command::Dispatch, 0);
    let types = run(&mut queue, &Command::RequeueInFlight, 0);
    assert_eq!(types, [EventType::Dead, EventType::Retry]);
    assert_eq!(queue.job(&id("b")).unwrap().attempts(), 1);
    assert_eq!(queue.plan(&Command::RequeueInFlight, 0), Ok(vec![]));
}

#[test]
fn plan_for_very_many_jobs_fits_into_one_append() {
    let count = JobQueue::PLAN_LIMIT + 1;
    let name = |number| format!("{number:0>256}").replace('0', "\0");
    let mut queue = queue_of((0..count).map(|number| spec(&name(number)).with_timeout_ms(0)));
    for number in 0..count {
        queue
            .apply(&Event::new(id(&name(number)), 0, EventKind::Dispatch))
            .unwrap();
    }
    for command in [Command::Tick, Command::RequeueInFlight] {
        let mut queue = queue.clone();
        let mut bytes = Vec::new();
        for event in queue.plan(&command, u64::MAX).unwrap() {
            crate::LogEvent::encode(&event, &mut bytes);
        }
        assert!(bytes.len() < 32 << 20, "{}", bytes.len());
        assert_eq!(run(&mut queue, &command, 0).len(), JobQueue::PLAN_LIMIT);
        assert_eq!(run(&mut queue, &command, 0).len(), 1);
        assert_eq!(queue.plan(&command, 0), Ok(vec![]));
    }
}

#[test]
fn finished_name_is_never_accepted_again() {
    let mut queue = queue_of([spec("done"), with_limit("dead", 1)]);
    run(&mut queue, &Command::Dispatch, 0);
    run(&mut queue, &Command::Dispatch, 0);
    run(&mut queue, &ack("done", 1), 0);
    run(&mut queue, &fail("dead", 1), 0);
    for (name, status) in [("done", JobStatus::Completed), ("dead", JobStatus::Dead)] {
        let refused = queue.plan(&Command::Enqueue(vec![spec(name)]), 0);
        assert_eq!(
            refused,
            Err(JobError::AlreadyEnqueued {
                id: id(name),
                status
            })
        );
    }
}

#[test]
fn list_of_jobs_is_refused_whole() {
    let queue = queue_of([spec("a")]);
    let known = Command::Enqueue(vec![spec("b"), spec("a")]);
    let status = JobStatus::Pending;
    assert_eq!(
        queue.plan(&known, 0),
        Err(JobError::AlreadyEnqueued {
            id: id("a"),
            status
        })
    );
    let repeated = Command::Enqueue(vec![spec("b"), spec("c"), spec("b")]);
    assert_eq!(
        queue.plan(&repeated, 0),
        Err(JobError::Repeated { id: id("b") })
    );
    assert_eq!(queue.plan(&Command::Enqueue(vec![]), 0), Ok(vec![]));
}

#[test]
fn commands_on_jobs_that_are_not_in_flight_are_refused() {
    let mut queue = queue_of([spec("a"), spec("b")]);
    run(&mut queue, &Command::Dispatch, 0);
    run(&mut queue, &ack("a", 1), 0);
    let wrong = |name, status, event| {
        Err(JobError::WrongStatus {
            id: id(name),
            status,
            event,
        })
    };
    assert_eq!(
        queue.plan(&ack("a", 1), 0),
        wrong("a", JobStatus::Completed, EventType::Ack)
    );
    assert_eq!(
        queue.plan(&fail("b", 1), 0),
        wrong("b", JobStatus::Pending, EventType::Retry)
    );
    let unknown = Err(JobError::Unknown { id: id("x") });
    assert_eq!(queue.plan(&ack("x", 1), 0), unknown);
}

#[test]
fn dispatch_out_of_turn_is_refused() {
    let queue = queue_of([spec("a"), spec("b")]);
    let (id, front) = (id("b"), id("a"));
    let event = Event::new(id.clone(), 0, EventKind::Dispatch);
    check_refused(&queue, &event, &JobError::OutOfTurn { id, front });
}

fn retry(attempt: u32) -> EventKind {
    let (attempt, delay_ms) = (Some(attempt), 0);
    EventKind::Retry { attempt, delay_ms }
}

fn timeout(attempt: u32) -> EventKind {
    let (attempt, delay_ms) = (Some(attempt), 0);
    EventKind::Timeout { attempt, delay_ms }
}

#[test]
fn retry_and_timeout_without_attempts_left_are_refused() {
    let mut queue = queue_of([with_limit("a", 1)]);
    run(&mut queue, &Command::Dispatch, 0);
    for (kind, event) in [
        (retry(1), EventType::Retry),
        (timeout(1), EventType::Timeout),
    ] {
        let refused = JobError::NoAttemptsLeft {
            id: id("a"),
            attempts: 1,
            event,
        };
        check_refused(&queue, &Event::new(id("a"), 0, kind), &refused);
    }
}

#[test]
fn dead_is_legal_with_attempts_left() {
    let mut queue = queue_of([spec("a")]);
    run(&mut queue, &Command::Dispatch, 0);
    queue
        .apply(&Event::new(id("a"), 0, EventKind::Dead { attempt: None }))
        .unwrap();
    queue.verify().unwrap();
    assert_eq!(queue.dead_letters().count(), 1);
}

#[test]
fn second_dispatch_of_a_job_in_flight_is_refused() {
    let mut queue = queue_of([spec("a")]);
    run(&mut queue, &Command::Dispatch, 0);
    let status = queue.status(&id("a")).unwrap();
    let refused = JobError::WrongStatus {
        id: id("a"),
        status,
        event: EventType::Dispatch,
    };
    check_refused(
        &queue,
        &Event::new(id("a"), 1, EventKind::Dispatch),
        &refused,
    );
}

#[test]
fn dead_letters_keep_their_payload_and_order() {
    let mut queue = queue_of([with_limit("b", 1), with_limit("a", 1)]);
    for name in ["b", "a"] {
        run(&mut queue, &Command::Dispatch, 0);
        run(&mut queue, &fail(name, 1), 0);
    }
    let dead: Vec<_> = queue
        .dead_letters()
        .map(|(id, job)| (id.as_str(), job.payload().as_str()))
        .collect();
    assert_eq!(dead, [("b", r#"{"n":1}"#), ("a", r#"{"n":1}"#)]);
}

fn snapshot(queue: &JobQueue) -> String {
    let mut out = Vec::new();
    queue.snapshot(&mut out);
    String::from_utf8(out).unwrap()
}

/// One job in each place, its payload spelled in a way that no writer would choose.
fn one_of_each() -> JobQueue {
    let odd = Payload::new(r#"{ "n" : 9007199254740993 }"#).unwrap();
    let dead = JobSpec::new(id("dead"), odd).with_max_attempts(NonZeroU32::MIN);
    let late = spec("late").with_backoff(Backoff::new(100, 9_000));
    let mut queue = queue_of([
        dead,
        spec("done"),
        spec("flying"),
        spec("z"),
        late,
        with_limit("dropped", 1),
        with_limit("again", 1),
        spec("a"),
    ]);
    for _ in 0..3 {
        run(&mut queue, &Command::Dispatch, 100);
    }
    for _ in 0..4 {
        run(&mut queue, &Command::Dispatch, 101);
    }
    run(&mut queue, &ack("done", 1), 102);
    run(&mut queue, &fail("dead", 1), 103);
    run(&mut queue, &fail("z", 1), 104);
    run(&mut queue, &fail("late", 1), 105);
    run(&mut queue, &fail("dropped", 1), 106);
    run(&mut queue, &fail("again", 1), 106);
    run(&mut queue, &Command::Drop(id("dropped")), 107);
    run(&mut queue, &Command::Revive(id("again")), 107);
    queue
}

const ONE_OF_EACH: &str = concat!(
    r#"{"jobs":["#,
    r#"{"id":"dead","payload":{ "n" : 9007199254740993 },"max_attempts":1,"timeout_ms":60000,"#,
    r#""attempts":1},"#,
    r#""done","#,
    r#"{"id":"flying","payload":{"n":1},"max_attempts":3,"timeout_ms":60000,"attempts":1,"#,
    r#""deadline_ms":60100},"#,
    r#"{"id":"z","payload":{"n":1},"max_attempts":3,"timeout_ms":60000,"attempts":1},"#,
    r#"{"id":"late","payload":{"n":1},"max_attempts":3,"timeout_ms":60000,"#,
    r#""backoff_ms":100,"max_backoff_ms":9000,"attempts":1,"ready_ms":205,"delay_ms":100},"#,
    r#"{"dropped":"dropped"},"#,
    r#"{"id":"again","payload":{"n":1},"max_attempts":1,"timeout_ms":60000,"attempts":1,"#,
    r#""last_attempt":2},"#,
    r#"{"id":"a","payload":{"n":1},"max_attempts":3,"timeout_ms":60000,"attempts":0}],"#,
    r#""pending":[7,3,6],"dead":[0]}"#,
);

#[test]
fn snapshot_keeps_order_payload_bytes_and_finished_names() {
    let queue = one_of_each();
    assert_eq!(snapshot(&queue), ONE_OF_EACH);
    assert_eq!(JobQueue::restore(ONE_OF_EACH.as_bytes()), Ok(queue));
}

#[test]
fn empty_state_has_a_snapshot() {
    let json = r#"{"jobs":[],"pending":[],"dead":[]}"#;
    assert_eq!(snapshot(&JobQueue::new()), json);
    assert_eq!(JobQueue::restore(json.as_bytes()), Ok(JobQueue::new()));
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table of claims, one a line")]
fn snapshot_that_says_something_impossible_is_refused() {
    for (from, to, reason) in [
        (r#""id":"a""#, r#""id":"z""#, "job \"z\" is there twice"),
        (r#""done""#, r#""dead""#, "job \"dead\" is there twice"),
        (
            r#""attempts":0}]"#,
            r#""attempts":3}]"#,
            "pending with 3 of 3 attempts",
        ),
        (
            r#""attempts":1,"dead"#,
            r#""attempts":0,"dead"#,
            "in flight with 0 of 3 attempts",
        ),
        (
            r#""attempts":1,"dead"#,
            r#""attempts":4,"dead"#,
            "in flight with 4 of 3 attempts",
        ),
        (
            r#""attempts":1},"done""#,
            r#""attempts":0},"done""#,
            "dead with 0 of 1 attempts",
        ),
        (
            r#""attempts":1,"ready"#,
            r#""attempts":3,"ready"#,
            "delayed with 3 of 3 attempts",
        ),
        (
            r#""delay_ms":100"#,
            r#""delay_ms":0"#,
            "a delay that has a beginning",
        ),
        (
            r#""delay_ms":100"#,
            r#""delay_ms":206"#,
            "a delay that has a beginning",
        ),
        (
            r#","max_backoff_ms":9000"#,
            "",
            "expected ,\"max_backoff_ms\":",
        ),
        (
            r#""last_attempt":2"#,
            r#""last_attempt":1"#,
            "\"again\" is pending with 1 of 1 attempts",
        ),
        (
            r#""last_attempt":2"#,
            r#""last_attempt":3"#,
            "\"again\" is pending with 1 of 3 attempts",
        ),
        (
            r#""last_attempt":2"#,
            r#""last_attempt":0"#,
            "\"again\" is pending with 1 of 0 attempts",
        ),
        (
            r#"{"dropped":"dropped"}"#,
            r#"{"dropped":"z"}"#,
            "there twice",
        ),
        (
            r#","deadline_ms":60100"#,
            "",
            "job \"flying\" is in no list",
        ),
        ("[7,3,6]", "[7,6]", "job \"z\" is in no list"),
        ("[7,3,6]", "[7,3,6,7]", "number 7 cannot be listed"),
        (
            "[7,3,6]",
            "[7,3,6,0]",
            "dead\" is pending with 1 of 1 attempts",
        ),
        ("[7,3,6]", "[7,3,6,1]", "number 1 cannot be listed"),
        ("[7,3,6]", "[7,3,6,2]", "number 2 cannot be listed"),
        ("[7,3,6]", "[7,3,6,4]", "number 4 cannot be listed"),
        ("[7,3,6]", "[7,3,6,5]", "number 5 cannot be listed"),
        ("[7,3,6]", "[7,3,6,8]", "number 8 cannot be listed"),
        ("[7,3,6]", "[7,-3]", "expected a number"),
        ("[7,3,6]", "[7,3,]", "expected a number"),
        ("[7,3,6]", "[7 ,3]", "expected , at byte"),
        (
            r#""max_attempts":1,"#,
            r#""max_attempts":0,"#,
            "a limit above 0",
        ),
        (
            r#""max_attempts":1,"#,
            r#""max_attempts":4294967296,"#,
            "a number below 2^32",
        ),
        (
            r#""max_attempts":1,"#,
            r#""max_attempts":01,"#,
            "without leading zeros",
        ),
        (r#""max_attempts":1,"#, r#""max_attempts":,"#, "a number"),
        (r#""id":"a""#, r#""id":"""#, "empty"),
        (r#""id":"a""#, r#""id":"\ud800""#, "whole characters"),
        (r#""id":"a""#, r#""id":5"#, "a string"),
        (
            r#""payload":{"n":1}"#,
            r#""payload":{"n":}"#,
            "a JSON value",
        ),
        (r#""dead":[0]"#, r#""dead":[0],"more":1"#, "expected }"),
        (r#"[0]}"#, r#"[0]} "#, "the end"),
        (r#"{"jobs""#, r#"{ "jobs""#, "expected {"),
    ] {
        assert!(ONE_OF_EACH.contains(from), "{from}");
        let json = ONE_OF_EACH.replacen(from, to, 1);
        let error = JobQueue::restore(json.as_bytes())
            .expect_err(to)
            .to_string();
        assert!(
            error.contains(reason),
            "{to}: {error:?} does not say {reason:?}"
        );
    }
}

#[test]
fn late_report_is_refused_and_names_both_attempts() {
    let mut queue = queue_of([with_limit("a", 2).with_timeout_ms(10)]);
    run(&mut queue, &Command::Dispatch, 0);
    run(&mut queue, &Command::Tick, 10);
    run(&mut queue, &Command::Dispatch, 11);
    for (late, event) in [
        (ack("a", 1), EventType::Ack),
        (fail("a", 1), EventType::Retry),
        (heartbeat("a", 1), EventType::Heartbeat),
    ] {
        let refused = JobError::WrongAttempt {
            id: id("a"),
            attempt: 1,
            current: 2,
            event,
        };
        assert_eq!(queue.plan(&late, 12), Err(refused));
    }
    for kind in [retry(1), timeout(1), EventKind::Ack { attempt: Some(3) }] {
        let refused = JobError::WrongAttempt {
            id: id("a"),
            attempt: kind.attempt().unwrap(),
            current: 2,
            event: kind.event_type(),
        };
        check_refused(&queue, &Event::new(id("a"), 12, kind), &refused);
    }
    run(&mut queue, &ack("a", 2), 12);
    assert_eq!(queue.status(&id("a")), Some(JobStatus::Completed));
}

#[test]
fn late_report_says_what_it_is_about() {
    let mut queue = queue_of([spec("a").with_timeout_ms(10)]);
    run(&mut queue, &Command::Dispatch, 0);
    run(&mut queue, &Command::Tick, 10);
    run(&mut queue, &Command::Dispatch, 11);
    assert_eq!(
        queue.plan(&ack("a", 1), 12).unwrap_err().to_string(),
        "ACK of attempt 1 of job \"a\", which is at attempt 2"
    );
}

#[test]
fn report_that_names_no_attempt_is_not_checked() {
    let mut queue = queue_of([spec("a"), spec("b")]);
    for attempt in [1, 2] {
        run(&mut queue, &Command::Dispatch, 0);
        run(&mut queue, &Command::Dispatch, 0);
        run(&mut queue, &fail("b", attempt), 0);
        let (attempt, delay_ms) = (None, 0);
        let old = Event::new(id("a"), 0, EventKind::Retry { attempt, delay_ms });
        queue.apply(&old).unwrap();
    }
    run(&mut queue, &Command::Dispatch, 0);
    run(&mut queue, &Command::Dispatch, 0);
    let old = Event::new(id("a"), 0, EventKind::Ack { attempt: None });
    queue.apply(&old).unwrap();
    assert_eq!(queue.status(&id("a")), Some(JobStatus::Completed));
}

#[test]
fn heartbeat_gives_the_attempt_its_whole_time_again() {
    let mut queue = queue_of([spec("a").with_timeout_ms(10)]);
    run(&mut queue, &Command::Dispatch, 0);
    assert_eq!(
        run(&mut queue, &heartbeat("a", 1), 7),
        [EventType::Heartbeat]
    );
    assert_eq!(queue.plan(&Command::Tick, 16), Ok(vec![]));
    assert_eq!(queue.next_tick_ms(16), Some(17));
    assert_eq!(run(&mut queue, &Command::Tick, 17), [EventType::Timeout]);
}

#[test]
fn failed_job_waits_twice_as_long_each_time_and_others_go_first() {
    let patient = with_limit("a", 9).with_backoff(Backoff::new(100, 350));
    let mut queue = queue_of([patient, with_limit("b", 9)]);
    let mut now_ms = 0;
    for (attempt, delay_ms) in (1..).zip([100, 200, 350, 350]) {
        assert_eq!(pending(&queue)[0], "a");
        run(&mut queue, &Command::Dispatch, now_ms);
        run(&mut queue, &fail("a", attempt), now_ms);
        let until_ms = now_ms + delay_ms;
        assert_eq!(
            queue.status(&id("a")),
            Some(JobStatus::Delayed {
                since_ms: now_ms,
                until_ms
            })
        );
        assert_eq!(pending(&queue), ["b"]);
        assert_eq!(queue.plan(&Command::Tick, until_ms - 1), Ok(vec![]));
        assert_eq!(queue.next_tick_ms(now_ms), Some(until_ms));
        now_ms = until_ms;
        assert_eq!(run(&mut queue, &Command::Tick, now_ms), [EventType::Ready]);
        assert_eq!(pending(&queue), ["b", "a"]);
        // The other one comes back at once, after it.
        run(&mut queue, &Command::Dispatch, now_ms);
        run(&mut queue, &Command::RequeueInFlight, now_ms);
        if attempt == 2 {
            queue = JobQueue::restore(snapshot(&queue).as_bytes()).unwrap();
        }
    }
}

#[test]
fn attempt_that_took_too_long_is_delayed_and_one_whose_worker_is_gone_is_not() {
    let patient = |name| {
        spec(name)
            .with_timeout_ms(10)
            .with_backoff(Backoff::new(5, 5))
    };
    let mut queue = queue_of([patient("a"), patient("b")]);
    run(&mut queue, &Command::Dispatch, 0);
    run(&mut queue, &Command::Tick, 10);
    run(&mut queue, &Command::Dispatch, 10);
    run(&mut queue, &Command::RequeueInFlight, 10);
    assert_eq!(pending(&queue), ["b"]);
    assert_eq!(
        queue.status(&id("a")),
        Some(JobStatus::Delayed {
            since_ms: 10,
            until_ms: 15
        })
    );
    assert_eq!(queue.delayed().count(), 1);
    assert_eq!(queue.counts().delayed, 1);
    assert_eq!(queue.counts().total(), 2);
}

#[test]
fn revived_job_has_all_its_attempts_and_none_of_its_old_reports() {
    let mut queue = queue_of([with_limit("a", 2)]);
    for attempt in [1, 2] {
        run(&mut queue, &Command::Dispatch, 0);
        run(&mut queue, &fail("a", attempt), 0);
    }
    run(&mut queue, &Command::Enqueue(vec![spec("b")]), 0);
    assert_eq!(queue.status(&id("a")), Some(JobStatus::Dead));
    run(&mut queue, &Command::Revive(id("a")), 0);
    assert_eq!(pending(&queue), ["b", "a"]);
    let job = queue.job(&id("a")).unwrap();
    assert_eq!((job.attempts(), job.attempts_used()), (2, 0));
    assert_eq!(job.payload().as_str(), r#"{"n":1}"#);
    run(&mut queue, &Command::Dispatch, 0);
    run(&mut queue, &Command::Dispatch, 0);
    assert!(matches!(
        queue.plan(&ack("a", 1), 0),
        Err(JobError::WrongAttempt { current: 3, .. })
    ));
    run(&mut queue, &fail("a", 3), 0);
    run(&mut queue, &Command::Dispatch, 0);
    assert_eq!(run(&mut queue, &fail("a", 4), 0), [EventType::Dead]);
}

#[test]
fn job_whose_numbers_are_used_up_is_not_revived() {
    let json = snapshot(&one_of_each()).replace(
        r#""attempts":1,"last_attempt":2"#,
        r#""attempts":4294967295,"last_attempt":4294967295"#,
    );
    let json = json.replace(
        r#""pending":[7,3,6],"dead":[0]"#,
        r#""pending":[7,3],"dead":[0,6]"#,
    );
    let queue = JobQueue::restore(json.as_bytes()).unwrap();
    let refused = JobError::NoAttemptsLeft {
        id: id("again"),
        attempts: u32::MAX,
        event: EventType::Revive,
    };
    check_refused(
        &queue,
        &Event::new(id("again"), 0, EventKind::Revive),
        &refused,
    );
}

#[test]
fn dropped_job_leaves_its_name() {
    let mut queue = queue_of([with_limit("a", 1), with_limit("b", 1), with_limit("c", 1)]);
    for name in ["a", "b", "c"] {
        run(&mut queue, &Command::Dispatch, 0);
        run(&mut queue, &fail(name, 1), 0);
    }
    run(&mut queue, &Command::Drop(id("b")), 0);
    let dead: Vec<_> = queue.dead_letters().map(|(id, _)| id.as_str()).collect();
    assert_eq!(dead, ["a", "c"]);
    let dropped: Vec<_> = queue.dropped().map(JobId::as_str).collect();
    assert_eq!(dropped, ["b"]);
    assert_eq!(queue.job(&id("b")), None);
    let counts = queue.counts();
    assert_eq!((counts.dead, counts.dropped, counts.total()), (2, 1, 3));
    let status = JobStatus::Dropped;
    let again = queue.plan(&Command::Enqueue(vec![spec("b")]), 0);
    assert_eq!(
        again,
        Err(JobError::AlreadyEnqueued {
            id: id("b"),
            status
        })
    );
    for command in [Command::Drop(id("b")), Command::Revive(id("b"))] {
        assert!(matches!(
            queue.plan(&command, 0),
            Err(JobError::WrongStatus {
                status: JobStatus::Dropped,
                ..
            })
        ));
    }
    let restored = JobQueue::restore(snapshot(&queue).as_bytes());
    assert_eq!(restored, Ok(queue));
}

/// A year in milliseconds.
const YEAR_MS: u64 = 365 * 24 * 3_600 * 1_000;

#[test]
fn deadline_of_a_clock_that_was_a_year_ahead_locks_no_job_for_a_year() {
    let mut queue = queue_of([spec("a").with_timeout_ms(10)]);
    run(&mut queue, &Command::Dispatch, YEAR_MS);
    // The clock is right again: its worker may be at work, so it has its time, and no more.
    assert_eq!(queue.next_tick_ms(0), Some(0));
    assert_eq!(run(&mut queue, &Command::Tick, 0), [EventType::Heartbeat]);
    assert_eq!(queue.plan(&Command::Tick, 9), Ok(vec![]));
    assert_eq!(run(&mut queue, &Command::Tick, 10), [EventType::Timeout]);
}

#[test]
fn heartbeat_after_the_clock_was_set_back_brings_the_deadline_back_too() {
    let mut queue = queue_of([spec("a").with_timeout_ms(10)]);
    run(&mut queue, &Command::Dispatch, YEAR_MS);
    run(&mut queue, &heartbeat("a", 1), 3);
    assert_eq!(
        queue.status(&id("a")),
        Some(JobStatus::InFlight { deadline_ms: 13 })
    );
}

#[test]
fn delay_of_a_clock_that_was_a_year_ahead_is_over() {
    let mut queue = queue_of([spec("a").with_backoff(Backoff::new(10, 10))]);
    run(&mut queue, &Command::Dispatch, YEAR_MS);
    run(&mut queue, &fail("a", 1), YEAR_MS);
    assert_eq!(queue.next_tick_ms(YEAR_MS), Some(YEAR_MS + 10));
    assert_eq!(run(&mut queue, &Command::Tick, 0), [EventType::Ready]);
}

#[test]
fn time_without_end_stays_without_end_when_the_clock_jumps() {
    let mut queue = queue_of([spec("a").with_timeout_ms(u64::MAX)]);
    run(&mut queue, &Command::Dispatch, YEAR_MS);
    for now_ms in [0, 1, YEAR_MS, u64::MAX - 1] {
        assert_eq!(queue.plan(&Command::Tick, now_ms), Ok(vec![]), "{now_ms}");
    }
}
