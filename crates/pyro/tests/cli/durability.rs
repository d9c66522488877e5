//! The files that a command wrote are on the disk soon after its result was returned, even if
//! processes are killed then.

use std::thread;
use std::time::Duration;

use crate::context::{TestContext, debian};
use crate::instances::{Instance, kill};
use crate::templates::wait_until;

const NO_OPTIONS: &[&str] = &[];
/// The meaning of "soon": many times the usual duration, and much less than the half minute after
/// which a kernel writes by itself.
const SOON: Duration = Duration::from_secs(2);

#[test]
fn what_a_command_wrote_outlives_its_supervisor() {
    let context = TestContext::with(debian());
    let workspace = Instance::workspace(&context, NO_OPTIONS);
    assert_outlives(&workspace, || kill(workspace.supervisor().unwrap()));
}

#[test]
fn what_a_command_wrote_outlives_its_vmm() {
    let context = TestContext::with(debian());
    let workspace = Instance::workspace(&context, NO_OPTIONS);
    assert_outlives(&workspace, || kill(workspace.vmm().unwrap()));
}

/// Fails unless files that were written shortly before `strike` exist after the next start.
#[track_caller]
fn assert_outlives(instances: &Instance, strike: impl Fn()) {
    // In the second round, the write replaces a file that is already on the disk.
    for content in ["first", "second"] {
        // It is kept busy, so that it is not flushed because of a pause.
        let mut busy = instances.shell("echo begun; sleep 100").start();
        busy.wait_for_stdout("begun");
        instances.ask("echo earlier > earlier");
        // Several commands end at once, some of them during a flush.
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
