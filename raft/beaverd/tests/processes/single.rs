//! One node, or three, without any harm done to them: what clients are told.

use serde_json::json;

use crate::check_agreement;
use crate::nodes::{TestCluster, eventually, fast, patient};

fn alone() -> TestCluster {
    let mut cluster = TestCluster::new(1, |_, _| fast());
    cluster.start_all();
    cluster.leader();
    cluster
}

#[test]
fn a_job_goes_its_way_and_a_clean_end_forgets_nothing() {
    let mut cluster = alone();
    let node = cluster.node(1);
    let job = r#"[{"id":"a b/ü","payload":{"n": 1},"timeout_ms":1},{"id":"c","payload":0}]"#;
    assert_eq!(
        node.must("POST", "/v1/jobs", job),
        json!({ "jobs": ["a b/ü", "c"] })
    );
    let handed_out = node.must("POST", "/v1/dispatch", "");
    assert_eq!(
        (&handed_out["job"]["id"], &handed_out["job"]["attempt"]),
        (&json!("a b/ü"), &json!(1))
    );
    // Its millisecond is over: it goes to the back of the queue by itself.
    let path = "/v1/jobs/a%20b%2F%C3%BC";
    eventually("a timeout", || {
        (node.must("GET", path, "")["status"] == "pending").then_some(())
    });
    assert_eq!(node.must("POST", "/v1/dispatch", "")["job"]["id"], "c");
    assert_eq!(
        node.must("POST", "/v1/jobs/c/ack", r#"{"attempt":1}"#),
        json!({ "jobs": ["c"] })
    );
    assert_eq!(node.terminate().code(), Some(0));
    node.start();
    let status = eventually("a restart", || node.client().get("/v1/jobs/c").ok());
    assert_eq!(status.body, json!({ "id": "c", "status": "completed" }));
}

/// Method, path and body of a request; status and code of its error, and a part of the message.
type WrongRequest = (
    &'static str,
    &'static str,
    &'static str,
    u16,
    &'static str,
    &'static str,
);

const WRONG_REQUESTS: [WrongRequest; 16] = [
    (
        "POST",
        "/v1/jobs",
        r#"{"id":"a","payload":0}"#,
        409,
        "refused",
        "\"a\"",
    ),
    (
        "POST",
        "/v1/jobs",
        r#"{"id":"a"}"#,
        400,
        "invalid",
        "missing field `payload` at line 1",
    ),
    (
        "POST",
        "/v1/jobs",
        r#"{"id":"","payload":0}"#,
        400,
        "invalid",
        "must not be empty",
    ),
    ("POST", "/v1/jobs", "[1", 400, "invalid", "line 1 column"),
    (
        "POST",
        "/v1/jobs/a/ack",
        r#"{"attempt":1}"#,
        409,
        "refused",
        "\"a\"",
    ),
    (
        "POST",
        "/v1/jobs/a/paint",
        "",
        404,
        "not_found",
        "\"paint\"",
    ),
    ("GET", "/v1/jobs/zz", "", 404, "not_found", "\"zz\""),
    ("GET", "/v1/jobs/a?stale=maybe", "", 400, "invalid", "stale"),
    ("GET", "/v1/paint", "", 404, "not_found", "/v1/paint"),
    ("DELETE", "/v1/jobs", "", 405, "invalid", "DELETE"),
    ("DELETE", "/v1/members/1", "", 409, "refused", ""),
    ("POST", "/v1/jobs/a/ack", "", 400, "invalid", "it is empty"),
    ("POST", "/v1/members/x/promote", "", 400, "invalid", "\"x\""),
    ("GET", "/v1/jobs/%FF", "", 400, "invalid", "UTF-8"),
    ("POST", "/v1/jobs/%FF/drop", "", 400, "invalid", "UTF-8"),
    ("DELETE", "/v1/members/%FF", "", 400, "invalid", "UTF-8"),
];

#[test]
fn errors_say_what_is_wrong_where_and_whether_to_try_again() {
    let mut cluster = alone();
    let node = cluster.node(1);
    node.must("POST", "/v1/jobs", r#"{"id":"a","payload":0}"#);
    for (method, path, body, status, code, part) in WRONG_REQUESTS {
        let answer = node.asked(method, path, body);
        let error = &answer.body["error"];
        assert_eq!(
            (answer.status, &error["code"]),
            (status, &json!(code)),
            "{method} {path}: {error}"
        );
        assert!(
            error["message"].as_str().unwrap().contains(part),
            "{method} {path}: {error}"
        );
        assert_eq!(
            (&error["retriable"], &error["outcome"]),
            (&json!(false), &json!("not_done"))
        );
    }
}

#[test]
fn a_node_without_a_majority_says_that_there_is_no_leader_and_that_nothing_was_done() {
    let mut cluster = TestCluster::new(3, |_, _| fast());
    cluster.node(2).start();
    let answer = eventually("a node that listens", || {
        cluster.nodes[&2]
            .client()
            .post("/v1/jobs", r#"{"id":"a","payload":0}"#)
            .ok()
    });
    assert_eq!(answer.status, 503);
    let error = &answer.body["error"];
    assert_eq!(
        (&error["code"], &error["retriable"]),
        (&json!("no_leader"), &json!(true))
    );
    assert_eq!(error["outcome"], "not_done");
    let message = error["message"].as_str().unwrap();
    assert!(message.contains("belongs to no cluster yet"), "{message}");
}

#[test]
fn the_largest_requests_are_carried_out_or_refused_and_no_node_stops() {
    let mut cluster = TestCluster::new(3, |_, _| patient());
    cluster.start_all();
    cluster.leader();
    let deepest = "[".repeat(100) + &"]".repeat(100);
    let deep = format!("{{\"id\":\"deep\",\"payload\":{deepest}}}");
    let too_deep = format!("{{\"id\":\"deeper\",\"payload\":[{deepest}]}}");
    let jobs = (0..38_000).map(|number| format!("{{\"id\":\"{number}\",\"payload\":0}}"));
    let many = format!("[{}]", jobs.collect::<Vec<_>>().join(","));
    let long = format!(
        "{{\"id\":\"long\",\"payload\":\"{}\"}}",
        "x".repeat(1_000_000)
    );
    let node = cluster.node(1);
    for (body, status) in [(deep, 200), (too_deep, 400), (many, 200), (long, 200)] {
        let answer = node.asked("POST", "/v1/jobs", &body);
        assert_eq!(answer.status, status, "{}…: {}", &body[..40], answer.body);
    }
    for id in [1, 2, 3] {
        cluster.node(id).kill();
        cluster.node(id).start();
    }
    check_agreement(&cluster);
    let view = cluster.nodes[&2].must("GET", "/v1/stats", "");
    assert_eq!(view["pending"], 38_002);
}
