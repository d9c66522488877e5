//! The *stage* that all cells of a table share: a fake VMM in `PATH`, its director, and a cache with
//! an environment and templates of fake machines.

use std::os::unix::fs::symlink;
use std::path::PathBuf;

use pyro_test::Director;

use crate::context::{TestContext, debian, directory_of, path_with};
use crate::environments::copy_cache;

/// The fake VMM, if it was built.
const FAKE_VMM: Option<&str> = option_env!("CARGO_BIN_EXE_pyro-fake-vmm");

pub(crate) struct Stage {
    pub(crate) director: Director,
    programs: PathBuf,
    context: TestContext,
}

impl Stage {
    /// Creates a stage with templates; reports if this is not possible here.
    pub(crate) fn set(test: &str) -> Option<Self> {
        let (Some(vmm), true) = (FAKE_VMM, cfg!(feature = "weaker-cell")) else {
            eprintln!("SKIPPED {test}: built without the features test-programs and weaker-cell");
            return None;
        };
        let real = TestContext::with(debian());
        let context = TestContext::new().with_own_cache();
        for directory in [&*directory_of(debian()), "kernels", "initramfs"] {
            copy_cache(&real, &context, directory);
        }
        let programs = context.path("fake-vmm");
        std::fs::create_dir(&programs).unwrap();
        symlink(vmm, programs.join("qemu-system-x86_64")).unwrap();
        let stage = Self {
            director: Director::listen(&programs).unwrap(),
            programs,
            context,
        };
        // A template of each kind: for new machines, and for machines with a disk.
        let first = stage.context();
        let made = first
            .pyro(&["workspace", "create", debian(), "--json"])
            .run();
        if made.code != 0 && made.out().contains("did not come up") {
            eprintln!("SKIPPED {test}: this user may not make namespaces");
            return None;
        }
        let id = made.expect(0).json()["workspace_id"]
            .as_str()
            .unwrap()
            .to_owned();
        for verb in ["stop", "start", "delete"] {
            first.pyro(&["workspace", verb, &id]).run().expect(0);
        }
        drop(first);
        Some(stage)
    }

    /// A context in which only the fake VMM is found.
    pub(crate) fn context(&self) -> TestContext {
        TestContext::new()
            .with_cache(self.context.cache())
            .with_variable("PATH", path_with(&self.programs))
            .with_variable("PYRO_ACCEL", "tcg")
            // It starts programs, and has its own root directory.
            .with_variable("PYRO_TEST_CELL", "none")
    }
}
