//! The network between the nodes is cut, one way or both ways, under load.

use std::thread::sleep;
use std::time::Duration;

use beaver::{Command, JobId, JobSpec, Payload};
use beaver_cluster::linearizability::{DEFAULT_BUDGET, HistoryVerdict, judge};
use beaver_cluster::operation::{ClientRequest, ClientResponse, JobAnswer, Operation};

use crate::check_under_load;
use crate::http::HttpAnswer;
use crate::load::meaning;
use crate::nodes::{TestCluster, eventually, fast};
use crate::proxies::Proxies;

/// Three nodes that reach each other through proxies.
fn through_proxies() -> (TestCluster, Proxies) {
    let mut proxies = None;
    let mut cluster = TestCluster::new(3, |id, addresses| {
        let proxies = proxies.get_or_insert_with(|| Proxies::between(addresses));
        [fast(), proxies.routes(id)].concat()
    });
    cluster.start_all();
    cluster.leader();
    (cluster, proxies.unwrap())
}

/// All ways between `one` and the others, from and to it.
fn around(one: u64) -> impl Iterator<Item = (u64, u64)> {
    let others = (1..=3).filter(move |id| *id != one);
    others.flat_map(move |other| [(one, other), (other, one)])
}

#[test]
fn what_clients_saw_is_linearizable_though_the_network_is_cut() {
    let (mut cluster, proxies) = through_proxies();
    check_under_load(&mut cluster, |_, draws| {
        let one = 1 + draws.below(3);
        match draws.below(4) {
            0 => proxies.cut(around(one)),
            1 => proxies.cut(around(one).filter(|(from, _)| *from == one)),
            2 => proxies.cut(around(one).filter(|(_, to)| *to == one)),
            _ => proxies.cut([(one, 1 + one % 3)]),
        }
        sleep(Duration::from_millis(200 + draws.below(1_500)));
        proxies.cut([]);
    });
}

#[test]
fn a_leader_that_is_cut_off_answers_no_read_but_a_stale_one() {
    let (cluster, proxies) = through_proxies();
    let old = cluster.leader();
    cluster.nodes[&old].must("POST", "/v1/jobs", r#"{"id":"a","payload":1}"#);
    proxies.cut(around(old));
    let others: Vec<_> = cluster.nodes.iter().filter(|(id, _)| **id != old).collect();
    eventually("a job that the others enqueue", || {
        let answer = others[0]
            .1
            .asked("POST", "/v1/jobs", r#"{"id":"b","payload":2}"#);
        (answer.status == 200 || answer.status == 409).then_some(())
    });
    let fresh = cluster.nodes[&old].asked("GET", "/v1/jobs/b", "");
    assert_eq!(fresh.status, 503, "{}", fresh.body);
    assert_eq!(fresh.body["error"]["code"], "no_leader");
    assert_eq!(fresh.body["error"]["retriable"], true);
    let stale = cluster.nodes[&old].asked("GET", "/v1/jobs/b?stale=true", "");
    assert_eq!(stale.status, 404, "{}", stale.body);
    check_that_the_judge_objects(&stale);
    let known = cluster.nodes[&old].asked("GET", "/v1/jobs/a?stale=true", "");
    assert_eq!(known.status, 200, "{}", known.body);
    let lost = cluster.nodes[&old].asked("POST", "/v1/jobs", r#"{"id":"c","payload":3}"#);
    assert!([503, 504].contains(&lost.status), "{}", lost.body);
    proxies.cut([]);
    eventually("the old leader reads what the others wrote", || {
        (cluster.nodes[&old].asked("GET", "/v1/jobs/b", "").status == 200).then_some(())
    });
}

/// Were the stale answer given for a fresh one, the judge would say so.
fn check_that_the_judge_objects(stale: &HttpAnswer) {
    let id = JobId::new("b").unwrap();
    let spec = JobSpec::new(id, Payload::new("2").unwrap());
    let enqueue = ClientRequest::Job(Command::Enqueue(vec![spec]));
    let look = ClientRequest::JobStatus { id: "b".to_owned() };
    let jobs = vec!["b".to_owned()];
    let enqueued = ClientResponse::Job(JobAnswer::Accepted { jobs });
    let seen = meaning(&look, stale);
    let operation = |client, start, request, response| Operation {
        client,
        start,
        end: Some(start + 1),
        request,
        response: Some(response),
    };
    let history = [
        operation(0, 0, enqueue, enqueued),
        operation(1, 2, look, seen),
    ];
    let verdict = judge(&history, DEFAULT_BUDGET);
    assert!(
        matches!(verdict, HistoryVerdict::NotLinearizable(_)),
        "{verdict:?}"
    );
}
