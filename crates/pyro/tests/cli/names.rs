//! File names are bytes: names that are not UTF-8 are accepted in every interface.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::OsStrExt;

use crate::context::{TestContext, debian};
use crate::instances::Instance;

fn words(words: &[&[u8]]) -> Vec<OsString> {
    words
        .iter()
        .map(|word| OsStr::from_bytes(word).to_owned())
        .collect()
}

#[test]
fn words_of_a_command_need_not_be_text() {
    let context = TestContext::with(debian());
    // The last one is a character that represents a raw byte in the escaped form.
    let odd: &[u8] = b"a\xff\xc3(\xe4\xf4\x8f\xbe\x80";
    let run = words(&[
        b"-q",
        b"run",
        debian().as_bytes(),
        b"--",
        b"printf",
        b"%s",
        odd,
    ]);
    assert_eq!(context.pyro(&run).run().expect(0).stdout, odd);

    let workspace = Instance::workspace(&context, &[] as &[&str]);
    let id = workspace.id.as_bytes();
    let exec = words(&[b"-q", b"workspace", b"exec", id, b"--", b"touch", odd]);
    context.pyro(&exec).run().expect(0);
    let listed = workspace.shell("printf %s *").run().expect(0);
    assert_eq!(listed.stdout, odd);
    // The log has it in an escaped form, for JSON.
    let logged = workspace.logs()[0]["command"].as_str().unwrap().to_owned();
    assert!(logged.starts_with("touch 'a"), "{logged:?}");
}

#[test]
fn files_whose_names_are_no_text_go_in() {
    let context = TestContext::with(debian());
    let source = context.path("home").join(OsStr::from_bytes(b"seed-\xff"));
    fs::create_dir(&source).unwrap();
    fs::write(source.join(OsStr::from_bytes(b"\xfe")), "content").unwrap();
    let seed = [OsStr::new("--seed-path"), source.as_os_str()];
    let workspace = Instance::workspace(&context, &seed);
    assert_eq!(workspace.ask("cat *"), "content");
    let dest = [OsStr::new("--dest"), OsStr::from_bytes(b"deep/\xfd")];
    workspace.push(&source).args(&dest).run().expect(0);
    let found = workspace
        .shell("printf '%s ' deep/*; cat deep/*/*")
        .run()
        .expect(0);
    assert_eq!(found.stdout, b"deep/\xfd content");
    // Results contain the same name.
    let status = context.pyro(&["workspace", "status", &workspace.id, "--json"]);
    let status = status.run().expect(0).json();
    let named = status["workspace_seed"]["seed_path"].as_str().unwrap();
    assert!(named.ends_with("/seed-\u{10ffff}"), "{named:?}");
}

/// All of pyro's files may be in a directory whose name is not UTF-8.
#[test]
fn directories_of_ours_need_not_be_text() {
    let context = TestContext::with(debian());
    let base = context.path("home").join(OsStr::from_bytes(b"base-\xff"));
    let cache = context.path("home").join(OsStr::from_bytes(b"cache-\xff"));
    std::os::unix::fs::symlink(context.cache(), &cache).unwrap();
    let pyro = |words: &[&str]| {
        let pyro = context.pyro(words).env("PYRO_BASE_DIR", &base);
        pyro.env("PYRO_ENVIRONMENT_CACHE_DIR", &cache)
    };
    let run = ["-q", "run", debian(), "--", "echo", "x"];
    pyro(&run).run().expect(0).out_is("x\n");
    let made = pyro(&["workspace", "create", debian(), "--json"]).run();
    let id = made.expect(0).json()["workspace_id"]
        .as_str()
        .unwrap()
        .to_owned();
    let exec = ["-q", "workspace", "exec", &id, "--", "echo", "x"];
    pyro(&exec).run().expect(0).out_is("x\n");
    pyro(&["workspace", "delete", &id]).run().expect(0);
}

#[test]
fn what_must_be_text_is_named_if_it_is_not() {
    let context = TestContext::new();
    let status = words(&[b"vm", b"status", b"no-\xff", b"--json"]);
    let refused = context.pyro(&status).run().expect(2).out_is("");
    refused.err_has("error: 'no-\u{fffd}' is not UTF-8");
}

/// An empty path is usually an unset variable, and does not mean the current directory.
#[test]
fn an_empty_path_means_nothing() {
    let context = TestContext::new();
    let create = ["workspace", "create", debian(), "--json", "--seed-path"];
    let refused = context.pyro(&create).args(&[""]).run();
    let error = refused.json_error("invalid_input", true);
    assert_eq!(error["error"], "seed_path is empty");
    let tilde = context.pyro(&create).args(&["~/no-such"]).run();
    let error = tilde.json_error("archive_not_found", true);
    let hint = error["remedy"].as_str().unwrap();
    assert!(hint.contains("`~` is not expanded here"), "{hint}");
}
