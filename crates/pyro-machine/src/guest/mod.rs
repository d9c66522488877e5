//! The *guest* is the host's view of the agent: it runs many commands at a time over one
//! connection.

mod call;
mod clock;
mod connection;
mod failure;
mod handshake;
mod run;
mod warm_up;
mod words;

use std::os::unix::net::UnixStream;
use std::sync::Arc;

use pyro_protocol::{CONNECTION, GuestMessage, HostMessage, Network};
use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinHandle;

pub use call::{Control, Streams};
use connection::{Event, Link};
pub(crate) use failure::{Failure, run_error};
pub(crate) use handshake::Layers;
pub use run::{Command, Outcome};
pub(crate) use warm_up::WARM_UP_LIMIT;

/// A connection to a guest's agent.
#[derive(Debug)]
pub struct Guest {
    link: Arc<Link>,
    answers: Mutex<Answers>,
    /// The network that the machine's card is connected to.
    network: Option<Network>,
    /// The process id of the VMM, if it is known.
    vmm: Option<u32>,
    /// Why an unpacking that was interrupted in an earlier machine is not finished.
    unfinished: Option<String>,
    tasks: [JoinHandle<()>; 2],
}

/// The agent's messages about the machine as a whole. A caller that waits for an answer holds the
/// lock from before it sends the question: answers come in the order of the questions.
#[derive(Debug)]
struct Answers {
    events: mpsc::UnboundedReceiver<Event>,
    /// The number of flushes that were requested and not answered, including those whose callers
    /// have given up.
    flushes: u32,
}

impl Guest {
    /// Takes over the host's end of the agent's port.
    pub(crate) fn connect(stream: UnixStream) -> std::io::Result<Self> {
        stream.set_nonblocking(true)?;
        let stream = tokio::net::UnixStream::from_std(stream)?;
        let (link, tasks) = Link::start(stream);
        let events = link.open(CONNECTION, 0);
        Ok(Self {
            link,
            answers: Mutex::new(Answers { events, flushes: 0 }),
            network: None,
            vmm: None,
            unfinished: None,
            tasks,
        })
    }

    /// Sets the VMM's process: the time in which it waits for a processor does not count as the
    /// agent's delay.
    pub(crate) fn runs_in(&mut self, vmm: Option<u32>) {
        self.vmm = vmm;
    }

    /// Sets the network that the machine is sent together with its identity.
    pub(crate) fn set_network(&mut self, network: Network) {
        self.network = Some(network);
    }

    /// Why not all is in its place that was pushed to the machine's disk before, if that is so.
    pub(crate) fn unfinished(&self) -> Option<&str> {
        self.unfinished.as_deref()
    }

    /// Sends a message about the machine as a whole.
    pub(crate) async fn send(&self, message: &HostMessage) -> Result<(), Failure> {
        self.link.send_control(CONNECTION, message).await
    }

    /// Waits for the agent's next message about the machine as a whole.
    pub(crate) async fn receive(&mut self) -> Result<GuestMessage, Failure> {
        next_answer(&self.link, self.answers.get_mut()).await
    }

    /// Sends the guest the time, as is necessary after a pause, and again while its clock lags.
    /// Does not wait for that.
    pub(crate) async fn set_clock(&self) -> Result<(), Failure> {
        self.link.set_clock().await
    }

    /// Makes the guest start a shell for the next command. Returns whether there is one afterwards.
    pub(crate) async fn prestart(&self) -> Result<bool, Failure> {
        let mut answers = self.answers.lock().await;
        self.send(&HostMessage::Prestart).await?;
        match next_answer(&self.link, &mut answers).await? {
            GuestMessage::Prestarted { waits } => Ok(waits),
            other => Err(unexpected(&other)),
        }
    }

    /// Makes the guest write everything to its disk. Returns the number of processes besides the
    /// agent, commands included.
    pub(crate) async fn sync(&self) -> Result<u32, Failure> {
        let mut answers = self.answers.lock().await;
        self.send(&HostMessage::Sync).await?;
        answers.flushes += 1;
        loop {
            let answer = match next_answer(&self.link, &mut answers).await {
                Ok(GuestMessage::Synced { processes }) => Ok(processes),
                Ok(other) => return Err(unexpected(&other)),
                // A failed flush is an answer too.
                Err(Failure::Setup(message)) => Err(Failure::Setup(message)),
                Err(failure) => return Err(failure),
            };
            answers.flushes -= 1;
            // The other answers belong to older questions.
            if answers.flushes == 0 {
                return answer;
            }
        }
    }
}

async fn next_answer(link: &Link, answers: &mut Answers) -> Result<GuestMessage, Failure> {
    let event = answers.events.recv().await;
    link.looked_at_message(CONNECTION);
    match event {
        Some(Event::Message(GuestMessage::Failed { message })) => Err(Failure::Setup(message)),
        Some(Event::Message(message)) => Ok(message),
        Some(Event::Output { .. } | Event::OutputEnd { .. }) => {
            Err(Failure::Protocol("data on the connection".into()))
        }
        None => Err(link.failure()),
    }
}

fn unexpected(message: &GuestMessage) -> Failure {
    Failure::Protocol(format!("unexpected message {message:?}"))
}

impl Drop for Guest {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

#[cfg(test)]
mod stream_tests;
#[cfg(test)]
mod tests;
