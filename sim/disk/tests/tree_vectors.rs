//! The conformance vectors for directory trees: for each history and profile the exact set of
//! images that a power cut may leave, each argued from the crash model in its line.

use std::collections::BTreeMap;

use beaver_disk::Profile;
use beaver_disk::notation::FileHistory;
use serde::Deserialize;

#[derive(Deserialize)]
struct Vector {
    id: String,
    files: BTreeMap<String, String>,
    steps: Vec<String>,
    images: BTreeMap<String, Vec<String>>,
    why: String,
}

fn vectors() -> Vec<(Vector, FileHistory)> {
    let lines = include_str!("data/tree_vectors.jsonl").lines();
    let vectors = lines.map(|line| {
        let vector: Vector = serde_json::from_str(line).expect("a line is a vector");
        let history = FileHistory::from_parts(&vector.files, &vector.steps);
        (vector, history.expect("a history"))
    });
    vectors.collect()
}

#[test]
fn every_vector_gives_exactly_its_images() {
    let vectors = vectors();
    assert_eq!(vectors.len(), 52);
    for (vector, history) in vectors {
        assert_eq!(vector.images.len(), 5, "{}", vector.id);
        for (profile, expected) in &vector.images {
            let profile = Profile::named(profile).unwrap();
            let found = history.images(profile, 100_000).unwrap();
            let Vector { id, why, .. } = &vector;
            assert_eq!(&found, expected, "{id} under {profile}: {why}");
        }
    }
}

#[test]
fn a_hostile_device_without_extras_is_posix() {
    for (vector, history) in vectors() {
        let found = history.images(Profile::HostileDevice, 100_000).unwrap();
        assert_eq!(found, vector.images["posix"], "{}", vector.id);
    }
}
