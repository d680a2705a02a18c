//! Scratch driver.
use beaver_sim::explore::*;
use beaver_sim::scenario::Scenario;
use std::time::Instant;
fn main() {
    let args: Vec<String> = std::env::args().collect();
    let depth = args[2].parse().unwrap();
    let options = Options {
        depth,
        ..Options::default()
    };
    let started = Instant::now();
    let explored = match args[1].parse::<usize>() {
        Ok(ops) => {
            let scenario: Scenario = serde_json::from_str(r#"{"claim":"x"}"#).unwrap();
            explore_small(&scenario, ops, &options)
        }
        Err(_) => {
            let scenario: Scenario =
                serde_json::from_str(&std::fs::read_to_string(&args[1]).unwrap()).unwrap();
            explore_seed(
                &scenario,
                args.get(3).map_or(0, |s| s.parse().unwrap()),
                &options,
            )
        }
    };
    let s = started.elapsed().as_secs_f64();
    let t = explored.tally;
    println!(
        "{t:#?}\n{s:.2} s, {:.0} recoveries/s, {} failures",
        t.recoveries as f64 / s,
        explored.failures.len()
    );
    for f in explored.failures.iter().take(3) {
        println!(
            "{:?}\n{}",
            f.finding,
            serde_json::to_string(&f.script).unwrap()
        );
    }
}
