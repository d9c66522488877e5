//! A *prompt* is what a person asks an agent for by its name; hosts offer prompts beside their own
//! commands.

use std::collections::BTreeMap;

use rmcp::model::{ErrorData, GetPromptResult, JsonObject, PromptMessage};
use serde_json::Value;

/// What a person filled in, by name.
pub type Arguments = BTreeMap<String, String>;

/// A prompt, and what clients are told about it.
#[derive(Clone, Debug)]
pub struct Prompt {
    /// How clients see it.
    pub definition: rmcp::model::Prompt,
    /// What it says to a model.
    pub messages: fn(&Arguments) -> Vec<PromptMessage>,
}

impl Prompt {
    /// Whether it has an argument of this name.
    pub(crate) fn takes(&self, argument: &str) -> bool {
        let mut arguments = self.definition.arguments.iter().flatten();
        arguments.any(|known| known.name == argument)
    }

    /// What it says with these arguments.
    pub(crate) fn get(&self, given: Option<JsonObject>) -> Result<GetPromptResult, ErrorData> {
        let mut arguments = Arguments::new();
        for (name, value) in given.unwrap_or_default() {
            match value {
                // What is left open in a form.
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
