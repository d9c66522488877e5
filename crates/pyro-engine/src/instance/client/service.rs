//! Services of a running instance.

use super::ask;
use crate::Error;
use crate::instance::find::Instance;
use crate::instance::services::{Readiness, ServiceDefinition};
use crate::instance::wire::Request;

/// Starts a service, and returns when it is ready or has failed; its record has the state.
pub(crate) async fn start_service(
    instance: &Instance,
    mut definition: ServiceDefinition,
) -> Result<(), Error> {
    definition.options = definition.options.or(&instance.record.defaults);
    if let Some(Readiness::Command { command }) = &definition.readiness {
        definition.options.argv(command.clone())?;
    }
    ask(instance, &Request::StartService(definition)).await
}

/// Stops a service, if it is running.
pub(crate) async fn stop_service(instance: &Instance, name: &str) -> Result<(), Error> {
    let name = name.to_owned();
    ask(instance, &Request::StopService { name }).await
}
