//! One byte stream for many calls: one task dispatches incoming frames, one writes outgoing ones.
//! All incoming frames are checked here, because the guest may be hostile: it can neither send more
//! output than it was granted, nor make the host buffer without limit.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pyro_protocol::{
    CONNECTION, Credit, DATA_CHUNK_BYTES, Decoder, Frame, FrameKind, GuestMessage, HostMessage,
    INITIAL_WINDOW, Refusal, RefusalReason,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::net::UnixStream;
use tokio::runtime::Handle;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinHandle;

use super::clock::{Clock, unix_time_ns};
use super::failure::Failure;
use super::words::checked;

/// The number of frames that may wait to be written.
const OUTGOING_FRAMES: usize = 16;
/// The signal that cannot be ignored.
const SIGKILL: i32 = 9;
/// How many unread messages a stream may have. An honest guest sends three.
const PENDING_MESSAGES: u32 = 16;

/// An item that arrived on one stream.
#[derive(Debug)]
pub(crate) enum Event {
    /// A message.
    Message(GuestMessage),
    /// Output; never empty.
    Output {
        /// [`FrameKind::Stdout`] or [`FrameKind::Stderr`].
        channel: FrameKind,
        /// The bytes.
        bytes: Vec<u8>,
    },
    /// An output has ended.
    OutputEnd {
        /// [`FrameKind::Stdout`] or [`FrameKind::Stderr`].
        channel: FrameKind,
    },
}

/// The shared half of a connection.
#[derive(Debug)]
pub(crate) struct Link {
    outgoing: mpsc::Sender<Vec<u8>>,
    streams: Mutex<Streams>,
    next_stream: AtomicU32,
}

#[derive(Debug, Default)]
struct Streams {
    open: HashMap<u32, Stream>,
    clock: Clock,
    /// Set when the connection has ended; no stream is opened afterwards.
    failure: Option<Failure>,
}

#[derive(Debug)]
struct Stream {
    events: mpsc::UnboundedSender<Event>,
    stdin_credit: Arc<Semaphore>,
    /// The number of bytes that the guest may still send.
    stdout_window: u32,
    stderr_window: u32,
    stdout_ended: bool,
    stderr_ended: bool,
    messages_left: u32,
}

impl Link {
    pub(crate) fn start(stream: UnixStream) -> (Arc<Self>, [JoinHandle<()>; 2]) {
        // Not `into_split`: its writer shuts the connection down on drop, and this connection may
        // be handed to another process.
        let (reader, writer) = tokio::io::split(stream);
        let (outgoing, frames) = mpsc::channel(OUTGOING_FRAMES);
        let link = Arc::new(Self {
            outgoing,
            streams: Mutex::default(),
            next_stream: AtomicU32::new(CONNECTION + 1),
        });
        let tasks = [
            tokio::spawn(read(reader, Arc::clone(&link))),
            tokio::spawn(write(writer, frames)),
        ];
        (link, tasks)
    }

    /// Returns a stream number that was never used.
    pub(crate) fn next_stream(&self) -> u32 {
        self.next_stream.fetch_add(1, Ordering::Relaxed)
    }

    /// Opens a stream with room for `window` bytes of each output.
    pub(crate) fn open(&self, number: u32, window: u32) -> mpsc::UnboundedReceiver<Event> {
        let (events, receiver) = mpsc::unbounded_channel();
        let mut streams = self.lock();
        if streams.failure.is_none() {
            let stream = Stream {
                events,
                stdin_credit: Arc::new(Semaphore::new(INITIAL_WINDOW as usize)),
                stdout_window: window,
                stderr_window: window,
                stdout_ended: false,
                stderr_ended: false,
                messages_left: PENDING_MESSAGES,
            };
            streams.open.insert(number, stream);
        }
        receiver
    }

    /// Closes a stream. Later frames for it are dropped.
    pub(crate) fn close(&self, number: u32) {
        self.lock().open.remove(&number);
    }

    /// Notes that one of a stream's messages was read, so that another may come.
    pub(crate) fn looked_at_message(&self, number: u32) {
        if let Some(stream) = self.lock().open.get_mut(&number) {
            stream.messages_left = PENDING_MESSAGES.min(stream.messages_left + 1);
        }
    }

