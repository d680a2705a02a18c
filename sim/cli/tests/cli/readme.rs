//! What the README says about the command line works as it stands there.

use std::path::Path;

use crate::beaver::Place;

fn readme() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../README.md");
    std::fs::read_to_string(path).unwrap()
}

/// The blocks of the README that are marked as `language`.
fn blocks(readme: &str, language: &str) -> Vec<String> {
    let start = format!("```{language}\n");
    let blocks = readme.split(&start).skip(1);
    blocks
        .map(|rest| rest.split("```").next().unwrap().to_owned())
        .collect()
}

#[test]
fn the_scenario_of_the_readme_holds() {
    let blocks = blocks(&readme(), "json");
    assert_eq!(blocks.len(), 1);
    let place = Place::empty();
    place.write("scenarios/my_claim.json", &blocks[0]);
    place.beaver("run my_claim --seeds 0..100").ends_with(0);
}

#[test]
fn the_scenarios_and_histories_of_the_readme_are_there() {
    let project = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let shell = blocks(&readme(), "sh").concat();
    let arguments = shell
        .lines()
        .filter_map(|line| line.strip_prefix("cargo run --release -- "));
    let mut seen = 0;
    for line in arguments {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[..] {
            ["run", scenario, ..] if scenario != "my_claim" => {
                assert!(
                    project.join(format!("scenarios/{scenario}.json")).is_file(),
                    "{line}"
                );
            }
            ["images", ..] => {
                let history = line.split('\'').nth(1).unwrap();
                Place::empty()
                    .beaver_words(&["images", history])
                    .ends_with(0);
            }
            _ => {}
        }
        seen += 1;
    }
    assert!(seen >= 4, "{shell}");
}
