//! An *operation* is a public request: a struct for the request, a struct for the response, and a
//! function between them. What a frontend needs to offer it is derived from the two structs and is
//! in the [table](crate::operations::OPERATIONS).

use std::fmt;
use std::future::Future;
use std::pin::Pin;

use clap::{ArgMatches, Args, FromArgMatches};
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, schema_for};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::{Context, Engine, Error};

/// The effect of an operation.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Effect {
    /// It changes nothing.
    ReadOnly,
    /// It creates or changes state of pyro.
    Mutating,
    /// It removes state of pyro.
    Destructive,
}

/// The sets of tools for clients: each contains the tools of the previous one.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum ToolSet {
    /// Tools that run one command in a new microVM.
    Run,
    /// Tools for workspaces.
    Core,
    /// All tools.
    Full,
    /// Not a tool: the operation is for people, because it concerns the host and not the task.
    None,
}

/// A public request. The struct that implements it is the request: its doc comment is the
/// operation's description, its fields are the parameters.
pub trait Operation:
    Args + FromArgMatches + DeserializeOwned + Serialize + JsonSchema + Send + 'static
{
    /// The name of the tool, and of the operation everywhere else.
    const NAME: &'static str;
    /// The words of the command.
    const COMMAND: &'static [&'static str];
    /// Its effect.
    const EFFECT: Effect;
    /// Whether repeating the same request changes nothing more. Read-only operations never change
    /// anything.
    const IDEMPOTENT: bool = false;
    /// Whether it may reach, or let a guest reach, anything outside pyro and this host.
    const OPEN_WORLD: bool = false;
    /// Whether it can be asked to run a command on the host, without isolation.
    const ON_HOST: bool = false;
    /// The properties that name files on the host which it reads or creates.
    const HOST_PATHS: &'static [&'static str] = &[];
    /// The smallest set of tools that it is in.
    const TOOL_SET: ToolSet = ToolSet::Full;
    /// Its properties that smaller sets of tools than the full one leave out. None is required.
    const FULL_ONLY: &'static [&'static str] = &[];
    /// The response.
    type Output: Serialize + DeserializeOwned + JsonSchema + 'static;

    /// Returns the exit status of a program that only carries out this operation.
    fn exit_status(_output: &Self::Output) -> u8 {
        0
    }

    /// Carries the operation out.
    fn run(
        self,
        engine: &Engine,
        context: &mut Context,
    ) -> impl Future<Output = Result<Self::Output, Error>> + Send;
}

type Call = for<'a> fn(
    &'a Engine,
    Value,
    &'a mut Context,
) -> Pin<Box<dyn Future<Output = Result<Value, Error>> + Send + 'a>>;

/// A line of the table.
pub struct Entry {
    /// See [`Operation::NAME`].
    pub name: &'static str,
    /// See [`Operation::COMMAND`].
    pub command: &'static [&'static str],
    /// See [`Operation::EFFECT`].
    pub effect: Effect,
    /// See [`Operation::IDEMPOTENT`].
    pub idempotent: bool,
    /// See [`Operation::OPEN_WORLD`].
    pub open_world: bool,
    /// See [`Operation::ON_HOST`].
    pub on_host: bool,
    /// See [`Operation::HOST_PATHS`].
    pub host_paths: &'static [&'static str],
    /// See [`Operation::TOOL_SET`].
    pub tool_set: ToolSet,
    /// See [`Operation::FULL_ONLY`].
    pub full_only: &'static [&'static str],
    /// The schema of the request.
    pub input_schema: fn() -> Schema,
    /// The schema of the response.
    pub output_schema: fn() -> Schema,
    /// Adds the operation's parameters to a command.
    pub add_arguments: fn(clap::Command) -> clap::Command,
    /// Reads the request from a command's parameters.
    pub read_arguments: fn(&ArgMatches) -> Result<Value, clap::Error>,
    /// See [`Operation::exit_status`]. The value must be a result of the operation.
    pub exit_status: fn(&Value) -> u8,
    /// Carries the operation out.
    pub(crate) call: Call,
}

impl Entry {
    /// Returns the line of an operation. Other crates may have tables of their own.
    ///
    /// # Panics
    /// The functions of the line panic if the request or response cannot be serialised as JSON.
    pub const fn of<T: Operation>() -> Self {
        Self {
            name: T::NAME,
            command: T::COMMAND,
            effect: T::EFFECT,
            idempotent: T::IDEMPOTENT || matches!(T::EFFECT, Effect::ReadOnly),
            open_world: T::OPEN_WORLD,
            on_host: T::ON_HOST,
            host_paths: T::HOST_PATHS,
            tool_set: T::TOOL_SET,
            full_only: T::FULL_ONLY,
            exit_status: |value| {
                let output = serde::Deserialize::deserialize(value);
                T::exit_status(&output.expect("the engine made it from this very type"))
            },
            input_schema: || {
                let mut schema = schema_for!(T);
                require_without_default(&mut schema);
                schema
            },
            output_schema: || {
                // The schema is that of the serialised form: a key that is always present is
                // required.
                let settings = SchemaSettings::default().for_serialize();
                settings
                    .into_generator()
                    .into_root_schema_for::<T::Output>()
            },
            add_arguments: T::augment_args,
            read_arguments: |matches| {
                let request = T::from_arg_matches(matches)?;
                Ok(serde_json::to_value(request)
                    .expect("a request is a plain struct, which JSON can hold"))
            },
            call: |engine, request, context| {
                Box::pin(async move {
                    let request: T = serde_json::from_value(request)
                        .map_err(|error| Error::malformed(T::NAME, &error))?;
                    let output = request.run(engine, context).await?;
                    Ok(serde_json::to_value(output)
                        .expect("a response is a plain struct, which JSON can hold"))
                })
            },
        }
    }

    /// The schema of the request without some of its properties, none of which is required.
    pub(crate) fn input_without(&self, names: &[&str]) -> Value {
        let mut schema = (self.input_schema)().to_value();
        if let Some(Value::Object(properties)) = schema.get_mut("properties") {
            properties.retain(|name, _| !names.contains(&name.as_str()));
        }
        schema
    }

    /// The operation's description: its doc comment.
    pub fn description(&self) -> String {
        let schema = (self.input_schema)();
        schema
            .get("description")
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    }
}

/// Makes a property required if its default does not have the property's type. A request declares a
/// property in this way if there is a specific error for its absence.
fn require_without_default(schema: &mut Schema) {
    let definitions = schema.get("$defs").cloned().unwrap_or_default();
    let Some(Value::Object(properties)) = schema.get_mut("properties") else {
        return;
    };
    let mut names = Vec::new();
    for (name, property) in properties {
        let reference = property["$ref"].as_str().unwrap_or_default();
        let definition = &definitions[reference.trim_start_matches("#/$defs/")];
        let is_text = property["type"] == "string" || definition["type"] == "string";
        if let Some(property) = property.as_object_mut()
            && is_text
            && property.get("default") == Some(&Value::Null)
        {
            property.remove("default");
            names.push(Value::from(name.as_str()));
        }
    }
    if names.is_empty() {
        return;
    }
    let required = schema
        .ensure_object()
        .entry("required")
        .or_insert_with(|| Value::Array(Vec::new()));
    if let Value::Array(required) = required {
        required.extend(names);
    }
}

impl fmt::Debug for Entry {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Entry")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}
