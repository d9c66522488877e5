//! Images of the real registry, which a server between spoils in every way that was met elsewhere.

use std::fs;
use std::time::Duration;

use rustix::process::Signal;

use crate::context::TestContext;
use crate::front::{Front, Reply, Request, Sending};
use crate::images::{image, set_up};
use crate::real_registry::{
    PROGRAMS, RealRegistry, arrives, is_there, missing, named, refused, works,
};
use crate::skip;
use crate::templates::wait_until;

/// What a layer has more bytes than, and no document of an image has.
const LARGE: usize = 200_000;

/// A real registry with one image, and its digest.
fn filled(context: &TestContext) -> (RealRegistry, String) {
    let registry = RealRegistry::start(context, "");
    let digest = registry.push("team/app:1", &image(), &[]);
    (registry, digest)
}

/// A front that has an answer of its own, or spoils what the registry answers.
fn front(
    registry: &RealRegistry,
    spoil: impl Fn(&Request, usize, &mut Reply) + Send + Sync + 'static,
) -> Front {
    let port = registry.port;
    Front::start(move |request, number| {
        let mut reply = request.forward(port);
        spoil(request, number, &mut reply);
        reply
    })
}

fn name_at(front: &Front) -> String {
    named(front.port, "team/app:1")
}

/// The bytes from which on something large was asked for, in the order of the requests.
fn ranges(front: &Front) -> Vec<Option<usize>> {
    let asked = front.asked();
    let blobs = asked
        .iter()
        .filter(|request| request.path.contains("/blobs/"));
    blobs.map(Request::from).collect()
}

#[test]
fn what_a_real_registry_sends_in_parts_arrives_whole_or_skip() {
    if let Some(program) = missing(PROGRAMS) {
        skip!(
            "what_a_real_registry_sends_in_parts_arrives_whole_or_skip",
            "there is no {program}"
        );
    }
    let (_registry, context) = set_up();
    let (registry, digest) = filled(&context);
    let slow = front(&registry, |_, _, reply| {
        reply.sending = Sending::Slow(40, Duration::from_millis(100));
    });
    arrives(&context, &name_at(&slow), &digest);
    // Whoever is slow is not asked twice.
    assert_eq!(ranges(&slow), [None; 4]);

    let cut = front(&registry, |_, _, reply| {
        if reply.body.len() > LARGE {
            reply.sending = Sending::Cut(LARGE);
        }
    });
    let name = name_at(&cut);
    context.pyro(&["env", "pull", &name]).run().expect(0);
    let ranges = ranges(&cut);
    for from in [LARGE, 2 * LARGE] {
        assert!(ranges.contains(&Some(from)), "{ranges:?}");
    }
    works(&context, &name);
}

#[test]
fn a_real_registry_that_stands_still_is_asked_again_or_skip() {
    if let Some(program) = missing(PROGRAMS) {
        skip!(
            "a_real_registry_that_stands_still_is_asked_again_or_skip",
            "there is no {program}"
        );
    }
    let (_registry, context) = set_up();
    let (registry, digest) = filled(&context);
    let stalled = front(&registry, |request, _, reply| {
        if reply.body.len() > LARGE && request.from().is_none() {
            reply.sending = Sending::Stalled(LARGE);
        }
    });
    arrives(&context, &name_at(&stalled), &digest);
    let ranges = ranges(&stalled);
    assert!(ranges.contains(&Some(LARGE)), "{ranges:?}");
}

#[test]
fn a_pull_from_a_real_registry_that_was_killed_goes_on_or_skip() {
    if let Some(program) = missing(PROGRAMS) {
        skip!(
            "a_pull_from_a_real_registry_that_was_killed_goes_on_or_skip",
            "there is no {program}"
        );
    }
    let (_registry, context) = set_up();
    let (registry, digest) = filled(&context);
    let stalled = front(&registry, |request, _, reply| {
        if reply.body.len() > LARGE && request.from().is_none() {
            reply.sending = Sending::Stalled(LARGE);
        }
    });
    let name = name_at(&stalled);
    let pull = context.pyro(&["env", "pull", &name]).start();
    // What came is on the disk before more comes.
    wait_until("a part is there", || parts(&context) == [LARGE as u64]);
    pull.signal(Signal::KILL);
    pull.finish();
    stalled.asked();
    context.pyro(&["env", "pull", &name]).run().expect(0);
    is_there(&context, &name, &digest);
    let ranges = ranges(&stalled);
    assert!(ranges.contains(&Some(LARGE)), "{ranges:?}");
}

