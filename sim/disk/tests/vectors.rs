//! The conformance vectors of the crash model: for each history and profile the exact set of images
//! that a power cut may leave, no more and no less. Those for directory trees say in their lines why.

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
    #[serde(default)]
    why: String,
}

const FLAT: &str = include_str!("data/vectors.jsonl");
const TREES: &str = include_str!("data/tree_vectors.jsonl");

fn vectors(lines: &str) -> Vec<(Vector, FileHistory)> {
    let vectors = lines.lines().map(|line| {
        let vector: Vector = serde_json::from_str(line).expect("a line is a vector");
        let history = FileHistory::from_parts(&vector.files, &vector.steps);
        (vector, history.expect("a history"))
    });
    vectors.collect()
}

#[test]
fn every_vector_gives_exactly_its_images() {
    for (lines, count) in [(FLAT, 40), (TREES, 52)] {
        let vectors = vectors(lines);
        assert_eq!(vectors.len(), count);
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
}

#[test]
fn a_hostile_device_without_extras_is_posix() {
    for (vector, history) in [FLAT, TREES].into_iter().flat_map(vectors) {
        let found = history.images(Profile::HostileDevice, 100_000).unwrap();
        assert_eq!(found, vector.images["posix"], "{}", vector.id);
    }
}

#[test]
fn every_vector_of_a_tree_says_why() {
    assert!(
        vectors(TREES)
            .iter()
            .all(|(vector, _)| !vector.why.is_empty())
    );
}
