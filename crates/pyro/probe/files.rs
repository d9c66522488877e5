//! Files that are not the machine's, and what is open already.

use std::ffi::CStr;

use crate::{Attempts, Config, Outcome, outcome};

fn open(path: &CStr, flags: i32) -> Outcome {
    // SAFETY: the path is a C string.
    outcome(unsafe { libc::open(path.as_ptr(), flags, 0o600) }.into())
}

fn list(path: &CStr) -> Outcome {
    open(path, libc::O_RDONLY | libc::O_DIRECTORY)
}

/// A new name below the user's home.
fn name_in_home(config: &Config, name: &str) -> std::ffi::CString {
    let mut path = config.path("home").into_bytes();
    path.extend_from_slice(name.as_bytes());
    std::ffi::CString::new(path).unwrap_or_default()
}

pub(crate) fn all(attempts: &mut Attempts<'_>) {
    let read = libc::O_RDONLY;
    let write = libc::O_WRONLY;
    attempts.attempt("read what everybody may: the loader's cache", |_| {
        open(c"/etc/ld.so.cache", read)
    });
    attempts.attempt("read /etc/shadow", |_| open(c"/etc/shadow", read));
    attempts.attempt("read /etc/passwd", |_| open(c"/etc/passwd", read));
    for (name, key, flags) in [
        ("read the user's secret", "secret", read),
        (
            "append to the user's .profile",
            "profile",
            write | libc::O_APPEND,
        ),
        ("write another workspace's disk", "other_disk", libc::O_RDWR),
        ("read another workspace's record", "other_record", read),
        ("read another workspace's log", "other_log", read),
        ("write a template's memory", "template", write),
        ("write the environment's image", "rootfs", write),
        ("write the environment's manifest", "manifest", write),
        ("write the kernel of guests", "kernel", write),
        (
            "read the memory of another process",
            "victim_memory",
            libc::O_RDWR,
        ),
        (
            "read the environment of another process",
            "victim_environment",
            read,
        ),
        ("write the notes about the host", "facts", write),
    ] {
        attempts.attempt(name, |config| open(&config.path(key), flags));
    }
    attempts.attempt("list the user's home", |config| list(&config.path("home")));
    attempts.attempt("list other machines", |config| list(&config.path("vms")));
    attempts.attempt("list the host's temporary files", |_| list(c"/tmp"));
    attempts.attempt("list processes", |_| open(c"/proc/1/status", read));
    attempts.attempt("make a program in the user's home", |config| {
        let path = name_in_home(config, "/probe-program");
        open(&path, libc::O_CREAT | libc::O_EXCL | write)
    });
    attempts.attempt("make a cron job", |_| {
        let made = open(c"/etc/cron.d/pyro-probe", libc::O_CREAT | write);
        // SAFETY: the path is a C string.
        unsafe { libc::unlink(c"/etc/cron.d/pyro-probe".as_ptr()) };
        made
    });
    attempts.attempt("make a file in the working directory", |_| {
        let made = open(c"probe-file", libc::O_CREAT | write);
        // SAFETY: the path is a C string.
        unsafe { libc::unlink(c"probe-file".as_ptr()) };
        made
    });
    attempts.attempt("truncate the user's file by name", |config| {
        // SAFETY: the path is a C string.
        outcome(unsafe { libc::truncate(config.path("profile").as_ptr(), 1) }.into())
    });
    attempts.attempt("change the mode of the user's file", |config| {
        // SAFETY: the path is a C string.
        outcome(unsafe { libc::chmod(config.path("secret").as_ptr(), 0o600) }.into())
    });
    attempts.attempt("give the user's file to its owner", |config| {
        // SAFETY: the path is a C string; no id is changed.
        outcome(unsafe { libc::chown(config.path("secret").as_ptr(), u32::MAX, u32::MAX) }.into())
    });
    attempts.attempt("set the times of the user's file", |config| {
        // SAFETY: the path is a C string; no times means now.
        outcome(
            unsafe {
                libc::utimensat(
                    libc::AT_FDCWD,
                    config.path("secret").as_ptr(),
                    std::ptr::null(),
                    0,
                )
            }
            .into(),
        )
    });
    attempts.attempt("set an attribute of the user's file", |config| {
        // SAFETY: names and value are valid for the call.
        outcome(
            unsafe {
                libc::setxattr(
                    config.path("secret").as_ptr(),
                    c"user.probe".as_ptr(),
                    c"x".as_ptr().cast(),
                    1,
                    0,
                )
            }
            .into(),
        )
    });
    attempts.attempt("link the user's secret elsewhere", |config| {
        let to = name_in_home(config, "/probe-link");
        // SAFETY: both are C strings.
        outcome(unsafe { libc::link(config.path("secret").as_ptr(), to.as_ptr()) }.into())
    });
    attempts.attempt("make a symbolic link", |config| {
        let to = name_in_home(config, "/probe-symlink");
        // SAFETY: both are C strings.
        outcome(unsafe { libc::symlink(c"/etc".as_ptr(), to.as_ptr()) }.into())
    });
    attempts.attempt("make a directory", |config| {
        let to = name_in_home(config, "/probe-directory");
        // SAFETY: the path is a C string.
        outcome(unsafe { libc::mkdir(to.as_ptr(), 0o700) }.into())
    });
    attempts.attempt("rename the user's file", |config| {
        let (from, to) = (
            config.path("renamed"),
            name_in_home(config, "/probe-renamed"),
        );
        // SAFETY: both are C strings.
        outcome(unsafe { libc::rename(from.as_ptr(), to.as_ptr()) }.into())
    });
    attempts.attempt("remove the user's file", |config| {
        // SAFETY: the path is a C string.
        outcome(unsafe { libc::unlink(config.path("removed").as_ptr()) }.into())
    });
    attempts.attempt("make a FIFO", |config| {
        let to = name_in_home(config, "/probe-fifo");
        // SAFETY: the path is a C string.
        outcome(unsafe { libc::mkfifo(to.as_ptr(), 0o600) }.into())
    });
    attempts.attempt("watch the user's files", |config| {
        // SAFETY: a call without arguments, and one with a C string.
        outcome(
            unsafe {
                let watch = libc::inotify_init1(0);
                libc::inotify_add_watch(watch, config.path("home").as_ptr(), libc::IN_ALL_EVENTS)
            }
            .into(),
        )
    });
    attempts.attempt("write a file of 100 GiB", |config| {
        let path = name_in_home(config, "/probe-large");
        // SAFETY: the path is a C string, the descriptor is what came of it.
        outcome(unsafe {
            let file = libc::open(path.as_ptr(), libc::O_CREAT | libc::O_RDWR, 0o600);
            i64::from(libc::ftruncate(file, 100 << 30))
        })
    });
    attempts.attempt("write a file that was left open", |_| {
        for number in 0..256 {
            // SAFETY: calls that look at a number, and a write of what was there.
            let is_file = unsafe {
                let mut stat: libc::stat = std::mem::zeroed();
                libc::fstat(number, &raw mut stat) == 0
                    && stat.st_mode & libc::S_IFMT == libc::S_IFREG
                    // The report's own is the machine's disk.
                    && stat.st_size < 1 << 20
            };
            // SAFETY: as above.
            if is_file && unsafe { libc::write(number, c"".as_ptr().cast(), 0) } == 0 {
                return Ok(());
            }
        }
        Err(libc::ENOENT)
    });
    attempts.attempt("open /dev/mem", |_| open(c"/dev/mem", read));
    attempts.attempt("open the user's terminal", |_| {
        open(c"/dev/tty", libc::O_RDWR)
    });
    attempts.attempt("open a terminal's master", |_| {
        open(c"/dev/ptmx", libc::O_RDWR)
    });
    attempts.attempt("open /dev/vda", |_| open(c"/dev/vda", libc::O_RDWR));
    attempts.attempt("open a file by its handle", |_| {
        let mut handle = [0_u8; 128];
        handle[0] = 64;
        let mut mount = 0;
        // SAFETY: the buffer begins with its size, as the call wants it.
        outcome(unsafe {
            libc::syscall(
                libc::SYS_name_to_handle_at,
                libc::AT_FDCWD,
                c"/".as_ptr(),
                handle.as_mut_ptr(),
                &raw mut mount,
                0,
            )
        })
    });
}
