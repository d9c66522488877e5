//! What a command has written is on the disk soon after it has answered, whoever dies then.

use std::thread;
use std::time::Duration;

use crate::context::TestContext;
use crate::instances::{Instance, kill};
use crate::templates::wait_until;

const NO_OPTIONS: &[&str] = &[];
/// What "soon" is here: many times what it takes, and much less than the half minute after
/// which a kernel writes by itself.
const SOON: Duration = Duration::from_secs(2);

#[test]
fn what_a_command_wrote_outlives_its_supervisor() {
    let context = TestContext::with("debian:12");
    let workspace = Instance::workspace(&context, NO_OPTIONS);
    assert_outlives(&workspace, || kill(workspace.supervisor().unwrap()));
}

#[test]
fn what_a_command_wrote_outlives_its_vmm() {
    let context = TestContext::with("debian:12");
    let workspace = Instance::workspace(&context, NO_OPTIONS);
    assert_outlives(&workspace, || kill(workspace.vmm().unwrap()));
}

/// Fails unless what was written soon before `strike` is there when it was started again.
#[track_caller]
fn assert_outlives(instances: &Instance, strike: impl Fn()) {
    // The second time, what is written replaces what is on the disk already.
    for content in ["first", "second"] {
        // It is not idle, so that it is not flushed because of that.
        let mut busy = instances.shell("echo begun; sleep 100").start();
        busy.wait_for_stdout("begun");
        instances.ask("echo earlier > earlier");
        // Several that end at once, of which some end while a flush is under way.
        let write = |name: &str| format!("mkdir -p new; echo {content} > new/{name}");
        let writers = ["a", "b", "c"].map(|name| instances.shell(&write(name)).start());
        for writer in writers {
            writer.finish().expect(0);
        }
        thread::sleep(SOON);
        strike();
        busy.finish().expect(1);
        wait_until("its end is known", || instances.state() == "stopped");
        instances.call(&["start"]).run().expect(0);
        let found = instances.ask("cat earlier new/a new/b new/c");
        assert_eq!(found, format!("earlier\n{content}\n{content}\n{content}\n"));
    }
}
