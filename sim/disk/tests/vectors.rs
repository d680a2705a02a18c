//! The conformance vectors of the crash model: for each history and profile the exact set of images
//! that a power cut may leave, no more and no less.

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
}

fn vectors() -> Vec<Vector> {
    let lines = include_str!("data/vectors.jsonl").lines();
    lines
        .map(|line| serde_json::from_str(line).expect("a line is a vector"))
        .collect()
}

#[test]
fn every_vector_gives_exactly_its_images() {
    let vectors = vectors();
    assert_eq!(vectors.len(), 40);
    for vector in vectors {
        let history = FileHistory::from_parts(&vector.files, &vector.steps).unwrap();
        assert_eq!(vector.images.len(), 5, "{}", vector.id);
        for (profile, expected) in &vector.images {
            let profile = Profile::named(profile).unwrap();
            let found = history.images(profile, 100_000).unwrap();
            assert_eq!(&found, expected, "{} under {profile}", vector.id);
        }
    }
}

#[test]
fn a_hostile_device_without_extras_is_posix() {
    for vector in vectors() {
        let history = FileHistory::from_parts(&vector.files, &vector.steps).unwrap();
        let found = history.images(Profile::HostileDevice, 100_000).unwrap();
        assert_eq!(found, vector.images["posix"], "{}", vector.id);
    }
}

/// V42 with `sync_all`: the write moved the time of `f`, so the journal commits, and `t` with it.
#[test]
fn sync_all_of_a_written_file_drags_earlier_names_along_in_linux_ordered_alone() {
    let images = |step: &str, profile| {
        let history = format!("f=AB; create t; write f 0 C; {step} f");
        FileHistory::parse(&history)
            .unwrap()
            .images(profile, 1000)
            .unwrap()
    };
    for profile in Profile::ALL {
        let data = images("sync_data", profile);
        assert_eq!(data, images("sync", profile), "{profile}");
        let all = images("sync_all", profile);
        match profile {
            Profile::LinuxOrdered => assert_eq!(all, ["f=CB,t=\"\""]),
            _ => assert_eq!(all, data, "{profile}"),
        }
    }
}
