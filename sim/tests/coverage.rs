//! Coverage of crash points by operation and role of the file, as runs see it.

#![expect(
    clippy::unwrap_used,
    reason = "a test ends where something unexpected happens, in the functions that it calls too"
)]

use beaver_disk::Op;
use beaver_sim::beaver::library;
use beaver_sim::coverage::Coverage;
use beaver_sim::run::{Keep, run_seed};
use beaver_sim::scenario::Scenario;

fn swarm() -> Scenario {
    serde_json::from_str(include_str!("../../scenarios/swarm.json")).unwrap()
}

fn coverage_of(seeds: std::ops::Range<u64>) -> Coverage {
    let runs: Vec<Coverage> = seeds
        .map(|seed| run_seed(&library(&swarm()), &swarm(), seed, Keep::default()).coverage)
        .collect();
    Coverage::sum(&runs)
}

#[test]
fn the_same_run_sees_the_same() {
    let first = coverage_of(3..4);
    assert_ne!(first, Coverage::default());
    assert_eq!(first, coverage_of(3..4));
}

#[test]
fn calls_on_all_segments_are_one_point_and_die_at_each_moment() {
    let coverage = coverage_of(0..60);
    let points = coverage.points();
    let writes = points
        .iter()
        .filter(|point| point.op == Op::WriteAt && point.role == "wal-#.jsonl");
    let writes: Vec<_> = writes.collect();
    assert_eq!(writes.len(), 1, "{points:#?}");
    assert!(writes[0].calls > 1000, "{:?}", writes[0]);
    assert!(
        writes[0].crashes().all(|(_, count)| count > 0),
        "{:?}",
        writes[0]
    );
    assert!(!writes[0].faults.is_empty(), "{:?}", writes[0]);
}

#[test]
fn what_few_seeds_miss_is_counted() {
    let coverage = coverage_of(0..1);
    let (reached, all) = coverage.reached();
    assert!(reached < all, "{coverage}");
    let missed = all - reached;
    assert!(
        coverage
            .to_string()
            .ends_with(&format!(", {missed} missed"))
    );
}
