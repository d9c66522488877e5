//! HTTP clients without the token, and malicious clients with the token: well-behaved clients are
//! still served.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::json;

use crate::context::TestContext;
use crate::mcp::post;
use crate::mcp_client::serve_http;
use crate::process::Running;

/// A server, and the header with its token.
struct Server {
    running: Running,
    address: String,
    known: String,
}

impl Server {
    fn start(context: &TestContext) -> Self {
        let (running, address, token) = serve_http(context);
        Self {
            known: format!("Host: {address}\r\nAuthorization: Bearer {token}\r\n"),
            address,
            running,
        }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(&self.address).unwrap();
        let limit = Some(Duration::from_secs(60));
        stream.set_read_timeout(limit).unwrap();
        stream
    }

    /// Sends an ordinary request with the token.
    fn answers(&self) -> bool {
        let era = "MCP-Protocol-Version: 2026-07-28\r\nMcp-Method: tools/list\r\n";
        let body = json!({
            "jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {"_meta": {
                "io.modelcontextprotocol/protocolVersion": "2026-07-28",
                "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
                "io.modelcontextprotocol/clientCapabilities": {},
            }},
        });
        let (status, rest) = post(
            &self.address,
            &format!("{}{era}", self.known),
            body.to_string(),
        );
        status == 200 && rest.contains("vm_run")
    }

    fn end(self) {
        self.running.signal(Signal::TERM);
        self.running.finish().expect(0).err_lacks("panicked");
    }
}

/// Waits until the server closes a connection; returns whether it did.
fn is_closed(stream: &mut TcpStream) -> bool {
    let mut rest = Vec::new();
    match stream.read_to_end(&mut rest) {
        Ok(_) => true,
        Err(error) => error.kind() == std::io::ErrorKind::ConnectionReset,
    }
}

#[test]
fn silent_connections_keep_nobody_out() {
    let context = TestContext::new();
    let server = Server::start(&context);
    let mut silent: Vec<_> = (0..300).map(|_| server.connect()).collect();
    assert!(server.answers());
    // They are closed soon, and their places become free.
    assert!(silent.iter_mut().all(is_closed));
    let mut trickled = server.connect();
    let begun = Instant::now();
    let mut is_open = true;
    while is_open && begun.elapsed() < Duration::from_secs(60) {
        is_open = trickled.write_all(b"GET /mcp HTTP/1.1\r\nX: ").is_ok();
        std::thread::sleep(Duration::from_millis(200));
    }
    assert!(!is_open, "a trickled header is waited for");
    assert!(server.answers());
    server.end();
}

#[test]
fn refused_requests_keep_no_place() {
    let context = TestContext::new();
    let server = Server::start(&context);
    let refused = format!("GET /mcp HTTP/1.1\r\nHost: {}\r\n\r\n", server.address);
    let mut streams: Vec<_> = (0..200).map(|_| server.connect()).collect();
    for stream in &mut streams {
        // Some were closed to make room.
        let _ = stream.write_all(refused.as_bytes());
    }
    assert!(server.answers());
    assert!(streams.iter_mut().all(is_closed));
    let mut stream = server.connect();
    stream.write_all(refused.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 401"), "{answer}");
    assert!(
        answer.to_lowercase().contains("connection: close"),
        "{answer}"
    );
    server.end();
}

#[test]
fn a_request_is_for_one_host_and_comes_to_an_end() {
    let context = TestContext::new();
    let server = Server::start(&context);
    let (twice, _) = post(
        &server.address,
        &format!("{}Host: other\r\n", server.known),
        "{}",
    );
    assert_eq!(twice, 400);
    let mut absolute = server.connect();
    let line = format!(
        "POST http://evil.example/mcp HTTP/1.1\r\n{}Content-Length: 2\r\n\r\n{{}}",
        server.known
    );
    absolute.write_all(line.as_bytes()).unwrap();
    let mut answer = String::new();
    absolute.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");

    // A body that never arrives is given up, even from a client with the token.
    let mut unfinished = server.connect();
    let head = format!(
        "POST /mcp HTTP/1.1\r\n{}Content-Type: application/json\r\n\
         Accept: application/json, text/event-stream\r\nContent-Length: 100\r\n\r\n{{",
        server.known
    );
    unfinished.write_all(head.as_bytes()).unwrap();
    let mut answer = Vec::new();
    let _ = unfinished.read_to_end(&mut answer);
    let answer = String::from_utf8_lossy(&answer).into_owned();
    assert!(!answer.starts_with("HTTP/1.1 200"), "{answer}");
    server.end();
}

#[test]
fn sessions_are_bounded() {
    let context = TestContext::new();
    let server = Server::start(&context);
    let body = json!({
        "jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
            "protocolVersion": "2025-11-25", "capabilities": {},
            "clientInfo": {"name": "test", "version": "1"},
        },
    });
    let open = || {
        let (status, rest) = post(&server.address, &server.known, body.to_string());
        assert_eq!(status, 200, "{rest}");
        let header = rest.to_lowercase();
        let (_, after) = header.split_once("mcp-session-id: ").unwrap();
        after.split_whitespace().next().unwrap().to_owned()
    };
    let use_it = |id: &str| {
        let headers = format!("{}Mcp-Session-Id: {id}\r\n", server.known);
        let note = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
        post(&server.address, &headers, note.to_string()).0
    };
    let first = open();
    assert_eq!(use_it(&first), 202);
    for _ in 0..300 {
        open();
    }
    assert_eq!(use_it(&first), 404, "it was idle the longest");
    let last = open();
    assert_eq!(use_it(&last), 202);
    server.end();
}
