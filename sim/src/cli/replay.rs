//! `beaver replay`: a saved failure again, call by call. It draws no random number: everything that chance decided is in the file.

use beaver_sim::report::{Failure as FailureReport, RunDocument, Verdict};
use beaver_sim::run::{Keep, run_script};

use super::args::{Format, ReplayArgs};
use super::exit::{Exit, Failure};
use super::output::Output;
use super::scenario_files;

pub(crate) fn replay(args: &ReplayArgs, out: &mut Output) -> Result<Exit, Failure> {
    let scenario = scenario_files::read(&args.file)?;
    let file = args.file.display().to_string();
    let Some(script) = &scenario.script else {
        return Err(Failure::at(
            &file,
            "has no `script`, so it is a scenario and not a saved failure: use `beaver run`",
        ));
    };
    let announcement = format!(
        "beaver {}\nreplays      {file}\nscenario     {}: {}\nprofile      {}\nscript       {} commands, {} faults, {} crashes; no seed",
        env!("CARGO_PKG_VERSION"),
        scenario.name,
        scenario.claim,
        scenario.profile.name(),
        script.steps.len(),
        script.faults.len(),
        script.crashes.len(),
    );
    if args.format == Format::Text {
        out.line(format_args!("{announcement}\n"));
        out.flush();
    }
    let run = run_script(
        &scenario,
        Keep {
            trace: true,
            ..Keep::default()
        },
    );
    let verdict = Verdict::of_outcome(&run.outcome);
    if args.format == Format::Json {
        let document = RunDocument::new(&scenario.name, &file, &run);
        let json = serde_json::to_string_pretty(&document)
            .map_err(|error| Failure::at("the report cannot be written as JSON", error))?;
        out.line(json);
    } else {
        run.trace.iter().for_each(|line| out.line(line));
        let failure = FailureReport {
            scenario: &scenario.name,
            run: &run,
            profile: scenario.profile,
            mildest: None,
            replay: None,
        };
        out.write(format_args!("\n{failure}"));
        out.line(format_args!("verdict: {verdict}"));
    }
    Ok(Exit::of_verdict(verdict, false))
}
