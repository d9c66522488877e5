//! The tools that the suite calls.

use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use pyro_engine::operation::{Effect, Entry, Operation};
use pyro_engine::{Context, Engine, Error, ErrorKind, Event};
use pyro_mcp::Tool;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::resources;

/// What all of them return.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
pub(crate) struct Answer {
    pub(crate) text: String,
}

/// Defines an operation: its tool's name, its request, and what it does.
macro_rules! fixture {
    (
        $name:literal, $request:ident { $($(#[$meta:meta])* $field:ident: $type:ty),* },
        |$this:ident, $context:ident| $run:block
    ) => {
        #[doc = concat!("Do what the suite expects of ", $name)]
        #[derive(Clone, Debug, Args, Deserialize, JsonSchema, Serialize)]
        #[serde(deny_unknown_fields)]
        struct $request { $($(#[$meta])* $field: $type),* }

        impl Operation for $request {
            const NAME: &'static str = $name;
            const COMMAND: &'static [&'static str] = &[$name];
            const EFFECT: Effect = Effect::ReadOnly;
            type Output = Answer;

            async fn run(self, _: &Engine, $context: &mut Context) -> Result<Answer, Error> {
                let $this = self;
                let text: Result<String, Error> = $run;
                text.map(|text| Answer { text })
            }
        }
    };
}

fixture!("test_simple_text", SimpleText {}, |_this, _context| {
    Ok("text".into())
});

fixture!(
    "test_error_handling",
    ErrorHandling {},
    |_this, _context| { Err(failure()) }
);

fixture!(
    "test_tool_with_progress",
    WithProgress {},
    |_this, context| {
        for step in 0..4 {
            context
                .listener
                .report(Event::Notice(format!("step {step}")));
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
        Ok("done".into())
    }
);

fixture!("test_logging_tool", Logging {}, |_this, context| {
    context.listener.report(Event::Warning("a warning".into()));
    Ok("done".into())
});

// The server could ask the client something, but does not: agents run unattended.
fixture!(
    "test_streaming_elicitation",
    Streaming {},
    |_this, context| {
        context.listener.report(Event::Notice("working".into()));
        Ok("done".into())
    }
);

fixture!(
    "test_header",
    Header {
        #[schemars(extend("x-mcp-header" = "Region"))]
        region: String
    },
    |this, _context| { Ok(this.region) }
);

fixture!("greet", Greet { name: String }, |this, _context| {
    Ok(format!("Hello, {}!", this.name))
});

fixture!(
    "slow_compute",
    SlowCompute {
        seconds: f64,
        label: Option<String>
    },
    |this, _context| {
        tokio::time::sleep(Duration::from_secs_f64(this.seconds.clamp(0.0, 100.0))).await;
        Ok(this.label.unwrap_or_default())
    }
);

fixture!("failing_job", FailingJob {}, |_this, _context| {
    tokio::time::sleep(Duration::from_secs(1)).await;
    Err(failure())
});

fixture!("protocol_error_job", BrokenJob {}, |_this, _context| {
    tokio::time::sleep(Duration::from_secs(1)).await;
    let number: u8 = "none".parse().expect("the suite wants to see a defect");
    Ok(number.to_string())
});

// Nothing is asked before a deletion either. An answer that a client sends all the same is
// acknowledged.
fixture!(
    "confirm_delete",
    ConfirmDelete { filename: String },
    |this, _context| {
        tokio::time::sleep(Duration::from_secs(1)).await;
        Ok(format!("deleted {}", this.filename))
    }
);

fixture!(
    "read_resource",
    ReadResource { uri: String },
    |this, _context| { resources::text(&this.uri) }
);

/// Do what the suite expects of `json_schema_2020_12_tool`
#[derive(Clone, Debug, Args, Deserialize, Serialize)]
struct Contact {
    #[arg(skip)]
    #[serde(flatten)]
    given: Map<String, Value>,
}

impl JsonSchema for Contact {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Contact".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "object",
            "description": "Do what the suite expects of json_schema_2020_12_tool",
            "$defs": {
                "address": {
                    "$anchor": "addressDef",
                    "type": "object",
                    "properties": {"street": {"type": "string"}, "city": {"type": "string"}},
                },
            },
            "properties": {
                "name": {"type": "string"},
                "address": {"$ref": "#/$defs/address"},
                "contactMethod": {"type": "string", "enum": ["phone", "email"]},
                "phone": {"type": "string"},
                "email": {"type": "string"},
            },
            "allOf": [{"anyOf": [{"required": ["phone"]}, {"required": ["email"]}]}],
            "if": {"properties": {"contactMethod": {"const": "phone"}}, "required": ["contactMethod"]},
            "then": {"required": ["phone"]},
            "else": {"required": ["email"]},
            "additionalProperties": false,
        })
    }
}

impl Operation for Contact {
    const NAME: &'static str = "json_schema_2020_12_tool";
    const COMMAND: &'static [&'static str] = &[Self::NAME];
    const EFFECT: Effect = Effect::ReadOnly;
    type Output = Answer;

    async fn run(self, _: &Engine, _: &mut Context) -> Result<Answer, Error> {
        let text = Value::from(self.given).to_string();
        Ok(Answer { text })
    }
}

static OPERATIONS: &[Entry] = &[
    Entry::of::<SimpleText>(),
    Entry::of::<ErrorHandling>(),
    Entry::of::<WithProgress>(),
    Entry::of::<Logging>(),
    Entry::of::<Streaming>(),
    Entry::of::<Header>(),
    Entry::of::<Greet>(),
    Entry::of::<SlowCompute>(),
    Entry::of::<FailingJob>(),
    Entry::of::<BrokenJob>(),
    Entry::of::<ConfirmDelete>(),
    Entry::of::<ReadResource>(),
];

static CONTACT: Entry = Entry::of::<Contact>();

/// All of them.
pub(crate) fn all() -> Vec<Tool> {
    let mut tools: Vec<_> = OPERATIONS
        .iter()
        .map(|entry| Tool::new(entry, false))
        .collect();
    // The schemas of operations are put in the plainest form; this test needs one that is not.
    let mut contact = Tool::new(&CONTACT, false);
    if let Value::Object(schema) = (CONTACT.input_schema)().to_value() {
        contact.definition.input_schema = Arc::new(schema);
    }
    tools.push(contact);
    tools
}

fn failure() -> Error {
    Error {
        kind: ErrorKind::Failed,
        code: "failure".into(),
        message: "this always fails".into(),
        cause: None,
        remedy: None,
        retry_safe: true,
    }
}
