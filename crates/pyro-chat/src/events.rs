//! *Events* are the parts of a streamed reply: server-sent events over HTTP.

/// Parses bytes as they arrive, and returns the data of each complete event.
#[derive(Debug, Default)]
pub(crate) struct Events {
    /// An incomplete line.
    line: Vec<u8>,
    /// The data of an incomplete event.
    data: Option<Vec<u8>>,
    /// The last line ended in a carriage return: a following line feed belongs to it.
    after_return: bool,
}

impl Events {
    pub(crate) fn feed(&mut self, bytes: &[u8]) -> Vec<Vec<u8>> {
        let mut complete = Vec::new();
        for &byte in bytes {
            match byte {
                b'\n' if std::mem::take(&mut self.after_return) => {}
                b'\n' | b'\r' => {
                    self.after_return = byte == b'\r';
                    complete.extend(self.end_line());
                }
                byte => {
                    self.after_return = false;
                    self.line.push(byte);
                }
            }
        }
        complete
    }

    /// The incomplete event at the end: some servers omit the final empty line.
    pub(crate) fn end(&mut self) -> Option<Vec<u8>> {
        self.end_line().or_else(|| self.data.take())
    }

    /// An empty line ends an event. Other lines than data are ignored: event names, ids, and
    /// comments that keep the connection open.
    fn end_line(&mut self) -> Option<Vec<u8>> {
        let line = std::mem::take(&mut self.line);
        if line.is_empty() {
            return self.data.take();
        }
        let text = line.strip_prefix(b"data:")?;
        let text = text.strip_prefix(b" ").unwrap_or(text);
        match &mut self.data {
            Some(data) => {
                data.push(b'\n');
                data.extend_from_slice(text);
            }
            None => self.data = Some(text.to_vec()),
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(bytes: &[u8], size: usize) -> Vec<String> {
        let mut events = Events::default();
        let mut all: Vec<_> = bytes.chunks(size).flat_map(|c| events.feed(c)).collect();
        all.extend(events.end());
        let text = |data| String::from_utf8(data).unwrap();
        all.into_iter().map(text).collect()
    }

    #[test]
    fn data_is_found_whatever_stands_between() {
        let stream =
            b": hello\n\nevent: x\r\ndata: {\"a\":1}\r\n\r\ndata:one\rdata: two\r\rid: 7\n\n\
                       data:  three\n\ndata: last";
        for size in 1..stream.len() {
            let expected = ["{\"a\":1}", "one\ntwo", " three", "last"];
            assert_eq!(read(stream, size), expected, "{size}");
        }
    }

    proptest! {
        #[test]
        fn pieces_may_be_torn_anywhere(text in "(data: ?|[a-z]|:|\r|\n|\r\n){0,60}", size in 1_usize..9) {
            prop_assert_eq!(read(text.as_bytes(), size), read(text.as_bytes(), usize::MAX));
        }
    }
}
