//! Coverage.

use beaver_sim::run::{Keep, run_seed};

#[test]
fn list() {
    let mut all = beaver_sim::coverage::Coverage::default();
    for entry in std::fs::read_dir("../scenarios").unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|e| e != "json") {
            continue;
        }
        let scenario = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
        for seed in 0..150 {
            all.add(&run_seed(&scenario, seed, Keep::default()).coverage);
        }
    }
    for (site, seen) in all.seen() {
        println!(
            "{} {:?} {:?} {:?}",
            site.place,
            site.op,
            seen.died,
            seen.faults.len()
        );
    }
}
