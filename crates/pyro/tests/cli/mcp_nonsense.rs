//! Nonsensical messages have no effect on the MCP server.

use std::fs;

use rustix::process::Signal;
use serde_json::json;

use crate::context::TestContext;
use crate::mcp::{ERAS, post};
use crate::mcp_client::{Client, Era};

/// How many of them there are.
const COUNT: usize = 10_000;
const HUGE_BYTES: usize = 5 * 1024 * 1024;

/// Valid messages, to be corrupted.
struct Nonsense(u64);

impl Nonsense {
    fn random(&mut self, below: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % below as u64).unwrap()
    }

    /// A corrupted message, without a newline.
    fn message(&mut self) -> Vec<u8> {
        let seeds = [
            r#"{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"vm_run","arguments":{"environment":"no:1","command":"x"}}}"#,
            r#"{"jsonrpc":"2.0","id":"a","method":"tools/list","params":{"cursor":"x"}}"#,
            r#"{"jsonrpc":"2.0","id":"b","method":"prompts/get","params":{"name":"workspace","arguments":{"directory":"x"}}}"#,
            r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":7}}"#,
            r#"[{"jsonrpc":"2.0","id":1,"method":"ping"}]"#,
            r#"{"jsonrpc":"2.0","id":null,"result":{}}"#,
            r#"{"jsonrpc":"2.0","id":9,"error":{"code":1,"message":"no"}}"#,
        ];
        let mut message = seeds[self.random(seeds.len())].as_bytes().to_vec();
        for _ in 0..self.random(4) {
            let at = self.random(message.len());
            match self.random(3) {
                0 => message[at] = u8::try_from(self.random(256)).unwrap(),
                1 => message.truncate(at + 1),
                _ => message.insert(at, b"{}[]\",:0\\"[self.random(9)]),
            }
        }
        message.retain(|byte| *byte != b'\n');
        message
    }
}

/// The number of open descriptors of a process.
fn descriptors(pid: u32) -> usize {
    fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count()
}

/// The peak memory of a process, in KiB.
fn peak_kib(pid: u32) -> usize {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    let words = line.unwrap().split_ascii_whitespace().nth(1);
    words.unwrap().parse().unwrap()
}

/// The growth limit for this many messages: less than the size of a few of them.
fn assert_nothing_stays(pid: u32, before: (usize, usize)) {
    let (had, peak) = before;
    assert!(
        descriptors(pid) <= had + 2,
        "{had} before, {}",
        descriptors(pid)
    );
    let grown = peak_kib(pid) - peak;
    assert!(grown < 4 * HUGE_BYTES / 1024, "{grown} KiB more");
}

#[test]
fn nonsense_ends_nothing() {
    let context = TestContext::new();
    let mut nonsense = Nonsense(0x9e37_79b9_7f4a_7c15);
    for era in ERAS {
        let server = context
            .pyro(&["mcp", "serve"])
            .silent_stdin()
            .limit(300)
            .start_unread();
        let mut client = Client::of(server, Era::Modern, json!({}));
        // Also before the handshake.
        client.notify("notifications/nothing", &json!({}));
        client
            .server
            .say("[]\n{}\nnull\n\n{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}\n");
        if era == Era::Legacy {
            client.server.say(concat!(
                r#"{"jsonrpc":"2.0","id":"open","method":"initialize","params":"#,
                r#"{"protocolVersion":"2025-11-25","capabilities":{},"#,
                r#""clientInfo":{"name":"t","version":"1"}}}"#,
                "\n"
            ));
        }
        client.ask("tools/list", json!({}));
        let pid = client.server.pid();
        let before = (descriptors(pid), peak_kib(pid));
        for _ in 0..COUNT {
            client.server.say_bytes(&nonsense.message());
            client.server.say("\n");
        }
        client
            .server
            .say_bytes(&[vec![b'x'; HUGE_BYTES], b"\n".to_vec()].concat());
        let tools = client.ask("tools/list", json!({}));
        assert_eq!(tools["tools"][0]["name"], "vm_run", "{era:?}");
        assert_nothing_stays(pid, before);
        client.finish().expect(0).err_lacks("panicked");
    }
}

#[test]
fn nonsense_ends_nothing_by_http_either() {
    let context = TestContext::new();
    let token = "a-token-of-this-test-alone";
    let listen = [
        "mcp",
        "serve",
        "--transport",
        "http",
        "--listen",
        "127.0.0.1:0",
    ];
    let server = context
        .pyro(&listen)
        .env("PYRO_MCP_TOKEN", token)
        .limit(600);
    let mut server = server.start();
    server.wait_for_stderr("http://");
    let said = server.stderr();
    let (_, rest) = said.split_once("http://").unwrap();
    let address = rest.split(['/', '`', '\n']).next().unwrap().to_owned();
    let known = format!("Host: {address}\r\nAuthorization: Bearer {token}\r\n");
    let modern = format!("{known}MCP-Protocol-Version: 2026-07-28\r\nMcp-Method: tools/list\r\n");
    let list = json!({
        "jsonrpc": "2.0", "id": 1, "method": "tools/list",
        "params": {"_meta": {
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
            "io.modelcontextprotocol/clientCapabilities": {},
        }},
    })
    .to_string();
    let answers = || {
        let (status, rest) = post(&address, &modern, &list);
        assert!(status == 200 && rest.contains("vm_run"), "{status}: {rest}");
    };
    answers();
    let before = (descriptors(server.pid()), peak_kib(server.pid()));
    let mut nonsense = Nonsense(0x2545_f491_4f6c_dd1d);
    for round in 0..COUNT {
        let headers = if round % 2 == 0 { &modern } else { &known };
        let (status, rest) = post(&address, headers, nonsense.message());
        assert!((200..500).contains(&status), "{status}: {rest}");
    }
    let (status, rest) = post(&address, &modern, vec![b'['; HUGE_BYTES]);
    assert!((400..500).contains(&status), "{status}: {rest}");
    answers();
    assert_nothing_stays(server.pid(), before);
    server.signal(Signal::TERM);
    server.finish().expect(0).out_is("").err_lacks("panicked");
}
