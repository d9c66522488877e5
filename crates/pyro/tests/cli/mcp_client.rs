//! A strict *client* of the MCP server: every line that it receives must be a valid message.

use std::io::{BufRead, BufReader};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use crate::context::{TestContext, debian};
use crate::process::{Finished, Running};

/// A limit, so that the test cannot hang; not a performance requirement.
const LIMIT: Duration = Duration::from_secs(300);

/// The protocol era: how a client begins, and what it sends with every request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Era {
    /// With a handshake.
    Legacy,
    /// Without a handshake: each request has all the information.
    Modern,
}

/// Starts a server over HTTP; returns it, its address, and the token it has made.
pub(crate) fn serve_http(context: &TestContext) -> (Running, String, String) {
    let listen = ["--transport", "http", "--listen", "127.0.0.1:0"];
    let mut server = context.pyro(&["mcp", "serve"]).args(&listen).start();
    server.wait_for_stderr("Bearer ");
    let said = server.stderr();
    let after = |text: &str| {
        let (_, rest) = said.split_once(text).unwrap();
        rest.split(['/', '`', '\n']).next().unwrap().to_owned()
    };
    (server, after("http://"), after("Bearer "))
}

/// A client, and the server it has started.
pub(crate) struct Client {
    pub(crate) server: Running,
    messages: Receiver<Value>,
    era: Era,
    capabilities: Value,
    last_id: u64,
    /// Its answer to a request for its roots.
    pub(crate) roots: Vec<String>,
    /// Its answer to a question for a person.
    pub(crate) decision: Option<Value>,
    /// Messages that were received while waiting for another one.
    pub(crate) passed_over: Vec<Value>,
}

impl Client {
    pub(crate) fn start(context: &TestContext, era: Era, arguments: &[&str]) -> Self {
        let server = context.pyro(&["mcp", "serve"]).args(arguments);
        Self::of(server.silent_stdin().start_unread(), era, json!({}))
    }

    /// A client with these capabilities, connected to a running server.
    pub(crate) fn of(mut server: Running, era: Era, capabilities: Value) -> Self {
        let stdout = BufReader::new(server.take_stdout());
        let (sender, messages) = channel();
        thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                let message = serde_json::from_str(&line).unwrap_or_else(
                    |error| json!({"not a message": line, "error": error.to_string()}),
                );
                if sender.send(message).is_err() {
                    return;
                }
            }
        });
        let mut client = Self {
            server,
            messages,
            era,
            capabilities,
            last_id: 0,
            roots: Vec::new(),
            decision: None,
            passed_over: Vec::new(),
        };
        if era == Era::Legacy {
            let opened = client.ask(
                "initialize",
                json!({
                    "protocolVersion": "2025-11-25",
                    "capabilities": client.capabilities,
                    "clientInfo": {"name": "test", "version": "1"},
                }),
            );
            assert_eq!(opened["protocolVersion"], "2025-11-25", "{opened}");
            assert_eq!(opened["serverInfo"]["name"], "pyro_mcp", "{opened}");
            client.notify("notifications/initialized", &json!({}));
        }
        client
    }

    /// Sends a request and returns its id.
    pub(crate) fn send(&mut self, method: &str, mut params: Value) -> u64 {
        if self.era == Era::Modern {
            let meta = &mut params["_meta"];
            meta["io.modelcontextprotocol/protocolVersion"] = "2026-07-28".into();
            meta["io.modelcontextprotocol/clientInfo"] = json!({"name": "test", "version": "1"});
            meta["io.modelcontextprotocol/clientCapabilities"] = self.capabilities.clone();
        }
        self.last_id += 1;
        let message =
            json!({"jsonrpc": "2.0", "id": self.last_id, "method": method, "params": params});
        self.server.say(&format!("{message}\n"));
        self.last_id
    }

    /// Calls a tool with progress notifications, and returns the request's id.
    pub(crate) fn call(&mut self, tool: &str, arguments: &Value) -> u64 {
        let token = format!("news-{}", self.last_id);
        let params =
            json!({"name": tool, "arguments": arguments, "_meta": {"progressToken": token}});
        self.send("tools/call", params)
    }

    pub(crate) fn notify(&mut self, method: &str, params: &Value) {
        let message = json!({"jsonrpc": "2.0", "method": method, "params": params});
        self.server.say(&format!("{message}\n"));
    }

    /// Waits for a line, which must be a valid message.
    pub(crate) fn next(&mut self) -> Value {
        let message = self
            .messages
            .recv_timeout(LIMIT)
            .expect("the server answers");
        assert_eq!(message["jsonrpc"], "2.0", "{message}");
        message
    }

    /// Waits for the response to a request. It may have come while another one was waited for.
    pub(crate) fn response(&mut self, id: u64) -> Value {
        let answers = |message: &Value| message["id"] == id && message.get("method").is_none();
        if let Some(at) = self.passed_over.iter().position(answers) {
            return self.passed_over.remove(at);
        }
        loop {
            let message = self.next();
            if answers(&message) {
                return message;
            }
            if message["method"] == "roots/list" {
                let roots: Vec<_> = self.roots.iter().map(|uri| json!({"uri": uri})).collect();
                self.answer(&message, &json!({"roots": roots}));
                continue;
            }
            if message["method"] == "elicitation/create" {
                let decision = self.decision.clone().expect("nobody is to be asked");
                self.answer(&message, &decision);
            }
            self.passed_over.push(message);
        }
    }

    /// Answers a request of the server.
    fn answer(&mut self, request: &Value, result: &Value) {
        let answer = json!({"jsonrpc": "2.0", "id": request["id"], "result": result});
        self.server.say(&format!("{answer}\n"));
    }

    /// Waits until a progress notification of a call contains this text.
    pub(crate) fn wait_for_news(&mut self, text: &str) {
        loop {
            let message = self.next();
            let news = message["params"]["message"].as_str();
            let found = news.is_some_and(|news| news.contains(text));
            self.passed_over.push(message);
            if found {
                return;
            }
        }
    }

    /// Sends a request and returns its result.
    #[track_caller]
    pub(crate) fn ask(&mut self, method: &str, params: Value) -> Value {
        let id = self.send(method, params);
        let response = self.response(id);
        assert!(response.get("error").is_none(), "{response}");
        response["result"].clone()
    }

    /// Runs a command in a fresh machine.
    #[track_caller]
    pub(crate) fn run(&mut self, command: &str) -> Value {
        self.tool("vm_run", &on_debian(command))
    }

    /// Calls a tool and returns its result.
    #[track_caller]
    pub(crate) fn tool(&mut self, name: &str, arguments: &Value) -> Value {
        let id = self.call(name, arguments);
        let result = self.response(id)["result"].clone();
        assert_eq!(result["isError"], false, "{result}");
        result["structuredContent"].clone()
    }

    /// Closes the connection, and returns how the server ended.
    pub(crate) fn finish(mut self) -> Finished {
        self.server.say_no_more();
        self.server.finish()
    }

    /// The messages since the last call of this function that no other function has taken.
    pub(crate) fn rest(&mut self) -> Vec<Value> {
        let mut rest = std::mem::take(&mut self.passed_over);
        rest.extend(self.messages.try_iter());
        rest
    }
}

/// The arguments of `vm_run` for a command.
pub(crate) fn on_debian(command: &str) -> Value {
    json!({"environment": debian(), "command": command, "timeout_seconds": 600})
}
