use std::io::{Read, Write};

use super::*;

const PING: &[u8] = b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}\n";

fn lines(said: &[u8]) -> (Lines, io::PipeReader) {
    let (input, mut client) = io::pipe().unwrap();
    let (answers, output) = io::pipe().unwrap();
    client.write_all(said).unwrap();
    let made = Lines::of(input.into(), output.into(), CancellationToken::new());
    (made.unwrap().0, answers)
}

/// Frequent progress notifications do not extend the limit.
#[tokio::test]
async fn asking_again_gains_no_time() {
    let (mut lines, _answers) = lines(PING);
    lines.rest_limit = Duration::from_millis(100);
    assert!(lines.receive().await.is_some());
    let mut turns = 0;
    // Each other event drops the future and creates it again.
    while tokio::time::timeout(Duration::from_millis(20), lines.receive())
        .await
        .is_err()
    {
        turns += 1;
        assert!(turns < 1000, "there is no end to it");
    }
    assert!(lines.sink.gone.is_cancelled());
}

#[tokio::test]
async fn an_id_that_is_given_twice_is_answered_twice() {
    let (mut lines, answers) = lines(&[PING, PING].concat());
    assert!(lines.receive().await.is_some());
    // The second one is refused, and not passed on.
    let waited = tokio::time::timeout(Duration::from_millis(100), lines.receive()).await;
    assert!(waited.is_err(), "{waited:?}");
    lines.unanswered.remove(&RequestId::Number(1));
    assert!(lines.receive().await.is_none());
    drop(lines);
    let mut said = String::new();
    { answers }.read_to_string(&mut said).unwrap();
    assert!(
        said.contains("\"id\":1") && said.contains("-32600"),
        "{said}"
    );
}

/// Every invalid message is answered, even if there are many at once.
#[tokio::test]
async fn everything_wrong_is_answered() {
    let count = 3 * COMPLAINTS;
    let (input, mut client) = io::pipe().unwrap();
    let (mut answers, output) = io::pipe().unwrap();
    let mut lines = Lines::of(input.into(), output.into(), CancellationToken::new())
        .unwrap()
        .0;
    let talk = std::thread::spawn(move || {
        client.write_all(&b"x\n".repeat(count)).unwrap();
        drop(client);
        let mut all = String::new();
        answers.read_to_string(&mut all).unwrap();
        all
    });
    assert!(lines.receive().await.is_none());
    drop(lines);
    let all = tokio::task::spawn_blocking(|| talk.join().unwrap());
    assert_eq!(all.await.unwrap().lines().count(), count);
}
