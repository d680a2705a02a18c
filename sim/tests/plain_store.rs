//! The plain store without bugs holds wherever the library holds: no false alarm.

#![expect(clippy::unwrap_used, reason = "a step that fails is a test that fails")]

use std::path::Path;

use beaver_sim::result::Outcome;
use beaver_sim::run::{Keep, run_seed_of};
use beaver_sim::scenario::{Scenario, SyncSetting};
use beaver_sim::subject::Subject;
use beaver_zoo::plain::Plain;

fn check(subject: &Subject, seeds: u64) {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios");
    let mut files: Vec<_> = std::fs::read_dir(directory)
        .unwrap()
        .map(|e| e.unwrap().path())
        .filter(|path| path.is_file())
        .collect();
    files.sort();
    let mut failed = Vec::new();
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        let scenario: Scenario = serde_json::from_str(&text).unwrap();
        if scenario.log.sync == SyncSetting::OnRequest {
            continue; // It has no such policy: it syncs every command.
        }
        let mut bad = 0;
        for seed in 0..seeds {
            let result = run_seed_of(subject, &scenario, seed, Keep::default());
            if let Some(violation) = result.outcome.failure() {
                bad += 1;
                if bad == 1 {
                    failed.push(format!("{} seed {seed}: {violation:#?}", file.display()));
                }
            }
            assert!(matches!(result.outcome, Outcome::Held) || result.outcome.failure().is_some());
        }
        if bad > 0 {
            failed.push(format!("{bad} of {seeds}"));
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

#[test]
fn the_plain_store_without_bugs_holds_in_every_scenario() {
    check(&Plain::sound(), 12);
}
