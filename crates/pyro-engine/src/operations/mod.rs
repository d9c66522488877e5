//! The operations, a file each, and the table of them.

pub mod demo;
pub mod doctor;
pub mod env;
mod machine;
pub mod vm;
pub mod workspace;

use std::sync::LazyLock;

pub use machine::Machine;
use serde_json::{Value, json};

use crate::hints::Hints;
use crate::operation::{Entry, Operation};

/// All operations, in the order in which frontends show them.
pub static OPERATIONS: &[Entry] = &[
    Entry::of::<vm::Run>(),
    Entry::of::<env::List>(),
    Entry::of::<vm::Create>(),
    Entry::of::<vm::Start>(),
    Entry::of::<vm::Exec>(),
    Entry::of::<vm::Stop>(),
    Entry::of::<vm::Delete>(),
    Entry::of::<vm::Status>(),
    Entry::of::<vm::NetworkInfo>(),
    Entry::of::<vm::ReapExpired>(),
    Entry::of::<workspace::Create>(),
    Entry::of::<workspace::List>(),
    Entry::of::<workspace::Update>(),
    Entry::of::<workspace::Exec>(),
    Entry::of::<workspace::Wait>(),
    Entry::of::<workspace::Kill>(),
    Entry::of::<workspace::SyncPush>(),
    Entry::of::<workspace::SyncPull>(),
    Entry::of::<workspace::Status>(),
    Entry::of::<workspace::Stop>(),
    Entry::of::<workspace::Start>(),
    Entry::of::<workspace::Logs>(),
    Entry::of::<workspace::Export>(),
    Entry::of::<workspace::Diff>(),
    Entry::of::<workspace::file::List>(),
    Entry::of::<workspace::file::Read>(),
    Entry::of::<workspace::file::Write>(),
    Entry::of::<workspace::PatchApply>(),
    Entry::of::<workspace::disk::Export>(),
    Entry::of::<workspace::disk::List>(),
    Entry::of::<workspace::disk::Read>(),
    Entry::of::<workspace::snapshot::Create>(),
    Entry::of::<workspace::snapshot::List>(),
    Entry::of::<workspace::snapshot::Delete>(),
    Entry::of::<workspace::Reset>(),
    Entry::of::<workspace::port::Add>(),
    Entry::of::<workspace::port::List>(),
    Entry::of::<workspace::port::Remove>(),
    Entry::of::<workspace::shell::Open>(),
    Entry::of::<workspace::shell::List>(),
    Entry::of::<workspace::shell::Read>(),
    Entry::of::<workspace::shell::Write>(),
    Entry::of::<workspace::shell::Signal>(),
    Entry::of::<workspace::shell::Resize>(),
    Entry::of::<workspace::shell::Close>(),
    Entry::of::<workspace::shell::Attach>(),
    Entry::of::<workspace::service::Start>(),
    Entry::of::<workspace::service::List>(),
    Entry::of::<workspace::service::Status>(),
    Entry::of::<workspace::service::Logs>(),
    Entry::of::<workspace::service::Stop>(),
    Entry::of::<workspace::Delete>(),
    Entry::of::<env::Pull>(),
    Entry::of::<env::Inspect>(),
    Entry::of::<env::Build>(),
    Entry::of::<env::Save>(),
    Entry::of::<env::Export>(),
    Entry::of::<env::Remove>(),
    Entry::of::<env::Prune>(),
    Entry::of::<vm::List>(),
    Entry::of::<doctor::Doctor>(),
    Entry::of::<demo::Demo>(),
    Entry::of::<demo::DemoOllama>(),
];

/// Finds an operation by its name.
pub fn find(name: &str) -> Option<&'static Entry> {
    OPERATIONS.iter().find(|entry| entry.name == name)
}

/// Returns the operation, and its request, that deletes what a call has created: for a caller that
/// does not get the response, and so does not know the id. `None` if the call creates no instance.
pub fn undo(entry: &Entry, response: &Value) -> Option<(&'static Entry, Value)> {
    let (delete, key) = match entry.name {
        name if name == vm::Create::NAME => (vm::Delete::NAME, "vm_id"),
        name if name == workspace::Create::NAME => (workspace::Delete::NAME, "workspace_id"),
        _ => return None,
    };
    Some((find(delete)?, json!({ key: response.get(key)? })))
}

/// Hints in the words of these operations.
pub static HINTS: LazyLock<Hints> = LazyLock::new(|| Hints::of(OPERATIONS));

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn instances_that_were_created_can_be_deleted_again() {
        let response = json!({"workspace_id": "0123456789ab", "vm_id": "6789abcdef01"});
        for (create, delete, key) in [
            ("vm_create", "vm_delete", "vm_id"),
            ("workspace_create", "workspace_delete", "workspace_id"),
        ] {
            let (entry, request) = undo(find(create).unwrap(), &response).unwrap();
            assert_eq!(entry.name, delete);
            assert_eq!(request, json!({ key: response[key] }));
        }
        assert!(undo(find("workspace_status").unwrap(), &response).is_none());
    }

    #[test]
    fn names_and_commands_are_unique() {
        let names: HashSet<_> = OPERATIONS.iter().map(|entry| entry.name).collect();
        let commands: HashSet<_> = OPERATIONS.iter().map(|entry| entry.command).collect();
        assert_eq!(names.len(), OPERATIONS.len());
        assert_eq!(commands.len(), OPERATIONS.len());
    }

    /// The property of a request and the option of its command are one field; they differ only in
    /// spelling.
    #[test]
    fn properties_and_options_are_the_same() {
        for entry in OPERATIONS {
            let schema = (entry.input_schema)();
            let properties: HashSet<String> = schema
                .get("properties")
                .and_then(Value::as_object)
                .map(|object| object.keys().cloned().collect())
                .unwrap_or_default();
            let command = (entry.add_arguments)(clap::Command::new("x"));
            let mut arguments: HashSet<String> = command
                .get_arguments()
                .map(crate::hints::property)
                .collect();
            // The command line has a standard input of its own, and an option for each check.
            for without in ["stdin", "readiness"] {
                if properties.contains(without) {
                    arguments.insert(without.into());
                }
            }
            assert_eq!(properties, arguments, "{}", entry.name);
            assert!(!entry.description().is_empty(), "{}", entry.name);
        }
    }

    #[test]
    fn what_must_be_given_is_required_and_has_no_default() {
        let run = find("vm_run").unwrap();
        let schema = (run.input_schema)().to_value();
        assert_eq!(
            schema["required"],
            serde_json::json!(["environment", "command"])
        );
        assert!(schema["properties"]["command"].get("default").is_none());
        let list = find("vm_list_environments").unwrap();
        assert!((list.input_schema)().get("required").is_none());
    }

    #[test]
    fn every_property_is_described_and_unknown_ones_are_refused() {
        for entry in OPERATIONS {
            let schema = (entry.input_schema)();
            assert_eq!(
                schema.get("additionalProperties"),
                Some(&false.into()),
                "{}",
                entry.name
            );
            let properties = schema.get("properties").and_then(Value::as_object);
            for (name, property) in properties.into_iter().flatten() {
                assert!(
                    property.get("description").is_some(),
                    "{}.{name}",
                    entry.name
                );
            }
        }
    }
}
