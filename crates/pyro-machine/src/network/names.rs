//! The guest's *name server* is this process: it hands each question to the host's own name
//! servers, wherever those are, and the answer back. passt's would not do: it cannot ask those
//! that listen on the host's loopback address, where most distributions have theirs.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use tokio::net::UdpSocket;

use super::NAME_SERVER;
use super::packet::{ETHERNET_BYTES, Packet, UDP, answer};

/// How long one of the host's name servers may take before the next one is asked.
const ANSWER_LIMIT: Duration = Duration::from_secs(3);
/// What fits into a frame of the usual size. Longer answers are not given.
const ANSWER_LIMIT_BYTES: usize = 1500 - 20 - UDP_BYTES;
const UDP_BYTES: usize = 8;
/// Every message begins with an identifier, flags and four numbers.
const HEADER_BYTES: usize = 12;
/// Bits of the third byte.
const IS_ANSWER: u8 = 0x80;
const OPERATION: u8 = 0x78;
const IS_CUT: u8 = 0x02;
const NAME_LIMIT_BYTES: usize = 255;
const INTERNET: u16 = 1;
/// Kinds of questions that are about more than one name, or about a conversation: keys and
/// signatures, transfers of zones, everything there is (RFC 1035, 1995, 2930, 8945, 8482).
const NOT_ABOUT_A_NAME: std::ops::RangeInclusive<u16> = 249..=255;
/// As many as the C library asks.
const SERVERS: usize = 3;
const PORT: u16 = 53;

/// Answers the question in a frame that the filter took for one. `None` if it is none, or nobody
/// knows.
pub(super) async fn look_up(frame: &[u8]) -> Option<Vec<u8>> {
    let configuration = std::fs::read_to_string("/etc/resolv.conf").unwrap_or_default();
    look_up_at(frame, &servers(&configuration)).await
}

async fn look_up_at(frame: &[u8], servers: &[SocketAddr]) -> Option<Vec<u8>> {
    let (guest_port, question) = read_question(frame)?;
    match judge(question) {
        Judgement::Question => {}
        Judgement::Other => return frame_of(frame, guest_port, &refusal(question)),
        Judgement::Nothing => return None,
    }
    for server in servers {
        match tokio::time::timeout(ANSWER_LIMIT, ask(*server, question)).await {
            Ok(Ok(reply)) => return frame_of(frame, guest_port, &reply),
            Ok(Err(error)) => tracing::debug!(%server, %error, "a name server does not answer"),
            Err(_) => tracing::debug!(%server, "a name server takes too long"),
        }
    }
    None
}

/// What a message is that a guest sent to its name server.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Judgement {
    /// A plain question about a name, which anybody may ask.
    Question,
    /// A request for something else: a change, a whole zone, a transfer.
    Other,
    /// No request at all.
    Nothing,
}

/// Looks at a message by RFC 1035, section 4: the host's name servers, which may listen for the
/// host alone, are handed nothing but questions.
fn judge(message: &[u8]) -> Judgement {
    let Some((header, rest)) = message.split_at_checked(HEADER_BYTES) else {
        return Judgement::Nothing;
    };
    if header[2] & IS_ANSWER != 0 {
        return Judgement::Nothing;
    }
    let count = |at: usize| u16::from_be_bytes([header[at], header[at + 1]]);
    let is_query = header[2] & (OPERATION | IS_CUT) == 0;
    let plain = is_query
        && (count(4), count(6), count(8)) == (1, 0, 0)
        && question_length(rest).is_some_and(|length| match count(10) {
            0 => rest.len() == length,
            1 => is_extension(&rest[length..]),
            _ => false,
        });
    if plain {
        Judgement::Question
    } else {
        Judgement::Other
    }
}

