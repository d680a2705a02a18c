//! What `beaver cluster` is about to do, resolved from the command line, the environment and the
//! scenario files.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use beaver_cluster::engine_choice::{EngineChoice, EngineName};
use beaver_cluster::scenario::ClusterScenario;
use beaver_cluster::small_raft::PlantedBug;
use beaver_sim::scenario::Seeds;

use crate::args::ClusterArgs;
use crate::diagnose::read_cluster_scenario;
use crate::exit::CliError;
use crate::run_plan::{chosen_seeds, jobs};
use crate::scenario_files::{counted, paths, read_text, shared_names};

/// Where scenarios of clusters are looked for.
const DIRECTORY: &str = "scenarios/cluster";

/// A scenario and the file it was read from.
#[derive(Clone, Debug)]
pub(super) struct ClusterFile {
    /// The file.
    pub(super) path: PathBuf,
    /// What it says, with everything that the command line changes.
    pub(super) scenario: ClusterScenario,
}

/// Everything that is fixed before the first run.
#[derive(Debug)]
pub(super) struct ClusterPlan<'a> {
    args: &'a ClusterArgs,
    /// What is under test.
    pub(super) engine: EngineChoice,
    /// The scenarios.
    pub(super) files: Vec<ClusterFile>,
    /// The seeds in place of the scenarios' own, and where they come from.
    seeds: Option<(Seeds, &'static str)>,
    /// Seeds that run at the same time.
    pub(super) jobs: NonZeroUsize,
}

impl<'a> ClusterPlan<'a> {
    /// Resolves the command line.
    ///
    /// # Errors
    /// Something that it names cannot be used.
    pub(super) fn resolve(args: &'a ClusterArgs) -> Result<Self, CliError> {
        let seeds = chosen_seeds(&args.options)?;
        let profile = args.options.search.profile()?;
        let mut files = load(&args.scenarios)?;
        for file in &mut files {
            let scenario = &mut file.scenario;
            scenario.nodes = args.nodes.unwrap_or(scenario.nodes);
            if let Some(profile) = profile {
                scenario.profiles = vec![profile];
            }
        }
        Ok(ClusterPlan {
            engine: engine(args.engine, args.bug),
            files,
            seeds,
            jobs: jobs(args.options.search.jobs),
            args,
        })
    }

    /// The seeds that `file` runs over.
    pub(super) fn seeds_of(&self, file: &ClusterFile) -> Seeds {
        self.seeds.map_or(file.scenario.seeds, |(seeds, _)| seeds)
    }

    /// The plan as labels and values.
    pub(super) fn lines(&self) -> Vec<(&'static str, String)> {
        let runs = self.files.iter().map(|file| self.seeds_of(file).count());
        let runs: u64 = runs.fold(0, u64::saturating_add);
        let seeds = match self.seeds {
            Some((seeds, source)) => format!("{seeds} (from {source})"),
            None => "those of each scenario".to_owned(),
        };
        let nodes = match self.args.nodes {
            Some(nodes) => format!("{nodes} (from --nodes)"),
            None => "those of each scenario".to_owned(),
        };
        let search = &self.args.options.search;
        vec![
            (
                "scenarios",
                counted(self.files.iter().map(|file| &*file.path)),
            ),
            ("engine", self.engine.to_string()),
            ("runs", runs.to_string()),
            ("seeds", seeds),
            ("nodes", nodes),
            ("profile", search.profile_source("those of each scenario")),
            ("jobs", self.jobs.to_string()),
            ("failures", search.out.display().to_string()),
        ]
    }
}

fn engine(asked: Option<EngineName>, bug: Option<PlantedBug>) -> EngineChoice {
    let otherwise = match bug {
        Some(_) => EngineName::Small,
        None => EngineName::default(),
    };
    EngineChoice {
        engine: asked.unwrap_or(otherwise),
        bug,
    }
}

/// Reads the scenarios that `asked` names.
fn load(asked: &[PathBuf]) -> Result<Vec<ClusterFile>, CliError> {
    let (files, mut problems) = paths(asked, DIRECTORY);
    let mut loaded = Vec::new();
    for path in files {
        match read(&path) {
            Ok(scenario) => loaded.push(ClusterFile { path, scenario }),
            Err(problem) => problems.push(problem),
        }
    }
    let names = loaded
        .iter()
        .map(|file| (&*file.scenario.name, &*file.path));
    problems.extend(shared_names(names));
    match problems[..] {
        [] => Ok(loaded),
        _ => Err(CliError::new(problems.join("\n"))),
    }
}

fn read(path: &Path) -> Result<ClusterScenario, String> {
    let file = path.display().to_string();
    let text = read_text(path).map_err(|error| error.to_string())?;
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    read_cluster_scenario(&file, &stem, &text).map_err(|problem| problem.to_string())
}
