//! `beaver images`: every image that a power cut may leave after a history, one a line.

use std::collections::BTreeMap;
use std::path::Path;

use beaver_disk::Profile;
use beaver_disk::notation::FileHistory;
use serde::{Deserialize, Serialize};

use super::args::{Format, ImagesArgs};
use super::exit::{CliError, Exit};
use super::output::Output;
use super::scenario_files;

/// The profiles that are shown when none was asked for: those without device faults, which images never show.
const SHOWN: [Profile; 5] = [
    Profile::Strict,
    Profile::LinuxOrdered,
    Profile::BtrfsLike,
    Profile::Posix,
    Profile::Alice,
];

/// The most combinations of surviving records that are walked through for one history and profile.
const MOST_COMBINATIONS: u64 = 20_000_000;

/// A history as it stands on the command line or in a file.
#[derive(Debug, Deserialize)]
struct HistoryInput {
    #[serde(default)]
    files: BTreeMap<String, String>,
    steps: StepList,
}

/// The steps of a history: a list, or one string with `;` between them.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum StepList {
    List(Vec<String>),
    Text(String),
}

/// A history and its images, as programs read them.
#[derive(Debug, Serialize)]
struct ImagesDocument<'h> {
    files: &'h BTreeMap<String, String>,
    steps: Vec<&'h str>,
    images: BTreeMap<&'static str, Vec<String>>,
}

/// A history, and where it was read if not on the command line.
struct Request {
    origin: Option<String>,
    history: FileHistory,
}

pub(crate) fn images(args: &ImagesArgs, out: &mut Output) -> Result<Exit, CliError> {
    let asked = args
        .fs
        .as_deref()
        .map(scenario_files::profile_named)
        .transpose()?;
    let profiles = match (asked, args.format) {
        (Some(profile), _) => vec![profile],
        (None, Format::Text) => vec![Profile::Posix],
        (None, Format::Json) => SHOWN.to_vec(),
    };
    let requests = match &args.file {
        Some(file) => from_file(file)?,
        None => {
            let text = args.history.as_deref().unwrap_or_default();
            let history = FileHistory::parse(text).map_err(CliError::new)?;
            vec![Request {
                origin: None,
                history,
            }]
        }
    };
    for request in &requests {
        if out.is_gone() {
            break;
        }
        let images = request.images(&profiles)?;
        match args.format {
            Format::Json => print_json(&request.history, images, out)?,
            Format::Text => print_text(request, &images, out),
        }
    }
    Ok(Exit::HELD)
}

/// The histories in a file of JSON lines; blank lines are skipped.
fn from_file(path: &Path) -> Result<Vec<Request>, CliError> {
    let text =
        std::fs::read_to_string(path).map_err(|error| CliError::at(path.display(), error))?;
    let lines = text
        .lines()
        .enumerate()
        .filter(|(_, line)| !line.trim().is_empty());
    lines
        .map(|(at, line)| {
            let origin = format!("{}:{}", path.display(), at + 1);
            let history = from_line(line).map_err(|why| CliError::at(&origin, why))?;
            Ok(Request {
                origin: Some(origin),
                history,
            })
        })
        .collect()
}

fn from_line(line: &str) -> Result<FileHistory, String> {
    let written: HistoryInput = serde_json::from_str(line).map_err(|error| error.to_string())?;
    let steps = match written.steps {
        StepList::List(steps) => steps,
        StepList::Text(text) => vec![text],
    };
    FileHistory::from_parts(&written.files, &steps).map_err(|error| error.to_string())
}

impl Request {
    fn images(
        &self,
        profiles: &[Profile],
    ) -> Result<BTreeMap<&'static str, Vec<String>>, CliError> {
        let of_profile = |profile: &Profile| {
            let images = self.history.images(*profile, MOST_COMBINATIONS);
            let images = images.map_err(|error| match &self.origin {
                Some(origin) => CliError::at(origin, error),
                None => CliError::new(error),
            })?;
            Ok((profile.name(), images))
        };
        profiles.iter().map(of_profile).collect()
    }
}

fn print_json(
    history: &FileHistory,
    images: BTreeMap<&'static str, Vec<String>>,
    out: &mut Output,
) -> Result<(), CliError> {
    let answer = ImagesDocument {
        files: history.files(),
        steps: history.steps().collect(),
        images,
    };
    let json = serde_json::to_string(&answer)
        .map_err(|error| CliError::at("the images cannot be written as JSON", error))?;
    out.line(json);
    Ok(())
}

/// One image a line; histories from a file have a line in front that names them.
fn print_text(request: &Request, images: &BTreeMap<&'static str, Vec<String>>, out: &mut Output) {
    if let Some(origin) = &request.origin {
        let steps: Vec<&str> = request.history.steps().collect();
        out.line(format_args!("# {origin}: {}", steps.join("; ")));
    }
    images.values().flatten().for_each(|image| out.line(image));
}
