//! A command line that `clap` does not understand, with a hint where people often go wrong.

use std::ffi::OsString;

use clap::error::ErrorKind;

use super::output::Output;

/// Says what is wrong and ends the process: with 2, or with 0 where help was asked for.
pub(crate) fn explain(error: &clap::Error) -> ! {
    let words: Vec<OsString> = std::env::args_os().skip(1).collect();
    if let (ErrorKind::UnknownArgument | ErrorKind::MissingRequiredArgument, Some(command)) =
        (error.kind(), records_without_dashes(&words))
    {
        // Nothing more can be said when standard error cannot be written to either.
        let _ = error.print();
        let mut hint = Output::error();
        hint.line(format_args!(
            "\nhint: the program comes after `--`, with its own arguments: `beaver {command} … -- python3 save.py {{dir}}`"
        ));
        let _ = hint.finish();
        std::process::exit(error.exit_code());
    }
    error.exit()
}

/// The command, if it is one that records a program and nothing says where that begins.
fn records_without_dashes(words: &[OsString]) -> Option<&str> {
    let command = words.first()?.to_str()?;
    let records = ["crash", "trace"].contains(&command);
    (records && !words.iter().any(|word| word == "--")).then_some(command)
}
