//! A stand-in for a language model's server, which pyro asks as it would ask Ollama. It behaves in
//! the one way that it is told by its argument, as real servers and models were seen to.
//!
//! It prints its address, then every request as a line of JSON, and ends when its standard input
//! does: whoever started it may have been killed.

#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::match_same_arms,
    clippy::needless_pass_by_value,
    clippy::single_match_else,
    clippy::too_many_lines,
    reason = "a table of behaviours, for tests"
)]

mod behaviour;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

/// What is done about a request.
pub(crate) enum Answer {
    /// These bytes, and the connection is closed.
    Bytes(Vec<u8>),
    /// Nothing, for longer than anybody waits.
    Silence,
}

fn main() {
    let behaviour = std::env::args().nth(1).unwrap_or_default();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    println!("http://{}/v1", listener.local_addr().unwrap());
    thread::spawn(|| {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        std::process::exit(0);
    });
    for stream in listener.incoming() {
        let behaviour = behaviour.clone();
        thread::spawn(move || serve(&stream.unwrap(), &behaviour));
    }
}

fn serve(stream: &TcpStream, behaviour: &str) {
    let Some(request) = read(stream) else { return };
    println!("{request}");
    match behaviour::answer(behaviour, &request["body"]) {
        Answer::Bytes(bytes) => {
            // Whoever has heard enough closes the connection.
            let _ = (&mut &*stream).write_all(&bytes);
        }
        Answer::Silence => thread::sleep(Duration::from_secs(3600)),
    }
}

/// A request: its first line, what matters of its head, its body.
fn read(stream: &TcpStream) -> Option<Value> {
    let mut reader = BufReader::new(stream);
    let mut first = String::new();
    reader.read_line(&mut first).ok()?;
    let mut request = json!({"first": first.trim()});
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim().split_once(": ") else {
            break;
        };
        let name = name.to_ascii_lowercase();
        if name == "content-length" {
            length = value.parse().ok()?;
        }
        request["headers"][name] = value.into();
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    request["body"] = serde_json::from_slice(&body).ok()?;
    Some(request)
}