/// The lengths of what has begun to arrive.
fn parts(context: &TestContext) -> Vec<u64> {
    let downloads = fs::read_dir(context.cache().join("oci/downloads"));
    let entries = downloads.into_iter().flatten().flatten();
    entries
        .filter(|entry| entry.file_name().to_string_lossy().ends_with(".part"))
        .map(|entry| entry.metadata().unwrap().len())
        .filter(|length| *length > 0)
        .collect()
}

#[test]
fn one_flipped_byte_of_a_real_registry_is_found_or_skip() {
    if let Some(program) = missing(PROGRAMS) {
        skip!(
            "one_flipped_byte_of_a_real_registry_is_found_or_skip",
            "there is no {program}"
        );
    }
    let (_registry, context) = set_up();
    let (registry, digest) = filled(&context);
    let flips = |condition: fn(&Request, &Reply) -> bool| {
        front(&registry, move |request, _, reply| {
            if condition(request, reply) {
                let middle = reply.body.len() / 2;
                reply.body[middle] ^= 1;
            }
        })
    };
    for condition in [
        |_: &Request, reply: &Reply| reply.body.len() > LARGE,
        |request: &Request, reply: &Reply| {
            request.path.contains("/blobs/") && reply.body.len() < LARGE
        },
    ] {
        let error = refused(&context, &name_at(&flips(condition)), "image_invalid");
        assert!(error.to_string().contains("damaged"), "{error}");
    }
    // A manifest that is asked for by its digest; by a tag, it is another image.
    let front = flips(|request, _| request.path.contains("/manifests/"));
    let pinned = named(front.port, &format!("team/app@{digest}"));
    let error = refused(&context, &pinned, "image_invalid");
    assert!(error.to_string().contains("damaged"), "{error}");
    // Nothing damaged has stayed where it would be taken for what it should be.
    let parts = parts(&context);
    assert!(
        parts.iter().all(|length| *length < LARGE as u64),
        "{parts:?}"
    );
    arrives(&context, &registry.name("team/app:1"), &digest);
}

#[test]
fn a_real_registry_that_is_busy_is_asked_again_or_named_or_skip() {
    if let Some(program) = missing(PROGRAMS) {
        skip!(
            "a_real_registry_that_is_busy_is_asked_again_or_named_or_skip",
            "there is no {program}"
        );
    }
    let (_registry, context) = set_up();
    let (registry, digest) = filled(&context);
    let busy = |status: u16, after: &'static str, times: usize| {
        front(&registry, move |_, number, reply| {
            if number < times {
                *reply = Reply::new(status, "busy").with("retry-after", after);
            }
        })
    };
    for (status, after) in [(429, "0"), (503, "1")] {
        // The manifest, the configuration and each layer, once.
        let front = busy(status, after, 1);
        arrives(&context, &name_at(&front), &digest);
        assert_eq!(front.asked().len(), 10);
    }
    let front = busy(429, "3600", usize::MAX);
    let error = refused(&context, &name_at(&front), "registry_rate_limited");
    assert!(error.to_string().contains("busy"), "{error}");
    assert_eq!(front.asked().len(), 1, "it wants to be left alone for long");
    let front = busy(503, "0", usize::MAX);
    let error = refused(&context, &name_at(&front), "registry_unavailable");
    assert!(error.to_string().contains("503"), "{error}");
    assert!(front.asked().len() > 1);
    // What was pulled before is there, whatever the registry says.
    let name = registry.name("team/app:1");
    context.pyro(&["env", "pull", &name]).run().expect(0);
    drop(registry);
    works(&context, &name);
}
