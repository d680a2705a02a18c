//! With the feature `metrics` a recorder hears what `StoreMetrics` counts.

use std::sync::Arc;

use beaver::storage::DiskStorage;
use beaver::{Controller, ControllerOptions, JobId, JobSpec, Payload};
use metrics_util::debugging::{DebugValue, DebuggingRecorder};

#[test]
fn a_recorder_hears_what_a_store_does() {
    let recorder = DebuggingRecorder::new();
    let heard = recorder.snapshotter();
    let directory = tempfile::tempdir().unwrap();
    let counted = metrics::with_local_recorder(&recorder, || {
        let storage = Arc::new(DiskStorage::open(directory.path()).unwrap());
        let (mut queue, _) = Controller::open(storage, ControllerOptions::default()).unwrap();
        for name in ["a", "b", "c"] {
            let id = JobId::new(name).unwrap();
            queue
                .enqueue(JobSpec::new(id, Payload::new("1").unwrap()))
                .unwrap();
        }
        queue.checkpoint().unwrap();
        queue.metrics()
    });
    let heard = heard.snapshot().into_vec();
    let value = |name: &str| {
        let of_name = |(key, ..): &&(metrics_util::CompositeKey, _, _, _)| key.key().name() == name;
        let found = heard.iter().find(of_name);
        &found.unwrap_or_else(|| panic!("{name} was not recorded")).3
    };
    let total = |name| match value(name) {
        DebugValue::Counter(total) => *total,
        other => panic!("{name}: {other:?}"),
    };
    let times = |name| match value(name) {
        DebugValue::Histogram(values) => values.len() as u64,
        other => panic!("{name}: {other:?}"),
    };
    assert_eq!(counted.appends, 3);
    assert_eq!(total("beaver_appends_total"), counted.appends);
    assert_eq!(total("beaver_events_total"), counted.events);
    assert_eq!(total("beaver_bytes_total"), counted.bytes);
    assert_eq!(total("beaver_checkpoints_total"), 1);
    assert_eq!(times("beaver_sync_seconds"), counted.sync_us.count());
    assert_eq!(times("beaver_commit_seconds"), counted.commit_us.count());
    assert_eq!(times("beaver_batch_appends"), counted.batch_appends.count());
    assert!(matches!(
        value("beaver_recovery_seconds"),
        DebugValue::Gauge(_)
    ));
}
