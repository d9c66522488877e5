//! *Talk*: the events of a conversation between a model and its tools.

use serde_json::Value;

/// An event of a conversation. Names, contents and arguments are as the model wrote them.
#[derive(Clone, Debug)]
pub enum Talk {
    /// The conversation begins.
    Begun {
        /// The model.
        model: String,
    },
    /// The model receives a message.
    Input {
        /// The sender's role.
        role: &'static str,
        /// The text.
        content: String,
    },
    /// The model sends a message.
    Output {
        /// The text; empty if it only calls tools.
        content: String,
    },
    /// The model requests a tool call.
    Asked {
        /// The tool.
        tool: String,
        /// The arguments, as the model wrote them.
        arguments: Value,
    },
    /// A tool is called.
    Calling {
        /// The tool.
        tool: String,
        /// The arguments, after conversion.
        arguments: Value,
    },
    /// The model named a VM by a placeholder; the last one that it created is used.
    Resolved,
    /// A call succeeded.
    Succeeded {
        /// The tool.
        tool: String,
    },
    /// A call failed.
    Failed {
        /// The tool.
        tool: String,
        /// The error.
        error: String,
        /// The arguments.
        arguments: Value,
    },
    /// The model receives the result of a call.
    Answered {
        /// The tool.
        tool: String,
        /// The result as the model receives it.
        result: Value,
    },
    /// The model requests no more tool calls.
    NoCalls,
    /// The command ran and printed the expected text.
    Done,
}
