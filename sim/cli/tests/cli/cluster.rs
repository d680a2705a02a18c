//! `beaver cluster`: runs, failures that are found, made smaller, saved and replayed, and what is wrong
//! with what was asked for. All with the small engine; openraft has tests of its own.

use crate::beaver::Place;

/// A scenario of few runs.
const SMALL: &str = r#"{"claim": "nothing is forgotten", "seeds": "0..6", "chaos_ms": 1500}"#;

fn place() -> Place {
    let place = Place::empty();
    place.write("small.json", SMALL);
    place
}

fn read(place: &Place, file: &str) -> String {
    std::fs::read_to_string(place.path().join(file)).unwrap()
}

/// The one failure that was saved.
fn saved(place: &Place) -> String {
    let entries = std::fs::read_dir(place.path().join("failures")).unwrap();
    let names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(names.len(), 1, "{names:?}");
    format!("failures/{}", names[0])
}

#[test]
fn a_sound_cluster_passes_and_the_result_does_not_depend_on_the_number_of_jobs() {
    let document = |jobs: u32| {
        let arguments = format!("cluster small.json --engine small --format json --jobs {jobs}");
        let ran = place().beaver(&arguments).ends_with(0);
        let document = ran.complains("engine       small").json();
        assert_eq!(document["verdict"], "pass");
        document["scenarios"][0].clone()
    };
    let (one, two) = (document(1), document(2));
    assert_eq!(one["runs"], 6);
    assert_eq!(one["trace_hash"], two["trace_hash"]);
    assert!(one["crashes"].as_u64().unwrap() > 10, "{one}");
    assert!(one["acknowledged"].as_u64().unwrap() > 10, "{one}");
}

#[test]
fn a_planted_bug_is_found_made_smaller_saved_and_replayed() {
    let place = place();
    let ran = place.beaver("cluster small.json --bug commit-without-quorum --report page.html");
    let ran = ran.ends_with(1);
    ran.says("committed on a quorum is broken")
        .says("promise   An entry that a node calls committed")
        .says("replay");
    let folder = saved(&place);
    for file in [
        "cluster.json",
        "report.txt",
        "report.json",
        "events.jsonl",
        "messages.jsonl",
    ] {
        assert!(
            read(&place, &format!("{folder}/{file}")).len() > 2,
            "{file}"
        );
    }
    let replayed = place
        .beaver(&format!("replay {folder} --report again.html"))
        .ends_with(1);
    replayed
        .says("committed on a quorum is broken")
        .says("no seed")
        .says("verdict: violation");
    for page in ["page.html", "again.html"] {
        let page = read(&place, page);
        assert!(page.contains("class=\"leads\""), "a lane shows who leads");
        assert!(page.contains("node 3"), "each node has a lane");
    }
}

#[test]
fn a_replay_that_differs_from_what_was_saved_says_so() {
    let place = place();
    place
        .beaver("cluster small.json --bug commit-without-quorum")
        .ends_with(1);
    let file = format!("{}/cluster.json", saved(&place));
    let text = read(&place, &file);
    let hash = text.find("\"hash\": \"").unwrap() + 9;
    let mut other = text.clone();
    other.replace_range(hash..hash + 1, "x");
    place.write(&file, &other);
    let ran = place.beaver(&format!("replay {file}")).ends_with(1);
    ran.says("this run differs from the one that was saved");
    let same = |text: &str| {
        place.write(&file, text);
        let ran = place.beaver(&format!("replay {file} --format json"));
        ran.ends_with(1).json()["same"].clone()
    };
    assert_eq!(same(&text), true);
    assert_eq!(same(&other), false);
    let another = text.replace(
        "\"breaks\": \"committed on a quorum\"",
        "\"breaks\": \"liveness\"",
    );
    assert_eq!(same(&another), false);
    // The sound engine in place of the one with the bug.
    let sound = text.replace("\"bug\": \"commit-without-quorum\",", "");
    place.write(&file, &sound);
    let ran = place.beaver(&format!("replay {file}")).ends_with(5);
    ran.says("this run differs from the one that was saved");
    place.write(&file, "{\"engine\": \"small\"}");
    let ran = place.beaver(&format!("replay {file}")).ends_with(2);
    ran.complains("missing field");
}

#[test]
fn where_nothing_can_be_saved_nothing_is_run() {
    let place = place();
    place.write("file", "");
    place
        .beaver("cluster small.json --engine small --out file/failures")
        .ends_with(2)
        .complains("file/failures");
}

#[test]
fn two_processes_give_one_hash() {
    place()
        .beaver("cluster small.json --engine small --check-determinism")
        .ends_with(0);
}

#[test]
fn what_cannot_be_run_is_refused_with_its_place() {
    let place = place();
    place.write("typo.json", "{\n  \"nodez\": 3\n}");
    place.write("none.json", "{\"nodes\": 0}");
    place.write(
        "heavy.json",
        "{\n  \"chaos\": {\"heal\": 1,\n    \"kill\": 4294967295}\n}",
    );
    place
        .beaver("cluster heavy.json")
        .ends_with(2)
        .complains("heavy.json:3:5: chaos.kill: a weight can be 1000000");
    place
        .beaver("cluster typo.json")
        .ends_with(2)
        .complains("typo.json:2:3: unknown field `nodez`")
        .complains("nodes");
    place
        .beaver("cluster none.json")
        .ends_with(2)
        .complains("none.json:1:2: nodes: there must be 1 to 9");
    place
        .beaver("cluster small.json --bug unknown")
        .ends_with(2)
        .complains("there is no bug `unknown`")
        .complains("vote-answered-before-durable");
    place
        .beaver("cluster small.json --nodes 0")
        .ends_with(2)
        .complains("--nodes");
    place
        .beaver("cluster small.json --engine other")
        .ends_with(2)
        .complains("openraft or small");
    place
        .beaver("cluster small.json --engine openraft --bug commit-without-quorum")
        .ends_with(2)
        .complains("can be planted into the engine `small` alone");
}

#[cfg(not(feature = "openraft"))]
#[test]
fn a_program_without_openraft_says_how_to_get_it() {
    let ran = place().beaver("cluster small.json").ends_with(2);
    ran.complains("built without openraft")
        .complains("--features openraft");
}

#[cfg(feature = "openraft")]
#[test]
fn openraft_passes() {
    place()
        .beaver("cluster small.json")
        .ends_with(0)
        .says("engine       openraft");
}

#[test]
fn the_scenarios_are_inside_the_program() {
    let ran = Place::empty().beaver("cluster three-nodes --engine small --seeds 0..2");
    ran.ends_with(0).says("built in").says("three-nodes");
}
