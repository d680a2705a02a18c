use std::time::Duration;

use beaver_disk::Profile;

use super::*;
use crate::image_options::ImageOptions;
use crate::images::crash_images;
use crate::log::{Log, TraceEvent};
use crate::testing::recorded;

const STEPS: &str =
    "create f; write f 0 old; begin; create t; write t 0 new; rename t f; ack saved; sync_dir .";

fn judge_with(
    log: &Log,
    check: ImageCheck,
    jobs: usize,
    limit: Duration,
) -> (Judge, Vec<Judgement>) {
    let said = log.events.iter().filter_map(|event| match event {
        TraceEvent::Ack(line) => Some(line.clone()),
        _ => None,
    });
    let options = JudgeOptions {
        check,
        limit,
        jobs,
        guard: None,
    };
    let replaced = ReplacedFiles::of(log).unwrap();
    let replaced = matches!(options.check, ImageCheck::Program(_)).then_some(replaced);
    let judge = Judge::new(options, said.collect(), replaced).unwrap();
    let answers = all_answers(&judge, log, &|| true);
    (judge, answers)
}

fn all_answers(judge: &Judge, log: &Log, go_on: &(dyn Fn() -> bool + Sync)) -> Vec<Judgement> {
    let options = ImageOptions::new(Profile::Posix);
    let found = crash_images(log, &log.events, &options, &|| true).unwrap();
    let time = JudgeTime::while_true(go_on);
    judge
        .judge((log, &log.events), &found, &time, &|_| {})
        .unwrap()
}

fn answers(check: ImageCheck, limit: Duration) -> Vec<Judgement> {
    let (_folder, log) = recorded(STEPS);
    let (_, answers) = judge_with(&log, check, 1, limit);
    assert!(answers.len() > 3);
    answers
}

const LONG: Duration = Duration::from_secs(60);

fn command(text: &str) -> ImageCheck {
    ImageCheck::Command(text.to_owned())
}

fn server(text: &str) -> ImageCheck {
    ImageCheck::Server(text.to_owned())
}

fn check_all_say(answers: &[Judgement], part: &str) {
    for answer in answers {
        assert!(
            matches!(answer, Judgement::Bad(why) if why.contains(part)),
            "{answer:?}"
        );
    }
}

#[test]
fn a_command_and_a_server_say_the_same_with_any_number_of_jobs() {
    let test = "c=$(cat $d/f); [ \"$c\" = old ] || [ \"$c\" = new ]";
    let (_folder, log) = recorded(STEPS);
    let once = command(&format!(
        "d={{dir}}; {test} || {{ echo it is \"<$c>\"; exit 1; }}"
    ));
    let tab = "$(printf '\\t')";
    let asked = format!(
        "while IFS=\"{tab}\" read -r d acks; do if {test}; then echo ok; else echo \"it is <$c>\"; fi; done"
    );
    let (judge, expected) = judge_with(&log, once.clone(), 1, LONG);
    assert!(expected.contains(&Judgement::Good));
    assert!(expected.contains(&Judgement::Bad("it is <>".to_owned())));
    assert_eq!(judge.checks(), expected.len() as u64);
    for jobs in [2, 5] {
        assert_eq!(judge_with(&log, once.clone(), jobs, LONG).1, expected);
        assert_eq!(judge_with(&log, server(&asked), jobs, LONG).1, expected);
    }
}

#[test]
fn what_was_judged_once_is_known() {
    let (_folder, log) = recorded(STEPS);
    let (judge, first) = judge_with(&log, command("exit 1"), 2, LONG);
    let checks = judge.checks();
    let again = all_answers(&judge, &log, &|| true);
    assert_eq!(again, first);
    assert_eq!(judge.checks(), checks);
}

#[test]
fn a_check_that_does_not_end_is_ended_and_said() {
    let limit = Duration::from_millis(1);
    check_all_say(
        &answers(command("sleep 1000 & wait"), limit),
        "did not end within 1ms",
    );
    check_all_say(
        &answers(server("sleep 1000 & wait"), limit),
        "did not end within 1ms",
    );
}

#[test]
fn a_check_that_is_killed_is_said_with_its_signal() {
    check_all_say(
        &answers(command("kill -BUS $$"), LONG),
        "killed by signal 7",
    );
    let dies = "read line; echo about to >&2; kill -SEGV $$";
    let answers = answers(server(dies), LONG);
    check_all_say(&answers, "killed by signal 11");
    check_all_say(&answers, "about to");
}

#[test]
fn a_server_that_ends_is_started_again() {
    let answers = answers(server("read line; echo ok"), LONG);
    let good = answers
        .iter()
        .filter(|answer| **answer == Judgement::Good)
        .count();
    assert!(good > 0, "{answers:?}");
}

#[test]
fn a_replaced_file_is_old_or_new_without_a_check() {
    let answers = answers(ImageCheck::Program(vec!["true".to_owned()]), LONG);
    assert!(answers.contains(&Judgement::Good));
    let empty = "`f` was replaced by a rename, and is empty";
    assert!(answers.contains(&Judgement::Bad(empty.to_owned())));
    let mixture = "`f` was replaced by a rename, and is neither old nor new";
    assert!(answers.contains(&Judgement::Bad(mixture.to_owned())));
}

#[test]
fn the_lines_and_the_files_are_given_and_nothing_is_left() {
    let (_folder, log) = recorded(STEPS);
    let (judge, answers) = judge_with(&log, command("cat {acks} | grep -q saved"), 1, LONG);
    assert!(
        answers.contains(&Judgement::Good) && answers.len() > 3,
        "{answers:?}"
    );
    let place = judge.folder.path().to_owned();
    assert!(place.exists());
    drop(judge);
    assert!(!place.exists());
}

#[test]
fn work_that_is_stopped_says_so() {
    let (_folder, log) = recorded(STEPS);
    let options = JudgeOptions {
        check: command("sleep 1000"),
        limit: LONG,
        jobs: 1,
        guard: None,
    };
    let judge = Judge::new(options, vec!["saved".to_owned()], None).unwrap();
    let asked = AtomicU64::new(0);
    let go_on = || asked.fetch_add(1, Ordering::Relaxed) < 2;
    let answers = all_answers(&judge, &log, &go_on);
    assert!(answers.iter().all(|answer| *answer == Judgement::Stopped));
}
