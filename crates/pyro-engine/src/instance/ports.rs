//! The *ports* of an instance that a supervisor publishes. It accepts connections on the host, and
//! each becomes a call into the guest: its bytes go over the agent's connection, with the flow
//! control of that, so that the guest needs no network.
//!
//! A supervisor cannot open ports itself once it is confined. Those in the record are opened before
//! that; those that are published later are opened by the client, who hands them over.

use std::collections::BTreeMap;
use std::io;
use std::net::TcpListener as StdTcpListener;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use pyro_machine::{Call, Streams, SupervisedMachine};
use pyro_store::Object;
use rustix::net::sockopt;
use rustix::process::{Resource, getrlimit};
use tokio::io::BufReader;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::{JoinHandle, JoinSet};

use super::activity::Activity;
use super::hand_over;
use super::power::Power;
use super::published::{self, Published};
use super::record::{State, VmRecord};
use super::wire::{Reply, write_line};
use crate::Error;
use crate::code::ErrorCode;
use crate::off_thread::off_thread;

/// The most connections of one instance at a time. Further ones wait until one has ended: the kernel
/// keeps them.
const CONNECTIONS: u64 = 1024;
/// How many descriptors a supervisor needs for all else, with many clients.
const OTHER_DESCRIPTORS: u64 = 256;
/// How long to wait before the next attempt if no connection can be accepted: no free descriptors,
/// most likely.
const PAUSE: Duration = Duration::from_millis(100);

/// A listener, and what it is for.
pub(super) type Listener = (StdTcpListener, Published);

/// Opens the ports of an instance that is about to start. If one is taken that somebody has named,
/// the instance must not start without it: others would go on to connect there, and reach something
/// else. One that the kernel has chosen is replaced, and `tell` tells the user.
pub(super) fn open_all(
    id: &str,
    record: &VmRecord,
    tell: impl Fn(String),
) -> Result<Vec<Listener>, Error> {
    let open = |port: &Published| match port.clone().listen() {
        Err(error) if port.is_any && error.code == ErrorCode::PortTaken.name() => {
            let other = Published {
                host_port: 0,
                ..port.clone()
            };
            let (listener, now) = other.listen()?;
            tell(format!(
                "port {} of this host is taken: port {} of the guest is published on {} instead",
                port.host_port,
                port.guest_port,
                now.address()
            ));
            Ok((listener, now))
        }
        Err(error) if record.state != State::Created => {
            Err(error.keeps_from_starting(id, port.address()))
        }
        opened => opened,
    };
    record.ports.iter().map(open).collect()
}

/// Changes which ports the record of an instance has.
pub(super) fn change(
    object: &Object,
    change: impl FnOnce(&mut Vec<Published>) -> Result<(), Error>,
) -> Result<(), Error> {
    let changed = object.try_update(|record: &mut VmRecord| change(&mut record.ports));
    let unreadable = |error| Error::unreadable_record("workspace", object.id().as_str(), &error);
    changed.map_err(unreadable)?.map(|_| ())
}

/// The published ports of one instance.
#[derive(Debug)]
pub(super) struct Ports {
    object: Object,
    forwarder: Arc<Forwarder>,
    /// By the host's port.
    open: Mutex<BTreeMap<u16, Listening>>,
}

/// The task that accepts the connections of one port. On drop, it ends with all of them, soon.
#[derive(Debug)]
struct Listening {
    task: JoinHandle<()>,
    /// See [`Published::service`].
    service: Option<String>,
}

