//! The *filter* decides which system calls a process may make (seccomp). The VMM's filter permits
//! the calls that an emulator needs once it has its files and sockets; the filter for programs with
//! a sandbox of their own denies calls that no such program needs.

use std::collections::BTreeMap;
use std::io;
use std::sync::LazyLock;

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen as Length, SeccompCmpOp as Op, SeccompCondition,
    SeccompFilter, SeccompRule, TargetArch, sock_filter,
};

/// Placeholder for the process's own id, which is unknown until the process exists.
const OWN_PID: u32 = 0x7fff_fff1;

/// The flags that a thread's `clone` must have, and those that would make a process or a namespace.
const THREAD: u64 = flag(libc::CLONE_VM) | flag(libc::CLONE_THREAD);
const NAMESPACES: u64 = flag(libc::CLONE_NEWNS)
    | flag(libc::CLONE_NEWCGROUP)
    | flag(libc::CLONE_NEWUTS)
    | flag(libc::CLONE_NEWIPC)
    | flag(libc::CLONE_NEWUSER)
    | flag(libc::CLONE_NEWPID)
    | flag(libc::CLONE_NEWNET);

const fn flag(value: i32) -> u64 {
    value.cast_unsigned() as u64
}

/// Requests of `ioctl` that make the kernel send signals in this process's name, or type into a
/// terminal.
const REFUSED_IOCTLS: [u64; 4] = [
    0x8901, // FIOSETOWN, linux/sockios.h
    0x8902, // SIOCSPGRP, linux/sockios.h
    libc::TIOCSTI,
    libc::TIOCLINUX,
];

/// The permitted commands of `fcntl`. Not F_SETOWN and F_SETSIG: they make the kernel send signals.
const FCNTLS: [i32; 15] = [
    libc::F_DUPFD,
    libc::F_DUPFD_CLOEXEC,
    libc::F_GETFD,
    libc::F_SETFD,
    libc::F_GETFL,
    libc::F_SETFL,
    libc::F_GETLK,
    libc::F_SETLK,
    libc::F_SETLKW,
    libc::F_OFD_GETLK,
    libc::F_OFD_SETLK,
    libc::F_OFD_SETLKW,
    libc::F_GETPIPE_SZ,
    libc::F_SETPIPE_SZ,
    libc::F_GET_SEALS,
];

/// The permitted options of `prctl`. Not PR_SET_PDEATHSIG: the VMM must end with its owner.
const PRCTLS: [i32; 10] = [
    libc::PR_SET_NAME,
    libc::PR_GET_NAME,
    libc::PR_SET_NO_NEW_PRIVS,
    libc::PR_GET_NO_NEW_PRIVS,
    libc::PR_SET_SECCOMP,
    libc::PR_GET_SECCOMP,
    libc::PR_GET_DUMPABLE,
    libc::PR_SET_TIMERSLACK,
    libc::PR_MCE_KILL,
    libc::PR_SET_VMA,
];

