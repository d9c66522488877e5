//! Other processes, new ones, and this one's limits.

use crate::{Attempts, Outcome, outcome};

fn unshare(flags: i32) -> Outcome {
    // SAFETY: a call that takes a number.
    outcome(unsafe { libc::unshare(flags) }.into())
}

fn prctl(option: i32, argument: u64) -> Outcome {
    // SAFETY: options that take numbers.
    outcome(unsafe { libc::prctl(option, argument, 0, 0, 0) }.into())
}

fn raise(resource: libc::__rlimit_resource_t, to: u64) -> Outcome {
    let limit = libc::rlimit {
        rlim_cur: to,
        rlim_max: to,
    };
    // SAFETY: the pointer is valid for the call.
    outcome(unsafe { libc::setrlimit(resource, &raw const limit) }.into())
}

pub(crate) fn all(attempts: &mut Attempts<'_>) {
    let victim = i32::try_from(attempts.config.number("victim")).unwrap_or(-1);
    attempts.attempt("signal another process", move |_| {
        // SAFETY: a signal that does nothing to a process that runs.
        outcome(unsafe { libc::kill(victim, libc::SIGCONT) }.into())
    });
    attempts.attempt("signal another process's thread", move |_| {
        // SAFETY: as above.
        outcome(unsafe { libc::syscall(libc::SYS_tgkill, victim, victim, libc::SIGCONT) })
    });
    attempts.attempt("signal another thread by its number", move |_| {
        // SAFETY: as above.
        outcome(unsafe { libc::syscall(libc::SYS_tkill, victim, libc::SIGCONT) })
    });
    attempts.attempt("queue a signal", move |_| {
        // SAFETY: as above, with a value.
        outcome(
            unsafe {
                let value = libc::sigval {
                    sival_ptr: std::ptr::null_mut(),
                };
                libc::sigqueue(victim, libc::SIGCONT, value)
            }
            .into(),
        )
    });
    attempts.attempt("have the kernel send signals for a file", move |_| {
        // SAFETY: an eventfd, and commands that take numbers.
        outcome(
            unsafe {
                let file = libc::eventfd(0, 0);
                libc::fcntl(file, libc::F_SETOWN, victim)
            }
            .into(),
        )
    });
    attempts.attempt("trace another process", move |_| {
        // SAFETY: attaches, which stops nothing.
        outcome(unsafe { libc::ptrace(libc::PTRACE_SEIZE, victim, 0, 0) })
    });
    attempts.attempt("read another process's memory", move |config| {
        let mut byte = 0_u8;
        let local = libc::iovec {
            iov_base: (&raw mut byte).cast(),
            iov_len: 1,
        };
        let address = usize::try_from(config.number("victim_address")).unwrap_or(0);
        let remote = libc::iovec {
            iov_base: address as *mut libc::c_void,
            iov_len: 1,
        };
        // SAFETY: reads into one byte of ours.
        outcome(unsafe {
            libc::process_vm_readv(victim, &raw const local, 1, &raw const remote, 1, 0) as i64
        })
    });
    attempts.attempt("take another process's file", move |_| {
        // SAFETY: calls that take numbers.
        outcome(unsafe {
            let process = libc::syscall(libc::SYS_pidfd_open, victim, 0);
            libc::syscall(libc::SYS_pidfd_getfd, process, 0, 0)
        })
    });
    attempts.attempt("signal by a process's descriptor", move |_| {
        // SAFETY: as above; the signal does nothing.
        outcome(unsafe {
            let process = libc::syscall(libc::SYS_pidfd_open, victim, 0);
            let nothing = std::ptr::null::<u8>();
            libc::syscall(
                libc::SYS_pidfd_send_signal,
                process,
                libc::SIGCONT,
                nothing,
                0,
            )
        })
    });
    attempts.attempt("compare with another process", move |_| {
        // SAFETY: a call that takes numbers.
        outcome(unsafe { libc::syscall(libc::SYS_kcmp, victim, victim, 0, 0, 0) })
    });
    attempts.attempt("make a process (fork)", |_| {
        // SAFETY: a child that ends at once.
        let child = unsafe { libc::syscall(libc::SYS_fork) };
        if child == 0 {
            // SAFETY: ends the child.
            unsafe { libc::_exit(0) };
        }
        outcome(child)
    });
    attempts.attempt("make a process (clone)", |_| {
        // SAFETY: as above.
        let child = unsafe { libc::syscall(libc::SYS_clone, libc::SIGCHLD, 0, 0, 0, 0) };
        if child == 0 {
            // SAFETY: ends the child.
            unsafe { libc::_exit(0) };
        }
        outcome(child)
    });
    attempts.attempt("make a process (clone3)", |_| {
        let mut arguments = [0_u64; 11];
        arguments[4] = libc::SIGCHLD.cast_unsigned().into();
        // SAFETY: as above; the arguments are as long as is said.
        let child = unsafe { libc::syscall(libc::SYS_clone3, arguments.as_mut_ptr(), 88) };
        if child == 0 {
            // SAFETY: ends the child.
            unsafe { libc::_exit(0) };
        }
        outcome(child)
    });
    attempts.attempt("run a program from memory", |_| {
        // SAFETY: a name, and a descriptor that came of it.
        outcome(unsafe { libc::memfd_create(c"probe".as_ptr(), 0) }.into())
    });
    for (name, flag) in [
        ("a user namespace", libc::CLONE_NEWUSER),
        ("a mount namespace", libc::CLONE_NEWNS),
        ("a network namespace", libc::CLONE_NEWNET),
        ("a process namespace", libc::CLONE_NEWPID),
        ("an IPC namespace", libc::CLONE_NEWIPC),
        ("a namespace for host names", libc::CLONE_NEWUTS),
    ] {
        attempts.attempt(&format!("make {name}"), |_| unshare(flag));
    }
    attempts.attempt("enter another process's namespace", move |_| {
        // SAFETY: calls that take numbers.
        outcome(unsafe {
            let process = libc::syscall(libc::SYS_pidfd_open, victim, 0);
            libc::syscall(libc::SYS_setns, process, libc::CLONE_NEWUTS)
        })
    });
    attempts.attempt("become another user", |_| {
        // SAFETY: a call that takes a number; it changes nothing.
        outcome(unsafe { libc::setuid(libc::getuid()) }.into())
    });
    attempts.attempt("outlive the owner", |_| prctl(libc::PR_SET_PDEATHSIG, 0));
    attempts.attempt("have others trace this process", |_| {
        prctl(libc::PR_SET_PTRACER, u64::MAX)
    });
    attempts.attempt("open 1,000 files", |_| raise(libc::RLIMIT_NOFILE, 1000));
    attempts.attempt("open 1,000 files and more", |_| {
        raise(libc::RLIMIT_NOFILE, 2000)
    });
    attempts.attempt("have core dumps", |_| raise(libc::RLIMIT_CORE, 1 << 20));
    attempts.attempt("have more memory", |_| raise(libc::RLIMIT_AS, 64 << 30));
    attempts.attempt("map 24 GiB", |_| {
        // SAFETY: a new mapping somewhere.
        let mapped = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                24 << 30,
                libc::PROT_READ,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE,
                -1,
                0,
            )
        };
        outcome(if mapped == libc::MAP_FAILED { -1 } else { 0 })
    });
    attempts.attempt("have a better priority than before", |_| {
        // SAFETY: a call that takes numbers.
        outcome(unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, -5) }.into())
    });
    attempts.attempt("set another process's priority", move |_| {
        let victim = victim.cast_unsigned();
        // SAFETY: as above.
        outcome(unsafe { libc::setpriority(libc::PRIO_PROCESS, victim, 1) }.into())
    });
    attempts.attempt("choose its processors", |_| {
        let all = u64::MAX;
        // SAFETY: a mask that is as long as is said.
        outcome(unsafe { libc::syscall(libc::SYS_sched_setaffinity, 0, 8, &raw const all) })
    });
    attempts.attempt("leave its process group", |_| {
        // SAFETY: a call without arguments; in a child there is no group to lead.
        outcome(unsafe { libc::setsid() }.into())
    });
}
