//! `beaver replay`: a saved failure again, call by call. It draws no random number: everything that chance decided is in the file.

use crate::page::Page;
use crate::report::{RunDocument, Verdict};
use beaver_sim::explain::explain;
use beaver_sim::failure_folder::replay_command;
use beaver_sim::run::{Keep, run_seed_of};
use beaver_sim::subject::Subject;
use beaver_zoo::catalogue::EXHIBITS;

use super::args::{Format, ReplayArgs};
use super::exit::{Exit, Failure};
use super::keeping::this_program;
use super::output::Output;
use super::page_file;
use super::scenario_files;

pub(crate) fn replay(args: &ReplayArgs, out: &mut Output) -> Result<Exit, Failure> {
    let scenario = scenario_files::read(&scenario_files::of_failure(&args.file))?;
    let subject = planted(args.bug.as_deref())?;
    page_file::claim(args.report.as_deref())?;
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
    let run = run_seed_of(
        &subject,
        &scenario,
        0,
        Keep {
            trace: true,
            ..Keep::default()
        },
    );
    let verdict = Verdict::of_outcome(&run.outcome);
    let mut command = replay_command(&this_program(), &args.file);
    if let Some(id) = &args.bug {
        command = format!("{command} --bug {id}");
    }
    let explained = explain(&subject, &scenario, &command);
    if args.format == Format::Json {
        let document = RunDocument::new(&scenario.name, &file, &run);
        let json = serde_json::to_string_pretty(&document)
            .map_err(|error| Failure::at("the report cannot be written as JSON", error))?;
        out.line(json);
    } else {
        run.trace.iter().for_each(|line| out.line(line));
        if let Some(explained) = &explained {
            out.write(format_args!("\n{}", explained.explanation));
        }
        out.line(format_args!("verdict: {verdict}"));
    }
    let exit = Exit::of_verdict(verdict, false);
    match (&args.report, &explained) {
        (None, _) => Ok(exit),
        (Some(path), Some(explained)) => page_file::write(path, &Page::of_failure(explained), exit),
        (Some(_), None) => Err(Failure::at(
            &file,
            "holds now: there is no failure to write a page about",
        )),
    }
}

/// The program under test, with the bug of the zoo that was asked for.
pub(super) fn planted(id: Option<&str>) -> Result<Subject, Failure> {
    let Some(id) = id else {
        return Ok(Subject::default());
    };
    let known = EXHIBITS.iter().find(|bug| bug.id.eq_ignore_ascii_case(id));
    let known = known.map(|bug| bug.plant.subject());
    known.ok_or_else(|| Failure::at(id, "is no bug of the zoo: `beaver zoo` lists them"))
}
