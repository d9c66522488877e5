//! A *chat* is a conversation with a language model, by way of a server that speaks the protocol
//! of OpenAI's chat completions, as Ollama, llama.cpp, vLLM and many others do.
//!
//! What comes from there is believed in nothing: a reply has a limit on its size and on its time,
//! and what is no reply is an error that says what came instead. The library reads no variable
//! and knows no tool; what is said is the caller's business.
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

/// For fuzzers and tests: what a server sends as its reply is read, in one piece and as events.
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