/// The VMM's system calls that are permitted with any arguments.
const VMM: &[i64] = &[
    // Files and descriptors; Landlock decides which files may be opened.
    libc::SYS_open,
    libc::SYS_openat,
    libc::SYS_close,
    libc::SYS_close_range,
    libc::SYS_read,
    libc::SYS_readv,
    libc::SYS_pread64,
    libc::SYS_preadv,
    libc::SYS_preadv2,
    libc::SYS_write,
    libc::SYS_writev,
    libc::SYS_pwrite64,
    libc::SYS_pwritev,
    libc::SYS_pwritev2,
    libc::SYS_lseek,
    libc::SYS_fsync,
    libc::SYS_fdatasync,
    libc::SYS_sync_file_range,
    libc::SYS_ftruncate,
    libc::SYS_fallocate,
    libc::SYS_fadvise64,
    libc::SYS_readahead,
    libc::SYS_flock,
    libc::SYS_dup,
    libc::SYS_dup2,
    libc::SYS_dup3,
    libc::SYS_stat,
    libc::SYS_fstat,
    libc::SYS_lstat,
    libc::SYS_newfstatat,
    libc::SYS_statx,
    libc::SYS_statfs,
    libc::SYS_fstatfs,
    libc::SYS_access,
    libc::SYS_faccessat,
    libc::SYS_faccessat2,
    libc::SYS_readlink,
    libc::SYS_readlinkat,
    libc::SYS_getdents64,
    libc::SYS_getcwd,
    libc::SYS_pipe,
    libc::SYS_pipe2,
    // The sockets that it inherits.
    libc::SYS_sendto,
    libc::SYS_sendmsg,
    libc::SYS_recvfrom,
    libc::SYS_recvmsg,
    libc::SYS_shutdown,
    libc::SYS_getsockname,
    libc::SYS_getpeername,
    libc::SYS_getsockopt,
    libc::SYS_setsockopt,
    // Waiting.
    libc::SYS_poll,
    libc::SYS_ppoll,
    libc::SYS_select,
    libc::SYS_pselect6,
    libc::SYS_epoll_create,
    libc::SYS_epoll_create1,
    libc::SYS_epoll_ctl,
    libc::SYS_epoll_wait,
    libc::SYS_epoll_pwait,
    libc::SYS_epoll_pwait2,
    libc::SYS_eventfd,
    libc::SYS_eventfd2,
    libc::SYS_signalfd,
    libc::SYS_signalfd4,
    libc::SYS_timerfd_create,
    libc::SYS_timerfd_settime,
    libc::SYS_timerfd_gettime,
    libc::SYS_timer_create,
    libc::SYS_timer_settime,
    libc::SYS_timer_gettime,
    libc::SYS_timer_getoverrun,
    libc::SYS_timer_delete,
    libc::SYS_setitimer,
    libc::SYS_getitimer,
    libc::SYS_alarm,
    libc::SYS_pause,
    libc::SYS_nanosleep,
    libc::SYS_clock_nanosleep,
    libc::SYS_clock_gettime,
    libc::SYS_clock_getres,
    libc::SYS_gettimeofday,
    libc::SYS_time,
    libc::SYS_times,
    libc::SYS_restart_syscall,
    // Memory.
    libc::SYS_brk,
    libc::SYS_mmap,
    libc::SYS_munmap,
    libc::SYS_mremap,
    libc::SYS_mprotect,
    libc::SYS_madvise,
    libc::SYS_mincore,
    libc::SYS_msync,
    libc::SYS_mlock,
    libc::SYS_munlock,
    libc::SYS_membarrier,
    // Threads, and its own end.
    libc::SYS_exit,
    libc::SYS_exit_group,
    libc::SYS_futex,
    libc::SYS_set_robust_list,
    libc::SYS_set_tid_address,
    libc::SYS_rseq,
    libc::SYS_arch_prctl,
    libc::SYS_getpid,
    libc::SYS_getppid,
    libc::SYS_gettid,
    libc::SYS_getpgrp,
    libc::SYS_getuid,
    libc::SYS_geteuid,
    libc::SYS_getgid,
    libc::SYS_getegid,
    libc::SYS_getresuid,
    libc::SYS_getresgid,
    libc::SYS_getgroups,
    libc::SYS_capget,
    libc::SYS_getcpu,
    libc::SYS_getrandom,
    libc::SYS_getrlimit,
    libc::SYS_getrusage,
    libc::SYS_getpriority,
    libc::SYS_sched_yield,
    libc::SYS_sched_getaffinity,
    libc::SYS_sched_getparam,
    libc::SYS_sched_getscheduler,
    libc::SYS_sched_get_priority_min,
    libc::SYS_sched_get_priority_max,
    libc::SYS_sysinfo,
    libc::SYS_uname,
    libc::SYS_umask,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_rt_sigpending,
    libc::SYS_rt_sigsuspend,
    libc::SYS_rt_sigtimedwait,
    libc::SYS_sigaltstack,
    // To start the VMM, which then gives `execve` up: its own filter kills a process that calls it.
    libc::SYS_execve,
    libc::SYS_seccomp,
];

/// System calls without use for a program that makes a guest's connections, or holds a machine.
const UNNEEDED: &[i64] = &[
    // Other processes.
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_process_madvise,
    libc::SYS_process_mrelease,
    libc::SYS_pidfd_getfd,
    libc::SYS_kcmp,
    libc::SYS_move_pages,
    libc::SYS_migrate_pages,
    // The kernel and its programs.
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_kexec_load,
    libc::SYS_kexec_file_load,
    libc::SYS_reboot,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_syslog,
    libc::SYS_acct,
    libc::SYS_quotactl,
    libc::SYS_quotactl_fd,
    libc::SYS_iopl,
    libc::SYS_ioperm,
    libc::SYS_modify_ldt,
    libc::SYS_personality,
    libc::SYS_uselib,
    libc::SYS_vhangup,
    libc::SYS_lookup_dcookie,
    libc::SYS_clock_settime,
    libc::SYS_settimeofday,
    libc::SYS_adjtimex,
    libc::SYS_clock_adjtime,
    libc::SYS_sethostname,
    libc::SYS_setdomainname,
    // Parts of the kernel with a history of vulnerabilities.
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_userfaultfd,
    libc::SYS_keyctl,
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_vmsplice,
    // Access to files other than by path.
    libc::SYS_name_to_handle_at,
    libc::SYS_open_by_handle_at,
    libc::SYS_fanotify_init,
    libc::SYS_fanotify_mark,
];

/// System calls from this number on are newer than this list, or of another calling convention
/// (x32). They are denied to a program whose filter is a list of denials. 470 is the first that
/// Linux 6.18 does not have.
const FIRST_UNKNOWN: u32 = 470;

/// A BPF program that the kernel runs before each system call.
#[derive(Clone, Debug)]
pub(super) struct Filter {
    programs: Vec<BpfProgram>,
    /// The places of the process's own id: program and instruction.
    own_pid: Vec<(usize, usize)>,
}