impl Listening {
    /// Returns when the port is free.
    async fn end(mut self) {
        self.task.abort();
        // It fails because it was aborted.
        let _ = (&mut self.task).await;
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Ports {
    pub(super) fn new(
        object: Object,
        machine: Arc<SupervisedMachine>,
        power: Arc<Power>,
        activity: Activity,
    ) -> Self {
        let free = Arc::new(Semaphore::new(most_connections()));
        let forwarder = Forwarder {
            machine,
            power,
            activity,
            free,
        };
        Self {
            object,
            forwarder: Arc::new(forwarder),
            open: Mutex::default(),
        }
    }

    /// Accepts connections from now on.
    pub(super) fn serve(&self, (listener, port): Listener) -> Result<(), Error> {
        let unusable = |error: io::Error| Error::no_listener(port.address(), &error);
        listener.set_nonblocking(true).map_err(unusable)?;
        let listener = TcpListener::from_std(listener).map_err(unusable)?;
        let accepting = Arc::clone(&self.forwarder).accept(listener, port.guest_port);
        let listening = Listening {
            task: tokio::spawn(accepting),
            service: port.service,
        };
        self.lock().insert(port.host_port, listening);
        Ok(())
    }

    /// Publishes a port that a client hands over.
    pub(super) async fn publish(
        &self,
        port: Published,
        client: &BufReader<OwnedReadHalf>,
        writer: &mut OwnedWriteHalf,
    ) -> Result<Reply, Error> {
        let broken = |error: &io::Error| Error::no_supervisor(&format!("no listener: {error}"));
        // The client waits for this, so that the kernel does not drop the descriptor with a line
        // that is read.
        let asked = write_line(writer, &Reply::Done).await;
        asked.map_err(|error| broken(&error))?;
        let received = hand_over::receive(client.get_ref().as_ref()).await;
        let listener = StdTcpListener::from(received.map_err(|error| broken(&error))?);
        let address = listener.local_addr().map_err(|error| broken(&error))?;
        let port = Published {
            host: address.ip(),
            host_port: address.port(),
            ..port
        };
        let added = port.clone();
        self.change(move |ports| published::add(ports, added))
            .await?;
        self.serve((listener, port))?;
        Ok(Reply::Done)
    }

    /// Publishes a port no more, and ends its connections.
    pub(super) async fn take_back(&self, host_port: u16) -> Result<Reply, Error> {
        let id = self.object.id().to_string();
        self.change(move |ports| published::remove(ports, &id, host_port))
            .await?;
        let listening = self.lock().remove(&host_port);
        if let Some(listening) = listening {
            listening.end().await;
        }
        Ok(Reply::Done)
    }

    /// The same for all ports that were published with a service.
    pub(super) async fn take_back_all_of(&self, service: &str) {
        let all: Vec<u16> = {
            let open = self.lock();
            let of_service = open
                .iter()
                .filter(|(_, listening)| listening.service.as_deref() == Some(service));
            of_service.map(|(host_port, _)| *host_port).collect()
        };
        for host_port in all {
            if let Err(error) = self.take_back(host_port).await {
                tracing::warn!(%error, host_port, "the port of a service stays published");
            }
        }
    }

    /// Ends all connections, and accepts none any more.
    pub(super) fn close(&self) {
        self.lock().clear();
    }

    /// Changes what the record has of them.
    async fn change(
        &self,
        change: impl FnOnce(&mut Vec<Published>) -> Result<(), Error> + Send + 'static,
    ) -> Result<(), Error> {
        let object = self.object.clone();
        off_thread(move || self::change(&object, change)).await
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<u16, Listening>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How many connections the limits of this process allow.
fn most_connections() -> usize {
    let descriptors = getrlimit(Resource::Nofile).current;
    let free = descriptors.map_or(CONNECTIONS, |limit| limit.saturating_sub(OTHER_DESCRIPTORS));
    usize::try_from(free.clamp(1, CONNECTIONS)).unwrap_or(1)
}

/// Passes connections on to the guest.
#[derive(Debug)]
struct Forwarder {
    machine: Arc<SupervisedMachine>,
    power: Arc<Power>,
    activity: Activity,
    /// How many more there may be.
    free: Arc<Semaphore>,
}

impl Forwarder {
    /// Accepts connections for ever.
    async fn accept(self: Arc<Self>, listener: TcpListener, guest_port: u16) {
        let mut connections = JoinSet::new();
        loop {
            let accepted = listener.accept().await;
            while connections.try_join_next().is_some() {}
            match accepted.and_then(|(stream, _)| Client::new(stream)) {
                Ok(client) => {
                    // One waits here, the others where the kernel keeps them.
                    let Ok(place) = Arc::clone(&self.free).acquire_owned().await else {
                        return;
                    };
                    let forwarded = Arc::clone(&self).forward(client, guest_port, place);
                    connections.spawn(forwarded);
                }
                Err(error) => {
                    tracing::debug!(%error, "a connection was not accepted");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }

    async fn forward(
        self: Arc<Self>,
        mut client: Client,
        guest_port: u16,
        _place: OwnedSemaphorePermit,
    ) {
        self.note().await;
        match self.relay(&mut client.0, guest_port).await {
            Ok(()) => client.end(),
            Err(error) => tracing::debug!(%error, guest_port, "a connection was reset"),
        }
        self.note().await;
    }

    /// Passes bytes on until both directions have ended.
    async fn relay(&self, client: &mut TcpStream, guest_port: u16) -> Result<(), Error> {
        let _on = self.power.on(&self.machine).await?;
        let (mut from_client, mut to_client) = client.split();
        let call = Call::Connect {
            port: guest_port,
            only_try: false,
        };
        let streams = Streams {
            stdin: Some(&mut from_client),
            stdout: &mut to_client,
            stderr: &mut tokio::io::sink(),
            controls: None,
            started: None,
        };
        self.machine.call(&call, streams).await?;
        Ok(())
    }

    async fn note(&self) {
        let activity = self.activity.clone();
        off_thread(move || activity.note()).await;
    }
}

/// A connection that was accepted. However it is closed, by this process or because this process was
/// killed, the client sees a reset, and never takes a part for the whole; unless it has [ended](Self::end).
#[derive(Debug)]
struct Client(TcpStream);

impl Client {
    fn new(stream: TcpStream) -> io::Result<Self> {
        // Small messages are passed on at once: the guest has put them together already.
        stream.set_nodelay(true)?;
        // A client whose machine has vanished must not keep the guest awake for ever.
        sockopt::set_socket_keepalive(&stream, true)?;
        sockopt::set_socket_linger(&stream, Some(Duration::ZERO))?;
        Ok(Self(stream))
    }

    /// Closes it as it should be: all that was sent arrives.
    fn end(self) {
        let _ = sockopt::set_socket_linger(&self.0, None);
    }
}
