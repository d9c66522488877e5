//! The *relay* carries frames between a machine's network card and passt, and passes each one
//! through the filter. Both sides send a length of four bytes, then the frame.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::io::{
    AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader, ReadHalf, WriteHalf,
};
use tokio::net::UnixStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::JoinSet;

use super::addresses::EgressPolicy;
use super::filter::{Verdict, judge, may_come_in, refusal};
use super::flows::Flows;
use super::names::look_up;
use super::packet::{ETHERNET_BYTES, Packet};

/// The largest valid frame: an Ethernet header and a packet.
const FRAME_LIMIT_BYTES: usize = 14 + 65_535;
/// How many bytes may wait for the card. passt drops frames that are not taken at once, and is slow
/// to send them again, so this must hold everything that a connection may have in flight.
const WAITING_BYTES: usize = 8 * 1024 * 1024;
/// The limits on concurrent lookups, and on lookups in a second: other programs use the host's name
/// servers too.
const QUESTIONS: usize = 64;
const QUESTIONS_PER_SECOND: u32 = 500;
/// The size of one read or write.
const BUFFER_BYTES: usize = 64 * 1024;
const LENGTH_BYTES: usize = 4;

/// Carries frames until one side closes, or violates the format.
pub(super) async fn carry(
    card: UnixStream,
    passt: UnixStream,
    reach: EgressPolicy,
) -> io::Result<()> {
    let (from_card, to_card) = tokio::io::split(card);
    let (from_passt, to_passt) = tokio::io::split(passt);
    let (queue, waiting) = mpsc::unbounded_channel();
    let queue = Queue {
        frames: queue,
        room: Arc::new(Semaphore::new(WAITING_BYTES)),
    };
    let answers = queue.clone();
    let sources = reach.clone();
    let flows = Mutex::new(Flows::default());
    tokio::select! {
        ended = outwards(from_card, to_passt, reach, answers, &flows) => ended,
        ended = inwards(from_passt, queue, sources, &flows) => ended,
        ended = deliver(waiting, to_card) => ended,
    }
}

/// The frames that wait for the card.
#[derive(Clone)]
struct Queue {
    frames: mpsc::UnboundedSender<Waiting>,
    room: Arc<Semaphore>,
}

/// A frame, and the room that it occupies.
type Waiting = (Vec<u8>, OwnedSemaphorePermit);

impl Queue {
    /// Queues a frame once there is room for it.
    async fn put(&self, frame: Vec<u8>) {
        let bytes = u32::try_from(frame.len()).expect("frames are bounded");
        let room = Arc::clone(&self.room).acquire_many_owned(bytes).await;
        let room = room.expect("it is never closed");
        // It fails only when the relay ends.
        let _ = self.frames.send((frame, room));
    }

    /// Queues a frame if there is room for it.
    fn offer(&self, frame: Vec<u8>) {
        let bytes = u32::try_from(frame.len()).expect("frames are bounded");
        if let Ok(room) = Arc::clone(&self.room).try_acquire_many_owned(bytes) {
            let _ = self.frames.send((frame, room));
        }
    }
}

async fn outwards(
    card: ReadHalf<UnixStream>,
    mut passt: WriteHalf<UnixStream>,
    mut reach: EgressPolicy,
    answers: Queue,
    flows: &Mutex<Flows>,
) -> io::Result<()> {
    let mut card = BufReader::with_capacity(BUFFER_BYTES, card);
    let mut questions = JoinSet::new();
    let mut allowance = Allowance::new(Instant::now());
    loop {
        let frame = read_frame(&mut card).await?;
        // Frames that are read together and dropped never wait, so this yields to other tasks.
        tokio::task::consume_budget().await;
        reach.refresh();
        while questions.try_join_next().is_some() {}
        match judge(&frame[LENGTH_BYTES..], &reach) {
            Verdict::Pass if goes_out(&frame[LENGTH_BYTES..], flows) => {
                passt.write_all(&frame).await?;
            }
            Verdict::Ask if questions.len() < QUESTIONS && allowance.take(Instant::now()) => {
                let answers = answers.clone();
                questions.spawn(async move {
                    if let Some(answer) = look_up(&frame[LENGTH_BYTES..]).await {
                        answers.offer(with_length(&answer));
                    }
                });
            }
            // A guest over the limits repeats its question or packet.
            Verdict::Pass | Verdict::Ask | Verdict::Drop => {}
            Verdict::Refuse => {
                tracing::debug!("a packet to where guests may not send was refused");
                if let Some(answer) = refusal(&frame[LENGTH_BYTES..]) {
                    // Dropped if the card does not read.
                    answers.offer(with_length(&answer));
                }
            }
        }
    }
}

