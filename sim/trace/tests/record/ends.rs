//! How a recording ends, and what is left then: no mount, and no recording that is not whole.

use std::sync::atomic::AtomicBool;

use beaver_trace::{ProgramEnd, RecordError, RecordOptions};

use crate::place::{Place, can_record, python};

#[test]
fn exit_codes_and_signals_are_told() {
    if !can_record() {
        return;
    }
    let code = |code| ProgramEnd::With { code };
    assert_eq!(python("sys.exit(3)").recorded.ended, code(3));
    let killed = python("os.kill(os.getpid(), 9)").recorded.ended;
    assert_eq!(killed, ProgramEnd::Killed { signal: 9 });
    assert_eq!(killed.to_string(), "was killed by signal 9");
}

#[test]
fn a_child_that_outlives_the_program_is_waited_for() {
    if !can_record() {
        return;
    }
    let made = python(
        "import time
f = make('f')
if os.fork() == 0:
    time.sleep(0.3)
    os.write(f, b'late')
    print('late', flush=True)",
    );
    assert_eq!(made.acks(), ["late"]);
    assert_eq!(
        made.recorded.warnings.len(),
        1,
        "{:?}",
        made.recorded.warnings
    );
}

#[test]
fn a_child_that_does_not_end_is_said() {
    if !can_record() {
        return;
    }
    let made = python(
        "import signal
f = make('f')
if os.fork() == 0:
    signal.pause()",
    );
    let warnings = made.recorded.warnings.join("\n");
    assert!(warnings.contains("still open"), "{warnings}");
}

#[test]
fn a_recording_that_is_stopped_ends_cleanly() {
    if !can_record() {
        return;
    }
    static STOP: AtomicBool = AtomicBool::new(true);
    let place = Place::new();
    let options = RecordOptions {
        program: vec!["sleep".to_owned(), "1000".to_owned()],
        log: place.log(),
        stop: Some(&STOP),
        ..RecordOptions::default()
    };
    let recorded = beaver_trace::record(&options, Box::new(std::io::sink())).unwrap();
    assert_eq!(recorded.ended, ProgramEnd::Stopped);
    assert!(beaver_trace::Log::open(&place.log()).is_ok());
}

#[test]
fn what_does_not_start_leaves_no_recording() {
    if !can_record() {
        return;
    }
    let place = Place::new();
    let (failed, _) = place.try_program(&["/no/such/program"]);
    assert!(
        matches!(failed, Err(RecordError::Start { .. })),
        "{failed:?}"
    );
    assert!(!place.log().exists());
    let place = Place {
        setup: Some("exit 4".to_owned()),
        ..Place::new()
    };
    let (failed, _) = place.try_python("");
    let error = failed.unwrap_err().to_string();
    assert_eq!(error, "the setup ended with 4: exit 4");
    assert!(!place.log().exists());
}

#[test]
fn a_recording_is_not_written_over() {
    if !can_record() {
        return;
    }
    let place = Place::new();
    place.try_python("make('a')").0.unwrap();
    let error = place.try_python("").0.unwrap_err().to_string();
    assert!(error.contains("name another"), "{error}");
    assert!(beaver_trace::Log::open(&place.log()).is_ok());
}
