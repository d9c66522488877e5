//! `demo ollama`

use std::time::Duration;

use pyro_chat::Server;
use pyro_environment::PullPolicy;
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

/// Let a language model run a command in a microVM, with the tools of an agent
///
/// The model's server is Ollama or any other server with OpenAI's chat completions API and tool
/// calls. pyro connects to it directly, not through a proxy, and sends the key in PYRO_MODEL_API_KEY
/// if that is set. The model is asked to clone a git repository in a guest and to check the result.
/// It can only call a few tools for microVMs: no command runs on the host, no file of the host is
/// read, and microVMs that the model leaves behind are deleted. An invalid tool call is answered
/// with an explanation of the mistake.
///
/// The demonstration succeeds if the last command of the model printed the expected text. It fails
/// if the model ran no command or another one, if it still calls tools after 12 rounds, or if its
/// server does not reply.
#[derive(Clone, Debug, clap::Args, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
#[command(after_help = "Examples:\n  \
    pyro demo ollama --model qwen3:8b -v\n  \
    pyro demo ollama --base-url http://localhost:8080/v1 --model any --timeout-seconds 600\n  \
    PYRO_MODEL_API_KEY=$OPENAI_API_KEY pyro demo ollama \\\n      \
      --base-url https://api.openai.com/v1 --model gpt-4o-mini --stream")]
pub struct DemoOllama {
    /// Base URL of the model's server, to which `/chat/completions` is appended
    #[arg(long, default_value = BASE_URL, value_name = "URL")]
    #[serde(default = "base_url")]
    pub base_url: String,
    /// Name of the model on the server; the model must support tool calls
    #[arg(long, default_value = MODEL)]
    #[serde(default = "model")]
    pub model: String,
    /// Time limit in seconds for each reply of the model; with --stream, for each chunk of a reply
    #[arg(long, default_value_t = TIMEOUT_SECONDS, value_name = "SECONDS", allow_negative_numbers = true)]
    #[serde(default = "timeout_seconds")]
    #[schemars(range(min = 1))]
    pub timeout_seconds: i64,
    /// Request streamed replies
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
        // Building the environment does not count towards the model's time limit.
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