/// The remaining lookups of this second.
struct Allowance {
    left: u32,
    since: Instant,
}

impl Allowance {
    fn new(now: Instant) -> Self {
        Self {
            left: QUESTIONS_PER_SECOND,
            since: now,
        }
    }

    /// Takes one lookup, if there is one left.
    fn take(&mut self, now: Instant) -> bool {
        if now.saturating_duration_since(self.since) >= Duration::from_secs(1) {
            *self = Self::new(now);
        }
        let left = self.left.checked_sub(1);
        self.left = left.unwrap_or(0);
        left.is_some()
    }
}

/// Whether a frame that the filter passed is within the limit on flows.
fn goes_out(frame: &[u8], flows: &Mutex<Flows>) -> bool {
    let packet = frame.get(ETHERNET_BYTES..).and_then(Packet::outgoing);
    // A frame without a packet asks for a neighbour's address.
    packet.is_none_or(|packet| lock(flows).goes_out(&packet))
}

/// Whether a frame from a permitted address is expected.
fn was_asked_for(frame: &[u8], flows: &Mutex<Flows>) -> bool {
    let packet = frame.get(ETHERNET_BYTES..).and_then(Packet::incoming);
    packet.is_none_or(|packet| lock(flows).lets_in(&packet))
}

fn lock(flows: &Mutex<Flows>) -> MutexGuard<'_, Flows> {
    flows.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn inwards(
    passt: ReadHalf<UnixStream>,
    queue: Queue,
    mut reach: EgressPolicy,
    flows: &Mutex<Flows>,
) -> io::Result<()> {
    let mut passt = BufReader::with_capacity(BUFFER_BYTES, passt);
    loop {
        let frame = read_frame(&mut passt).await?;
        tokio::task::consume_budget().await;
        reach.refresh();
        let frame_itself = &frame[LENGTH_BYTES..];
        if may_come_in(frame_itself, &reach) && was_asked_for(frame_itself, flows) {
            queue.put(frame).await;
        }
    }
}

/// Writes the waiting frames to the card, as many as possible at once.
async fn deliver(
    mut waiting: mpsc::UnboundedReceiver<Waiting>,
    mut card: WriteHalf<UnixStream>,
) -> io::Result<()> {
    let mut together = Vec::new();
    while let Some((frame, _room)) = waiting.recv().await {
        together.clear();
        together.extend(frame);
        while together.len() < BUFFER_BYTES
            && let Ok((frame, _room)) = waiting.try_recv()
        {
            together.extend(frame);
        }
        card.write_all(&together).await?;
    }
    Ok(())
}

/// Writes one frame.
pub(super) async fn write_frame(
    stream: &mut (impl AsyncWrite + Unpin),
    frame: &[u8],
) -> io::Result<()> {
    stream.write_all(&with_length(frame)).await
}

