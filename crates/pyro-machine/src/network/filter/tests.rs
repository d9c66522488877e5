use proptest::prelude::*;

use super::super::addresses::HostRoutes;
use super::super::subnet::ADDRESS;
use super::*;

const OUTSIDE: Ipv4Addr = Ipv4Addr::new(151, 101, 2, 132);
const METADATA: Ipv4Addr = Ipv4Addr::new(169, 254, 169, 254);

fn reach() -> EgressPolicy {
    EgressPolicy::new("192.168.1.7:443".parse().unwrap(), HostRoutes::default())
}

fn verdict(frame: &[u8]) -> Verdict {
    judge(frame, &reach())
}

/// A frame with a packet whose content starts with a source port and `port`.
fn packet(protocol: u8, to: Ipv4Addr, port: u16) -> Vec<u8> {
    let mut frame = vec![0x52; 12];
    frame.extend([8, 0, 0x45, 0, 0, 40, 0, 0, 0x40, 0, 64, protocol, 0, 0]);
    frame.extend(ADDRESS.octets());
    frame.extend(to.octets());
    frame.extend([0x9c, 0x40]);
    frame.extend(port.to_be_bytes());
    frame.extend([0; 16]);
    frame
}

fn arp(operation: u8, to: Ipv4Addr) -> Vec<u8> {
    let mut frame = vec![0xff; 12];
    frame.extend([8, 6, 0, 1, 8, 0, 6, 4, 0, operation]);
    frame.extend([2, 0, 0, 0, 0, 1]);
    frame.extend(ADDRESS.octets());
    frame.extend([0; 6]);
    frame.extend(to.octets());
    frame
}

#[test]
fn packets_go_where_they_may() {
    for protocol in [TCP, UDP] {
        assert_eq!(verdict(&packet(protocol, OUTSIDE, 443)), Verdict::Pass);
        let opened = Ipv4Addr::new(192, 168, 1, 7);
        assert_eq!(verdict(&packet(protocol, opened, 443)), Verdict::Pass);
        assert_eq!(verdict(&packet(protocol, opened, 80)), Verdict::Refuse);
        assert_eq!(verdict(&packet(protocol, METADATA, 80)), Verdict::Refuse);
        assert_eq!(verdict(&packet(protocol, GATEWAY, 80)), Verdict::Refuse);
        for everybody in [Ipv4Addr::BROADCAST, Ipv4Addr::new(224, 0, 0, 251)] {
            assert_eq!(verdict(&packet(protocol, everybody, 80)), Verdict::Drop);
        }
    }
}

#[test]
fn the_name_server_is_asked_for_names_only() {
    assert_eq!(verdict(&packet(UDP, NAME_SERVER, 53)), Verdict::Ask);
    assert_eq!(verdict(&packet(UDP, NAME_SERVER, 54)), Verdict::Refuse);
    assert_eq!(verdict(&packet(TCP, NAME_SERVER, 53)), Verdict::Refuse);
    assert_eq!(verdict(&packet(ICMP, NAME_SERVER, 0)), Verdict::Drop);
}

#[test]
fn a_guest_takes_no_service_port_of_the_host() {
    let from = |protocol: u8, port: u16| {
        let mut frame = packet(protocol, OUTSIDE, 443);
        frame[34..36].copy_from_slice(&port.to_be_bytes());
        verdict(&frame)
    };
    assert_eq!(from(UDP, 53), Verdict::Refuse);
    assert_eq!(from(UDP, 32_767), Verdict::Refuse);
    assert_eq!(from(UDP, 32_768), Verdict::Pass);
    assert_eq!(
        from(TCP, 53),
        Verdict::Pass,
        "of TCP it has ports of its own"
    );
}

#[test]
fn of_icmp_only_echo_requests_go_out() {
    let mut frame = packet(ICMP, OUTSIDE, 0);
    for (kind, expected) in [(8, Verdict::Pass), (0, Verdict::Drop), (5, Verdict::Drop)] {
        frame[34..36].copy_from_slice(&[kind, 0]);
        assert_eq!(verdict(&frame), expected);
    }
    let mut inside = packet(ICMP, METADATA, 0);
    inside[34..36].copy_from_slice(&[8, 0]);
    assert_eq!(verdict(&inside), Verdict::Refuse);
    assert_eq!(
        verdict(&packet(47, OUTSIDE, 0)),
        Verdict::Refuse,
        "a tunnel"
    );
}

#[test]
fn only_gateway_and_name_server_are_asked_for() {
    assert_eq!(verdict(&arp(1, GATEWAY)), Verdict::Pass);
    assert_eq!(verdict(&arp(1, NAME_SERVER)), Verdict::Pass);
    assert_eq!(verdict(&arp(2, GATEWAY)), Verdict::Drop, "an answer");
    assert_eq!(verdict(&arp(1, Ipv4Addr::new(10, 0, 2, 7))), Verdict::Drop);
    assert_eq!(verdict(&arp(1, OUTSIDE)), Verdict::Drop);
}

