//! The *guest* is the far end of the agent's port: commands go in, their output comes out, many
//! at a time over one connection.

mod call;
mod clock;
mod connection;
mod run;
mod warm_up;
mod words;

use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::Instant;

use pyro_protocol::{
    CONNECTION, Clocks, Disk, Frame, GENERATION, GuestMessage, HostMessage, Network, Refusal,
    RefusalReason,
};
use pyro_store::{VmId, random_hex};
use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinHandle;

use crate::Error;
use crate::network::mac_address;
use crate::qemu::QmpError;
pub use call::Streams;
use clock::unix_time_ns;
use connection::{Event, Link};
pub use run::{Command, Outcome};
pub(crate) use warm_up::WARM_UP_LIMIT;

/// Why the guest does not answer, or not as it should.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Failure {
    /// The connection ended: so has the machine.
    Closed,
    /// What came is against the protocol.
    Protocol(String),
    /// The agent did not carry out a call.
    Refused(Refusal),
    /// The agent cannot set the machine up.
    Setup(String),
    /// QEMU's control connection says that it cannot go on.
    Control(String),
    /// Our own reader of the output is gone.
    OutputClosed,
    /// The output cannot be written to where it goes.
    OutputFailed(String),
    /// The input cannot be read.
    Input(String),
    /// The guest's clocks are wrong.
    Clocks(String),
}

impl From<QmpError> for Failure {
    fn from(error: QmpError) -> Self {
        Self::Control(error.to_string())
    }
}

impl Failure {
    fn output(error: &std::io::Error) -> Self {
        match error.kind() {
            std::io::ErrorKind::BrokenPipe => Self::OutputClosed,
            _ => Self::OutputFailed(error.to_string()),
        }
    }

    /// Whether the guest and its command are well, and it is our side that cannot go on.
    fn is_ours(&self) -> bool {
        matches!(
            self,
            Self::OutputClosed | Self::OutputFailed(_) | Self::Input(_)
        )
    }
}

/// A connection to a guest's agent.
#[derive(Debug)]
pub struct Guest {
    link: Arc<Link>,
    answers: Mutex<Answers>,
    /// What the machine's network card is connected to.
    network: Option<Network>,
    /// The process id of the VMM, if it is known.
    vmm: Option<u32>,
    tasks: [JoinHandle<()>; 2],
}

/// What the agent says about the machine as a whole. Whoever waits for an answer has it locked
/// from before the question is sent: answers come in the order of the questions.
#[derive(Debug)]
struct Answers {
    events: mpsc::UnboundedReceiver<Event>,
    /// How many flushes were asked for and not answered, among them those whose askers have given
    /// up.
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
            tasks,
        })
    }

    /// Names the process that the guest runs in: what it waits for a processor is not the agent's
    /// delay.
    pub(crate) fn runs_in(&mut self, vmm: Option<u32>) {
        self.vmm = vmm;
    }

    /// Has the machine told, with its identity, what its network card is connected to.
    pub(crate) fn give_network(&mut self, network: Network) {
        self.network = Some(network);
    }

    /// Sends a message about the machine as a whole.
    pub(crate) async fn send(&self, message: &HostMessage) -> Result<(), Failure> {
        self.link.send_control(CONNECTION, message).await
    }

    /// Waits for the agent's next message about the machine as a whole.
    pub(crate) async fn receive(&mut self) -> Result<GuestMessage, Failure> {
        next_answer(&self.link, self.answers.get_mut()).await
    }

    /// Tells the guest the time, as it must be told after a pause, and again until it is right. Does
    /// not wait for that.
    pub(crate) async fn set_clock(&self) -> Result<(), Failure> {
        self.link.set_clock().await
    }

    /// Has the guest start a shell for the next command. Returns whether there is one then.
    pub(crate) async fn prestart(&self) -> Result<bool, Failure> {
        let mut answers = self.answers.lock().await;
        self.send(&HostMessage::Prestart).await?;
        match next_answer(&self.link, &mut answers).await? {
            GuestMessage::Prestarted { waits } => Ok(waits),
            other => Err(unexpected(&other)),
        }
    }

    /// Has the guest write everything to its disk. Returns how many processes there are beside
    /// the agent, commands included.
    pub(crate) async fn sync(&self) -> Result<u32, Failure> {
        let mut answers = self.answers.lock().await;
        self.send(&HostMessage::Sync).await?;
        answers.flushes += 1;
        loop {
            let answer = match next_answer(&self.link, &mut answers).await {
                Ok(GuestMessage::Synced { processes }) => Ok(processes),
                Ok(other) => return Err(unexpected(&other)),
                // That is an answer too.
                Err(Failure::Setup(message)) => Err(Failure::Setup(message)),
                Err(failure) => return Err(failure),
            };
            answers.flushes -= 1;
            // The others are older than the question.
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
        Some(Event::Output { .. }) => Err(Failure::Protocol("data on the connection".into())),
        None => Err(link.failure()),
    }
}

