//! The kernel: mounts, modules, clocks, and parts of it with a record of faults.

use std::ffi::CStr;

use crate::{Attempts, Outcome, outcome};

fn call(number: i64, arguments: [u64; 5]) -> Outcome {
    let [a, b, c, d, e] = arguments;
    // SAFETY: what is called takes numbers, or pointers that are given as such.
    outcome(unsafe { libc::syscall(number, a, b, c, d, e) })
}

/// A call that the kernel takes as far as it looks at its arguments, which are wrong.
fn is_reached(number: i64, arguments: [u64; 5], expected: &[i32]) -> Outcome {
    match call(number, arguments) {
        Err(error) if expected.contains(&error) => Ok(()),
        other => other,
    }
}

fn at(text: &CStr) -> u64 {
    text.as_ptr() as u64
}

fn write(path: &CStr) -> Outcome {
    // SAFETY: the path is a C string.
    outcome(unsafe { libc::open(path.as_ptr(), libc::O_WRONLY) }.into())
}

pub(crate) fn all(attempts: &mut Attempts<'_>) {
    let (invalid, bad) = (libc::EINVAL, libc::EBADF);
    attempts.attempt("mount", |_| {
        // Its own namespace first, so that nothing happens to the host.
        // SAFETY: a call that takes a number.
        outcome(unsafe { libc::unshare(libc::CLONE_NEWNS) }.into())?;
        // SAFETY: C strings, and no data.
        outcome(
            unsafe {
                let nothing = std::ptr::null();
                libc::mount(
                    c"none".as_ptr(),
                    c"/mnt".as_ptr(),
                    c"tmpfs".as_ptr(),
                    0,
                    nothing,
                )
            }
            .into(),
        )
    });
    attempts.attempt("mount, by the new calls", |_| {
        call(libc::SYS_fsopen, [at(c"tmpfs"), 0, 0, 0, 0])
    });
    attempts.attempt("clone a mount", |_| {
        call(
            libc::SYS_open_tree,
            [libc::AT_FDCWD as u64, at(c"/usr"), 1, 0, 0],
        )
    });
    attempts.attempt("change its root", |_| {
        call(libc::SYS_chroot, [at(c"/"), 0, 0, 0, 0])
    });
    attempts.attempt("make a device", |config| {
        let mut path = config.path("home").into_bytes();
        path.extend(b"/probe-device");
        let path = std::ffi::CString::new(path).unwrap_or_default();
        // The null device.
        let null = libc::makedev(1, 3);
        // SAFETY: the path is a C string.
        outcome(unsafe { libc::mknod(path.as_ptr(), libc::S_IFCHR | 0o600, null) }.into())
    });
    attempts.attempt("load a module", |_| {
        is_reached(libc::SYS_finit_module, [u64::MAX, at(c""), 0, 0, 0], &[bad])
    });
    attempts.attempt("replace the kernel", |_| {
        is_reached(libc::SYS_kexec_load, [0, 0, 0, u64::MAX, 0], &[invalid])
    });
    attempts.attempt("reboot", |_| {
        is_reached(libc::SYS_reboot, [1, 2, 3, 0, 0], &[invalid])
    });
    attempts.attempt("swap to a file", |_| {
        is_reached(
            libc::SYS_swapoff,
            [at(c"/no/such/file"), 0, 0, 0, 0],
            &[libc::ENOENT],
        )
    });
    attempts.attempt("set the clock", |_| {
        let broken: [i64; 2] = [0, -1];
        let broken = broken.as_ptr() as u64;
        is_reached(libc::SYS_clock_settime, [0, broken, 0, 0, 0], &[invalid])
    });
    attempts.attempt("adjust the clock", |_| {
        let mut nothing = [0_u64; 32];
        nothing[0] = 1;
        call(
            libc::SYS_adjtimex,
            [nothing.as_mut_ptr() as u64, 0, 0, 0, 0],
        )
    });
    attempts.attempt("read the kernel's log", |_| {
        call(libc::SYS_syslog, [10, 0, 0, 0, 0])
    });
    attempts.attempt("set the host's name", |_| {
        is_reached(
            libc::SYS_sethostname,
            [at(c"x"), u64::MAX, 0, 0, 0],
            &[invalid],
        )
    });
    attempts.attempt("reach ports of the processor", |_| {
        call(libc::SYS_ioperm, [0x80, 1, 1, 0, 0])
    });
    attempts.attempt("change a descriptor table", |_| {
        call(libc::SYS_modify_ldt, [0, 0, 0, 0, 0])
    });
    attempts.attempt("load a program into the kernel (bpf)", |_| {
        let mut map = [1_u32, 4, 4, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        map[0] = 2;
        call(libc::SYS_bpf, [0, map.as_mut_ptr() as u64, 64, 0, 0])
    });
    attempts.attempt("measure the kernel (perf)", |_| {
        let mut attributes = [0_u64; 16];
        // PERF_TYPE_SOFTWARE, and the structure's size, of linux/perf_event.h.
        attributes[0] = 1 | 128 << 32;
        let pointer = attributes.as_mut_ptr() as u64;
        // SAFETY: the structure is as long as it says.
        outcome(unsafe { libc::syscall(libc::SYS_perf_event_open, pointer, 0, -1, -1, 0) })
    });
    attempts.attempt("use io_uring", |_| {
        let mut parameters = [0_u8; 256];
        call(
            libc::SYS_io_uring_setup,
            [4, parameters.as_mut_ptr() as u64, 0, 0, 0],
        )
    });
    attempts.attempt("use userfaultfd", |_| {
        call(libc::SYS_userfaultfd, [1, 0, 0, 0, 0])
    });
    attempts.attempt("use the kernel's keys", |_| {
        // KEYCTL_GET_KEYRING_ID of the session's keyring.
        call(libc::SYS_keyctl, [0, -3_i64 as u64, 1, 0, 0])
    });
    attempts.attempt("watch all files", |_| {
        call(libc::SYS_fanotify_init, [0, 0, 0, 0, 0])
    });
    attempts.attempt("use shared memory of others", |_| {
        call(libc::SYS_shmget, [0, 4096, 0o1600, 0, 0])
    });
    attempts.attempt("use message queues", |_| {
        call(libc::SYS_msgget, [0, 0o1600, 0, 0, 0])
    });
    attempts.attempt("write core_pattern", |_| {
        write(c"/proc/sys/kernel/core_pattern")
    });
    attempts.attempt("press a system key", |_| write(c"/proc/sysrq-trigger"));
    attempts.attempt("join another control group", |config| {
        write(&config.path("cgroup"))
    });
    attempts.attempt("create a Landlock ruleset", |_| {
        let nothing = std::ptr::null::<u8>() as u64;
        call(libc::SYS_landlock_create_ruleset, [nothing, 0, 1, 0, 0])
    });
}
