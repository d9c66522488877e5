//! A *binary hunk* is a complete content, compressed with deflate, in git's base 85.

use std::io::Write;

use flate2::Compression;
use flate2::write::ZlibEncoder;

pub(crate) const DIGITS: &[u8; 85] =
    b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!#$%&()*+-;<=>?@^_`{|}~";
const BYTES_IN_LINE: usize = 52;

/// Appends a hunk with the new content, and one with the old content for the reverse direction.
pub(crate) fn append_hunks(output: &mut Vec<u8>, old: &[u8], new: &[u8]) {
    output.extend(b"GIT binary patch\n");
    append_literal(output, new);
    append_literal(output, old);
}

fn append_literal(output: &mut Vec<u8>, content: &[u8]) {
    output.extend(format!("literal {}\n", content.len()).bytes());
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    let deflated = encoder
        .write_all(content)
        .and_then(|()| encoder.finish())
        .expect("a vector takes all bytes");
    for line in deflated.chunks(BYTES_IN_LINE) {
        let length = u8::try_from(line.len()).expect("a line has 52 bytes at most");
        output.push(if length <= 26 {
            b'A' + length - 1
        } else {
            b'a' + length - 27
        });
        for group in line.chunks(4) {
            let mut bytes = [0; 4];
            bytes[..group.len()].copy_from_slice(group);
            let mut rest = u32::from_be_bytes(bytes);
            let mut digits = [0; 5];
            for digit in digits.iter_mut().rev() {
                *digit = DIGITS[(rest % 85) as usize];
                rest /= 85;
            }
            output.extend(digits);
        }
        output.push(b'\n');
    }
    output.push(b'\n');
}
