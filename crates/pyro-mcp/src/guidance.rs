//! *Guidance* for a model about its tools as a whole: the server's instructions, and prompts that a
//! person sends.

use pyro_engine::operation::Entry;
use rmcp::model::{PromptArgument, PromptMessage, Role};

use crate::prompt::{Arguments, Prompt};

const ENVIRONMENT: &str = "debian:12";
const WORKSPACE: &str = "workspace_create, then workspace_sync_push to bring files in, \
     workspace_exec as often as needed, workspace_logs to read what was run before, and \
     workspace_delete at the end";
const RESULTS: &str = "A command that fails is a result with a non-zero exit_code, not an error. \
     Of each stream 16 KiB are returned, or max_output_bytes; have long output filtered, or \
     written to a file. The \
     first use of an environment builds it, which takes a minute or so.";

/// Returns the instructions for a model with these tools.
pub(crate) fn instructions(operations: &[&Entry]) -> String {
    let mut parts = vec![
        "pyro runs commands in microVMs: virtual machines of their own, from which nothing \
         reaches this machine."
            .to_owned(),
    ];
    if has(operations, "vm_run") {
        parts.push(format!(
            "For one command use vm_run: it starts a fresh Debian guest (environment \
             \"{ENVIRONMENT}\"), runs the command in a shell, returns output and exit code, and \
             throws the guest away with all its files."
        ));
    }
    if has(operations, "workspace_create") {
        parts.push(format!(
            "For several commands on the same files use a workspace: {WORKSPACE}."
        ));
    }
    parts.push(RESULTS.to_owned());
    parts.join(" ")
}

/// Returns the prompts for a person whose model has these tools.
pub(crate) fn prompts(operations: &[&Entry]) -> Vec<Prompt> {
    let workspace = has(operations, "workspace_create").then(workspace);
    workspace.into_iter().collect()
}

fn has(operations: &[&Entry], name: &str) -> bool {
    operations.iter().any(|entry| entry.name == name)
}

/// With this prompt a person decides that a guest is to be used; otherwise the model does. It has
/// no argument for the task: some hosts split the text after a prompt's name at its spaces.
fn workspace() -> Prompt {
    let argument = |name, description| PromptArgument::new(name).with_description(description);
    let arguments = vec![
        argument("directory", "A directory of this machine to bring in"),
        argument("environment", "The workspace's environment"),
    ];
    let description = "Have every command run in a microVM, and none on this machine";
    Prompt {
        definition: rmcp::model::Prompt::new("workspace", Some(description), Some(arguments))
            .with_title("Work in a workspace"),
        messages: in_workspace,
    }
}

fn in_workspace(arguments: &Arguments) -> Vec<PromptMessage> {
    let environment = arguments
        .get("environment")
        .map_or(ENVIRONMENT, |name| name);
    let files = arguments
        .get("directory")
        .map(|directory| format!(" The files are in \"{directory}\" on this machine."));
    let files = files.unwrap_or_default();
    let text = format!(
        "From now on run every command in a workspace of pyro, and none on this machine. For that \
         use {WORKSPACE}. The environment is \"{environment}\".{files} {RESULTS} Before you delete \
         the workspace, show me what came of the work: its files are gone afterwards. If I have \
         not said yet what is to be done, get the workspace ready and ask me."
    );
    vec![PromptMessage::new_text(Role::User, text)]
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::Profile;

    fn said(arguments: &Value) -> Result<String, String> {
        let prompt = &prompts(&Profile::WorkspaceFull.operations())[0];
        let got = prompt.get(arguments.as_object().cloned());
        let got = got.map_err(|error| error.message.into_owned())?;
        let message = json!(got.messages[0]);
        assert_eq!(message["role"], "user");
        Ok(message["content"]["text"].as_str().unwrap().to_owned())
    }

    #[test]
    fn the_prompt_says_what_was_filled_in() {
        let plain = said(&json!({})).unwrap();
        assert!(plain.contains("\"debian:12\". A command"), "{plain}");
        let open = json!({"directory": "", "environment": ""});
        assert_eq!(said(&open).unwrap(), plain);
        let full = json!({"directory": "/src", "environment": "debian:12-build"});
        let full = said(&full).unwrap();
        let expected = "\"debian:12-build\". The files are in \"/src\" on this machine. A command";
        assert!(full.contains(expected), "{full}");
    }

    #[test]
    fn the_prompt_takes_nothing_else() {
        for (arguments, expected) in [
            (json!({"directory": 1}), "no text argument 'directory'"),
            (json!({"task": "x"}), "no text argument 'task'"),
        ] {
            let error = said(&arguments).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn what_names_a_tool_names_one_that_is_there() {
        for profile in Profile::ALL {
            let operations = profile.operations();
            let known = |word: &str| operations.iter().any(|entry| entry.name == word);
            let mut text = instructions(&operations);
            for prompt in prompts(&operations) {
                text += &json!((prompt.messages)(&Arguments::new())).to_string();
            }
            let words = text.split(|c: char| !(c.is_ascii_lowercase() || c == '_'));
            let mut tools = words.filter(|w| w.starts_with("workspace_") || w.starts_with("vm_"));
            assert!(tools.all(known), "{profile}: {text}");
        }
        assert!(prompts(&Profile::VmRun.operations()).is_empty());
    }
}
