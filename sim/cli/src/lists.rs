//! `beaver faults`, `beaver profiles` and `beaver invariants`: what can be asked for, and what is checked, one line each.

use std::collections::BTreeMap;

use beaver_sim::invariant::Invariant;
use beaver_sim::scenario::{FaultKind, Profile};
use serde::Serialize;

use super::args::Format;
use super::exit::{CliError, Exit};
use super::output::Output;

/// One line of a list.
#[derive(Serialize)]
struct ListEntry {
    name: &'static str,
    description: &'static str,
    #[serde(flatten)]
    more: Option<FaultFacts>,
}

/// What a fault's entry has beside its name and description.
#[derive(Serialize)]
struct FaultFacts {
    /// Whether it damages acknowledged data, so that a refusal or a bounded loss is excused.
    damages: bool,
}

/// One invariant.
#[derive(Serialize)]
struct InvariantEntry {
    number: u8,
    name: &'static str,
    promise: &'static str,
}

pub(crate) fn invariants(format: Format, out: &mut Output) -> Result<Exit, CliError> {
    let entries = Invariant::ALL.iter().map(|invariant| InvariantEntry {
        number: invariant.number(),
        name: invariant.name(),
        promise: invariant.promise(),
    });
    let entries: Vec<InvariantEntry> = entries.collect();
    if format == Format::Json {
        out.json(&BTreeMap::from([("invariants", entries)]))?;
        return Ok(Exit::HELD);
    }
    let width = entries.iter().map(|entry| entry.name.len()).max();
    let width = width.unwrap_or(0);
    for InvariantEntry {
        number,
        name,
        promise,
    } in &entries
    {
        out.line(format_args!("{number:>2}  {name:<width$}  {promise}"));
    }
    Ok(Exit::HELD)
}

pub(crate) fn faults(format: Format, out: &mut Output) -> Result<Exit, CliError> {
    let entries = FaultKind::ALL.iter().map(|kind| ListEntry {
        name: kind.name(),
        description: kind.description(),
        more: Some(FaultFacts {
            damages: kind.damages(),
        }),
    });
    print("faults", &entries.collect::<Vec<_>>(), format, out)
}

pub(crate) fn profiles(format: Format, out: &mut Output) -> Result<Exit, CliError> {
    let entries = Profile::ALL.iter().map(|profile| ListEntry {
        name: profile.name(),
        description: profile.description(),
        more: None,
    });
    print("profiles", &entries.collect::<Vec<_>>(), format, out)
}

fn print(
    what: &'static str,
    entries: &[ListEntry],
    format: Format,
    out: &mut Output,
) -> Result<Exit, CliError> {
    if format == Format::Json {
        let document = BTreeMap::from([(what, entries)]);
        out.json(&document)?;
        return Ok(Exit::HELD);
    }
    let width = entries
        .iter()
        .map(|entry| entry.name.len())
        .max()
        .unwrap_or(0);
    for entry in entries {
        out.line(format_args!(
            "{:<width$}  {}",
            entry.name, entry.description
        ));
    }
    Ok(Exit::HELD)
}
