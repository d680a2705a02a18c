//! What `beaver run` is about to do, resolved from the command line, the environment and the
//! scenario files, and printed before any work.

use std::num::NonZeroUsize;

use beaver_sim::scenario::{Profile, Seeds};

use super::args::{RunArgs, RunOptions, SearchOptions};
use super::exit::CliError;
use super::scenario_files::{self, ScenarioFile};
use super::seed::Seed;

/// The environment variable that is asked when neither `--seed` nor `--seeds` is given.
const SEED_VARIABLE: &str = "BEAVER_SEED";

/// Everything that is fixed before the first run.
#[derive(Debug)]
pub(crate) struct RunPlan<'a> {
    options: &'a RunOptions,
    /// Whether no scenario was named.
    all: bool,
    /// The scenarios, with the profile in force already in them.
    pub(crate) files: Vec<ScenarioFile>,
    /// The seeds in place of the scenarios' own, and where they come from.
    seeds: Option<(Seeds, &'static str)>,
    /// Seeds that run at the same time.
    pub(crate) jobs: NonZeroUsize,
}

impl<'a> RunPlan<'a> {
    /// Resolves the command line.
    ///
    /// # Errors
    /// A seed, profile or scenario cannot be used.
    pub(crate) fn resolve(args: &'a RunArgs) -> Result<Self, CliError> {
        let options = &args.options;
        let seeds = chosen_seeds(options)?;
        let profile = options.search.profile()?;
        let mut files = scenario_files::load(&args.scenarios)?;
        for file in &mut files {
            file.scenario.profile = profile.unwrap_or(file.scenario.profile);
        }
        Ok(RunPlan {
            options,
            all: args.scenarios.is_empty(),
            files,
            seeds,
            jobs: jobs(options.search.jobs),
        })
    }

    /// The seeds that `file` runs over.
    pub(crate) fn seeds_of(&self, file: &ScenarioFile) -> Seeds {
        self.seeds.map_or(file.scenario.seeds, |(seeds, _)| seeds)
    }

    /// Whether coverage is judged: only where each scenario runs over its own seeds.
    pub(crate) fn is_gated(&self) -> bool {
        self.seeds.is_none()
    }

    /// Whether all scenarios run as they are, which is when they must reach everything together.
    pub(crate) fn is_everything(&self) -> bool {
        self.all && self.is_gated() && self.options.search.fs.is_none()
    }

    /// The plan as labels and values.
    pub(crate) fn lines(&self) -> Vec<(&'static str, String)> {
        let runs = self.files.iter().map(|file| self.seeds_of(file).count());
        let runs = runs.fold(0, u64::saturating_add);
        let mut own = self.files.iter().map(|file| file.scenario.seeds);
        let first = own.next();
        let seeds = match (
            self.seeds,
            first.filter(|first| own.all(|seeds| seeds == *first)),
        ) {
            (Some((seeds, source)), _) => {
                format!("{seeds} (from {source}); coverage is reported, not judged")
            }
            (None, Some(seeds)) => format!("{seeds} (from the scenarios)"),
            (None, None) => "those of each scenario".to_owned(),
        };
        let processes = match self.options.check_determinism {
            true => "two for each seed, compared",
            false => "one",
        };
        vec![
            (
                "scenarios",
                scenario_files::counted(self.files.iter().map(|file| &*file.path)),
            ),
            ("runs", runs.to_string()),
            ("seeds", seeds),
            (
                "profile",
                self.options.search.profile_source("that of each scenario"),
            ),
            ("jobs", self.jobs.to_string()),
            ("failures", self.options.search.out.display().to_string()),
            ("processes", processes.to_owned()),
        ]
    }
}

impl SearchOptions {
    /// The profile that was asked for in place of the scenarios' own.
    ///
    /// # Errors
    /// There is none of that name.
    pub(crate) fn profile(&self) -> Result<Option<Profile>, CliError> {
        self.fs
            .as_deref()
            .map(scenario_files::profile_named)
            .transpose()
    }

    /// The profile in force, and where it comes from; `otherwise` where none was asked for.
    pub(crate) fn profile_source(&self, otherwise: &str) -> String {
        match &self.fs {
            Some(profile) => format!("{profile} (from --fs)"),
            None => otherwise.to_owned(),
        }
    }
}

/// As many threads as were asked for, else one for each core.
pub(crate) fn jobs(asked: Option<NonZeroUsize>) -> NonZeroUsize {
    let cores = || std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    asked.unwrap_or_else(cores)
}

/// The seeds of the command line, else those of the environment.
pub(crate) fn chosen_seeds(
    options: &RunOptions,
) -> Result<Option<(Seeds, &'static str)>, CliError> {
    if let Some(Seed(seed)) = options.seed {
        return Ok(Some((Seeds::one(seed), "--seed")));
    }
    if let Some(seeds) = options.seeds {
        return Ok(Some((seeds, "--seeds")));
    }
    let Some(value) = std::env::var_os(SEED_VARIABLE) else {
        return Ok(None);
    };
    let Seed(seed) = value.to_string_lossy().parse().map_err(|error| {
        CliError::at(
            format_args!("the environment variable {SEED_VARIABLE}"),
            error,
        )
    })?;
    Ok(Some((Seeds::one(seed), SEED_VARIABLE)))
}
