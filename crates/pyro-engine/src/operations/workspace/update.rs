//! `workspace update`

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Workspace, labels};
use crate::instance::{Instance, InstanceKind, VmRecord};
use crate::off_thread::off_thread;
use crate::operation::{Effect, Operation, ToolSet};
use crate::{Context, Engine, Error};

/// Change the name and the labels of a workspace
///
/// Name and labels are changed together or not at all; a request that would change nothing is
/// refused. Other labels are kept. Running commands are not affected.
#[derive(Clone, Debug, clap::Args, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
#[command(after_help = "Examples:\n  \
    pyro workspace update 0123456789ab --name 'fix the parser' --label issue=123\n  \
    pyro workspace update 0123456789ab --clear-name --clear-label issue")]
pub struct Update {
    /// Id of the workspace, as `workspace create` returned it
    pub workspace_id: String,
    /// New name, of up to 120 characters
    #[arg(long, value_name = "NAME")]
    #[serde(default)]
    pub name: Option<String>,
    /// Remove the name
    #[arg(long)]
    #[serde(default)]
    pub clear_name: bool,
    /// Labels to add or to change, each a key with a value
    #[arg(long = "label", value_name = "KEY=VALUE", value_parser = labels::parse)]
    #[serde(default, with = "labels")]
    #[schemars(with = "labels::Schema")]
    pub labels: Option<Vec<(String, String)>>,
    /// Keys of labels to remove; keys that the workspace does not have are ignored
    #[arg(long = "clear-label", value_name = "KEY")]
    #[serde(default)]
    pub clear_labels: Option<Vec<String>>,
}

/// A change of a record.
struct Change {
    name: Option<String>,
    clear_name: bool,
    labels: BTreeMap<String, String>,
    clear_labels: Vec<String>,
}

impl Change {
    /// Checks what can be checked without the record.
    fn of(request: Update) -> Result<Self, Error> {
        if let Some(name) = &request.name {
            if request.clear_name {
                return Err(Error::invalid("name and clear_name exclude each other"));
            }
            labels::check_name(name)?;
        }
        let change = Self {
            name: request.name,
            clear_name: request.clear_name,
            labels: labels::checked(request.labels)?,
            clear_labels: request.clear_labels.unwrap_or_default(),
        };
        for key in &change.clear_labels {
            labels::check_key(key)?;
            if change.labels.contains_key(key) {
                return Err(Error::invalid(format!(
                    "label '{key}' is both in labels and in clear_labels"
                )));
            }
        }
        Ok(change)
    }

    /// Changes a record, or returns why it cannot be changed.
    fn apply(self, record: &mut VmRecord) -> Result<(), Error> {
        let before = (record.name.clone(), record.labels.clone());
        if self.clear_name {
            record.name = None;
        } else if self.name.is_some() {
            record.name = self.name;
        }
        record
            .labels
            .retain(|key, _| !self.clear_labels.contains(key));
        record.labels.extend(self.labels);
        labels::check_count(&record.labels)?;
        if before == (record.name.clone(), record.labels.clone()) {
            return Err(Error::nothing_to_change());
        }
        Ok(())
    }
}

impl Operation for Update {
    const NAME: &'static str = "workspace_update";
    const COMMAND: &'static [&'static str] = &["workspace", "update"];
    const EFFECT: Effect = Effect::Mutating;
    const IDEMPOTENT: bool = true;
    const TOOL_SET: ToolSet = ToolSet::Core;
    type Output = Workspace;

    async fn run(self, engine: &Engine, _: &mut Context) -> Result<Workspace, Error> {
        let found = engine.instance(InstanceKind::Workspace, &self.workspace_id)?;
        let change = Change::of(self)?;
        let changed = off_thread(move || update(found, change)).await?;
        Ok(Workspace::from(&changed))
    }
}

fn update(found: Instance, change: Change) -> Result<Instance, Error> {
    let changed = found.object.try_update(|record| change.apply(record));
    let (noun, id) = (found.kind.noun(), found.id());
    let record = changed.map_err(|error| {
        if found.object.path().exists() {
            Error::unreadable_record(noun, id, &error)
        } else {
            // It was deleted a moment ago.
            Error::no_such(noun, id)
        }
    })??;
    found.activity().note();
    Ok(Instance { record, ..found })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn record(name: Value, labels: Value) -> VmRecord {
        let mut record = VmRecord::of_test();
        record.name = serde_json::from_value(name).unwrap();
        record.labels = serde_json::from_value(labels).unwrap();
        record
    }

    /// The name and labels after a request, or the code and message of its error.
    fn update(mut request: Value) -> Result<(Value, Value), (String, String)> {
        request["workspace_id"] = "0123456789ab".into();
        let request: Update = serde_json::from_value(request).unwrap();
        let mut record = record(json!("old"), json!({"a": "1", "b": "2"}));
        let changed = Change::of(request).and_then(|change| change.apply(&mut record));
        match changed {
            Ok(()) => Ok((json!(record.name), json!(record.labels))),
            Err(error) => Err((error.code.into_owned(), error.message)),
        }
    }

    #[test]
    fn what_is_given_changes_and_the_rest_stays() {
        for (request, name, labels) in [
            (
                json!({"name": "new"}),
                json!("new"),
                json!({"a": "1", "b": "2"}),
            ),
            (
                json!({"clear_name": true}),
                Value::Null,
                json!({"a": "1", "b": "2"}),
            ),
            (
                json!({"labels": {"b": "3", "c": ""}}),
                json!("old"),
                json!({"a": "1", "b": "3", "c": ""}),
            ),
            (
                json!({"clear_labels": ["a", "z"]}),
                json!("old"),
                json!({"b": "2"}),
            ),
            (
                json!({"clear_name": true, "labels": {"c": "3"}, "clear_labels": ["a", "b"]}),
                Value::Null,
                json!({"c": "3"}),
            ),
            // A request that is partly invalid changes nothing.
            (
                json!({"name": "old", "labels": {"a": "2"}}),
                json!("old"),
                json!({"a": "2", "b": "2"}),
            ),
        ] {
            assert_eq!(update(request.clone()), Ok((name, labels)), "{request}");
        }
    }

    #[test]
    fn what_changes_nothing_is_refused() {
        let message = "workspace update requested no effective metadata change";
        for request in [
            json!({}),
            json!({"name": "old"}),
            json!({"labels": {}}),
            json!({"labels": {"a": "1"}, "clear_labels": ["z"]}),
            json!({"name": "old", "labels": {"a": "1", "b": "2"}}),
        ] {
            let refused = Err(("nothing_to_change".into(), message.into()));
            assert_eq!(update(request.clone()), refused, "{request}");
        }
    }

    #[test]
    fn what_contradicts_itself_or_is_too_much_is_refused() {
        let many: BTreeMap<String, &str> = (0..63).map(|key| (format!("k{key}"), "")).collect();
        for (request, part) in [
            (
                json!({"name": "new", "clear_name": true}),
                "exclude each other",
            ),
            (json!({"name": ""}), "name must not be empty"),
            (
                json!({"labels": {"a": "2"}, "clear_labels": ["a"]}),
                "label 'a' is both",
            ),
            (json!({"labels": {"a b": "2"}}), "the key of a label"),
            (json!({"clear_labels": ["a b"]}), "the key of a label"),
            (json!({"labels": many}), "64 labels at most; these are 65"),
        ] {
            let (code, message) = update(request.clone()).unwrap_err();
            assert_eq!(code, "invalid_input", "{request}");
            assert!(message.contains(part), "{message}");
        }
    }
}
