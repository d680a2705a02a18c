//! wal
use super::args::WalCommand;
use super::exit::{Exit, Failure};
use super::output::Output;
pub(crate) fn wal(_: &WalCommand, _: &mut Output) -> Result<Exit, Failure> {
    Ok(Exit::Held)
}
