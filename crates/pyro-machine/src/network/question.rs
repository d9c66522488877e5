//! A *question* to a name server, in the form that a guest may send. All other messages to a name
//! server (updates, zone transfers, answers, malformed ones) are for the host's network and not for
//! its guests.

/// One question for a record of a name, in the Internet's class.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Question<'a> {
    /// The whole message.
    pub(super) message: &'a [u8],
    name: &'a [u8],
    kind_and_class: &'a [u8],
}

/// Why a message is not forwarded.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Fault {
    /// It is no question, or has no id by which an answer could be matched. It is not answered:
    /// answers to answers might go back and forth without end.
    NoQuestion,
    /// Its format is not that of a question.
    Malformed,
    /// It requests another operation than a query.
    OtherOperation,
    /// It asks for data that guests do not get. The question ends here, for the answer to quote.
    Forbidden { end: usize },
}

/// No honest question is longer: a name has at most 255 bytes.
const LIMIT_BYTES: usize = 512;
const HEADER_BYTES: usize = 12;
const NAME_LIMIT_BYTES: usize = 255;
const LABEL_LIMIT_BYTES: u8 = 63;

/// In the header's third byte: an answer; the operation; recursion desired.
const ANSWER: u8 = 0x80;
const OPERATION: u8 = 0x78;
const RECURSION_DESIRED: u8 = 0x01;
/// In the header's fourth byte, the flags that a question may set: it understands authenticated
/// answers, and accepts unchecked ones.
const AUTHENTIC: u8 = 0x20;
const UNCHECKED: u8 = 0x10;

const FORMAT_ERROR: u8 = 1;
const NOT_IMPLEMENTED: u8 = 4;
const REFUSED: u8 = 5;
const RESULT: u8 = 0x0f;

const INTERNET: [u8; 2] = [0, 1];
/// The type of the additional record with which a question sets the size of its answer.
const EXTENSION: u16 = 41;

impl<'a> Question<'a> {
    /// Parses a message, which must consist of a question.
    pub(super) fn read(message: &'a [u8]) -> Result<Self, Fault> {
        let header = message.get(..HEADER_BYTES).ok_or(Fault::NoQuestion)?;
        if header[2] & ANSWER != 0 {
            return Err(Fault::NoQuestion);
        }
        if header[2] & OPERATION != 0 {
            return Err(Fault::OtherOperation);
        }
        let plain =
            header[2] & !RECURSION_DESIRED == 0 && header[3] & !(AUTHENTIC | UNCHECKED) == 0;
        // One question, no answer, no authority, and one additional record or none.
        let additional = match header[4..] {
            [0, 1, 0, 0, 0, 0, 0, additional @ (0 | 1)] => additional == 1,
            _ => return Err(Fault::Malformed),
        };
        if !plain || message.len() > LIMIT_BYTES {
            return Err(Fault::Malformed);
        }
        let body = &message[HEADER_BYTES..];
        let name = name_at_start(body).ok_or(Fault::Malformed)?;
        let (kind_and_class, rest) =
            (body[name.len()..].split_at_checked(4)).ok_or(Fault::Malformed)?;
        let whole = if additional {
            is_extension(rest)
        } else {
            rest.is_empty()
        };
        if !whole {
            return Err(Fault::Malformed);
        }
        let kind = u16::from_be_bytes([kind_and_class[0], kind_and_class[1]]);
        if is_no_record(kind) || kind_and_class[2..] != INTERNET {
            let end = HEADER_BYTES + name.len() + kind_and_class.len();
            return Err(Fault::Forbidden { end });
        }
        Ok(Self {
            message,
            name,
            kind_and_class,
        })
    }

    /// Whether a message answers exactly this question.
    pub(super) fn is_answered_by(&self, message: &[u8]) -> bool {
        let Some((header, body)) = message.split_at_checked(HEADER_BYTES) else {
            return false;
        };
        let (id, kind) = (header[..2] == self.message[..2], header[2]);
        if !id || kind & ANSWER == 0 || kind & OPERATION != 0 {
            return false;
        }
        match header[4..6] {
            // A server that cannot parse a question does not quote it.
            [0, 0] => header[3] & RESULT != 0,
            [0, 1] => {
                let quoted = body.split_at_checked(self.name.len());
                quoted.is_some_and(|(name, rest)| {
                    // A server may change the case of the name.
                    name.eq_ignore_ascii_case(self.name) && rest.starts_with(self.kind_and_class)
                })
            }
            _ => false,
        }
    }
}

/// Returns the answer to a message that is not forwarded, if it gets one, so that its program fails
/// at once instead of waiting. The C library accepts only answers that quote the question.
pub(super) fn refusal(message: &[u8], fault: Fault) -> Option<Vec<u8>> {
    let (result, end) = match fault {
        Fault::NoQuestion => return None,
        Fault::Malformed => (FORMAT_ERROR, HEADER_BYTES),
        Fault::OtherOperation => (NOT_IMPLEMENTED, HEADER_BYTES),
        Fault::Forbidden { end } => (REFUSED, end),
    };
    let mut answer = message.get(..end)?.to_vec();
    answer[2] = ANSWER | answer[2] & (OPERATION | RECURSION_DESIRED);
    answer[3] = result;
    answer[4..HEADER_BYTES].fill(0);
    answer[5] = u8::from(end > HEADER_BYTES);
    Some(answer)
}

/// Returns an uncompressed name: labels up to the empty one, without pointers to other parts of the
/// message.
fn name_at_start(bytes: &[u8]) -> Option<&[u8]> {
    let mut at = 0;
    loop {
        let length = *bytes.get(at)?;
        at += 1 + usize::from(length);
        if length > LABEL_LIMIT_BYTES || at > NAME_LIMIT_BYTES {
            return None;
        }
        if length == 0 {
            return bytes.get(..at);
        }
    }
}

/// Whether these bytes are exactly one record that extends a question.
fn is_extension(bytes: &[u8]) -> bool {
    let [0, kind @ .., _, _, result, _, _, _, high, low] = bytes.get(..11).unwrap_or_default()
    else {
        return false;
    };
    let content = usize::from(u16::from_be_bytes([*high, *low]));
    *kind == EXTENSION.to_be_bytes() && *result == 0 && bytes.len() == 11 + content
}

/// Whether a type is not that of a record which a name may have: the types for the protocol itself,
/// among them zone transfers (252, 251) and any (255), as numbered by RFC 6895.
fn is_no_record(kind: u16) -> bool {
    matches!(kind, 0 | EXTENSION | 128..=255)
}

/// Judges a message; panics if one that is no question is forwarded.
#[cfg(feature = "fuzzing")]
pub(super) fn fuzz(message: &[u8]) {
    match Question::read(message) {
        Ok(question) => {
            assert_eq!(message[2] & (ANSWER | OPERATION), 0);
            assert_eq!(message[4..10], [0, 1, 0, 0, 0, 0]);
            assert!((HEADER_BYTES + 5..=LIMIT_BYTES).contains(&message.len()));
            assert!(!question.is_answered_by(message));
        }
        Err(fault) => {
            let answer = refusal(message, fault).unwrap_or_default();
            assert!(answer.len() <= message.len());
        }
    }
}

#[cfg(test)]
mod tests;
