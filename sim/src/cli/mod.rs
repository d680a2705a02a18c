//! The command line: what was asked for, done and answered with an exit code.
mod args;
mod exit;
mod seeds;
