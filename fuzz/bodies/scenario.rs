//! Any bytes as a scenario file. The command line's own: `sim/cli/tests/scenario_corpus.rs` runs it too.

use beaver_cli::diagnose::read_scenario;

/// Longer inputs show nothing that shorter ones do not.
const MAX_INPUT: usize = 64 << 10;

pub(crate) fn check(input: &[u8]) {
    let Ok(text) = str::from_utf8(input) else {
        return;
    };
    if text.len() > MAX_INPUT {
        return;
    }
    match read_scenario("scenario.json", "scenario", text) {
        Ok(scenario) => {
            let written = serde_json::to_string_pretty(&scenario).expect("it was read from JSON");
            let again = read_scenario("scenario.json", "scenario", &written);
            assert_eq!(
                again,
                Ok(scenario),
                "what was accepted is accepted when it is saved"
            );
        }
        Err(problems) => {
            assert!(!problems.is_empty(), "a refusal has a reason");
            let lines = text.lines().count().max(1);
            for problem in problems {
                let (line, column) = (problem.place.line, problem.place.column);
                assert!(
                    (1..=lines + 1).contains(&line),
                    "line {line} of {lines}: {problem}"
                );
                assert!(column >= 1, "{problem}");
            }
        }
    }
}
