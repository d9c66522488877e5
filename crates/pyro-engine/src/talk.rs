//! *Talk* is what is said and done in a conversation between a model and its tools.

use serde_json::Value;

/// Something that was said or done. What a model chose (names, contents, arguments) is as it
/// came.
#[derive(Clone, Debug)]
pub enum Talk {
    /// The conversation begins.
    Begun {
        /// The model.
        model: String,
    },
    /// The model hears something.
    Input {
        /// Who says it.
        role: &'static str,
        /// What is said.
        content: String,
    },
    /// The model says something.
    Output {
        /// What it says; it may only call tools.
        content: String,
    },
    /// The model asks for a call.
    Asked {
        /// The tool.
        tool: String,
        /// What with, as it wrote it.
        arguments: Value,
    },
    /// A tool is called.
    Calling {
        /// The tool.
        tool: String,
        /// What with, as it was understood.
        arguments: Value,
    },
    /// The model named a VM by a placeholder; the last that it created is meant.
    Resolved,
    /// A call did what it was asked.
    Succeeded {
        /// The tool.
        tool: String,
    },
    /// A call did not.
    Failed {
        /// The tool.
        tool: String,
        /// Why.
        error: String,
        /// What with.
        arguments: Value,
    },
    /// The model hears what came of a call.
    Answered {
        /// The tool.
        tool: String,
        /// What it hears.
        result: Value,
    },
    /// The model asks for no more calls.
    NoCalls,
    /// The command ran, and printed what it should.
    Done,
}
