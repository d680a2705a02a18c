//! The plain store without bugs holds wherever the library holds: no false alarm.

use std::path::Path;

use beaver_sim::result::Outcome;
use beaver_sim::run::{Keep, run_seed};
use beaver_sim::scenario::{Scenario, SyncSetting};
use beaver_zoo::plain::PlainStore;

/// How many seeds of each scenario are run.
const SEEDS: u64 = 12;

#[test]
#[cfg_attr(
    debug_assertions,
    ignore = "long where nothing is optimised: with --release"
)]
fn the_plain_store_without_bugs_holds_in_every_scenario() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios");
    let mut files: Vec<_> = std::fs::read_dir(directory)
        .unwrap()
        .map(|e| e.unwrap().path())
        .filter(|path| path.extension().is_some_and(|it| it == "json"))
        .collect();
    files.sort();
    let mut failed = Vec::new();
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        let scenario: Scenario = serde_json::from_str(&text).unwrap();
        if scenario.log.sync == SyncSetting::OnRequest {
            continue; // It has no such policy: it syncs every command.
        }
        for seed in 0..SEEDS {
            let run = run_seed(&PlainStore::sound(), &scenario, seed, Keep::default());
            if run.outcome != Outcome::Held {
                failed.push(format!(
                    "{} seed {seed}: {:#?}",
                    file.display(),
                    run.outcome
                ));
            }
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}