/// Reads one frame, with its length in front.
pub(super) async fn read_frame(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Vec<u8>> {
    let announced = stream.read_u32().await?;
    let length = usize::try_from(announced).unwrap_or(usize::MAX);
    if length > FRAME_LIMIT_BYTES {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut frame = vec![0; LENGTH_BYTES + length];
    frame[..LENGTH_BYTES].copy_from_slice(&announced.to_be_bytes());
    stream.read_exact(&mut frame[LENGTH_BYTES..]).await?;
    Ok(frame)
}

fn with_length(frame: &[u8]) -> Vec<u8> {
    let length = u32::try_from(frame.len()).expect("frames are bounded");
    [&length.to_be_bytes()[..], frame].concat()
}

#[cfg(test)]
mod tests {
    use super::super::addresses::HostRoutes;
    use super::super::subnet::{ADDRESS, GATEWAY};
    use super::*;

    /// A frame with an empty datagram to port 9 of that address.
    fn datagram(to: [u8; 4]) -> Vec<u8> {
        let mut frame = vec![2; 12];
        frame.extend([8, 0, 0x45, 0, 0, 28, 0, 0, 0, 0, 64, 17, 0, 0]);
        frame.extend(ADDRESS.octets());
        frame.extend(to);
        frame.extend([0x9c, 0x40, 0, 9, 0, 8, 0, 0]);
        frame
    }

    fn relay() -> (
        UnixStream,
        UnixStream,
        tokio::task::JoinHandle<io::Result<()>>,
    ) {
        let (card, ours) = UnixStream::pair().unwrap();
        let (passt, theirs) = UnixStream::pair().unwrap();
        let reach = EgressPolicy::new("".parse().unwrap(), HostRoutes::default());
        (card, passt, tokio::spawn(carry(ours, theirs, reach)))
    }

    #[tokio::test]
    async fn frames_go_out_if_they_may_and_come_in() {
        let (mut card, mut passt, _relay) = relay();
        write_frame(&mut card, &datagram([192, 168, 0, 1]))
            .await
            .unwrap();
        write_frame(&mut card, b"x").await.unwrap();
        let outside = datagram([151, 101, 2, 132]);
        write_frame(&mut card, &outside).await.unwrap();
        let passed = read_frame(&mut passt).await.unwrap();
        assert_eq!(passed[LENGTH_BYTES..], outside);

        let refused = read_frame(&mut card).await.unwrap();
        assert_eq!(refused[LENGTH_BYTES..][26..30], GATEWAY.octets());
        let mut answer = outside.clone();
        answer[26..30].copy_from_slice(&[10, 0, 0, 1]);
        answer[30..34].copy_from_slice(&ADDRESS.octets());
        // From the port that was addressed, to the one that sent.
        answer[34..38].copy_from_slice(&[0, 9, 0x9c, 0x40]);
        write_frame(&mut passt, &answer).await.unwrap();
        // From an address to which the guest has not sent.
        answer[26..30].copy_from_slice(&[151, 101, 2, 133]);
        write_frame(&mut passt, &answer).await.unwrap();
        answer[26..30].copy_from_slice(&[151, 101, 2, 132]);
        write_frame(&mut passt, &answer).await.unwrap();
        let received = read_frame(&mut card).await.unwrap();
        assert_eq!(received[LENGTH_BYTES..], answer);
    }

    #[tokio::test]
    async fn a_frame_that_announces_too_much_ends_the_connection() {
        let (mut card, mut passt, relay) = relay();
        card.write_u32(u32::MAX).await.unwrap();
        let ended = relay.await.unwrap().unwrap_err();
        assert_eq!(ended.kind(), io::ErrorKind::InvalidData);
        assert!(read_frame(&mut passt).await.is_err());
    }

    #[test]
    fn questions_are_handed_on_at_a_bounded_rate() {
        let now = Instant::now();
        let mut allowance = Allowance::new(now);
        let taken =
            |allowance: &mut Allowance, now| (0..5000).filter(|_| allowance.take(now)).count();
        assert_eq!(taken(&mut allowance, now), 500);
        assert_eq!(taken(&mut allowance, now + Duration::from_millis(999)), 0);
        assert_eq!(taken(&mut allowance, now + Duration::from_secs(1)), 500);
    }

    #[tokio::test]
    async fn a_card_that_takes_nothing_is_not_answered_without_end() {
        let (mut card, mut passt, _relay) = relay();
        for _ in 0..10_000 {
            write_frame(&mut card, &datagram([10, 0, 0, 1]))
                .await
                .unwrap();
        }
        let outside = datagram([151, 101, 2, 132]);
        write_frame(&mut card, &outside).await.unwrap();
        assert_eq!(
            read_frame(&mut passt).await.unwrap()[LENGTH_BYTES..],
            outside
        );
    }
}
