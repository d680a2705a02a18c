//! Reads a scenario, or says what is wrong with it: file, line, column, field and what was meant.

use std::fmt;

use super::old_words::{old_path, old_word_of};
use super::position::{TextPosition, find};
use super::refusal::{UnknownName, without_place};
use beaver_cluster::scenario::ClusterScenario;
use beaver_sim::beaver::library;
use beaver_sim::scenario::Scenario;
use serde::de::DeserializeOwned;

/// One thing that is wrong with a scenario file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScenarioProblem {
    /// The file, as it was named.
    pub(crate) file: String,
    /// Where in it.
    pub place: TextPosition,
    /// What is wrong, and what was meant if that can be told.
    pub(crate) message: String,
}

impl fmt::Display for ScenarioProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file, self.place, self.message)
    }
}

impl std::error::Error for ScenarioProblem {}

/// The scenario in `text`, which was read from `file`. A scenario without a name gets `default_name`.
///
/// # Errors
/// Syntax errors, unknown fields and wrong types end the search at the first; impossible values are all reported.
pub fn read_scenario(
    file: &str,
    default_name: &str,
    text: &str,
) -> Result<Scenario, Vec<ScenarioProblem>> {
    let mut scenario: Scenario = read_fields(file, text).map_err(|problem| vec![problem])?;
    if scenario.name.is_empty() {
        default_name.clone_into(&mut scenario.name);
    }
    let impossible: Vec<ScenarioProblem> = scenario
        .check(&library(&scenario))
        .into_iter()
        .map(|impossible| ScenarioProblem {
            file: file.to_owned(),
            place: place_of(text, &impossible.field),
            message: match UnknownName::read(&impossible.message) {
                Some(unknown) => unknown.message(&impossible.field),
                None => format!("`{}`: {}", impossible.field, impossible.message),
            },
        })
        .collect();
    if impossible.is_empty() {
        Ok(scenario)
    } else {
        Err(impossible)
    }
}

/// The scenario of a cluster in `text`, which was read from `file`. One without a name gets `default_name`.
///
/// # Errors
/// What is wrong with it.
pub fn read_cluster_scenario(
    file: &str,
    default_name: &str,
    text: &str,
) -> Result<ClusterScenario, ScenarioProblem> {
    let mut scenario: ClusterScenario = read_fields(file, text)?;
    if scenario.name.is_empty() {
        default_name.clone_into(&mut scenario.name);
    }
    scenario.check().map_err(|rule| {
        let field = rule.split(':').next().unwrap_or_default();
        ScenarioProblem {
            file: file.to_owned(),
            place: place_of(text, field),
            message: rule,
        }
    })?;
    Ok(scenario)
}

/// The object in `text`, each field where it belongs.
fn read_fields<T: DeserializeOwned>(file: &str, text: &str) -> Result<T, ScenarioProblem> {
    if let Some(message) = no_object(text) {
        return Err(ScenarioProblem {
            file: file.to_owned(),
            place: TextPosition { line: 1, column: 1 },
            message: message.to_owned(),
        });
    }
    let mut reader = serde_json::Deserializer::from_str(text);
    let read = serde_path_to_error::deserialize(&mut reader);
    let value = read.map_err(|error| refused(file, text, &error))?;
    reader.end().map_err(|error| ScenarioProblem {
        file: file.to_owned(),
        place: TextPosition::of_serde(text, &error),
        message: without_place(&error.to_string()).to_owned(),
    })?;
    Ok(value)
}

/// What is wrong with a text that cannot be a JSON object, where the parser would not say it.
fn no_object(text: &str) -> Option<&'static str> {
    let start = text.trim_start();
    if start.is_empty() {
        return Some(
            "the file is empty: a scenario is a JSON object, at least `{\"claim\": \"…\"}`",
        );
    }
    if start.starts_with('\u{feff}') {
        return Some(
            "the file begins with a byte-order mark, which JSON does not have: save it as UTF-8 without one",
        );
    }
    // `serde` would read the fields from an array too, in an order that is not written anywhere.
    start
        .starts_with('[')
        .then_some("a scenario is a JSON object with its fields by name, not an array")
}

/// Where the field that `path` names stands, whatever version named it. What leads nowhere ends at its
/// parent, so the later of the two places is the field.
fn place_of(text: &str, path: &str) -> TextPosition {
    let old = old_path(path).and_then(|old| find(text, &old));
    let place = find(text, path).max(old);
    place.unwrap_or(TextPosition { line: 1, column: 1 })
}

/// The problem of an error of `serde`.
fn refused(
    file: &str,
    text: &str,
    error: &serde_path_to_error::Error<serde_json::Error>,
) -> ScenarioProblem {
    let full = error.inner().to_string();
    let message = without_place(&full);
    let path = error.path().to_string();
    let reported = TextPosition::of_serde(text, error.inner());
    let both = message.strip_prefix("duplicate field `");
    let both = both.and_then(|name| old_word_of(name.split('`').next()?, text));
    let (place, message) = match (UnknownName::read(message), both) {
        (Some(unknown), _) => {
            let place = last_before(text, unknown.typed, error.inner()).unwrap_or(reported);
            (place, unknown.message(parent(&path, unknown.typed)))
        }
        (None, Some((old, new))) => {
            let last = |word| last_before(text, word, error.inner());
            let place = last(new).max(last(old)).unwrap_or(reported);
            let message =
                format!("`{old}` is what version 0.1 called `{new}`: leave one of the two out");
            (place, message)
        }
        (None, None) if error.inner().is_data() && path != "." => {
            let place = find(text, &path).unwrap_or(reported);
            (place, format!("`{path}`: {message}"))
        }
        (None, None) => (reported, message.to_owned()),
    };
    ScenarioProblem {
        file: file.to_owned(),
        place,
        message,
    }
}