impl Filter {
    /// The VMM's filter. Other calls fail as on a kernel without them, which programs can handle.
    pub(super) fn vmm() -> Self {
        static FILTER: LazyLock<Filter> = LazyLock::new(|| {
            let errno = SeccompAction::Errno(libc::ENOSYS.cast_unsigned());
            let mut rules: BTreeMap<i64, Vec<SeccompRule>> =
                VMM.iter().map(|number| (*number, Vec::new())).collect();
            let one_of = |argument: u8, values: &[i32]| -> Vec<SeccompRule> {
                let is = |value: &i32| rule([(argument, Op::Eq, flag(*value))]);
                values.iter().map(is).collect()
            };
            rules.insert(libc::SYS_fcntl, one_of(1, &FCNTLS));
            rules.insert(libc::SYS_prctl, one_of(0, &PRCTLS));
            // Not clone3, whose flags are in memory; the C library then uses clone.
            let mask = THREAD | NAMESPACES;
            let thread = rule([(0, Op::MaskedEq(mask), THREAD)]);
            rules.insert(libc::SYS_clone, vec![thread]);
            let others = REFUSED_IOCTLS.map(|request| (1, Op::Ne, request));
            rules.insert(libc::SYS_ioctl, vec![rule(others)]);
            // It wakes its own threads with signals.
            let own = rule([(0, Op::Eq, u64::from(OWN_PID))]);
            rules.insert(libc::SYS_tgkill, vec![own]);
            rules.insert(libc::SYS_prlimit64, vec![rule([(0, Op::Eq, 0)])]);
            Filter::new(vec![compile(rules, errno, SeccompAction::Allow)])
        });
        FILTER.clone()
    }

    /// The filter of programs that confine themselves, such as passt.
    pub(super) fn without_the_unneeded() -> Self {
        static FILTER: LazyLock<Filter> = LazyLock::new(|| {
            let errno = SeccompAction::Errno(libc::EPERM.cast_unsigned());
            let rules = UNNEEDED.iter().map(|number| (*number, Vec::new()));
            let denied = compile(rules.collect(), SeccompAction::Allow, errno);
            Filter::new(vec![denied, only_known()])
        });
        FILTER.clone()
    }

    fn new(programs: Vec<BpfProgram>) -> Self {
        let own_pid = programs.iter().enumerate().flat_map(|(program, text)| {
            let places = text.iter().enumerate();
            let places = places.filter(|(_, instruction)| instruction.k == OWN_PID);
            places.map(move |(place, _)| (program, place))
        });
        Self {
            own_pid: own_pid.collect(),
            programs,
        }
    }

    /// Applies the filter to the calling thread, for good. Makes system calls only.
    pub(super) fn apply(&mut self, own_pid: u32) -> io::Result<()> {
        for (program, place) in &self.own_pid {
            self.programs[*program][*place].k = own_pid;
        }
        for program in &self.programs {
            seccompiler::apply_filter(program).map_err(|error| match error {
                seccompiler::Error::Prctl(error) | seccompiler::Error::Seccomp(error) => error,
                _ => io::ErrorKind::InvalidInput.into(),
            })?;
        }
        Ok(())
    }
}

/// A rule that matches if all of these arguments fulfil their conditions.
fn rule<const N: usize>(conditions: [(u8, Op, u64); N]) -> SeccompRule {
    let conditions = conditions.map(|(argument, operator, value)| {
        // The kernel uses at most 32 bits of each of these arguments.
        SeccompCondition::new(argument, Length::Dword, operator, value)
            .expect("a system call has six arguments")
    });
    SeccompRule::new(conditions.into()).expect("there is a condition")
}

fn compile(
    rules: BTreeMap<i64, Vec<SeccompRule>>,
    otherwise: SeccompAction,
    matched: SeccompAction,
) -> BpfProgram {
    SeccompFilter::new(rules, otherwise, matched, TargetArch::x86_64)
        .and_then(TryInto::try_into)
        .expect("the lists are constants, and a test compiles them")
}

/// Denies all system calls that are newer than this program.
fn only_known() -> BpfProgram {
    // linux/bpf_common.h: load a word of the call's description; jump if greater or equal; return.
    const LOAD: u16 = 0x20;
    const JUMP_IF_AT_LEAST: u16 = 0x35;
    const RETURN: u16 = 0x06;
    let instruction = |code, jt, jf, k| sock_filter { code, jt, jf, k };
    let refuse = libc::SECCOMP_RET_ERRNO | libc::ENOSYS.cast_unsigned();
    vec![
        // The number comes first in the description (struct seccomp_data).
        instruction(LOAD, 0, 0, 0),
        instruction(JUMP_IF_AT_LEAST, 0, 1, FIRST_UNKNOWN),
        instruction(RETURN, 0, 0, refuse),
        instruction(RETURN, 0, 0, libc::SECCOMP_RET_ALLOW),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_filters_compile_and_know_where_the_process_id_goes() {
        assert_eq!(Filter::vmm().own_pid.len(), 1);
        assert!(Filter::without_the_unneeded().own_pid.is_empty());
    }
}
