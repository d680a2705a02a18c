//! Finds the scenarios that were asked for and reads them. All that is wrong with any of them is reported before anything runs.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::string::FromUtf8Error;

use crate::diagnose::{did_you_mean, old_words, read_scenario};
use beaver_sim::failure_folder::{SCENARIO, replaying_test};
use beaver_sim::scenario::{Profile, Scenario};
use beaver_trace::FailingImage;
use serde::de::IgnoredAny;

use super::built_in::{self, DIRECTORY};
use super::exit::CliError;
use super::output::note;

/// A scenario and the file it was read from.
#[derive(Clone, Debug)]
pub(crate) struct ScenarioFile {
    /// The file.
    pub(crate) path: PathBuf,
    /// What it says.
    pub(crate) scenario: Scenario,
}

/// The scenarios that `asked` names: files, directories, or names in `scenarios/`; all of `scenarios/` if it names none.
///
/// # Errors
/// Every file that is not there or cannot be used, one line each.
pub(crate) fn load(asked: &[PathBuf]) -> Result<Vec<ScenarioFile>, CliError> {
    let (files, mut problems) = paths(asked, DIRECTORY);
    let mut loaded = Vec::with_capacity(files.len());
    for path in files {
        match read(&path) {
            Ok(scenario) => loaded.push(ScenarioFile { path, scenario }),
            Err(failure) => problems.push(failure.to_string()),
        }
    }
    let names = loaded
        .iter()
        .map(|file| (&*file.scenario.name, &*file.path));
    problems.extend(shared_names(names));
    if problems.is_empty() {
        Ok(loaded)
    } else {
        Err(CliError::new(problems.join("\n")))
    }
}

/// The files that `asked` names, each once: files, directories, or names in `directory`; all of that if
/// it names none. And what names nothing.
pub(crate) fn paths(asked: &[PathBuf], directory: &str) -> (Vec<PathBuf>, Vec<String>) {
    let everything = [PathBuf::from(directory)];
    let asked = if asked.is_empty() {
        &everything[..]
    } else {
        asked
    };
    let mut files = Vec::new();
    let mut problems = Vec::new();
    for name in asked {
        match locate(name, directory) {
            Ok(paths) => files.extend(paths),
            Err(failure) => problems.push(failure.to_string()),
        }
    }
    keep_first_of_each(&mut files);
    (files, problems)
}

/// How many scenarios there are, and whether they are those of the program itself.
pub(crate) fn counted<'p>(paths: impl ExactSizeIterator<Item = &'p Path>) -> String {
    let count = paths.len();
    let mut paths = paths;
    match paths.any(|path| built_in::text(path).is_some()) {
        true => format!("{count} (built in: there is no {DIRECTORY}/ here)"),
        false => count.to_string(),
    }
}

/// Leaves out files that were named before.
fn keep_first_of_each(files: &mut Vec<PathBuf>) {
    let mut seen = BTreeSet::new();
    files.retain(|file| seen.insert(file.canonicalize().unwrap_or_else(|_| file.clone())));
}

/// What is wrong with scenarios of the same name: their failures would be saved in the same files.
pub(crate) fn shared_names<'n>(
    loaded: impl IntoIterator<Item = (&'n str, &'n Path)>,
) -> Vec<String> {
    let mut first = BTreeMap::new();
    let mut problems = Vec::new();
    for (name, path) in loaded {
        if let Some(other) = first.insert(name, path) {
            problems.push(format!(
                "{}: the name `{name}` is that of {} too",
                path.display(),
                other.display()
            ));
        }
    }
    problems
}

/// Reads one scenario.
///
/// # Errors
/// The file cannot be read, or what is wrong in it, one line each.
pub(crate) fn read(path: &Path) -> Result<Scenario, CliError> {
    let file = path.display().to_string();
    let text = read_text(path)?;
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let scenario = read_scenario(&file, &stem, &text).map_err(|problems| {
        if is_of_cluster(&text) {
            return CliError::at(&file, "is a scenario of a cluster: use `beaver cluster`");
        }
        let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
        CliError::new(lines.join("\n"))
    })?;
    if let Some(instead) = old_words(&text) {
        note(format_args!("{file}: words of version 0.1: {instead}"));
    }
    Ok(scenario)
}

/// Whether a text says what scenarios of clusters alone say.
fn is_of_cluster(text: &str) -> bool {
    let read: Result<BTreeMap<String, IgnoredAny>, _> = serde_json::from_str(text);
    read.is_ok_and(|fields| fields.contains_key("nodes"))
}

/// The text of a file, or of one that is built in.
pub(crate) fn read_text(path: &Path) -> Result<String, CliError> {
    let file = path.display().to_string();
    let bytes = match built_in::text(path) {
        Some(text) => text.into(),
        None => std::fs::read(path).map_err(|error| CliError::at(&file, error))?,
    };
    String::from_utf8(bytes).map_err(|error| not_utf8(&file, &error))
}

