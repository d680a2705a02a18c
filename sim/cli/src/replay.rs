//! `beaver replay`: a saved failure again, call by call. It draws no random number: everything that chance decided is in the file.

use crate::page::HtmlPage;
use crate::report::{ReplayDocument, Verdict};
use beaver_sim::explain::explain;
use beaver_sim::failure_folder::replay_command;
use beaver_sim::run::{Keep, run_seed};
use beaver_sim::shrink::Size;

use super::args::{Format, ReplayArgs};
use super::cluster::replay_cluster;
use super::exit::{CliError, Exit};
use super::failure_saver::this_program;
use super::injected;
use super::output::{Output, note};
use super::page_file;
use super::scenario_files;

pub(crate) fn replay(args: &ReplayArgs, out: &mut Output) -> Result<Exit, CliError> {
    if let Some(done) = replay_cluster(args, out) {
        return done;
    }
    let scenario = scenario_files::read_failure(&args.file)?;
    let bug = injected::bug_of(args.bug.as_deref(), &args.file)?;
    let subject = injected::subject(bug, &scenario);
    page_file::claim(args.report.as_deref())?;
    let file = args.file.display().to_string();
    let script = scenario.script.clone().unwrap_or_default();
    let mut plan = vec![
        ("replays", file.clone()),
        ("scenario", format!("{}: {}", scenario.name, scenario.claim)),
        ("profile", scenario.profile.name().to_owned()),
        ("script", format!("{}; no seed", Size::of(&script))),
    ];
    if let Some(bug) = bug {
        let injected = format!("{} {}; --bug none leaves it out", bug.id, bug.name);
        plan.push(("injected", injected));
    }
    out.announce(&plan, args.format)?;
    let run = run_seed(
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
    if let Some(id) = args.bug.as_deref().or(bug.map(|bug| bug.id)) {
        command = format!("{command} --bug {id}");
    }
    let explained = explain(&subject, &scenario, &command);
    if args.format == Format::Json {
        out.json(&ReplayDocument::new(&scenario.name, &file, &run))?;
    } else {
        run.trace.iter().for_each(|line| out.line(line));
        if let Some(explained) = &explained {
            out.write(format_args!("\n{}", explained.explanation));
        }
        out.line(format_args!("verdict: {verdict}"));
    }
    let hint = injected::hint(args.bug.as_deref(), bug, &scenario);
    if let Some(hint) = hint.filter(|_| verdict == Verdict::Pass) {
        note(hint);
    }
    let exit = Exit::Judged(verdict);
    match (&args.report, &explained) {
        (None, _) => Ok(exit),
        (Some(path), Some(explained)) => {
            page_file::write(path, &HtmlPage::of_failure(explained), exit)
        }
        (Some(_), None) => Err(CliError::at(
            &file,
            "holds now: there is no failure to write a page about",
        )),
    }
}