impl Guest {
    /// Opens the connection.
    pub(crate) async fn say_hello(&self) -> Result<(), Failure> {
        self.send(&HostMessage::Hello {
            generation: GENERATION,
        })
        .await
    }

    /// Returns the clocks that the guest's kernel has settled on.
    pub(crate) async fn expect_hello(&mut self) -> Result<Option<Clocks>, Failure> {
        match self.receive().await? {
            GuestMessage::Hello {
                generation: GENERATION,
                clocks,
                ..
            } => Ok(clocks),
            other => Err(unexpected(&other)),
        }
    }

    /// Has the agent assemble the root file system, with a seed or without.
    pub(crate) async fn send_prepare(&self, seed: bool) -> Result<(), Failure> {
        let disk = Disk::Private;
        self.send(&HostMessage::Prepare { disk, seed }).await
    }

    pub(crate) async fn expect_prepared(&mut self) -> Result<(), Failure> {
        match self.receive().await? {
            GuestMessage::Prepared => Ok(()),
            other => Err(unexpected(&other)),
        }
    }

    /// Sends what makes a machine its own: entropy, clock, name.
    pub(crate) async fn send_identity(&self, id: &VmId) -> Result<(), Failure> {
        let adopt = HostMessage::Adopt {
            entropy_hex: random_hex(64),
            unix_time_ns: unix_time_ns(),
            hostname: format!("pyro-{id}"),
            machine_id: random_hex(16),
            mac: Some(mac_address(id)),
            network: self.network.clone(),
        };
        self.send(&adopt).await
    }

    /// Waits until the machine is its own. Without this answer it must not be used.
    pub(crate) async fn expect_identity(&mut self) -> Result<(), Failure> {
        match self.receive().await? {
            GuestMessage::Adopted => Ok(()),
            other => Err(unexpected(&other)),
        }
    }

    /// Makes a machine whose agent has answered its own, with the right time.
    pub(crate) async fn adopt(&mut self, id: &VmId) -> Result<(), Failure> {
        let told = Instant::now();
        self.send_identity(id).await?;
        self.expect_identity().await?;
        self.correct_clock(told).await
    }

    /// Tells the time again if the guest may have set its clock late. It has done so before then,
    /// so that it takes much less time than at first, and comes before every command; what is still
    /// late after that is told while they run.
    pub(crate) async fn correct_clock(&self, told: Instant) -> Result<(), Failure> {
        if told.elapsed() < clock::TOLERANCE {
            return Ok(());
        }
        self.set_clock().await
    }

    /// Has the guest write everything to its disk and power off.
    pub(crate) async fn shut_down(&self) -> Result<(), Failure> {
        self.send(&HostMessage::Shutdown).await
    }

    /// Opens the connection to a clone and makes it its own.
    pub(crate) async fn renew(&mut self, id: &VmId) -> Result<(), Failure> {
        let told = Instant::now();
        self.say_hello().await?;
        self.send_identity(id).await?;
        self.expect_hello().await?;
        self.expect_identity().await?;
        self.correct_clock(told).await
    }
}

fn unexpected(message: &GuestMessage) -> Failure {
    Failure::Protocol(format!("unexpected message {message:?}"))
}

/// What a failure of a running command means; `None` if the machine is gone.
pub(crate) fn run_error(failure: Failure) -> Option<Error> {
    Some(match failure {
        Failure::Refused(refusal) => Error::Refused(refusal),
        Failure::OutputClosed => Error::OutputClosed,
        Failure::OutputFailed(message) => Error::OutputFailed { message },
        Failure::Input(message) => Error::InputFailed { message },
        Failure::Protocol(detail) => Error::Protocol { detail },
        Failure::Closed | Failure::Setup(_) | Failure::Control(_) | Failure::Clocks(_) => {
            return None;
        }
    })
}

impl Drop for Guest {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

/// A control frame, which fails only when the message is too long for one.
fn control(stream: u32, message: &HostMessage) -> Result<Frame, Failure> {
    Frame::control(stream, message)
        .map_err(|error| Failure::Refused(Refusal::new(RefusalReason::Refused, error.to_string())))
}

#[cfg(test)]
mod stream_tests;
#[cfg(test)]
mod tests;
