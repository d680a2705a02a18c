//! The command `beaver`: runs scenarios, replays failures, and inspects logs.

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main()
}