    /// The credit of a stream's standard input, one permit for each byte.
    pub(crate) fn stdin_credit(&self, number: u32) -> Option<Arc<Semaphore>> {
        self.lock()
            .open
            .get(&number)
            .map(|stream| Arc::clone(&stream.stdin_credit))
    }

    /// Grants the guest credit for `bytes` of an output that were passed on.
    pub(crate) async fn grant(
        &self,
        number: u32,
        channel: FrameKind,
        bytes: usize,
    ) -> Result<(), Failure> {
        let bytes = u32::try_from(bytes).expect("a frame's payload is bounded");
        if let Some(stream) = self.lock().open.get_mut(&number) {
            *stream.window(channel) += bytes;
        }
        self.send(&Frame::credit(number, Credit { channel, bytes }))
            .await
    }

    pub(crate) async fn send_control(
        &self,
        number: u32,
        message: &HostMessage,
    ) -> Result<(), Failure> {
        self.send(&control(number, message)?).await
    }

    /// Sends a frame; waits while the queue is full.
    pub(crate) async fn send(&self, frame: &Frame) -> Result<(), Failure> {
        self.outgoing
            .send(frame.to_bytes())
            .await
            .map_err(|_| self.failure())
    }

    /// Sends the guest the time; it is sent again if the guest's answer shows that its clock lags.
    pub(crate) async fn set_clock(&self) -> Result<(), Failure> {
        self.lock().clock.told();
        self.send_time().await
    }

    async fn send_time(&self) -> Result<(), Failure> {
        // The time is read after the wait for the queue, which may be long.
        let room = self.outgoing.reserve().await;
        let room = room.map_err(|_| self.failure())?;
        let unix_time_ns = unix_time_ns();
        let message = HostMessage::SetClock { unix_time_ns };
        room.send(control(CONNECTION, &message)?.to_bytes());
        Ok(())
    }

    /// Kills a stream's command. If the queue is full, the message waits its turn: it must not
    /// overtake the one that starts the command.
    pub(crate) fn kill(&self, number: u32) {
        let Ok(frame) = control(number, &HostMessage::Signal { signal: SIGKILL }) else {
            return;
        };
        let Err(TrySendError::Full(bytes)) = self.outgoing.try_send(frame.to_bytes()) else {
            return;
        };
        // Without a runtime, this process exits, and the guest or its connection ends too.
        if let Ok(runtime) = Handle::try_current() {
            let outgoing = self.outgoing.clone();
            // It fails if the connection has ended, and the command with it.
            runtime.spawn(async move { drop(outgoing.send(bytes).await) });
        }
    }

    /// Why the connection ended.
    pub(crate) fn failure(&self) -> Failure {
        self.lock().failure.clone().unwrap_or(Failure::Closed)
    }

    fn lock(&self) -> MutexGuard<'_, Streams> {
        self.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends every stream. Their receivers see the end and query the reason.
    fn fail(&self, failure: Failure) {
        let mut streams = self.lock();
        streams.failure.get_or_insert(failure);
        streams.open.clear();
    }

    /// Dispatches a frame. Returns whether the time must be sent to the guest again.
    fn deliver(&self, frame: Frame) -> Result<bool, Failure> {
        let broken = |detail: &str| Err(Failure::Protocol(detail.to_owned()));
        let mut streams = self.lock();
        let Some(stream) = streams.open.get_mut(&frame.stream) else {
            return Ok(false);
        };
        let event = match frame.kind {
            FrameKind::Control => {
                let message = frame.message().map_err(|error| protocol(&error))?;
                if let GuestMessage::ClockSet { unix_time_ns: then } = message
                    && frame.stream == CONNECTION
                {
                    return Ok(streams.clock.answered(then, unix_time_ns()));
                }
                let Some(left) = stream.messages_left.checked_sub(1) else {
                    return broken("too many messages on one stream");
                };
                stream.messages_left = left;
                Event::Message(checked(message)?)
            }
            FrameKind::Credit => {
                let credit = frame.as_credit().map_err(|error| protocol(&error))?;
                let available = stream.stdin_credit.available_permits();
                if credit.channel != FrameKind::Stdin
                    || available + credit.bytes as usize > INITIAL_WINDOW as usize
                {
                    return broken("credit for what was not sent");
                }
                stream.stdin_credit.add_permits(credit.bytes as usize);
                return Ok(false);
            }
            channel @ (FrameKind::Stdout | FrameKind::Stderr) => {
                if frame.payload.is_empty() {
                    // Once: a guest must not fill the host's memory with ends.
                    let told = std::mem::replace(stream.ended(channel), true);
                    if !told {
                        // It fails if the receiver is gone.
                        let _ = stream.events.send(Event::OutputEnd { channel });
                    }
                    return Ok(false);
                }
                let window = stream.window(channel);
                match u32::try_from(frame.payload.len())
                    .ok()
                    .and_then(|b| window.checked_sub(b))
                {
                    Some(left) => *window = left,
                    None => return broken("more output than was granted"),
                }
                Event::Output {
                    channel,
                    bytes: frame.payload,
                }
            }
            FrameKind::Stdin => return broken("standard input from the guest"),
        };
        // It fails if the receiver is gone.
        let _ = stream.events.send(event);
        Ok(false)
    }
}

