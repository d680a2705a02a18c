//! `beaver wal compare`: the differences between two logs.

use std::path::Path;

use beaver::inspect::{self, Difference};
use serde_json::{Value, json};

use super::out_of_place::note;
use super::{exit_for, log, settled};
use crate::args::Format;
use crate::exit::{CliError, Exit};
use crate::output::Output;

/// Prints one line a difference; ends with 1 if there is one.
pub(super) fn compare(
    a: &Path,
    b: &Path,
    format: Format,
    out: &mut Output,
) -> Result<Exit, CliError> {
    note(a)?;
    note(b)?;
    let (first, second) = (log(a)?, log(b)?);
    let differences = settled(|| inspect::compare(&first, &second)).map_err(|error| {
        CliError::at(format_args!("{} and {}", a.display(), b.display()), error)
    })?;
    match format {
        Format::Json => {
            let differences: Vec<Value> = differences.iter().map(difference_json).collect();
            out.json(&json!({"differences": differences}))?;
        }
        Format::Text => differences
            .iter()
            .for_each(|difference| out.line(difference)),
    }
    Ok(exit_for(!differences.is_empty()))
}

fn difference_json(difference: &Difference) -> Value {
    match difference {
        Difference::OnlyInFirst { from, to } => {
            json!({"kind": "only-in-first", "epoch": from.epoch.0, "from": from.seq.0, "to": to.0})
        }
        Difference::OnlyInSecond { from, to } => {
            json!({"kind": "only-in-second", "epoch": from.epoch.0, "from": from.seq.0, "to": to.0})
        }
        Difference::Content {
            position,
            first,
            second,
        } => {
            json!({"kind": "content", "position": position.to_string(), "first": first, "second": second})
        }
    }
}
