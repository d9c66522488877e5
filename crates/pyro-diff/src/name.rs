//! A *name* in a patch is a path with its prefix, in quotes if a line could not hold it as it is.

/// Quotes a name as git does with `core.quotePath`: octal for what is not printable ASCII.
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

/// Appends a line that names one side of a text; `None` is no file.
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
