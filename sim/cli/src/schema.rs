//! `beaver schema`: the JSON schema of a scenario file, made from the types that read it.

use beaver_sim::scenario::Scenario;

use super::exit::{Exit, Failure};
use super::output::Output;

pub(crate) fn schema(out: &mut Output) -> Result<Exit, Failure> {
    let schema = schemars::schema_for!(Scenario);
    let json = serde_json::to_string_pretty(&schema)
        .map_err(|error| Failure::at("the schema cannot be written as JSON", error))?;
    out.line(json);
    Ok(Exit::Held)
}
