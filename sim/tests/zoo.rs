//! Every bug of the zoo is caught, and for its reason; without bugs nothing is.

use beaver_sim::result::Outcome;
use beaver_sim::run::{Keep, run_seed_of};
use beaver_sim::scenario::Scenario;
use beaver_sim::subject::Subject;
use beaver_sim::zoo::catalogue::EXHIBITS;
use beaver_sim::zoo::habitats::habitats;
use beaver_sim::zoo::plain::Plain;

const SEEDS: u64 = 3000;

fn habitat(name: &str) -> Scenario {
    habitats()
        .into_iter()
        .find(|h| h.name == name)
        .expect("the habitat has this name")
}

#[test]
fn every_bug_is_caught() {
    let mut missed = Vec::new();
    let only = std::env::var("ZOO_ONLY").unwrap_or_default();
    for exhibit in EXHIBITS
        .iter()
        .filter(|e| only.is_empty() || only.split(',').any(|o| o == e.id))
    {
        let subject = exhibit.plant.subject();
        let scenario = habitat(exhibit.habitat);
        let found = (0..SEEDS).find_map(|seed| {
            let run = run_seed_of(&subject, &scenario, seed, Keep::default());
            run.outcome
                .failure()
                .map(|v| (seed, v.invariant, v.expected.clone(), v.found.clone()))
        });
        println!("{} {found:?}", exhibit.id);
        match found {
            Some((_, invariant, _, _)) if exhibit.invariants.contains(&invariant) => {}
            other => missed.push((exhibit.id, exhibit.name, other)),
        }
    }
    assert!(missed.is_empty(), "{missed:#?}");
}

#[test]
fn without_bugs_nothing_is_caught() {
    for scenario in habitats() {
        for subject in [Subject::default(), Plain::sound()] {
            for seed in 0..60 {
                let run = run_seed_of(&subject, &scenario, seed, Keep::default());
                assert_eq!(
                    run.outcome,
                    Outcome::Held,
                    "{} seed {seed} {:?}",
                    scenario.name,
                    subject.store
                );
            }
        }
    }
}
