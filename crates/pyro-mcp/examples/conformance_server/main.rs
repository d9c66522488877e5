//! The *conformance server* is the MCP server with another offer: the tools, resources and prompts
//! that the protocol's conformance suite expects. Everything else (transports, dispatch, progress,
//! errors, tasks) is the real server's, so that the suite tests it.
//!
//! `conformance_server ADDRESS:PORT TOKEN`

mod prompts;
mod resources;
mod tools;

use std::error::Error;
use std::time::Duration;

use pyro_engine::{Config, Permissions};
use pyro_mcp::{Endpoint, HttpServer, Offer};
use tokio_util::sync::CancellationToken;

/// Less than the duration of the suite's slow tools.
const TASK_AFTER: Duration = Duration::from_millis(500);

fn main() -> Result<(), Box<dyn Error>> {
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
    let offer = Offer {
        tools: tools::all(),
        resources: vec![resources::FIXTURES],
        prompts: prompts::all(),
        task_after: TASK_AFTER,
        permissions: Permissions::default(),
        client_roots: false,
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
