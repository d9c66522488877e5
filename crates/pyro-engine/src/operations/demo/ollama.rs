//! `demo ollama`

use std::time::Duration;

use pyro_environment::PullPolicy;
use pyro_chat::Server;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::conversation::Conversation;
use super::task::{ENVIRONMENT, ModelRun};
use crate::environment;
use crate::operation::{Effect, Operation, ToolSet};
use crate::request::positive_seconds;
use crate::{Context, Engine, Error};

const BASE_URL: &str = "http://localhost:11434/v1";
const MODEL: &str = "llama3.2:3b";
const TIMEOUT_SECONDS: i64 = 90;

/// Let a language model run a command in a microVM, with the tools that an agent has
///
/// The model's server is Ollama or any other that has OpenAI's chat completions with tools; it is
/// asked directly, not through a proxy, and with the key in PYRO_MODEL_API_KEY, if there is one. The
/// model is asked to clone a git repository in a guest and to see whether that worked. It may call
/// a few tools on microVMs and has nothing else: no command runs on the host, no file of the host
/// is read, and the microVMs that it leaves are deleted. A call that cannot be meant is answered
/// with what is wrong.
///
/// It succeeds if the last command that the model ran printed what it should. It fails if there was
/// none, if it printed something else, if the model still calls tools after 12 rounds, or if its
/// server gives no reply.
#[derive(Clone, Debug, clap::Args, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
#[command(after_help = "Examples:\n  \
    pyro demo ollama --model qwen3:8b -v\n  \
    pyro demo ollama --base-url http://localhost:8080/v1 --model any --timeout-seconds 600\n  \
    PYRO_MODEL_API_KEY=$OPENAI_API_KEY pyro demo ollama \\\n      \
      --base-url https://api.openai.com/v1 --model gpt-4o-mini --stream")]
pub struct DemoOllama {
    /// Address of the model's server, to which `/chat/completions` is added
    #[arg(long, default_value = BASE_URL, value_name = "URL")]
    #[serde(default = "base_url")]
    pub base_url: String,
    /// The model, by the server's name for it; it has to support tools
    #[arg(long, default_value = MODEL)]
    #[serde(default = "model")]
    pub model: String,
    /// Seconds that the model may take for a reply, or for each piece of one that comes in pieces
    #[arg(long, default_value_t = TIMEOUT_SECONDS, value_name = "SECONDS", allow_negative_numbers = true)]
    #[serde(default = "timeout_seconds")]
    #[schemars(range(min = 1))]
    pub timeout_seconds: i64,
    /// Ask for replies in pieces, as the model makes them
    #[arg(long)]
    #[serde(default)]
    pub stream: bool,
}

fn base_url() -> String {
    BASE_URL.into()
}

fn model() -> String {
    MODEL.into()
}

fn timeout_seconds() -> i64 {
    TIMEOUT_SECONDS
}

impl Operation for DemoOllama {
    const NAME: &'static str = "demo_ollama";
    const COMMAND: &'static [&'static str] = &["demo", "ollama"];
    const EFFECT: Effect = Effect::Mutating;
    const OPEN_WORLD: bool = true;
    const TOOL_SET: ToolSet = ToolSet::None;
    type Output = ModelRun;

    async fn run(self, engine: &Engine, context: &mut Context) -> Result<ModelRun, Error> {
        let limit = positive_seconds("timeout_seconds", self.timeout_seconds)?;
        // A later instant may overflow.
        let limit = limit.min(Duration::from_secs(24 * 60 * 60));
        let key = engine.config.model_key.as_ref();
        let server = Server::new(&self.base_url, key, limit)?;
        // The time for building the environment does not count towards the model's limit.
        environment::ready(engine, &context.listener, ENVIRONMENT, PullPolicy::Missing).await?;
        let mut conversation = Conversation::new(
            engine,
            context,
            &server,
            &self.model,
            &self.base_url,
            self.stream,
        );
        let outcome = conversation.hold().await;
        let ran = conversation.end().await;
        outcome.map_err(|error| Error {
            retry_safe: error.retry_safe && !ran,
            ..error
        })
    }
}
