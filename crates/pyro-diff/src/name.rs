//! A *name* in a patch is a path with its prefix, quoted if it has special characters.

/// Quotes a name as git does with `core.quotePath`: bytes that are not printable ASCII are written
/// in octal.
pub(crate) fn quoted(prefix: &[u8], path: &[u8]) -> Vec<u8> {
    let mut name = prefix.to_vec();
    for &byte in path {
        match byte {
            b'"' => name.extend(b"\\\""),
            b'\\' => name.extend(b"\\\\"),
            0x07 => name.extend(b"\\a"),
            0x08 => name.extend(b"\\b"),
            b'\t' => name.extend(b"\\t"),
            b'\n' => name.extend(b"\\n"),
            0x0b => name.extend(b"\\v"),
            0x0c => name.extend(b"\\f"),
            b'\r' => name.extend(b"\\r"),
            b' '..=b'~' => name.push(byte),
            _ => name.extend(format!("\\{byte:03o}").bytes()),
        }
    }
    if name.len() == prefix.len() + path.len() {
        return name;
    }
    [b"\"", &name[..], b"\""].concat()
}

/// Appends a line that names one side of a text; `None` for a missing file.
pub(crate) fn append_line(output: &mut Vec<u8>, word: &[u8], prefix: &[u8], path: Option<&[u8]>) {
    output.extend(word);
    match path {
        None => output.extend(b"/dev/null"),
        Some(path) => {
            let name = quoted(prefix, path);
            // Readers of patches end an unquoted name at a space unless a tab ends it.
            let ends_early = name[0] != b'"' && name.contains(&b' ');
            output.extend(name);
            if ends_early {
                output.push(b'\t');
            }
        }
    }
    output.push(b'\n');
}

/// Returns the quoted name at the beginning of a text, and the rest of the text.
pub(crate) fn unquoted(text: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let mut rest = text.strip_prefix(b"\"")?;
    let mut name = Vec::new();
    loop {
        let (&byte, after) = rest.split_first()?;
        rest = after;
        match byte {
            b'"' => return Some((name, rest)),
            b'\n' => return None,
            b'\\' => {
                let (&escape, after) = rest.split_first()?;
                rest = after;
                name.push(match escape {
                    b'a' => 0x07,
                    b'b' => 0x08,
                    b't' => b'\t',
                    b'n' => b'\n',
                    b'v' => 0x0b,
                    b'f' => 0x0c,
                    b'r' => b'\r',
                    b'"' | b'\\' => escape,
                    b'0'..=b'3' => {
                        let digits = [escape, *rest.first()?, *rest.get(1)?];
                        rest = &rest[2..];
                        digits.iter().try_fold(0_u8, |value, digit| match digit {
                            b'0'..=b'7' => Some((value << 3) | (digit - b'0')),
                            _ => None,
                        })?
                    }
                    _ => return None,
                });
            }
            _ => name.push(byte),
        }
    }
}
