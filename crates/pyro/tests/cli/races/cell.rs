//! One *cell* of the table.

use std::fs;

use serde_json::Value;

use super::events::{Outcome, What, now};
use super::moments::{self, Client, Deed, PRINTED, When};
use super::stage::Stage;
use crate::instances::{Instance, is_alive};
use crate::templates::wait_until;

/// The size of a push: more than all buffers in between can hold.
const PUSHED_BYTES: usize = 300_000;
/// How long after its start a workspace expires in the cells that test this: the moment is reached
/// by then.
const LIFE_SECONDS: f64 = 7.0;

pub(super) fn run(stage: &Stage, what: What, when: When) {
    let context = stage.context();
    let scene = stage.director.scene(context.directory());
    fs::create_dir(context.path("source")).unwrap();
    fs::write(context.path("source/pushed"), vec![b'.'; PUSHED_BYTES]).unwrap();
    let workspace = Instance::workspace(&context, &["--ttl-seconds", "86400"]);
    let mut expires_at = f64::MAX;
    if what == What::Expire {
        workspace.call(&["stop"]).run().expect(0);
        expires_at = now() + LIFE_SECONDS;
        rewrite(&workspace, expires_at);
        workspace.call(&["start"]).run().expect(0);
    }
    workspace.ask("echo kept > kept");
    if what != What::Expire {
        // The flushes of the warm-up and of the command are over.
        scene.wait_for("answer:synced", 2);
    }
    what.arrange(&scene);
    let moment = moments::reach(when, &workspace, &scene);
    assert!(now() < expires_at, "the moment has come too late");
    let supervisor = workspace.supervisor();
    let clients = what.happen(&workspace, &scene, moment, expires_at);
    for client in clients {
        check_client(what, when, client);
    }
    what.wait_for_effect(&scene);
    let outcome = what.outcome(when);
    check(&workspace, what, when, outcome);
    if outcome != Outcome::Started
        && let Some(supervisor) = supervisor
    {
        wait_until("its supervisor has ended", || !is_alive(supervisor));
    }
    if outcome != Outcome::Deleted {
        check_history(&workspace);
        workspace.call(&["delete"]).run().expect(0);
    }
    assert!(!workspace.directory().exists());
    context.pyro(&["workspace", "list"]).run().expect(0);
    context.assert_nothing_is_left();
}

/// Sets the expiry of a stopped workspace.
fn rewrite(workspace: &Instance, expires_at: f64) {
    let path = workspace.directory().join("record.json");
    let mut record: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    record["expires_at"] = expires_at.into();
    fs::write(&path, serde_json::to_vec(&record).unwrap()).unwrap();
}

/// The errors that clients may receive.
fn check_client(what: What, when: When, client: Client) {
    let Client { deed, run } = client;
    let ended = run.finish();
    let restarts = what == What::KillVmm && when == When::DuringStart;
    let survives = restarts
        || !matches!(
            what,
            What::Stop
                | What::SecondStop
                | What::Delete
                | What::Terminate
                | What::KillSupervisor
                | What::KillVmm
                | What::Expire
        );
    match deed {
        _ if what == What::ClientGone => {
            ended.expect(-9);
        }
        Deed::Stop if what == What::Delete => {}
        Deed::Stop | Deed::Delete => {
            ended.expect(0);
        }
        // QEMU has refused to resume it once.
        Deed::Exec if what == What::ContRefused => {
            ended.expect(1).err_has("not now");
        }
        Deed::Exec | Deed::Push | Deed::Start if survives => {
            let ended = ended.expect(0);
            if deed == Deed::Exec {
                ended.out_is(PRINTED);
            }
        }
        Deed::Exec => {
            assert!(ended.code != 0 || ended.out() == PRINTED, "{ended:?}");
            assert!(ended.code == 0 || !ended.err().is_empty(), "{ended:?}");
        }
        Deed::Push | Deed::Start => {
            assert!(ended.code == 0 || !ended.err().is_empty(), "{ended:?}");
        }
    }
}

fn check(workspace: &Instance, what: What, when: When, outcome: Outcome) {
    let state = match outcome {
        Outcome::Started => "started",
        Outcome::InOrder | Outcome::Ended => "stopped",
        Outcome::Expired => "expired",
        Outcome::Failed => "failed",
        Outcome::Deleted => return assert!(!workspace.directory().exists()),
    };
    wait_until(&format!("it is {state}"), || workspace.state() == state);
    let status = workspace.status();
    let reason = status["state_reason"].as_str().unwrap_or_default();
    let in_order = workspace.directory().join("disk.files/ended-in-order");
    match outcome {
        Outcome::InOrder => {
            assert!(in_order.exists(), "it was not shut down in order: {status}");
            let told = what == What::Terminate && when != When::BeforeShutdown;
            assert_eq!(!reason.is_empty(), told, "{status}");
        }
        Outcome::Ended | Outcome::Failed => assert!(!reason.is_empty(), "{status}"),
        Outcome::Expired => {
            assert!(!workspace.directory().join("disk.ext4").exists());
            workspace.shell("true").run().expect(1).err_has("expired");
            return;
        }
        Outcome::Started | Outcome::Deleted => {}
    }
    if outcome != Outcome::Started {
        workspace.call(&["start"]).run().expect(0);
    }
    // Acknowledged data exists.
    assert_eq!(workspace.ask("cat kept"), "kept\n");
    if what == What::Push {
        assert_eq!(workspace.ask("wc -c < pushed"), format!("{PUSHED_BYTES}\n"));
    }
}

/// Each command has an end.
fn check_history(workspace: &Instance) {
    let ended = || {
        let entries = workspace.logs();
        entries
            .iter()
            .all(|entry| entry["interrupted"] != "running")
    };
    wait_until("nothing runs", ended);
}
