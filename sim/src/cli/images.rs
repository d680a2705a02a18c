//! images
use super::args::ImagesArgs;
use super::exit::{Exit, Failure};
use super::output::Output;
pub(crate) fn images(_: &ImagesArgs, _: &mut Output) -> Result<Exit, Failure> {
    Ok(Exit::Held)
}
