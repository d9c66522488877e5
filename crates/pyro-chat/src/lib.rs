//! A *chat* is a conversation with a language model, through a server with the API of OpenAI's chat
//! completions, such as Ollama, llama.cpp or vLLM.
//!
//! The server is not trusted: replies are limited in size and time, and an invalid reply is an
//! error that shows what was received. The library reads no variables and knows no tools; the
//! caller provides the messages.
//!
//! The words are in `docs/glossary.md`.

mod address;
mod error;
mod events;
mod reply;
mod server;

pub use error::Error;
pub use reply::{Call, Reply};
pub use server::{Key, Server};

/// For fuzzers and tests: parses a reply, in one piece and as events.
#[doc(hidden)]
pub fn read_reply(bytes: &[u8]) {
    let _ = Reply::from_json(bytes);
    let mut pieces = reply::Pieces::default();
    let mut events = events::Events::default();
    for part in bytes.chunks(7) {
        for data in events.feed(part) {
            if pieces.add(&data).is_err() {
                return;
            }
        }
    }
    let _ = pieces.finish();
}
