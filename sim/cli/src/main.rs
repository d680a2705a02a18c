//! The command `beaver`: runs scenarios, replays failures, and inspects logs.

use std::process::ExitCode;

#[cfg(feature = "mimalloc")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    beaver_cli::main()
}
