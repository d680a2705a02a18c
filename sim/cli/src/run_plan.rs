//! What `beaver run` is about to do, resolved from the command line, the environment and the scenario files, and printed before
//! any work.

use std::fmt;
use std::num::NonZeroUsize;
use std::path::PathBuf;

use beaver_sim::scenario::{Profile, Seeds};

use super::args::{RunArgs, RunOptions};
use super::exit::Failure;
use super::scenario_files::{self, ScenarioFile};
use super::seed::Seed;

/// The environment variable that is asked when neither `--seed` nor `--seeds` is given.
const SEED_VARIABLE: &str = "BEAVER_SEED";

/// Everything that is fixed before the first run.
#[derive(Debug)]
pub(crate) struct RunPlan {
    /// The scenarios, with the profile in force already in them.
    pub(crate) files: Vec<ScenarioFile>,
    /// The seeds in place of the scenarios' own, and where they come from.
    pub(crate) seeds: Option<(Seeds, &'static str)>,
    /// The profile in place of the scenarios' own.
    pub(crate) profile: Option<Profile>,
    /// Seeds that run at the same time.
    pub(crate) jobs: NonZeroUsize,
    /// Where failures are saved.
    pub(crate) out: PathBuf,
    /// Whether they are made smaller first.
    pub(crate) shrinks: bool,
    /// Whether each seed runs in a second process too.
    pub(crate) check_determinism: bool,
}

impl RunPlan {
    /// Resolves the command line.
    ///
    /// # Errors
    /// A seed, profile or scenario cannot be used.
    pub(crate) fn resolve(args: &RunArgs) -> Result<Self, Failure> {
        let options = &args.options;
        let seeds = chosen_seeds(options)?;
        let profile = options
            .fs
            .as_deref()
            .map(scenario_files::profile)
            .transpose()?;
        let mut files = scenario_files::load(&args.scenarios)?;
        for file in &mut files {
            file.scenario.profile = profile.unwrap_or(file.scenario.profile);
        }
        let cores = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
        Ok(RunPlan {
            files,
            seeds,
            profile,
            jobs: options.jobs.unwrap_or(cores),
            out: options.out.clone(),
            shrinks: !options.no_shrink,
            check_determinism: options.check_determinism,
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

    fn runs(&self) -> u64 {
        self.files
            .iter()
            .map(|file| self.seeds_of(file).count())
            .fold(0, u64::saturating_add)
    }
}

impl fmt::Display for RunPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "beaver {}", env!("CARGO_PKG_VERSION"))?;
        writeln!(f, "scenarios    {}", self.files.len())?;
        writeln!(f, "runs         {}", self.runs())?;
        match self.seeds {
            Some((seeds, source)) => {
                writeln!(
                    f,
                    "seeds        {seeds} (from {source}); coverage is reported, not judged"
                )?;
            }
            None => {
                let first = self.files.first().map(|file| file.scenario.seeds);
                let same = self
                    .files
                    .iter()
                    .all(|file| Some(file.scenario.seeds) == first);
                match first.filter(|_| same) {
                    Some(seeds) => writeln!(f, "seeds        {seeds} (from the scenarios)")?,
                    None => writeln!(f, "seeds        those of each scenario")?,
                }
            }
        }
        match self.profile {
            Some(profile) => writeln!(f, "profile      {} (from --fs)", profile.name())?,
            None => writeln!(f, "profile      that of each scenario")?,
        }
        writeln!(f, "jobs         {}", self.jobs)?;
        writeln!(f, "failures     {}", self.out.display())?;
        let processes = if self.check_determinism {
            "two for each seed, compared"
        } else {
            "one"
        };
        write!(f, "processes    {processes}")
    }
}

/// The seeds of the command line, else those of the environment.
fn chosen_seeds(options: &RunOptions) -> Result<Option<(Seeds, &'static str)>, Failure> {
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
        Failure::at(
            format_args!("the environment variable {SEED_VARIABLE}"),
            error,
        )
    })?;
    Ok(Some((Seeds::one(seed), SEED_VARIABLE)))
}
