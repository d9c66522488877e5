//! A *front*: a server of HTTP in a thread of the test. It stands before the real registry and
//! spoils what comes from there, or is what a registry sends its clients to.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// A request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) method: String,
    /// With its query.
    pub(crate) path: String,
    /// Names in lower case.
    pub(crate) headers: HashMap<String, String>,
    pub(crate) body: String,
}

/// How the body of an answer is sent.
#[derive(Clone, Copy)]
pub(crate) enum Sending {
    Whole,
    /// After so many bytes the connection ends.
    Cut(usize),
    /// After so many bytes nothing more comes for as long as the test runs.
    Stalled(usize),
    /// In so many pieces, with a pause after each.
    Slow(usize, Duration),
}

/// What is answered.
#[derive(Clone)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    pub(crate) sending: Sending,
}

impl Reply {
    pub(crate) fn new(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: body.into(),
            sending: Sending::Whole,
        }
    }

    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// A part of a file, as the request wants it.
    pub(crate) fn of_file(content: &[u8], request: &Request) -> Self {
        let Some(from) = request.from() else {
            return Self::new(200, content);
        };
        let (last, length) = (content.len() - 1, content.len());
        let range = format!("bytes {from}-{last}/{length}");
        Self::new(206, &content[from..]).with("content-range", &range)
    }
}

impl Request {
    /// The byte from which on it wants something.
    pub(crate) fn from(&self) -> Option<usize> {
        let range = self.headers.get("range")?.strip_prefix("bytes=")?;
        range.strip_suffix('-')?.parse().ok()
    }

    /// What another server on this host answers.
    pub(crate) fn forward(&self, port: u16) -> Reply {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        // An older version, in which bodies end with the connection and never come in chunks.
        let mut head = format!("{} {} HTTP/1.0\r\n", self.method, self.path);
        for (name, value) in &self.headers {
            if name != "connection" {
                head += name;
                head += ": ";
                head += value;
                head += "\r\n";
            }
        }
        head += "\r\n";
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(self.body.as_bytes()).unwrap();
        let mut reader = BufReader::new(stream);
        let mut first = String::new();
        reader.read_line(&mut first).unwrap();
        let status = first.split(' ').nth(1).unwrap().parse().unwrap();
        let headers = headers(&mut reader).unwrap();
        let mut body = Vec::new();
        reader.read_to_end(&mut body).unwrap();
        let of_connection = ["content-length", "connection"];
        Reply {
            headers: headers
                .into_iter()
                .filter(|(name, _)| !of_connection.contains(&name.as_str()))
                .collect(),
            ..Reply::new(status, body)
        }
    }
}

type Handler = dyn Fn(&Request, usize) -> Reply + Send + Sync;

/// A server. Its thread ends with the test's process.
pub(crate) struct Front {
    pub(crate) port: u16,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl Front {
    /// The handler is given each request, and how many of the same path there were before it.
    pub(crate) fn start(
        handler: impl Fn(&Request, usize) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let handler: Arc<Handler> = Arc::new(handler);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let seen = requests.clone();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (handler, seen) = (handler.clone(), seen.clone());
                thread::spawn(move || serve(&stream.unwrap(), &*handler, &seen));
            }
        });
        Self { port, requests }
    }

    /// What it was asked for since the last time.
    pub(crate) fn asked(&self) -> Vec<Request> {
        std::mem::take(&mut self.requests.lock().unwrap())
    }
}

fn serve(stream: &TcpStream, handler: &Handler, seen: &Mutex<Vec<Request>>) {
    let Some(request) = read(stream) else {
        return;
    };
    let number = {
        let mut seen = seen.lock().unwrap();
        let same = seen.iter().filter(|one| one.path == request.path);
        let number = same.count();
        seen.push(request.clone());
        number
    };
    // The client sees a connection that ends if this fails: the test says why on standard error.
    let reply = handler(&request, number);
    let mut out = stream;
    let (status, length) = (reply.status, reply.body.len());
    let mut head =
        format!("HTTP/1.1 {status} Whatever\r\nconnection: close\r\ncontent-length: {length}\r\n");
    for (name, value) in &reply.headers {
        head += name;
        head += ": ";
        head += value;
        head += "\r\n";
    }
    head += "\r\n";
    // Whoever does not listen any more has what it wants.
    let _ = out.write_all(head.as_bytes());
    let _ = match reply.sending {
        Sending::Whole => out.write_all(&reply.body),
        Sending::Cut(length) => out.write_all(&reply.body[..length.min(reply.body.len())]),
        Sending::Stalled(length) => {
            let _ = out.write_all(&reply.body[..length.min(reply.body.len())]);
            loop {
                thread::park();
            }
        }
        Sending::Slow(pieces, pause) => {
            let length = reply.body.len().div_ceil(pieces).max(1);
            reply.body.chunks(length).try_for_each(|piece| {
                thread::sleep(pause);
                out.write_all(piece)
            })
        }
    };
}

/// `None` if what comes is no request, such as a greeting in TLS.
fn read(stream: &TcpStream) -> Option<Request> {
    let mut stream = BufReader::new(stream);
    let mut line = Vec::new();
    stream.read_until(b'\n', &mut line).ok()?;
    let line = String::from_utf8(line).ok()?;
    let mut words = line.split(' ');
    let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
    let headers = headers(&mut stream)?;
    let length = headers.get("content-length");
    let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
    stream.read_exact(&mut body).ok()?;
    Some(Request {
        method,
        path,
        headers,
        body: String::from_utf8_lossy(&body).into_owned(),
    })
}

fn headers(stream: &mut impl BufRead) -> Option<HashMap<String, String>> {
    let mut headers = HashMap::new();
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).ok()?;
        let Some((name, value)) = line.split_once(':') else {
            return Some(headers);
        };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
}
