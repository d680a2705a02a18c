//! Measures.
use beaver_sim::run::{Keep, run_seed_of, saved_failure};
use beaver_sim::shrink::{Limits, shrink};
use beaver_sim::zoo::catalogue::EXHIBITS;
use beaver_sim::zoo::habitats::habitats;

#[test]
fn measure() {
    let only = std::env::var("ZOO_ONLY").unwrap_or_default();
    let runs = std::env::var("ZOO_RUNS").map_or(3000, |r| r.parse().unwrap());
    let mut good = 0;
    for e in EXHIBITS
        .iter()
        .filter(|e| only.is_empty() || only.split(',').any(|o| o == e.id))
    {
        let subject = e.plant.subject();
        let scenario = habitats()
            .into_iter()
            .find(|h| h.name == e.habitat)
            .unwrap();
        let run = (0..3000u64)
            .find_map(|seed| {
                let run = run_seed_of(&subject, &scenario, seed, Keep::default());
                run.outcome.failure().is_some().then_some(run)
            })
            .unwrap();
        let t = std::time::Instant::now();
        let failure = saved_failure(&scenario, &run);
        match shrink(&subject, &failure, Limits::runs(runs)) {
            None => println!("{} NOT REPRODUCED", e.id),
            Some(s) => {
                let ok = s.after.commands <= 6 && s.after.crashes <= 1;
                good += u32::from(ok);
                println!(
                    "{} {} {:?} {} -> {} ({} runs, {:?}, {} ms) {:?} {}",
                    e.id,
                    if ok { "ok  " } else { "LONG" },
                    s.likeness,
                    s.before,
                    s.after,
                    s.runs,
                    s.ended,
                    t.elapsed().as_millis(),
                    s.scenario.profile,
                    if ok && only.is_empty() {
                        String::new()
                    } else {
                        serde_json::to_string(&s.scenario.script).unwrap()
                    }
                );
            }
        }
    }
    println!("good {good} of {}", EXHIBITS.len());
}
