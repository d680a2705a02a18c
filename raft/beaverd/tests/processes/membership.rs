//! Nodes join and leave, and hand over the lead.

use std::fs;

use serde_json::{Value, json};

use crate::load::Load;
use crate::nodes::{TestCluster, eventually, fast, free_address};
use crate::{check_agreement, check_history, seed};

fn voters(members: &Value) -> Vec<u64> {
    let rows = members["members"].as_array().unwrap().iter();
    let voting = rows.filter(|row| row["votes"] == true);
    voting.map(|row| row["id"].as_u64().unwrap()).collect()
}

fn enqueue(cluster: &TestCluster, node: u64, count: u64) {
    for number in 0..count {
        let job = json!({ "id": format!("{node}-{number}"), "payload": number }).to_string();
        cluster.nodes[&node].must("POST", "/v1/jobs", &job);
    }
}

#[test]
fn a_node_is_added_promoted_and_another_removed_while_clients_ask() {
    let mut cluster = TestCluster::running();
    let addresses = cluster.addresses();
    let load = Load::start(3, &addresses, seed());
    load.wait_for(200);
    let address = free_address();
    cluster.add(4, address, fast());
    cluster.node(4).start();
    let joining = json!({ "id": 4, "address": address }).to_string();
    eventually("a node that listens", || {
        (cluster.nodes[&1]
            .asked("POST", "/v1/members", &joining)
            .status
            == 200)
            .then_some(())
    });
    let again = cluster.nodes[&2].asked("POST", "/v1/members", &joining);
    assert_eq!(
        (again.status, &again.body["error"]["code"]),
        (409, &json!("refused"))
    );
    let members = cluster.nodes[&2].must("POST", "/v1/members/4/promote", "");
    assert_eq!(voters(&members), [1, 2, 3, 4]);

    let led = cluster.nodes[&1].must("POST", "/v1/leader", r#"{"to":4}"#);
    assert_eq!(led, json!({ "leader": 4 }));
    let removed = cluster.nodes[&4].must("DELETE", "/v1/members/1", "");
    assert_eq!(voters(&removed), [2, 3, 4]);
    let unknown = cluster.nodes[&4].asked("DELETE", "/v1/members/9", "");
    assert_eq!(unknown.status, 404, "{}", unknown.body);
    let not_a_voter = cluster.nodes[&4].asked("POST", "/v1/leader", r#"{"to":1}"#);
    assert_eq!(not_a_voter.status, 409, "{}", not_a_voter.body);

    load.wait_for(200);
    cluster.node(1).kill();
    cluster.nodes.remove(&1);
    let history = load.finish(&cluster.addresses());
    check_history(&history);
    check_agreement(&cluster);
}

#[test]
fn a_leader_that_is_removed_is_followed_by_another() {
    let cluster = TestCluster::running();
    let leader = cluster.leader();
    let members = cluster.nodes[&leader].must("DELETE", &format!("/v1/members/{leader}"), "");
    assert_eq!(voters(&members).len(), 2);
    let other = 1 + leader % 3;
    eventually("a leader among the others", || {
        let members = cluster.nodes[&other].client().get("/v1/members").ok()?;
        (members.body["leader"].as_u64()? != leader).then_some(())
    });
    enqueue(&cluster, other, 3);
}

#[test]
fn a_node_that_was_wiped_is_refused_and_comes_back_under_a_new_number() {
    let mut cluster = TestCluster::running();
    enqueue(&cluster, 1, 5);
    cluster.node(3).kill();
    fs::remove_dir_all(cluster.node(3).dir()).unwrap();
    cluster.node(3).start();
    assert_eq!(cluster.node(3).ending().code(), Some(1));
    let said = cluster.node(3).messages();
    assert!(
        said.contains("its directory was lost") && said.contains("node 3"),
        "{said}"
    );

    // Nor does it come back if it asks nobody and waits.
    let address = cluster.node(3).address;
    cluster.add(3, address, fast());
    cluster.node(3).start();
    eventually("a refusal", || {
        let said = cluster.node(3).messages();
        said.contains("the membership names another one")
            .then_some(())
    });
    let waiting = cluster.nodes[&3].must("GET", "/v1/node", "");
    assert!(waiting["last_log_index"].is_null(), "{waiting}");
    cluster.node(3).kill();

    cluster.nodes[&1].must("DELETE", "/v1/members/3", "");
    let address = free_address();
    cluster.add(5, address, fast());
    cluster.node(5).start();
    let joining = json!({ "id": 5, "address": address }).to_string();
    eventually("a node that listens", || {
        (cluster.nodes[&1]
            .asked("POST", "/v1/members", &joining)
            .status
            == 200)
            .then_some(())
    });
    let members = cluster.nodes[&1].must("POST", "/v1/members/5/promote", "");
    assert_eq!(voters(&members), [1, 2, 5]);
    cluster.nodes.remove(&3);
    check_agreement(&cluster);
}

#[test]
fn a_wiped_founder_founds_no_second_cluster_even_with_one_other_node() {
    let mut cluster = TestCluster::running();
    enqueue(&cluster, 1, 2);
    for id in [1, 2, 3] {
        cluster.node(id).kill();
    }
    fs::remove_dir_all(cluster.node(1).dir()).unwrap();
    cluster.node(1).start();
    cluster.node(2).start();
    assert_eq!(cluster.node(1).ending().code(), Some(1));
    let said = cluster.node(1).messages();
    assert!(said.contains("its directory was lost"), "{said}");
}

#[test]
fn a_lost_log_or_another_nodes_directory_is_refused_before_anybody_is_asked() {
    let mut cluster = TestCluster::running();
    for id in [2, 3] {
        cluster.node(id).kill();
    }
    fs::remove_dir_all(cluster.node(3).dir().join("log")).unwrap();
    cluster.node(3).start();
    assert_eq!(cluster.node(3).ending().code(), Some(1));
    let said = cluster.node(3).messages();
    assert!(said.contains("an identity and no log"), "{said}");

    // An empty one is a lost one too.
    let log = cluster.node(3).dir().join("log");
    fs::create_dir_all(&log).unwrap();
    cluster.node(3).start();
    assert_eq!(cluster.node(3).ending().code(), Some(1));
    let said = cluster.node(3).messages();
    assert_eq!(said.matches("an identity and no log").count(), 2, "{said}");

    let (two, three) = (
        cluster.node(2).dir().to_owned(),
        cluster.node(3).dir().to_owned(),
    );
    fs::remove_dir_all(&three).unwrap();
    fs::rename(two, three).unwrap();
    cluster.node(3).start();
    assert_eq!(cluster.node(3).ending().code(), Some(1));
    let said = cluster.node(3).messages();
    assert!(
        said.contains("belongs to node 2 of cluster \"beaver\", not to node 3"),
        "{said}"
    );
}

#[test]
fn a_node_far_behind_gets_a_snapshot() {
    let often = ["--snapshot-every", "50"].map(str::to_owned).to_vec();
    let mut cluster = TestCluster::new(3, |_, _| often.clone());
    cluster.start_all();
    let leader = cluster.leader();
    let behind = 1 + leader % 3;
    cluster.node(behind).kill();
    enqueue(&cluster, leader, 2_500);
    eventually("a log that is purged", || {
        cluster.nodes[&leader].must("GET", "/v1/node", "")["purged_index"].as_u64()
    });
    cluster.node(behind).start();
    check_agreement(&cluster);
    let view = cluster.nodes[&behind].must("GET", "/v1/node", "");
    assert!(view["snapshot_index"].as_u64().is_some(), "{view}");
}

#[test]
fn a_snapshot_without_identity_and_log_is_no_new_node() {
    let mut cluster = TestCluster::new(1, |_, _| fast());
    cluster.start_all();
    enqueue(&cluster, cluster.leader(), 1);
    let node = cluster.node(1);
    node.must("POST", "/v1/snapshot", "");
    eventually("a snapshot", || {
        node.must("GET", "/v1/node", "")["snapshot_index"].as_u64()
    });
    node.terminate();
    fs::remove_file(node.dir().join("identity.json")).unwrap();
    fs::remove_dir_all(node.dir().join("log")).unwrap();
    node.start();
    assert_eq!(node.ending().code(), Some(1));
    let said = node.messages();
    assert!(said.contains("a snapshot and no identity"), "{said}");
}

#[test]
fn a_node_that_is_down_is_not_asked_to_lead_and_writes_go_on() {
    let mut cluster = TestCluster::running();
    let leader = cluster.leader();
    let to_self = json!({ "to": leader });
    let led = cluster.nodes[&leader].must("POST", "/v1/leader", &to_self.to_string());
    assert_eq!(led, json!({ "leader": leader }));
    let down = 1 + leader % 3;
    cluster.node(down).kill();
    let to_down = json!({ "to": down }).to_string();
    let refused = cluster.nodes[&leader].asked("POST", "/v1/leader", &to_down);
    assert_eq!(refused.status, 503, "{}", refused.body);
    assert_eq!(refused.body["error"]["outcome"], "not_done");
    enqueue(&cluster, leader, 3);
}
