//! The program `beaverd`.

use std::process::ExitCode;
use std::thread::available_parallelism;

use beaverd::arguments::Arguments;
use beaverd::node;
use clap::Parser;

/// Fewer threads than this, and a snapshot that is being written would hold up heartbeats.
const LEAST_THREADS: usize = 4;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let threads = available_parallelism().map_or(LEAST_THREADS, |cores| cores.get());
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(threads.max(LEAST_THREADS))
        .enable_all()
        .build();
    let ended = match runtime {
        Ok(runtime) => runtime.block_on(node::run(&arguments)),
        Err(error) => Err(format!("no threads: {error}")),
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            eprintln!("beaverd: {reason}");
            ExitCode::FAILURE
        }
    }
}
