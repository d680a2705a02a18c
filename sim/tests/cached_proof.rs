//! What proves that an event was durable is what is on the disk. A line that the cache alone shows, because
//! its sync failed, may be gone before the recovery reads it.

use beaver_sim::beaver::library;
use beaver_sim::result::Outcome;
use beaver_sim::run::{Keep, run_script};
use beaver_sim::scenario::Scenario;

/// One event is acknowledged, the sync of the next one fails, the process is killed, and a bit of the
/// first event turns round before the store is opened again.
const DAMAGED_UNDER_A_CACHED_LINE: &str = r#"{
    "claim": "What stood in the cache alone proves nothing.",
    "script": {
        "steps": [
            {"enqueue": {"jobs": [{"id": "a", "payload": "1", "max_attempts": 1, "timeout_ms": 1}]}},
            {"enqueue": {"jobs": [{"id": "b", "payload": "2", "max_attempts": 1, "timeout_ms": 1}]}},
            "kill"
        ],
        "faults": [
            {"step": 2, "call": 2, "kind": "sync-mark-clean", "effect": {"call": {"failed-sync": {}}}},
            {"step": 3, "process": 1, "call": 1, "kind": "bit-flip", "effect": {"event": {"flip-bit": {"file": "wal-0000000001.jsonl", "offset": 150, "bit": 3}}}}
            CACHE_DROP
        ]
    }
}"#;

const CACHE_DROP: &str = r#", {"step": 3, "process": 1, "call": 2, "kind": "cache-drop", "effect": {"event": {"cache-drop": "all"}}}"#;

fn scenario(cache_drop: &str) -> Scenario {
    let text = DAMAGED_UNDER_A_CACHED_LINE.replace("CACHE_DROP", cache_drop);
    serde_json::from_str(&text).expect("the scenario of this test is valid")
}

#[test]
fn a_line_that_the_cache_forgot_proves_nothing() {
    for dropped in [CACHE_DROP, ""] {
        let scenario = scenario(dropped);
        let run = run_script(&library(&scenario), &scenario, Keep::default());
        assert_eq!(run.outcome, Outcome::Held, "{dropped}");
    }
}
