//! What is kept on disk may be damaged in any way: it is read, or refused, and never believed to be
//! what it is not.

#![no_main]

use std::fs;
use std::path::Path;

use libfuzzer_sys::fuzz_target;
use pyro_environment::{Environments, Settings};
use pyro_store::{History, Objects, Record, read_record};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A record that keeps whatever there is.
#[derive(Debug, Deserialize, Serialize)]
struct Anything {
    format: u64,
    #[serde(flatten)]
    rest: serde_json::Map<String, Value>,
}

impl Record for Anything {
    const FORMAT: u64 = 2;
}

fuzz_target!(|input: (u8, &[u8])| {
    let (choice, bytes) = input;
    let place = tempfile::tempdir().expect("there is a place for temporary files");
    let put = |path: &Path| {
        fs::create_dir_all(path.parent().expect("it has one")).expect("it can be made");
        fs::write(path, bytes).expect("it can be written");
    };
    match choice % 5 {
        0 => {
            put(&place.path().join("0123456789ab/record.json"));
            let objects = Objects::new(place.path().to_owned());
            let object = objects.find("0123456789ab").expect("it is there");
            if let Ok(record) = object.record::<Anything>() {
                assert!(record.format <= Anything::FORMAT);
            }
        }
        1 => {
            put(&place.path().join("000007/command.json"));
            let history = History::new(place.path().to_owned());
            let _ = history.entry(7);
            let _ = history.close("it ended");
            assert_eq!(history.last(), 7);
        }
        2 => {
            let path = place.path().join("host.json");
            put(&path);
            pyro_machine::fuzzing::host_facts(&path);
        }
        3 => {
            let directory = place.path().join("linux-x86_64/debian_12-1.0.0");
            put(&directory.join("environment.json"));
            let _ = Environments::new(place.path().to_owned(), Settings::default()).statuses();
        }
        _ => {
            let path = place.path().join("record");
            put(&path);
            let _ = read_record::<Anything>(&path);
            pyro_engine::fuzz_supervisor_line(bytes);
        }
    }
});