/// The length of a question about a name of the Internet, if that is what comes first.
fn question_length(bytes: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        match usize::from(*bytes.get(at)?) {
            0 => break,
            // More would be a pointer to another name, of which there is none.
            length @ 1..=63 => at += 1 + length,
            _ => return None,
        }
    }
    let name = at + 1;
    let [kind_high, kind_low, class_high, class_low] = *bytes.get(name..name + 4)? else {
        return None;
    };
    let kind = u16::from_be_bytes([kind_high, kind_low]);
    let class = u16::from_be_bytes([class_high, class_low]);
    let about_one_name = !NOT_ABOUT_A_NAME.contains(&kind);
    (name <= NAME_LIMIT_BYTES && class == INTERNET && about_one_name).then_some(name + 4)
}

/// Whether this is a record of the kind OPT (RFC 6891) and nothing else.
fn is_extension(record: &[u8]) -> bool {
    let Some((header, data)) = record.split_at_checked(11) else {
        return false;
    };
    let length = usize::from(u16::from_be_bytes([header[9], header[10]]));
    header[..3] == [0, 0, 41] && data.len() == length
}

/// Says that this is not done here.
fn refusal(message: &[u8]) -> Vec<u8> {
    const REFUSED: u8 = 5;
    let mut answer = vec![0; HEADER_BYTES];
    answer[..2].copy_from_slice(&message[..2]);
    answer[2] = message[2] & OPERATION | IS_ANSWER;
    answer[3] = REFUSED;
    answer
}

/// Judges a message; panics if it is handed on and no question.
#[cfg(feature = "fuzzing")]
pub(super) fn fuzz(message: &[u8]) {
    match judge(message) {
        Judgement::Question => {
            assert_eq!(message[2] & (IS_ANSWER | OPERATION), 0);
            assert_eq!(message[4..10], [0, 1, 0, 0, 0, 0]);
            assert!(message.len() >= HEADER_BYTES + 5);
        }
        Judgement::Other => assert_eq!(refusal(message).len(), HEADER_BYTES),
        Judgement::Nothing => {}
    }
}

/// The port a question comes from, and the question.
fn read_question(frame: &[u8]) -> Option<([u8; 2], &[u8])> {
    let content = Packet::outgoing(frame.get(ETHERNET_BYTES..)?)?.content;
    let length = usize::from(u16::from_be_bytes([*content.get(4)?, *content.get(5)?]));
    let question = content.get(UDP_BYTES..length)?;
    (question.len() >= HEADER_BYTES).then_some(([content[0], content[1]], question))
}

