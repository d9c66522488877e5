//! The guest's *name server* is this process: it forwards each question to the host's own name
//! servers and returns the answer. passt's name server would not do: it cannot reach servers on the
//! host's loopback address, where most distributions have theirs. For the same reason only
//! questions are forwarded: those servers may accept more from the host.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use tokio::net::UdpSocket;

use super::packet::{ETHERNET_BYTES, Packet, UDP, answer};
use super::question::{Question, refusal};
use super::subnet::NAME_SERVER;

/// How long one of the host's name servers may take before the next one is asked.
const ANSWER_LIMIT: Duration = Duration::from_secs(3);
/// The largest answer that fits into an ordinary frame. Longer ones are dropped.
const ANSWER_LIMIT_BYTES: usize = 1500 - 20 - UDP_BYTES;
const UDP_BYTES: usize = 8;
/// As many as the C library uses.
const SERVERS: usize = 3;
const PORT: u16 = 53;

/// Answers a frame that the filter judged to be a question. `None` if it gets no answer, or no
/// server has one.
pub(super) async fn look_up(frame: &[u8]) -> Option<Vec<u8>> {
    let configuration = std::fs::read_to_string("/etc/resolv.conf").unwrap_or_default();
    look_up_at(frame, &servers(&configuration)).await
}

async fn look_up_at(frame: &[u8], servers: &[SocketAddr]) -> Option<Vec<u8>> {
    let (guest_port, message) = read_message(frame)?;
    let question = match Question::read(message) {
        Ok(question) => question,
        Err(fault) => {
            tracing::debug!(?fault, "a message to the name server was not handed on");
            return frame_of(frame, guest_port, &refusal(message, fault)?);
        }
    };
    for server in servers {
        match tokio::time::timeout(ANSWER_LIMIT, ask(*server, &question)).await {
            Ok(Ok(reply)) => return frame_of(frame, guest_port, &reply),
            Ok(Err(error)) => tracing::debug!(%server, %error, "a name server does not answer"),
            Err(_) => tracing::debug!(%server, "a name server takes too long"),
        }
    }
    None
}

/// Returns a message and the port that it comes from.
fn read_message(frame: &[u8]) -> Option<([u8; 2], &[u8])> {
    let content = Packet::outgoing(frame.get(ETHERNET_BYTES..)?)?.content;
    let length = usize::from(u16::from_be_bytes([*content.get(4)?, *content.get(5)?]));
    let message = content.get(UDP_BYTES..length)?;
    Some(([content[0], content[1]], message))
}