#[test]
fn what_is_unclear_stays_in() {
    let good = packet(UDP, OUTSIDE, 443);
    let with = |at: usize, bytes: &[u8]| {
        let mut frame = good.clone();
        frame[at..at + bytes.len()].copy_from_slice(bytes);
        verdict(&frame)
    };
    assert_eq!(with(12, &[8, 0]), Verdict::Pass, "the packet as it was");
    assert_eq!(
        with(20, &[0, 0]),
        Verdict::Pass,
        "it may be divided, and is not"
    );
    let unclear: &[(&str, usize, &[u8])] = &[
        ("a tagged frame", 12, &[0x81, 0x00]),
        ("a doubly tagged frame", 12, &[0x88, 0xa8]),
        ("the sixth version's type", 12, &[0x86, 0xdd]),
        ("a length in place of a type", 12, &[0x00, 0x2e]),
        ("the sixth version in the fourth's place", 14, &[0x65]),
        ("options", 14, &[0x46]),
        ("a header shorter than itself", 14, &[0x44]),
        ("longer than the frame", 16, &[0, 41]),
        ("shorter than its header", 16, &[0, 19]),
        ("without its ports", 16, &[0, 27]),
        ("a first part", 20, &[0x20, 0]),
        ("a later part", 20, &[0, 1]),
        ("a later part with all bits", 20, &[0x1f, 0xff]),
        ("the reserved bit", 20, &[0xc0, 0]),
        ("somebody else's address", 26, &[10, 0, 2, 16]),
        ("the host's address as its own", 26, &[127, 0, 0, 1]),
    ];
    for (what, at, bytes) in unclear {
        assert_eq!(with(*at, bytes), Verdict::Drop, "{what}");
    }
    for length in 0..good.len() {
        assert_eq!(verdict(&good[..length]), Verdict::Drop, "{length} bytes");
    }
}

#[test]
fn what_comes_in_is_from_where_the_guest_may_send() {
    let from = |sender: Ipv4Addr, port: u16| {
        let mut frame = packet(UDP, ADDRESS, 0x9c40);
        frame[26..30].copy_from_slice(&sender.octets());
        frame[34..36].copy_from_slice(&port.to_be_bytes());
        frame
    };
    let comes = |frame: &[u8]| may_come_in(frame, &reach());
    assert!(comes(&from(OUTSIDE, 443)));
    assert!(comes(&from(Ipv4Addr::new(192, 168, 1, 7), 443)));
    assert!(!comes(&from(Ipv4Addr::new(192, 168, 1, 7), 80)));
    // passt shows packets of the host's own programs as packets of the gateway.
    for inside in [GATEWAY, METADATA, Ipv4Addr::LOCALHOST] {
        assert!(!comes(&from(inside, 443)), "{inside}");
    }
    assert!(comes(&arp(2, ADDRESS)));
    let good = from(OUTSIDE, 443);
    for length in 0..good.len() {
        assert!(!comes(&good[..length]), "{length} bytes");
    }
    let mut elsewhere = good;
    elsewhere[12..14].copy_from_slice(&[0x86, 0xdd]);
    assert!(!comes(&elsewhere));
}

#[test]
fn a_refusal_quotes_what_was_refused() {
    let frame = packet(TCP, METADATA, 80);
    let answer = refusal(&frame).unwrap();
    assert_eq!(answer.len(), ETHERNET_BYTES + IP_BYTES + 8 + QUOTED_BYTES);
    let header = &answer[ETHERNET_BYTES..][..IP_BYTES];
    let message = &answer[ETHERNET_BYTES + IP_BYTES..];
    assert_eq!((checksum(header), checksum(message)), (0, 0));
    assert_eq!(header[12..16], GATEWAY.octets());
    assert_eq!(message[..2], [3, 13]);
    assert_eq!(message[8..], frame[ETHERNET_BYTES..][..QUOTED_BYTES]);
}

proptest! {
    #[test]
    fn any_bytes_are_judged(bytes in prop::collection::vec(any::<u8>(), 0..2000)) {
        let _ = may_come_in(&bytes, &reach());
        if verdict(&bytes) == Verdict::Refuse {
            prop_assert!(refusal(&bytes).is_some());
        }
    }

    /// Any altered packet that passes is a whole one from the guest to a permitted address.
    #[test]
    fn what_gets_out_may(
        protocol in prop::sample::select(vec![ICMP, TCP, UDP, 47]),
        to in any::<[u8; 4]>(),
        port in any::<u16>(),
        bent in prop::collection::vec((12..54_usize, any::<u8>()), 0..3),
    ) {
        let mut frame = packet(protocol, to.into(), port);
        for (at, byte) in bent {
            frame[at] = byte;
        }
        let verdict = verdict(&frame);
        if !matches!(verdict, Verdict::Pass | Verdict::Ask) || frame[12..14] == [8, 6] {
            return Ok(());
        }
        let ip = &frame[ETHERNET_BYTES..];
        prop_assert_eq!((&frame[12..14], ip[0]), (&[8, 0][..], 0x45));
        prop_assert_eq!(ip[6] & 0xbf, 0);
        prop_assert_eq!(ip[7], 0);
        prop_assert_eq!(&ip[12..16], &ADDRESS.octets()[..]);
        let to = Ipv4Addr::new(ip[16], ip[17], ip[18], ip[19]);
        let port = u16::from_be_bytes([ip[22], ip[23]]);
        let asks = to == NAME_SERVER && ip[9] == UDP && port == 53;
        let own_port = u16::from_be_bytes([ip[20], ip[21]]);
        let reachable = reach().includes(to, (ip[9] != ICMP).then_some(port))
            && (ip[9] != UDP || own_port >= FIRST_OWN_PORT);
        prop_assert_eq!((verdict == Verdict::Ask, verdict == Verdict::Pass), (asks, reachable));
    }
}
