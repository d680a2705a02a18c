//! The scenarios in which bugs are looked for. In each of them the library and the plain store
//! hold.

use beaver_sim::scenario::Scenario;

/// Name and text of each habitat.
const HABITATS: &[(&str, &str)] = &[
    (
        "power-cuts",
        r#"{"claim": "Every acknowledged event survives a power cut.",
        "workload": {"commands": 24, "payload_bytes": [0, 3000], "weights": {"enqueue": 20, "enqueue-batch": 12, "dispatch": 12, "ack": 8,
            "fail": 3, "group": 8, "reopen": 3, "power-cut": 3, "kill": 2}},
        "crashes": {"power_cut_in_command_pm": 80, "kill_in_command_pm": 30, "in_recovery_pm": 60, "torn_pages": 1}}"#,
    ),
    (
        "checkpoints",
        r#"{"claim": "A crash at any step of a checkpoint loses nothing and leaves nothing behind.",
        "workload": {"commands": 24, "weights": {"enqueue": 20, "enqueue-batch": 6, "dispatch": 14, "ack": 10, "checkpoint": 14, "reopen": 2,
            "power-cut": 2, "kill": 1}},
        "crashes": {"power_cut_in_command_pm": 80, "kill_in_command_pm": 30, "in_recovery_pm": 40},
        "faults": [{"kind": "create-error", "pm": 20}, {"kind": "remove-error", "pm": 20}]}"#,
    ),
    (
        "checkpoints-without-fall-back",
        r#"{"claim": "With no older snapshot kept, a crash at any step of a checkpoint loses nothing.",
        "workload": {"commands": 24, "weights": {"enqueue": 20, "dispatch": 14, "ack": 10, "checkpoint": 14, "reopen": 2, "power-cut": 2}},
        "log": {"keep_old_snapshots": 0},
        "crashes": {"power_cut_in_command_pm": 150, "in_recovery_pm": 40}}"#,
    ),
    (
        "interrupted-prunes",
        r#"{"claim": "A prune of several segments may be crashed at any of its steps.",
        "workload": {"commands": 24, "weights": {"enqueue": 20, "dispatch": 10, "checkpoint": 20, "power-cut": 6}},
        "crashes": {"power_cut_in_command_pm": 100},
        "faults": [{"kind": "create-error", "pm": 250, "target": "temporary"}, {"kind": "sync-dir-error", "pm": 80}]}"#,
    ),
    (
        "failing-checkpoints",
        r#"{"claim": "A checkpoint that fails leaves a usable log.",
        "workload": {"commands": 20, "weights": {"enqueue": 10, "dispatch": 6, "checkpoint": 8, "reopen": 1}},
        "faults": [{"kind": "create-error", "pm": 100}, {"kind": "rename-error", "pm": 100}, {"kind": "sync-dir-error", "pm": 60}]}"#,
    ),
    (
        "failing-rotates",
        r#"{"claim": "A rotate that fails behind its rename is undone.",
        "workload": {"commands": 16, "weights": {"enqueue": 8, "dispatch": 4, "checkpoint": 6, "power-cut": 3}},
        "faults": [{"kind": "rename-error-done", "pm": 150}, {"kind": "rename-error", "pm": 50}, {"kind": "sync-dir-error", "pm": 150}]}"#,
    ),
    (
        "failing-writes",
        r#"{"claim": "A write that fails is cut off, or the log is poisoned.",
        "workload": {"commands": 20, "payload_bytes": [0, 1500], "weights": {"enqueue": 8, "enqueue-batch": 2, "dispatch": 4, "group": 8,
            "kill": 4, "power-cut": 3}},
        "crashes": {"power_cut_in_command_pm": 100, "kill_in_command_pm": 60, "torn_pages": 4},
        "faults": [{"kind": "write-error", "pm": 150}, {"kind": "sync-mark-clean", "pm": 60}]}"#,
    ),
    (
        "failing-page-writes",
        r#"{"claim": "A failed write of whole pages is cut off, whatever was written back of it.",
        "workload": {"commands": 16, "payload_bytes": [3700, 4300], "jobs": 100, "weights": {"enqueue": 10, "group": 3, "reopen": 3,
            "kill": 4, "power-cut": 4}},
        "crashes": {"power_cut_in_command_pm": 60, "kill_in_command_pm": 60},
        "faults": [{"kind": "write-error", "pm": 250}, {"kind": "sync-mark-clean", "pm": 100}, {"kind": "writeback", "pm": 150}]}"#,
    ),
    (
        "failing-syncs",
        r#"{"claim": "After a failed sync nothing is acknowledged until the log is opened again.",
        "workload": {"commands": 20, "weights": {"enqueue": 10, "dispatch": 5, "ack": 3, "checkpoint": 2, "reopen": 3, "kill": 3, "power-cut": 3}},
        "faults": [{"kind": "sync-mark-clean", "pm": 60}, {"kind": "sync-revert", "pm": 30}, {"kind": "sync-retry-works", "pm": 30}]}"#,
    ),
    (
        "killed-then-cut",
        r#"{"claim": "What recovery showed survives a kill and a power cut.",
        "workload": {"commands": 20, "weights": {"enqueue": 10, "dispatch": 5, "reopen": 4, "kill": 6, "power-cut": 4}},
        "crashes": {"kill_in_command_pm": 200},
        "faults": [{"kind": "sync-mark-clean", "pm": 60, "phase": "running"}, {"kind": "sync-mark-clean-size-lost", "pm": 60, "phase": "running"},
            {"kind": "cache-drop", "pm": 60}, {"kind": "wrong-read", "pm": 20, "phase": "recovery"}]}"#,
    ),
    (
        "markers",
        r#"{"claim": "A marker that one process believed is there for the next.",
        "workload": {"commands": 10, "payload_bytes": [3830, 3900], "jobs": 100, "weights": {"enqueue": 6, "reopen": 5, "power-cut": 1}},
        "faults": [{"kind": "sync-mark-clean", "pm": 300, "phase": "running"}, {"kind": "cache-drop", "pm": 200}]}"#,
    ),
    (
        "wrong-reads",
        r#"{"claim": "A read that is wrong once cuts nothing.",
        "workload": {"commands": 20, "weights": {"enqueue": 10, "dispatch": 5, "reopen": 4, "kill": 6, "power-cut": 4}},
        "faults": [{"kind": "wrong-read", "pm": 150, "phase": "recovery"}]}"#,
    ),
    (
        "callers",
        r#"{"claim": "Callers that share a sync, a checkpoint or a close lose nothing.",
        "workload": {"commands": 20, "weights": {"enqueue": 6, "dispatch": 6, "ack": 4, "group": 12, "slow-checkpoint": 8, "close-queued": 4,
            "kill": 3, "power-cut": 2}}}"#,
    ),
    (
        "late-reports",
        r#"{"claim": "No job is lost, doubled, or tried too often.",
        "workload": {"commands": 30, "jobs": 6, "weights": {"enqueue": 16, "enqueue-batch": 8, "dispatch": 20, "ack": 14, "fail": 10,
            "tick": 8, "requeue": 4, "reopen": 4, "kill": 3, "checkpoint": 1}},
        "budget": {"storage_calls": 20000}}"#,
    ),
    (
        "rot",
        r#"{"claim": "Damage is refused or a bounded loss, never replayed.",
        "workload": {"commands": 30, "weights": {"enqueue": 30, "enqueue-batch": 10, "dispatch": 16, "ack": 10, "group": 8, "checkpoint": 2,
            "reopen": 5, "kill": 5}},
        "faults": [{"kind": "bit-flip", "pm": 150, "target": "active"}, {"kind": "bit-flip", "pm": 60, "target": "sealed"},
            {"kind": "bit-flip", "pm": 100, "target": "snapshot"}, {"kind": "lost-line", "pm": 80}, {"kind": "zeroed-sector", "pm": 30},
            {"kind": "unknown-event", "pm": 40}],
        "fault_mixture": 2}"#,
    ),
    (
        "weak-spots",
        r#"{"claim": "Damage to the end of a line or to a marker costs nothing that another line proves.",
        "workload": {"commands": 24, "weights": {"enqueue": 20, "dispatch": 8, "ack": 6, "group": 4, "reopen": 6, "kill": 6}},
        "faults": [{"kind": "bit-flip", "pm": 150, "target": "line-end"}, {"kind": "bit-flip", "pm": 150, "target": "marker"}]}"#,
    ),
];

/// All habitats, each named.
#[must_use]
pub fn habitats() -> Vec<Scenario> {
    let scenarios = HABITATS.iter().map(|(name, text)| {
        let scenario =
            serde_json::from_str(text).expect("a habitat is a scenario; a test reads all");
        Scenario {
            name: (*name).to_owned(),
            ..scenario
        }
    });
    scenarios.collect()
}

/// The habitat of this name.
///
/// # Panics
/// If there is none; a test looks every exhibit's up.
#[must_use]
pub fn habitat(name: &str) -> Scenario {
    let mut all = habitats().into_iter();
    let found = all.find(|habitat| habitat.name == name);
    found.expect("every exhibit names a habitat; a test looks all of them up")
}
