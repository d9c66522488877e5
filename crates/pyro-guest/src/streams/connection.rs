//! A *connection* is a stream with a TCP connection to a port of the guest's loopback. The end of the
//! stream's input ends only this direction; the other one stays open until the other side ends it.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::OwnedFd;
use std::time::Duration;

use pyro_protocol::{Answer, FrameKind, GuestMessage, Refusal, RefusalReason};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType};
use rustix::process::Signal;

use super::channels::{Channels, Input, InputEnd, Output};
use super::stream::Stream;
use crate::group::Group;
use crate::sys;

/// What the kernel may keep for the agent of what a server has sent; the kernel doubles it.
const BUFFER_BYTES: usize = 64 * 1024;
/// As over Ethernet.
const SEGMENT_BYTES: i32 = 1460;

/// A connection that has not ended.
#[derive(Debug)]
pub(super) struct Connection {
    channels: Channels,
}

impl Connection {
    /// Connects to `port`.
    ///
    /// # Errors
    /// When nothing listens there.
    pub(super) fn open(port: u16) -> Result<Self, Refusal> {
        let socket = connect(port).map_err(|error| refusal(port, error))?;
        let other = socket
            .try_clone()
            .map_err(|error| Refusal::new(RefusalReason::Refused, error.to_string()))?;
        Ok(Self {
            channels: Channels {
                input: Input::with_end(Some(socket), InputEnd::ShutDown),
                outputs: vec![Output::new(FrameKind::Stdout, other)],
            },
        })
    }
}

/// Tries whether something listens on `port`.
pub(super) fn try_port(port: u16) -> Result<Answer, Refusal> {
    connect(port).map_err(|error| refusal(port, error))?;
    Ok(Answer::Closed)
}

fn refusal(port: u16, error: Errno) -> Refusal {
    if error == Errno::CONNREFUSED {
        let message = format!("nothing in the guest listens on port {port}");
        return Refusal::new(RefusalReason::NothingListens, message);
    }
    Refusal::new(RefusalReason::Refused, format!("port {port}: {error}"))
}

/// Connects without waiting: over the loopback, a refusal comes at once. A connection that waits for
/// room in the listener's queue is used like one that is made already.
fn connect(port: u16) -> Result<OwnedFd, Errno> {
    let addresses = [
        SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
        SocketAddr::from((Ipv6Addr::LOCALHOST, port)),
    ];
    let mut first_error = None;
    for address in addresses {
        match connect_to(&address) {
            Ok(socket) => return Ok(socket),
            Err(error) => first_error = first_error.or(Some(error)),
        }
    }
    Err(first_error.unwrap_or(Errno::CONNREFUSED))
}

fn connect_to(address: &SocketAddr) -> Result<OwnedFd, Errno> {
    let family = match address {
        SocketAddr::V4(_) => AddressFamily::INET,
        SocketAddr::V6(_) => AddressFamily::INET6,
    };
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = rustix::net::socket_with(family, SocketType::STREAM, flags, None)?;
    // Small messages are worth more than full packets: nothing is saved on a loopback.
    rustix::net::sockopt::set_tcp_nodelay(&socket, true)?;
    limit_memory(&socket)?;
    match rustix::net::connect(&socket, address) {
        Ok(()) => Ok(socket),
        // The other side's answer is there, but the kernel looks at it only after the call.
        Err(Errno::INPROGRESS) => match rustix::net::sockopt::socket_error(&socket)? {
            Ok(()) => Ok(socket),
            Err(error) => Err(error),
        },
        Err(error) => Err(error),
    }
}

/// Limits what the kernel keeps of a connection. It gives both sides room for several segments, which
/// on a loopback are of 64 KiB: a few hundred downloads would take all memory that the kernel has for
/// TCP, and it resets connections then.
fn limit_memory(socket: &OwnedFd) -> Result<(), Errno> {
    rustix::net::sockopt::set_socket_recv_buffer_size(socket, BUFFER_BYTES)?;
    // Without this it works, with fewer connections.
    let _ = sys::limit_segments(socket, SEGMENT_BYTES);
    Ok(())
}

impl Stream for Connection {
    fn channels(&self) -> &Channels {
        &self.channels
    }

    fn channels_mut(&mut self) -> &mut Channels {
        &mut self.channels
    }

    fn answer(&mut self) -> Option<GuestMessage> {
        // After a reset, nothing can be sent either, and what came before may be a part only.
        if self.channels.outputs.iter().any(Output::has_failed) {
            self.channels.close();
            let message = "the connection was reset";
            let refusal = Refusal::new(RefusalReason::Refused, message);
            return Some(GuestMessage::Refused(refusal));
        }
        if !self.channels.are_drained() || self.channels.input.is_open() {
            return None;
        }
        let answer = Answer::Closed;
        Some(GuestMessage::Answered { answer })
    }

    /// Any signal ends it: the host's side is gone.
    fn signal(&mut self, _signal: Signal) {
        self.abort();
    }

    fn abort(&mut self) {
        let output = self
            .channels
            .outputs
            .iter()
            .find_map(|output| output.pipe.as_ref());
        if let Some(socket) = output.or(self.channels.input.pipe()) {
            // A server must not take what came before for all of it: it sees a reset.
            let _ = rustix::net::sockopt::set_socket_linger(socket, Some(Duration::ZERO));
        }
        self.channels.close();
    }

    fn into_leftovers(self: Box<Self>) -> (Option<Group>, Vec<OwnedFd>) {
        (None, Vec::new())
    }
}
