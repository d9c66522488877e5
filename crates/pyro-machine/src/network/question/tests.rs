use proptest::prelude::*;

use super::*;

const A: u16 = 1;

/// A message with one question, for the record of this type at `a.example`.
fn asking(kind: u16) -> Vec<u8> {
    let mut message = b"\x12\x34\x01\x00\0\x01\0\0\0\0\0\0\x01a\x07example\0".to_vec();
    message.extend(kind.to_be_bytes());
    message.extend(INTERNET);
    message
}

/// The same, with the record that permits long answers.
fn extended(kind: u16) -> Vec<u8> {
    let mut message = asking(kind);
    message[11] = 1;
    message.extend(b"\0\0\x29\x04\xd0\0\0\x80\0\0\x04\0\x03\0\0");
    message
}

fn fault(message: &[u8]) -> Fault {
    Question::read(message).unwrap_err()
}

#[test]
fn questions_for_records_are_read() {
    // Addresses of both versions, mail, texts, services, certificates.
    for kind in [A, 28, 15, 16, 33, 65, 257] {
        assert!(Question::read(&asking(kind)).is_ok(), "{kind}");
        assert!(Question::read(&extended(kind)).is_ok(), "{kind}");
    }
    let mut signed = asking(A);
    signed[3] = AUTHENTIC | UNCHECKED;
    assert!(Question::read(&signed).is_ok());
    let root = b"\x12\x34\0\0\0\x01\0\0\0\0\0\0\0\0\x02\0\x01";
    assert!(Question::read(root).is_ok(), "the name of all");
}

#[test]
fn what_is_none_is_not_read() {
    let with = |at: usize, byte: u8| {
        let mut message = asking(A);
        message[at] = byte;
        fault(&message)
    };
    assert_eq!(with(2, 0x81), Fault::NoQuestion, "an answer");
    assert_eq!(with(2, 0x29), Fault::OtherOperation, "an update");
    assert_eq!(with(2, 0x21), Fault::OtherOperation, "a notice");
    assert_eq!(with(2, 0x05), Fault::Malformed, "the word of an authority");
    assert_eq!(with(2, 0x03), Fault::Malformed, "a part of a message");
    assert_eq!(with(3, 0x80), Fault::Malformed, "what a server can do");
    assert_eq!(with(3, 0x40), Fault::Malformed, "a bit without a meaning");
    assert_eq!(with(3, 0x03), Fault::Malformed, "a result");
    assert_eq!(with(5, 0), Fault::Malformed, "no question");
    assert_eq!(with(5, 2), Fault::Malformed, "two questions");
    assert_eq!(with(7, 1), Fault::Malformed, "an answer in a question");
    assert_eq!(with(9, 1), Fault::Malformed, "an authority in a question");
    assert_eq!(with(11, 1), Fault::Malformed, "a record that is not there");
    assert_eq!(with(11, 2), Fault::Malformed, "two such records");
    assert_eq!(with(12, 0xc0), Fault::Malformed, "a name somewhere else");
    assert_eq!(with(12, 64), Fault::Malformed, "a label of another kind");
    assert_eq!(with(14, 60), Fault::Malformed, "a name that does not end");
    let mut longer = asking(A);
    longer.push(0);
    assert_eq!(fault(&longer), Fault::Malformed, "more than a question");
    assert_eq!(fault(b"GET / HTTP/1.0\r\n\r\n"), Fault::OtherOperation);
    let good = extended(A);
    for length in 0..good.len() {
        assert!(Question::read(&good[..length]).is_err(), "{length} bytes");
    }
}

#[test]
fn what_guests_are_not_told_is_refused() {
    let end = asking(A).len();
    // Zone transfers, mailboxes, any, keys, and invalid types.
    for kind in [0, EXTENSION, 249, 250, 251, 252, 253, 254, 255] {
        assert_eq!(fault(&asking(kind)), Fault::Forbidden { end }, "{kind}");
    }
    let mut version = asking(16);
    version[end - 1] = 3;
    assert_eq!(fault(&version), Fault::Forbidden { end }, "another class");
}

#[test]
fn the_record_beside_a_question_is_the_one_that_extends_it() {
    let at = asking(A).len();
    let with = |offset: usize, byte: u8| {
        let mut message = extended(A);
        message[at + offset] = byte;
        fault(&message)
    };
    assert_eq!(with(0, 1), Fault::Malformed, "a record of a name");
    assert_eq!(with(2, 1), Fault::Malformed, "an address");
    assert_eq!(with(5, 1), Fault::Malformed, "a result");
    assert_eq!(with(10, 3), Fault::Malformed, "more than it says");
    assert_eq!(with(10, 5), Fault::Malformed, "less than it says");
}

