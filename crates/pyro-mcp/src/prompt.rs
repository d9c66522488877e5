//! A *prompt* is a request to an agent that a person selects by name; hosts offer prompts beside
//! their own commands.

use std::collections::BTreeMap;

use rmcp::model::{ErrorData, GetPromptResult, JsonObject, PromptMessage};
use serde_json::Value;

/// The values that a person filled in, by name.
pub type Arguments = BTreeMap<String, String>;

/// A prompt, and its definition for clients.
#[derive(Clone, Debug)]
pub struct Prompt {
    /// The definition that clients receive.
    pub definition: rmcp::model::Prompt,
    /// Returns its messages to a model.
    pub messages: fn(&Arguments) -> Vec<PromptMessage>,
}

impl Prompt {
    /// Whether it has an argument of this name.
    pub(crate) fn takes(&self, argument: &str) -> bool {
        let mut arguments = self.definition.arguments.iter().flatten();
        arguments.any(|known| known.name == argument)
    }

    /// Returns the prompt with these arguments.
    pub(crate) fn get(&self, given: Option<JsonObject>) -> Result<GetPromptResult, ErrorData> {
        let mut arguments = Arguments::new();
        for (name, value) in given.unwrap_or_default() {
            match value {
                // A field that was left empty.
                Value::Null => {}
                Value::String(text) if text.is_empty() => {}
                Value::String(text) if self.takes(&name) => {
                    arguments.insert(name, text);
                }
                _ => {
                    let prompt = &self.definition.name;
                    let message = format!("prompt '{prompt}' has no text argument '{name}'");
                    return Err(ErrorData::invalid_params(message, None));
                }
            }
        }
        let result = GetPromptResult::new((self.messages)(&arguments));
        Ok(match &self.definition.description {
            Some(description) => result.with_description(description),
            None => result,
        })
    }
}
