//! Adding and removing published ports of an instance.

use std::os::fd::AsFd as _;

use super::{ask, connect, gone, reply, send_request, unexpected};
use crate::Error;
use crate::instance::find::Instance;
use crate::instance::hand_over;
use crate::instance::ports::change;
use crate::instance::published::{Published, remove};
use crate::instance::wire::{Reply, Request};
use crate::off_thread::off_thread;

/// Publishes a port of a running instance. Returns the address and the ports.
pub(crate) async fn publish(instance: &Instance, wanted: Published) -> Result<Published, Error> {
    let (listener, port) = wanted.listen()?;
    let (mut reader, mut writer) = connect(instance).await?;
    let request = Request::Publish { port: port.clone() };
    send_request(instance, &mut writer, &request).await?;
    match reply(instance, &mut reader).await? {
        Reply::Done => {}
        Reply::Failed(error) => return Err(error.into()),
        other => return Err(unexpected(&other)),
    }
    let handed = hand_over::send(writer.as_ref(), listener.as_fd()).await;
    handed.map_err(|_| gone(instance))?;
    match reply(instance, &mut reader).await? {
        Reply::Done => Ok(port),
        Reply::Failed(error) => Err(error.into()),
        other => Err(unexpected(&other)),
    }
}

/// Stops publishing a port, whether or not the instance runs.
pub(crate) async fn take_back(instance: &Instance, host_port: u16) -> Result<(), Error> {
    let object = instance.object.clone();
    let id = instance.id().to_owned();
    // Holding the lock prevents others from starting the instance in the meantime.
    let changed = off_thread(move || {
        let held = object.hold()?;
        let change = || change(&object, |ports| remove(ports, &id, host_port));
        Ok::<_, Error>(held.map(|_held| change()))
    });
    match changed.await? {
        Some(changed) => changed,
        None => ask(instance, &Request::TakeBack { host_port }).await,
    }
}
