//! The command `beaver` as its users meet it: a process with arguments, output and an exit code.

#![expect(
    clippy::unwrap_used,
    reason = "a test ends where something unexpected happens, in the functions that it calls too"
)]

#[cfg(target_os = "linux")]
mod any_program;
mod beaver;
mod book;
mod cluster;
#[cfg(unix)]
mod crash;
mod crash_calls;
mod crash_ended;
mod explore;
mod failures;
mod golden;
mod help;
mod images;
mod init;
#[cfg(unix)]
mod interrupt;
mod lists;
mod pages;
mod readme;
mod run;
mod scenario_errors;
mod schema;
mod shrink;
mod trace;
mod usage;
mod wal;
#[cfg(unix)]
mod wal_files;
mod zoo;
