//! The command `beaver` as its users meet it: a process with arguments, output and an exit code.

mod beaver;
mod golden;
mod help;
mod images;
#[cfg(unix)]
mod interrupt;
mod lists;
mod run;
mod scenario_errors;
mod schema;
mod usage;