/// Where `name` stands in quotes for the last time before the place that `error` reports.
///
/// `serde` reports a refused name right after it, or, where it had to read a whole object first, at the end of that.
fn last_before(text: &str, name: &str, error: &serde_json::Error) -> Option<TextPosition> {
    let line_start: usize = text
        .split_inclusive('\n')
        .take(error.line().checked_sub(1)?)
        .map(str::len)
        .sum();
    let end = (line_start + error.column()).min(text.len());
    let quoted = serde_json::to_string(name).ok()?;
    let at = text.get(..end)?.rfind(&quoted)?;
    Some(TextPosition::of_offset(text, at))
}

/// The path of the object that holds `name`: `path` may end in the name itself, or in `?` for a key that was refused.
fn parent<'p>(path: &'p str, name: &str) -> &'p str {
    let trimmed = path.strip_suffix(name).or_else(|| path.strip_suffix('?'));
    trimmed.unwrap_or(path).trim_end_matches('.')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_problem(text: &str, problem: &str) {
        let problems = read_scenario("s.json", "s", text).unwrap_err();
        let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
        assert_eq!(lines.join("\n"), problem);
    }

    #[test]
    fn a_scenario_without_a_name_gets_that_of_its_file() {
        let scenario = read_scenario("s.json", "s", r#"{"claim": "c"}"#).unwrap();
        assert_eq!(scenario.name, "s");
    }

    #[test]
    fn an_unknown_field_is_named_with_what_was_meant() {
        check_problem(
            "{\n  \"claim\": \"c\",\n  \"workload\": {\n    \"comands\": 3\n  }\n}",
            "s.json:4:5: unknown field `comands` in `workload` (did you mean `commands`?); known: commands, \
             weights, jobs, batch_size, group_size, payload_bytes, alphabets, max_attempts, timeout_ms, backoff_ms, tick_ms",
        );
    }

    #[test]
    fn an_unknown_profile_is_named_with_what_was_meant() {
        check_problem(
            "{\"claim\": \"c\",\n \"profile\": \"posx\"}",
            "s.json:2:13: unknown value `posx` in `profile` (did you mean `posix`?); known: strict, \
             linux-ordered, btrfs-like, posix, alice, hostile-device",
        );
    }

    #[test]
    fn an_unknown_fault_is_named_with_what_was_meant() {
        check_problem(
            "{\"claim\": \"c\",\n \"faults\": [\n  {\"kind\": \"read-eror\", \"per_mille\": 3}]}",
            "s.json:3:12: unknown value `read-eror` in `faults[0].kind` (did you mean `read-error`?); \
             `beaver schema` and `beaver faults` list what is known",
        );
    }

    #[test]
    fn a_wrong_type_names_its_field() {
        check_problem(
            "{\"claim\": \"c\",\n \"workload\": {\n  \"commands\": \"many\"}}",
            "s.json:3:3: `workload.commands`: invalid type: string \"many\", expected u32",
        );
    }

    #[test]
    fn broken_json_names_line_and_column() {
        check_problem("{\"claim\": \"c\",\n}", "s.json:2:1: trailing comma");
        check_problem("{\"claim\": \"c\"} x", "s.json:1:16: trailing characters");
    }

    #[test]
    fn a_file_without_json_says_what_it_lacks() {
        let least = "the file is empty: a scenario is a JSON object, at least `{\"claim\": \"…\"}`";
        for empty in ["", " \n\t"] {
            check_problem(empty, &format!("s.json:1:1: {least}"));
        }
        check_problem(
            "\u{feff}{\"claim\": \"c\"}",
            "s.json:1:1: the file begins with a byte-order mark, which JSON does not have: save it as UTF-8 without one",
        );
    }

    #[test]
    fn an_old_word_beside_its_new_word_is_named() {
        check_problem(
            "{\"claim\": \"c\",\n \"faults\": [\n  {\"kind\": \"read-error\", \"per_mille\": 3,\n   \"pm\": 4}]}",
            "s.json:4:4: `pm` is what version 0.1 called `per_mille`: leave one of the two out",
        );
        check_problem(
            "{\"claim\": \"c\",\n \"claim\": \"d\"}",
            "s.json:2:8: duplicate field `claim`",
        );
    }

    #[test]
    fn what_is_named_twice_is_refused() {
        check_problem(
            "{\"claim\": \"c\",\n \"workload\": {\"weights\": {\"ack\": 1, \"ack\": 2}}}",
            "s.json:2:15: `workload.weights`: `ack` is named twice",
        );
        check_problem(
            "{\"claim\": \"c\",\n \"faults\": [\n  {\"kind\": \"read-error\", \"per_mille\": 3},\n  {\"kind\": \"read-error\", \"per_mille\": 4}]}",
            "s.json:4:4: `faults[1].kind`: read-error is in the list already, for the same files and at the same time",
        );
        let other = "{\"claim\": \"c\",\n \"faults\": [{\"kind\": \"read-error\", \"per_mille\": 3},\n  \
            {\"kind\": \"read-error\", \"per_mille\": 4, \"phase\": \"recovery\"}]}";
        assert!(read_scenario("s.json", "s", other).is_ok());
    }

    #[test]
    fn a_workload_that_nobody_waits_for_is_refused() {
        check_problem(
            "{\"claim\": \"c\",\n \"workload\": {\"commands\": 4000000000}}",
            "s.json:2:15: `workload.commands`: 4000000000 commands are too many: at most 1000000",
        );
    }

    #[test]
    fn a_missing_claim_is_named() {
        check_problem("{}", "s.json:1:2: missing field `claim`");
    }
}