async fn ask(server: SocketAddr, question: &Question<'_>) -> io::Result<Vec<u8>> {
    let any: IpAddr = if server.is_ipv4() {
        Ipv4Addr::UNSPECIFIED.into()
    } else {
        Ipv6Addr::UNSPECIFIED.into()
    };
    let socket = UdpSocket::bind((any, 0)).await?;
    // From here on only this server's answers are received.
    socket.connect(server).await?;
    socket.send(question.message).await?;
    let mut reply = vec![0; ANSWER_LIMIT_BYTES + 1];
    loop {
        let length = socket.recv(&mut reply).await?;
        if length > ANSWER_LIMIT_BYTES {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        if question.is_answered_by(&reply[..length]) {
            reply.truncate(length);
            return Ok(reply);
        }
    }
}

fn frame_of(question: &[u8], guest_port: [u8; 2], reply: &[u8]) -> Option<Vec<u8>> {
    let length = u16::try_from(UDP_BYTES + reply.len()).ok()?;
    // Without a checksum: the frame only passes through memory.
    let header = [PORT.to_be_bytes(), guest_port, length.to_be_bytes(), [0, 0]].concat();
    answer(question, NAME_SERVER, UDP, &[&header, reply].concat())
}

/// Returns the host's name servers; if none is configured, a local one, as in the C library.
fn servers(configuration: &str) -> Vec<SocketAddr> {
    let named = configuration.lines().filter_map(|line| {
        let mut words = line.split_ascii_whitespace();
        let address: IpAddr = (words.next() == Some("nameserver"))
            .then(|| words.next()?.parse().ok())
            .flatten()?;
        Some(SocketAddr::new(address, PORT))
    });
    let mut servers: Vec<SocketAddr> = named.take(SERVERS).collect();
    if servers.is_empty() {
        servers.push((Ipv4Addr::LOCALHOST, PORT).into());
    }
    servers
}

#[cfg(test)]
mod tests {
    use super::super::subnet::ADDRESS;
    use super::*;

    const QUESTION: &[u8] = b"\x12\x34\x01\x00\0\x01\0\0\0\0\0\0\x01a\0\0\x01\0\x01";

    fn answer_to(question: &[u8]) -> Vec<u8> {
        let mut answer = question.to_vec();
        answer[2] |= 0x80;
        answer
    }

    fn frame(question: &[u8]) -> Vec<u8> {
        let length = u8::try_from(UDP_BYTES + question.len()).unwrap();
        let mut frame = vec![2; 12];
        frame.extend([8, 0, 0x45, 0, 0, 20 + length, 0, 0, 0, 0, 64, UDP, 0, 0]);
        frame.extend(ADDRESS.octets());
        frame.extend(NAME_SERVER.octets());
        frame.extend([0x9c, 0x40, 0, 53, 0, length, 0, 0]);
        frame.extend(question);
        frame
    }

    #[tokio::test]
    async fn a_question_is_handed_on_and_its_answer_back() {
        let silent = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let nobody = silent.local_addr().unwrap();
        drop(silent);
        let server = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let servers = [nobody, server.local_addr().unwrap()];
        let answering = async {
            let mut asked = [0; 100];
            let (length, from) = server.recv_from(&mut asked).await.unwrap();
            assert_eq!(&asked[..length], QUESTION);
            // None of these answers the question, so they are dropped: a message that is no answer,
            // an answer to another question, and one from another sender.
            server.send_to(&asked[..length], from).await.unwrap();
            let mut other = answer_to(QUESTION);
            other[13] = b'b';
            server.send_to(&other, from).await.unwrap();
            let stranger = UdpSocket::bind("127.0.0.1:0").await.unwrap();
            let forged = [&answer_to(QUESTION)[..], b"forged"].concat();
            stranger.send_to(&forged, from).await.unwrap();
            server.send_to(&answer_to(QUESTION), from).await.unwrap();
        };
        let sent = frame(QUESTION);
        let (answer, ()) = tokio::join!(look_up_at(&sent, &servers), answering);
        let answer = answer.unwrap();
        assert_eq!(&answer[26..30], NAME_SERVER.octets());
        assert_eq!(&answer[30..34], ADDRESS.octets());
        assert_eq!(answer[34..38], [0, 53, 0x9c, 0x40]);
        assert_eq!(answer[42..], answer_to(QUESTION));
    }

    #[tokio::test]
    async fn what_is_no_question_is_not_handed_on() {
        let server = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let servers = [server.local_addr().unwrap()];
        let (mut update, mut transfer, mut reply) =
            (QUESTION.to_vec(), QUESTION.to_vec(), QUESTION.to_vec());
        update[2] = 0x29;
        transfer[16] = 252;
        reply[2] = 0x81;
        let refused = |answer: Option<Vec<u8>>| answer.map(|frame| frame[42 + 3]);
        assert_eq!(
            refused(look_up_at(&frame(&update), &servers).await),
            Some(4)
        );
        assert_eq!(
            refused(look_up_at(&frame(&transfer), &servers).await),
            Some(5)
        );
        let page = frame(b"GET / HTTP/1.0\r\n\r\n");
        assert_eq!(refused(look_up_at(&page, &servers).await), Some(4));
        for nothing in [&reply, &QUESTION[..11], b""] {
            assert_eq!(look_up_at(&frame(nothing), &servers).await, None);
        }
        // A valid question after all of these is the first to arrive.
        let sent = frame(QUESTION);
        let mut asked = [0; 100];
        tokio::select! {
            _ = look_up_at(&sent, &servers) => panic!("it is not answered"),
            received = server.recv(&mut asked) => {
                assert_eq!(&asked[..received.unwrap()], QUESTION);
            }
        }
    }

    #[test]
    fn a_frame_that_is_cut_has_no_message() {
        let mut frame = frame(QUESTION);
        assert!(read_message(&frame).is_some());
        for length in 0..frame.len() {
            assert!(read_message(&frame[..length]).is_none(), "{length} bytes");
        }
        for length in [0, 7, 60] {
            frame[39] = length;
            assert!(read_message(&frame).is_none(), "{length}");
        }
    }

    #[test]
    fn the_hosts_name_servers_are_read() {
        let text = "# x\nsearch a\nnameserver 127.0.0.53\nnameserver 2001:db8::1\nnameserver x\n";
        let expected: [SocketAddr; 2] = [
            "127.0.0.53:53".parse().unwrap(),
            "[2001:db8::1]:53".parse().unwrap(),
        ];
        assert_eq!(servers(text), expected);
        assert_eq!(servers(&"nameserver 1.1.1.1\n".repeat(9)).len(), SERVERS);
        assert_eq!(servers("")[0].to_string(), "127.0.0.1:53");
    }
}
