//! `beaver schema`: the JSON schema of a scenario file, made from the types that read it.

use beaver_sim::beaver::Command;
use beaver_sim::scenario::Scenario;
use serde_json::Value;

use super::exit::{CliError, Exit};
use super::output::Output;

pub(crate) fn schema(out: &mut Output) -> Result<Exit, CliError> {
    // The ops of a script are those of the store: here the job queue and its log.
    let mut generator = schemars::SchemaGenerator::default();
    let mut schema = generator.root_schema_for::<Scenario>();
    let ops = generator.root_schema_for::<Command>().to_value();
    let definitions = schema.get_mut("$defs").and_then(Value::as_object_mut);
    if let (Some(definitions), Some(mut ops)) = (definitions, ops.as_object().cloned()) {
        let inner = ops.remove("$defs");
        for (name, inner) in inner.iter().filter_map(Value::as_object).flatten() {
            definitions.insert(name.clone(), inner.clone());
        }
        ops.remove("$schema");
        definitions.insert("Op".to_owned(), Value::Object(ops));
    }
    out.json(&schema)?;
    Ok(Exit::HELD)
}