async fn ask(server: SocketAddr, question: &[u8]) -> io::Result<Vec<u8>> {
    let any: IpAddr = if server.is_ipv4() {
        Ipv4Addr::UNSPECIFIED.into()
    } else {
        Ipv6Addr::UNSPECIFIED.into()
    };
    let socket = UdpSocket::bind((any, 0)).await?;
    // From here on only its answers are received.
    socket.connect(server).await?;
    socket.send(question).await?;
    let mut reply = vec![0; ANSWER_LIMIT_BYTES + 1];
    loop {
        let length = socket.recv(&mut reply).await?;
        if length > ANSWER_LIMIT_BYTES {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        let is_answer = length >= HEADER_BYTES && reply[2] & IS_ANSWER != 0;
        if is_answer && reply[..2] == question[..2] {
            reply.truncate(length);
            return Ok(reply);
        }
    }
}

fn frame_of(question: &[u8], guest_port: [u8; 2], reply: &[u8]) -> Option<Vec<u8>> {
    let length = u16::try_from(UDP_BYTES + reply.len()).ok()?;
    // Without a checksum: it goes through memory only.
    let header = [PORT.to_be_bytes(), guest_port, length.to_be_bytes(), [0, 0]].concat();
    answer(question, NAME_SERVER, UDP, &[&header, reply].concat())
}

/// The host's name servers; where it names none, it has one of its own, as for the C library.
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
    use super::super::ADDRESS;
    use super::*;

    const QUESTION: &[u8] = b"\x12\x34\x01\x00\0\x01\0\0\0\0\0\0\x01a\0\0\x01\0\x01";

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
            // Not to what was asked, and therefore not passed on.
            server.send_to(&[0x80; 12], from).await.unwrap();
            server.send_to(&asked[..length], from).await.unwrap();
            asked[2] |= IS_ANSWER;
            server.send_to(&asked[..length], from).await.unwrap();
        };
        let sent = frame(QUESTION);
        let (answer, ()) = tokio::join!(look_up_at(&sent, &servers), answering);
        let answer = answer.unwrap();
        assert_eq!(&answer[26..30], NAME_SERVER.octets());
        assert_eq!(&answer[30..34], ADDRESS.octets());
        assert_eq!(answer[34..38], [0, 53, 0x9c, 0x40]);
        assert_eq!(answer[44], QUESTION[2] | IS_ANSWER);
        assert_eq!(&answer[45..], &QUESTION[3..]);
    }

    /// A question, changed.
    fn with(change: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
        let mut message = QUESTION.to_vec();
        change(&mut message);
        message
    }

    #[test]
    fn only_questions_about_names_are_handed_on() {
        assert_eq!(judge(QUESTION), Judgement::Question);
        let extended = with(|message| {
            message[11] = 1;
            message.extend([0, 0, 41, 4, 0xd0, 0, 0, 0, 0, 0, 2, 1, 2]);
        });
        assert_eq!(judge(&extended), Judgement::Question);
        let kind = |kind: u8| with(|message| message[16] = kind);
        assert_eq!(judge(&kind(28)), Judgement::Question);
        for other in [
            // UPDATE and NOTIFY; a transfer of a zone; everything; another class.
            with(|message| message[2] |= 5 << 3),
            with(|message| message[2] |= 4 << 3),
            kind(252),
            kind(251),
            kind(255),
            with(|message| message[18] = 3),
            // None, two, answers, more behind it.
            with(|message| message[5] = 0),
            with(|message| message[5] = 2),
            with(|message| message[7] = 1),
            with(|message| message[9] = 1),
            with(|message| message[11] = 1),
            with(|message| message.push(0)),
            // A name that ends nowhere, or refers to another.
            with(|message| message[12] = 63),
            with(|message| message[12] = 0xc0),
        ] {
            assert_eq!(judge(&other), Judgement::Other, "{other:?}");
            let refusal = refusal(&other);
            assert_eq!((refusal.len(), refusal[3]), (HEADER_BYTES, 5));
            assert_eq!(refusal[..2], other[..2]);
        }
        assert_eq!(
            judge(&with(|message| message[2] |= IS_ANSWER)),
            Judgement::Nothing
        );
        assert_eq!(judge(b"GET / HTTP/1.0\r\n\r\n"), Judgement::Other);
        assert_eq!(judge(b"short"), Judgement::Nothing);
    }

    proptest::proptest! {
        #[test]
        fn whatever_is_handed_on_is_a_question(message: Vec<u8>, flips in 0..40_usize) {
            let mut changed = QUESTION.to_vec();
            for (at, byte) in message.iter().take(flips).enumerate() {
                let place = (at * 7) % changed.len();
                changed[place] ^= byte;
            }
            for message in [message, changed] {
                if judge(&message) == Judgement::Question {
                    proptest::prop_assert_eq!(message[2] & (IS_ANSWER | OPERATION), 0);
                    proptest::prop_assert_eq!(&message[4..10], &[0, 1, 0, 0, 0, 0]);
                }
            }
        }
    }

    #[test]
    fn what_is_no_question_is_not_handed_on() {
        assert!(read_question(&frame(QUESTION)).is_some());
        assert!(read_question(&frame(&QUESTION[..11])).is_none());
        let mut frame = frame(QUESTION);
        for length in 0..frame.len() {
            assert!(read_question(&frame[..length]).is_none(), "{length} bytes");
        }
        for length in [0, 7, 60] {
            frame[39] = length;
            assert!(read_question(&frame).is_none(), "{length}");
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
