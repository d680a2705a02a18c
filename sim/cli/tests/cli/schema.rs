//! `beaver schema` accepts what the tool accepts, and refuses what it refuses.
//!
//! The keywords are read by a small reader of its own: those that the schema uses, and it stops at any other.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::beaver::Place;

/// The schema that the tool prints.
struct Schema(Value);

impl Schema {
    fn printed() -> Self {
        Schema(Place::empty().beaver("schema").ends_with(0).json())
    }

    fn accepts(&self, value: &Value) -> bool {
        self.fits(&self.0, value)
    }

    /// Whether `value` fits `schema`, keyword by keyword.
    fn fits(&self, schema: &Value, value: &Value) -> bool {
        let Some(keywords) = schema.as_object() else {
            return schema.as_bool().unwrap();
        };
        keywords
            .iter()
            .all(|(keyword, argument)| match keyword.as_str() {
                "$schema" | "$defs" | "title" | "description" | "default" | "format"
                | "pattern" => true,
                "$ref" => self.fits(self.definition(argument), value),
                "type" => has_type(argument, value),
                "const" => argument == value,
                "enum" => argument.as_array().unwrap().contains(value),
                "oneOf" => self.fitting(argument, value) == 1,
                "anyOf" => self.fitting(argument, value) > 0,
                "minimum" => value
                    .as_f64()
                    .is_none_or(|number| number >= argument.as_f64().unwrap()),
                "maximum" => value
                    .as_f64()
                    .is_none_or(|number| number <= argument.as_f64().unwrap()),
                "minItems" => length(value).is_none_or(|n| n >= argument.as_u64().unwrap()),
                "maxItems" => length(value).is_none_or(|n| n <= argument.as_u64().unwrap()),
                "items" => members(value).all(|member| self.fits(argument, member)),
                "required" => members(argument).all(|name| has(value, name.as_str().unwrap())),
                "propertyNames" => names(value).all(|name| self.fits(argument, &json!(name))),
                "properties" | "additionalProperties" => self.properties_fit(keywords, value),
                other => panic!("the schema uses `{other}`, which this reader does not know"),
            })
    }

    fn properties_fit(&self, keywords: &serde_json::Map<String, Value>, value: &Value) -> bool {
        let known = keywords.get("properties").unwrap_or(&Value::Null);
        let others = keywords
            .get("additionalProperties")
            .unwrap_or(&Value::Bool(true));
        names(value).all(|name| {
            let schema = known.get(name).unwrap_or(others);
            self.fits(schema, &value[name])
        })
    }

    fn fitting(&self, schemas: &Value, value: &Value) -> usize {
        members(schemas)
            .filter(|schema| self.fits(schema, value))
            .count()
    }

    fn definition(&self, reference: &Value) -> &Value {
        let pointer = reference.as_str().unwrap().strip_prefix('#').unwrap();
        self.0.pointer(pointer).unwrap()
    }
}

fn has_type(names: &Value, value: &Value) -> bool {
    let actual = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    match names {
        Value::Array(names) => names.iter().any(|name| name == actual),
        name => name == actual,
    }
}

fn length(value: &Value) -> Option<u64> {
    value.as_array().map(|list| list.len() as u64)
}

fn members(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn names(value: &Value) -> impl Iterator<Item = &str> {
    value
        .as_object()
        .into_iter()
        .flat_map(|object| object.keys().map(String::as_str))
}

fn has(value: &Value, name: &str) -> bool {
    value.get(name).is_some() || !value.is_object()
}

/// The scenarios of the project.
fn scenario_files() -> Vec<PathBuf> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scenarios");
    let entries = std::fs::read_dir(directory).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    paths
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "json")
        })
        .collect()
}

#[test]
fn every_scenario_of_the_project_is_accepted() {
    let schema = Schema::printed();
    let files = scenario_files();
    assert!(!files.is_empty());
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        let scenario: Value = serde_json::from_str(&text).unwrap();
        assert!(schema.accepts(&scenario), "{}", file.display());
    }
}

#[test]
fn what_the_tool_refuses_is_refused() {
    let schema = Schema::printed();
    assert!(schema.accepts(&json!({"claim": "c"})));
    for wrong in [
        json!({}),
        json!({"claim": 3}),
        json!({"claim": "c", "worklaod": {}}),
        json!({"claim": "c", "profile": "posx"}),
        json!({"claim": "c", "seeds": 7}),
        json!({"claim": "c", "workload": {"commands": -1}}),
        json!({"claim": "c", "workload": {"commands": 1.5}}),
        json!({"claim": "c", "workload": {"weights": {"enqeue": 3}}}),
        json!({"claim": "c", "workload": {"payload_bytes": [1, 2, 3]}}),
        json!({"claim": "c", "faults": [{"kind": "bit-flop", "per_mille": 1}]}),
        json!({"claim": "c", "expect": {"marks": ["torn"]}}),
        json!({"claim": "c", "script": {"steps": [{"do": "dance"}]}}),
    ] {
        assert!(!schema.accepts(&wrong), "{wrong}");
        let place = Place::empty();
        let path = place.write("wrong.json", &wrong.to_string());
        place
            .beaver_words(&["run", path.to_str().unwrap()])
            .ends_with(2);
    }
}

#[test]
fn every_field_is_explained() {
    let schema = Schema::printed();
    let mut unexplained = Vec::new();
    let definitions = schema.0["$defs"].as_object().unwrap().iter();
    for (name, definition) in definitions.chain([(&"Scenario".to_owned(), &schema.0)]) {
        let properties = definition["properties"].as_object().into_iter().flatten();
        let silent = properties.filter(|(_, property)| property.get("description").is_none());
        unexplained.extend(silent.map(|(field, _)| format!("{name}.{field}")));
    }
    assert!(unexplained.is_empty(), "{unexplained:?}");
}
