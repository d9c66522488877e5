//! The prompts that the suite requests.

use pyro_mcp::{Arguments, Prompt};
use rmcp::model::{ContentBlock, PromptArgument, PromptMessage, ResourceContents, Role};

use crate::resources::{PICTURE, PICTURE_TYPE};

/// All of them.
pub(crate) fn all() -> Vec<Prompt> {
    vec![
        prompt("test_simple_prompt", &[], |_| {
            vec![said("This is a simple prompt for testing.")]
        }),
        prompt("test_prompt_with_arguments", &["arg1", "arg2"], |given| {
            let (one, other) = (value(given, "arg1"), value(given, "arg2"));
            let text = format!("Prompt with arguments: arg1='{one}', arg2='{other}'");
            vec![said(&text)]
        }),
        prompt(
            "test_prompt_with_embedded_resource",
            &["resourceUri"],
            |given| {
                let text = "Embedded resource content for testing.";
                let contents = ResourceContents::text(text, value(given, "resourceUri"));
                vec![
                    PromptMessage::new(Role::User, ContentBlock::resource(contents)),
                    said("Please process the embedded resource above."),
                ]
            },
        ),
        prompt("test_prompt_with_image", &[], |_| {
            let picture = ContentBlock::image(PICTURE, PICTURE_TYPE);
            vec![
                PromptMessage::new(Role::User, picture),
                said("Please analyze the image above."),
            ]
        }),
    ]
}

fn prompt(
    name: &str,
    arguments: &[&str],
    messages: fn(&Arguments) -> Vec<PromptMessage>,
) -> Prompt {
    let arguments = arguments.iter().map(|name| PromptArgument::new(*name));
    let description = format!("Say what the suite expects of {name}");
    Prompt {
        definition: rmcp::model::Prompt::new(name, Some(description), Some(arguments.collect())),
        messages,
    }
}

fn value<'a>(given: &'a Arguments, name: &str) -> &'a str {
    given.get(name).map_or("", |value| value)
}

fn said(text: &str) -> PromptMessage {
    PromptMessage::new_text(Role::User, text)
}