/// Returns a control frame; fails only if the message is too long for one.
fn control(stream: u32, message: &HostMessage) -> Result<Frame, Failure> {
    Frame::control(stream, message)
        .map_err(|error| Failure::Refused(Refusal::new(RefusalReason::Refused, error.to_string())))
}

fn protocol(error: &pyro_protocol::Error) -> Failure {
    // The error may quote the guest.
    Failure::Protocol(pyro_text::line(&error.to_string()))
}

impl Stream {
    fn window(&mut self, channel: FrameKind) -> &mut u32 {
        match channel {
            FrameKind::Stderr => &mut self.stderr_window,
            _ => &mut self.stdout_window,
        }
    }

    fn ended(&mut self, channel: FrameKind) -> &mut bool {
        match channel {
            FrameKind::Stderr => &mut self.stderr_ended,
            _ => &mut self.stdout_ended,
        }
    }
}

async fn read(mut reader: ReadHalf<UnixStream>, link: Arc<Link>) {
    let mut decoder = Decoder::new();
    let mut buffer = vec![0; DATA_CHUNK_BYTES];
    loop {
        match reader.read(&mut buffer).await {
            Ok(0) | Err(_) => return link.fail(Failure::Closed),
            Ok(length) => decoder.push(&buffer[..length]),
        }
        loop {
            let delivered = match decoder.next_frame() {
                Ok(Some(frame)) => link.deliver(frame),
                Ok(None) => break,
                Err(error) => Err(protocol(&error)),
            };
            match delivered {
                Ok(false) => {}
                Ok(true) => {
                    // In a task of its own: a guest whose output is not read may not read either.
                    let link = Arc::clone(&link);
                    tokio::spawn(async move { link.send_time().await });
                }
                Err(failure) => return link.fail(failure),
            }
        }
    }
}

async fn write(mut writer: WriteHalf<UnixStream>, mut frames: mpsc::Receiver<Vec<u8>>) {
    while let Some(bytes) = frames.recv().await {
        // The reader notices the end of the connection and reports it.
        if writer.write_all(&bytes).await.is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_kill_is_not_lost_behind_much_that_is_under_way() {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        let (link, _tasks) = Link::start(ours);
        // The guest does not read, and the frames exceed the socket's buffer and the queue.
        let frame = Frame::data(1, FrameKind::Stdin, vec![0; DATA_CHUNK_BYTES]);
        loop {
            let limit = std::time::Duration::from_millis(100);
            let sent = tokio::time::timeout(limit, link.send(&frame)).await;
            if sent.is_err() {
                break;
            }
        }
        link.kill(2);
        let mut decoder = Decoder::new();
        let mut buffer = vec![0; DATA_CHUNK_BYTES];
        let limit = std::time::Duration::from_secs(10);
        let heard = tokio::time::timeout(limit, async {
            loop {
                let length = theirs.read(&mut buffer).await.unwrap();
                decoder.push(&buffer[..length]);
                while let Some(frame) = decoder.next_frame().unwrap() {
                    if frame.stream == 2 {
                        return frame.message::<HostMessage>().unwrap();
                    }
                }
            }
        });
        let killed = HostMessage::Signal { signal: SIGKILL };
        assert_eq!(heard.await, Ok(killed));
    }
}