#[test]
fn names_and_messages_are_bounded() {
    let named = |labels: usize| {
        let mut message = asking(A)[..HEADER_BYTES].to_vec();
        message.extend([&[62][..], &[b'x'; 62]].concat().repeat(labels));
        message.extend([0, 0, 1, 0, 1]);
        message
    };
    assert!(Question::read(&named(4)).is_ok(), "253 bytes");
    assert_eq!(fault(&named(5)), Fault::Malformed);
    let mut long = extended(A);
    let content = LIMIT_BYTES - long.len();
    let at = asking(A).len() + 9;
    let announced = u16::try_from(4 + content).unwrap();
    long[at..at + 2].copy_from_slice(&announced.to_be_bytes());
    long.resize(LIMIT_BYTES, 0);
    assert!(Question::read(&long).is_ok());
    long[at..at + 2].copy_from_slice(&(announced + 1).to_be_bytes());
    long.push(0);
    assert_eq!(fault(&long), Fault::Malformed);
}

#[test]
fn an_answer_is_one_to_this_question() {
    let asked = extended(A);
    let question = Question::read(&asked).unwrap();
    let mut good = asking(A);
    good[2..4].copy_from_slice(&[0x81, 0x80]);
    good[7] = 1;
    good.extend(b"\xc0\x0c\0\x01\0\x01\0\0\0\x3c\0\x04\x97\x65\x02\x84");
    assert!(question.is_answered_by(&good));
    let with = |at: usize, byte: u8| {
        let mut message = good.clone();
        message[at] = byte;
        question.is_answered_by(&message)
    };
    assert!(with(13, b'A'), "names are written in small letters or not");
    assert!(!with(0, 0x13), "another id");
    assert!(!with(2, 0x01), "a question");
    assert!(!with(2, 0xa1), "an answer to an update");
    assert!(!with(13, b'b'), "another name");
    assert!(!with(23, 28), "another kind");
    assert!(!with(25, 3), "another class");
    assert!(!with(5, 2), "two questions");
    assert!(!with(5, 0), "no question, and all is well");
    let mut unread = good[..HEADER_BYTES].to_vec();
    unread[3..].copy_from_slice(&[0x81, 0, 0, 0, 0, 0, 0, 0, 0]);
    assert!(question.is_answered_by(&unread), "it was not understood");
    for length in 0..asking(A).len() {
        assert!(!question.is_answered_by(&good[..length]), "{length} bytes");
    }
}

#[test]
fn a_refusal_says_why_and_quotes_the_question() {
    let asked = extended(255);
    let answer = refusal(&asked, fault(&asked)).unwrap();
    assert_eq!(answer[..4], [0x12, 0x34, 0x81, REFUSED]);
    assert_eq!(answer[4..12], [0, 1, 0, 0, 0, 0, 0, 0]);
    assert_eq!(answer[12..], asking(255)[12..]);
    let mut update = asking(A);
    update[2] = 0x29;
    let answer = refusal(&update, fault(&update)).unwrap();
    assert_eq!(answer, b"\x12\x34\xa9\x04\0\0\0\0\0\0\0\0");
    assert_eq!(refusal(&asking(A), Fault::NoQuestion), None);
}

proptest! {
    /// Whatever a guest sends, only whole questions are forwarded, and the answers to other
    /// messages are short.
    #[test]
    fn any_bytes_are_judged(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        check(&bytes)?;
    }

    /// The same for messages that are almost questions.
    #[test]
    fn bent_questions_are_judged(
        kind in any::<u16>(),
        bent in prop::collection::vec((0..42_usize, any::<u8>()), 0..4),
        length in 0..50_usize,
    ) {
        let mut message = extended(kind);
        for (at, byte) in bent {
            if let Some(place) = message.get_mut(at) {
                *place = byte;
            }
        }
        message.truncate(length.max(12));
        check(&message)?;
        prop_assert!(!Question::read(&extended(A)).unwrap().is_answered_by(&message[..12]));
    }
}

fn check(bytes: &[u8]) -> Result<(), TestCaseError> {
    match Question::read(bytes) {
        Ok(question) => {
            prop_assert_eq!(question.message, bytes);
            prop_assert!(bytes.len() <= LIMIT_BYTES && bytes[2] & 0xf8 == 0);
            prop_assert_eq!(&bytes[4..11], &[0, 1, 0, 0, 0, 0, 0]);
            let kind = u16::from_be_bytes([question.kind_and_class[0], question.kind_and_class[1]]);
            prop_assert!(!(251..=255).contains(&kind));
            prop_assert_eq!(question.name.last(), Some(&0));
            prop_assert!(!question.is_answered_by(bytes), "it is no answer to itself");
            let mut answer = bytes.to_vec();
            answer[2] |= ANSWER;
            prop_assert!(question.is_answered_by(&answer));
        }
        Err(fault) => {
            let answer = refusal(bytes, fault);
            prop_assert_eq!(answer.is_none(), fault == Fault::NoQuestion);
            if let Some(answer) = answer {
                prop_assert!(answer.len() <= bytes.len());
                prop_assert_eq!(&answer[..2], &bytes[..2]);
                prop_assert!(answer[2] & ANSWER != 0 && answer[3] != 0);
            }
        }
    }
    Ok(())
}