/// A file of another encoding, with the place where that shows.
fn not_utf8(file: &str, error: &FromUtf8Error) -> CliError {
    let bytes = error.as_bytes();
    let before = &bytes[..error.utf8_error().valid_up_to()];
    let is_utf16 = bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]);
    let why = match is_utf16 {
        true => "the file is UTF-16: save it as UTF-8".to_owned(),
        false => format!(
            "byte {} is not UTF-8: save the file as UTF-8",
            before.len() + 1
        ),
    };
    let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
    CliError::at(format_args!("{file}:{line}"), why)
}

/// The file that replays a saved failure: the one in its folder, or the one that was named.
pub(crate) fn of_failure(path: &Path) -> PathBuf {
    match path.is_dir() {
        true => path.join(SCENARIO),
        false => path.to_owned(),
    }
}

/// Reads a saved failure: a folder, or the scenario in it.
///
/// # Errors
/// It cannot be read, or it is no saved failure.
pub(crate) fn read_failure(path: &Path) -> Result<Scenario, CliError> {
    if FailingImage::is_in(path) {
        let why = "is a failure of `beaver crash`, which checks it again: `beaver crash FOLDER`";
        return Err(CliError::at(path.display(), why));
    }
    let file = of_failure(path);
    match file.parent() {
        Some(here) if here.as_os_str().is_empty() => refuse_own_store(Path::new("."))?,
        Some(folder) => refuse_own_store(folder)?,
        None => {}
    }
    let scenario = read(&file)?;
    if scenario.script.is_none() {
        let why = "has no `script`, so it is a scenario and not a saved failure: use `beaver run`";
        return Err(CliError::at(path.display(), why));
    }
    Ok(scenario)
}

/// Refuses what only the test of a store of one's own can run again.
///
/// # Errors
/// `folder` is such a failure; the text names the command.
pub(crate) fn refuse_own_store(folder: &Path) -> Result<(), CliError> {
    let Some(command) = replaying_test(folder) else {
        return Ok(());
    };
    let why = format!("is a failure of a store of one's own, whose test runs it again: {command}");
    Err(CliError::at(folder.display(), why))
}

/// The profile called `name`, or that of the file system of that name.
///
/// # Errors
/// There is none of that name.
pub(crate) fn profile_named(name: &str) -> Result<Profile, CliError> {
    let profiles = Profile::ALL
        .iter()
        .map(|profile| (profile.name(), *profile));
    let mut all = FILE_SYSTEMS.into_iter().chain(profiles);
    let known = all.clone().map(|(name, _)| name);
    let profile = all.find(|(known, _)| *known == name);
    profile.map(|(_, profile)| profile).ok_or_else(|| {
        CliError::new(format!(
            "unknown profile `{name}`{}; known: {}",
            did_you_mean(name, known.clone()),
            known.collect::<Vec<_>>().join(", ")
        ))
    })
}

/// File systems whose names stand for a profile.
const FILE_SYSTEMS: [(&str, Profile); 3] = [
    ("ext4", Profile::LinuxOrdered),
    ("xfs", Profile::LinuxOrdered),
    ("btrfs", Profile::BtrfsLike),
];

/// The files that one argument stands for.
fn locate(asked: &Path, directory: &str) -> Result<Vec<PathBuf>, CliError> {
    let name = asked.to_string_lossy();
    let named = Path::new(directory).join(format!("{}.json", name.trim_end_matches(".json")));
    let is_name = !name.contains(std::path::MAIN_SEPARATOR) && is_scenario(&named);
    if asked.is_dir() || asked == Path::new(directory) {
        let files = in_directory(asked)?;
        // A folder that happens to have the name of a scenario is not what is meant.
        if !files.is_empty() || !is_name {
            return Ok(files);
        }
    }
    if is_scenario(asked) {
        return Ok(vec![asked.to_owned()]);
    }
    if is_name {
        return Ok(vec![named]);
    }
    let names = in_directory(Path::new(directory)).unwrap_or_default();
    let names: Vec<String> = names.iter().map(|path| stem(path)).collect();
    let meant = did_you_mean(&name, names.iter().map(String::as_str));
    Err(CliError::new(format!(
        "{name}: neither a file nor a scenario in {directory}/{meant}"
    )))
}

fn is_scenario(path: &Path) -> bool {
    path.is_file() || built_in::text(path).is_some()
}

/// The scenario files in `directory`, sorted by name.
fn in_directory(directory: &Path) -> Result<Vec<PathBuf>, CliError> {
    let built_in = built_in::scenarios(directory);
    if !built_in.is_empty() {
        return Ok(built_in);
    }
    let read = || -> std::io::Result<Vec<PathBuf>> {
        let entries = std::fs::read_dir(directory)?;
        let paths = entries.map(|entry| entry.map(|entry| entry.path()));
        paths
            .filter(|path| path.as_ref().map_or(true, |path| has_json_extension(path)))
            .collect()
    };
    let mut paths = read().map_err(|error| CliError::at(directory.display(), error))?;
    paths.sort();
    Ok(paths)
}

fn has_json_extension(path: &Path) -> bool {
    path.extension()
        .is_some_and(|extension| extension == "json")
}

fn stem(path: &Path) -> String {
    path.file_stem()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}
