//! Standard output of the commands: buffered, with colour only where it is wanted, and silent once its reader is gone.

use std::fmt;
use std::io::{self, Write};

use anstream::AutoStream;
use serde::Serialize;

use super::args::Format;
use super::exit::CliError;

/// Says something on standard error that is no error.
pub(crate) fn note(text: impl fmt::Display) {
    let mut error = Output::error();
    error.line(format_args!("note: {text}"));
    // Nothing more can be said when standard error cannot be written to either.
    let _ = error.finish();
}

/// Where results go. When the reader has gone away (`beaver … | head`), what follows is dropped and the work goes on, so that
/// the exit code still tells the verdict.
pub(crate) struct Output {
    stream: Box<dyn Write>,
    gone: bool,
    failed: Option<io::Error>,
}

impl Output {
    /// The standard output. `anstream` takes out colours where it is no terminal or `NO_COLOR` is set.
    pub(crate) fn standard() -> Self {
        let choice = AutoStream::choice(&io::stdout());
        Output::new(Box::new(AutoStream::new(io::stdout(), choice)))
    }

    /// The standard error, for what must not mix with JSON.
    pub(crate) fn error() -> Self {
        let choice = AutoStream::choice(&io::stderr());
        Output::new(Box::new(AutoStream::new(io::stderr(), choice)))
    }

    fn new(stream: Box<dyn Write>) -> Self {
        Output {
            stream: Box::new(io::BufWriter::with_capacity(1 << 16, stream)),
            gone: false,
            failed: None,
        }
    }

    /// Writes `text` and ends the line.
    pub(crate) fn line(&mut self, text: impl fmt::Display) {
        self.write(format_args!("{text}\n"));
    }

    /// Writes `text` as it is.
    pub(crate) fn write(&mut self, text: impl fmt::Display) {
        if self.gone {
            return;
        }
        if let Err(error) = write!(self.stream, "{text}") {
            self.close(error);
        }
    }

    /// Shows everything written so far, before work that takes time.
    pub(crate) fn flush(&mut self) {
        if !self.gone
            && let Err(error) = self.stream.flush()
        {
            self.close(error);
        }
    }

    /// Says what is about to be done, as labels and values: here for people, on standard error where
    /// this output is for programs.
    pub(crate) fn announce(
        &mut self,
        lines: &[(&str, String)],
        format: Format,
    ) -> Result<(), CliError> {
        let mut text = format!("beaver {}\n", env!("CARGO_PKG_VERSION"));
        for (label, value) in lines {
            text.push_str(&format!("{label:<12} {value}\n"));
        }
        if format == Format::Text {
            self.line(text);
            self.flush();
            return Ok(());
        }
        let mut error = Output::error();
        error.write(text);
        error
            .finish()
            .map_err(|error| CliError::at("standard error", error))
    }

    /// Writes one JSON object.
    pub(crate) fn json(&mut self, value: &impl Serialize) -> Result<(), CliError> {
        let json = serde_json::to_string_pretty(value)
            .map_err(|error| CliError::at("the result cannot be written as JSON", error))?;
        self.line(json);
        Ok(())
    }

    /// Whether the reader is gone, so that long output can be cut short.
    pub(crate) fn is_gone(&self) -> bool {
        self.gone
    }

    /// Flushes, and says whether anything was lost for another reason than that the reader went away.
    pub(crate) fn finish(mut self) -> io::Result<()> {
        self.flush();
        self.failed.map_or(Ok(()), Err)
    }

    fn close(&mut self, error: io::Error) {
        self.gone = true;
        if error.kind() != io::ErrorKind::BrokenPipe {
            self.failed = Some(error);
        }
    }
}
