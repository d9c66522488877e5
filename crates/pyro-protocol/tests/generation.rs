//! Keeps the messages of a generation unchanged: the messages of the agent in an existing template
//! must stay readable. A change is either an added optional field (update the file) or a new
//! generation (add a file).

#![cfg(feature = "schema")]

use pyro_protocol::{GENERATION, GuestMessage, HostMessage};

#[test]
fn the_schema_of_this_generation_is_the_recorded_one() {
    let schema = serde_json::json!({
        "host": schemars::schema_for!(HostMessage),
        "guest": schemars::schema_for!(GuestMessage),
    });
    let current = format!("{}\n", serde_json::to_string_pretty(&schema).unwrap());
    let path = format!(
        "{}/schema/gen-{GENERATION}.json",
        env!("CARGO_MANIFEST_DIR")
    );
    if std::env::var_os("PYRO_UPDATE_SCHEMA").is_some() {
        std::fs::write(&path, &current).unwrap();
    }
    let recorded = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        recorded == current,
        "the messages differ from {path}; if the change keeps old agents readable, run this \
         test with PYRO_UPDATE_SCHEMA=1 and commit the file"
    );
}
