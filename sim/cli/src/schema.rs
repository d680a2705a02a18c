//! `beaver schema`: the JSON schema of a scenario file, made from the types that read it.

use beaver_sim::scenario::Scenario;

use super::exit::{CliError, Exit};
use super::output::Output;

pub(crate) fn schema(out: &mut Output) -> Result<Exit, CliError> {
    let schema = schemars::schema_for!(Scenario);
    out.json(&schema)?;
    Ok(Exit::HELD)
}
