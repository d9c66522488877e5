//! The *conformance server* is the MCP server with other operations: the tools that the protocol's
//! conformance suite calls. All else, transports, dispatch, progress, errors, tasks, is what the
//! real one has, so that the suite examines that.
//!
//! `conformance_server ADDRESS:PORT TOKEN`

use std::error::Error as StdError;
use std::time::Duration;

use clap::Args;
use pyro_engine::operation::{Effect, Entry, Operation};
use pyro_engine::{Config, Context, Engine, Error, Event, Kind};
use pyro_mcp::{Endpoint, HttpServer, Offer};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

/// Less than what the suite calls slow takes.
const TASK_AFTER: Duration = Duration::from_millis(500);

/// What all of them return.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
struct Answer {
    text: String,
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
            context.listener.tell(Event::Notice(format!("step {step}")));
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
        Ok("done".into())
    }
);

fixture!("test_logging_tool", Logging {}, |_this, context| {
    context.listener.tell(Event::Warning("a warning".into()));
    Ok("done".into())
});

// The client could be asked something, but is not: agents run unattended.
fixture!(
    "test_streaming_elicitation",
    Streaming {},
    |_this, context| {
        context.listener.tell(Event::Notice("working".into()));
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
];

fn failure() -> Error {
    Error {
        kind: Kind::Failed,
        code: "failure".into(),
        message: "this always fails".into(),
        cause: None,
        remedy: None,
        retry_safe: true,
    }
}

fn main() -> Result<(), Box<dyn StdError>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(address), Some(token)) = (arguments.next(), arguments.next()) else {
        return Err("usage: conformance_server ADDRESS:PORT TOKEN".into());
    };
    let endpoint = Endpoint {
        listen: address.parse()?,
        token: Some(token),
        hosts: Vec::new(),
    };
    let config = Config::from_variables(|name| std::env::var_os(name))?;
    // Resources come with the operation that reads them.
    let logs = pyro_engine::operation::find("workspace_logs");
    let offer = Offer {
        operations: OPERATIONS.iter().chain(logs).collect(),
        task_after: TASK_AFTER,
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let server = HttpServer::bind(endpoint).await?;
        server.serve(config, offer, CancellationToken::new()).await
    })?;
    Ok(())
}
