//! The *process* in which the library is: what it was started with, and how to exchange that.

use core::ffi::{CStr, c_char, c_void};
use core::ptr::{self, NonNull};

use rustix::fd::{BorrowedFd, OwnedFd};
use rustix::fs::{Mode, OFlags};
use rustix::mm::{MapFlags, ProtFlags};
use rustix::process::{VirtualMemoryMapAddress, set_virtual_memory_map_address};

use crate::message::{HEADER_BYTES, MAX_MESSAGE_BYTES, MAX_VARIABLES, Message, strings};
use crate::placeholder::{PLACEHOLDER, READY};

/// Program, option and line.
const ARGUMENTS: usize = PLACEHOLDER.len();

unsafe extern "C" {
    /// The C library's: see environ(7).
    static mut environ: *mut *mut c_char;
    /// Nothing but the GNU C library has it. With another the library is not loaded: it would hand
    /// `main` the array that the kernel has made, as a third argument.
    safe fn gnu_get_libc_version() -> *const c_char;
}

/// The arguments of this process: the array that the kernel has put on its stack, and which the
/// C library hands to `main`. The variables' array follows it.
pub(crate) struct Arguments(*mut *mut c_char);

impl Arguments {
    /// Finds them, in a shell that was prestarted.
    pub(crate) fn of_this_process() -> Option<Self> {
        if gnu_get_libc_version().is_null() {
            return None;
        }
        // SAFETY: the C library's constructor has run, because this library needs it, so the
        // variable is set; no other thread exists yet. Before the variables' array are the
        // arguments' terminating null and the arguments themselves, and before these is their
        // number: so says the ABI (System V, AMD64, "Process Initialization"), unless somebody
        // has exchanged the array, which only the shell could, and it has not run.
        unsafe {
            let variables = environ;
            if variables.is_null() || !(*variables.sub(1)).is_null() {
                return None;
            }
            let arguments = variables.sub(1 + ARGUMENTS);
            if arguments.sub(1).cast::<usize>().read() != ARGUMENTS {
                return None;
            }
            let arguments = Self(arguments);
            let is_prestarted = PLACEHOLDER.iter().enumerate().all(|(index, &expected)| {
                let argument = *arguments.0.add(index);
                !argument.is_null() && CStr::from_ptr(argument) == expected
            });
            is_prestarted.then_some(arguments)
        }
    }

    /// Exchanges the line.
    pub(crate) fn replace_line(&mut self, line: &'static CStr) {
        // SAFETY: the last is below their number.
        unsafe { *self.0.add(ARGUMENTS - 1) = line.as_ptr().cast_mut() }
    }

    /// Exchanges arguments and variables for those of the message, which stays where it is for
    /// the rest of the process's life.
    pub(crate) fn replace(&mut self, message: &Message<'static>, variables: &Variables) {
        let &Variables(variables) = variables;
        for (index, argument) in strings(message.arguments).take(ARGUMENTS).enumerate() {
            // SAFETY: `index` is below their number.
            unsafe { *self.0.add(index) = argument.as_ptr().cast_mut() }
        }
        for (index, variable) in strings(message.environment).take(MAX_VARIABLES).enumerate() {
            // SAFETY: there is room for as many and one more, which is null and stays so.
            unsafe { *variables.add(index) = variable.as_ptr().cast_mut() }
        }
        // SAFETY: no other thread exists yet, and the shell has not looked.
        unsafe { environ = variables }
        show(message);
    }
}

/// Has the kernel show the new arguments and variables in `/proc/self`. It may refuse: then it
/// shows the old ones.
fn show(message: &Message<'static>) {
    use VirtualMemoryMapAddress::{ArgEnd, ArgStart, EnvironmentEnd, EnvironmentStart};
    let (arguments, variables) = (
        message.arguments.as_ptr_range(),
        message.environment.as_ptr_range(),
    );
    // The message lies below the stack, and each start has to be below its end at any time.
    for (which, address) in [
        (ArgStart, arguments.start),
        (ArgEnd, arguments.end),
        (EnvironmentStart, variables.start),
        (EnvironmentEnd, variables.end),
    ] {
        let address = NonNull::new(address.cast_mut().cast::<c_void>());
        // SAFETY: it changes what is shown, and no memory.
        let _shown = unsafe { set_virtual_memory_map_address(which, address) };
    }
}

/// Room for an array of variables, all null.
pub(crate) struct Variables(*mut *mut c_char);

/// Room for a message.
pub(crate) struct Memory(&'static mut [u8; MAX_MESSAGE_BYTES]);

/// Makes room for both, which is never given back: the shell goes on to use it.
pub(crate) fn make_room() -> Option<(Memory, Variables)> {
    const LENGTH: usize = MAX_MESSAGE_BYTES + (MAX_VARIABLES + 1) * size_of::<*mut c_char>();
    const { assert!(MAX_MESSAGE_BYTES.is_multiple_of(align_of::<*mut c_char>())) }
    // Its pages are there at once: the clone need not have them made.
    let flags = MapFlags::PRIVATE | MapFlags::POPULATE;
    // SAFETY: the memory is new, zeroed, and nobody else's; it is given away in two parts that
    // do not overlap.
    unsafe {
        let protection = ProtFlags::READ | ProtFlags::WRITE;
        let base = rustix::mm::mmap_anonymous(ptr::null_mut(), LENGTH, protection, flags).ok()?;
        let memory = Memory(&mut *base.cast());
        Some((memory, Variables(base.byte_add(MAX_MESSAGE_BYTES).cast())))
    }
}

impl Memory {
    /// Waits for one message and returns its bytes.
    pub(crate) fn receive(self) -> Option<&'static [u8]> {
        let Self(memory) = self;
        // SAFETY: the agent has given the shell a standard input.
        let channel = unsafe { BorrowedFd::borrow_raw(rustix::stdio::raw_stdin()) };
        let mut length = 0;
        let mut expected = HEADER_BYTES;
        while length < expected {
            // Not more: what follows is for the command.
            match rustix::io::read(channel, memory.get_mut(length..expected)?) {
                Ok(0) => return None,
                Ok(count) => length += count,
                Err(rustix::io::Errno::INTR) => {}
                Err(_) => return None,
            }
            if let (Some(first), true) = (memory.first_chunk(), length >= HEADER_BYTES) {
                expected = u32::from_ne_bytes(*first) as usize;
            }
        }
        memory.get(..length)
    }
}

/// Prints that the shell waits.
pub(crate) fn report_ready() -> Option<()> {
    // SAFETY: the agent has given the shell a standard output.
    let stdout = unsafe { BorrowedFd::borrow_raw(rustix::stdio::raw_stdout()) };
    let written = rustix::io::write(stdout, &[READY]).ok()?;
    (written == 1).then_some(())
}

/// Opens the standard input of a command that has none.
pub(crate) fn open_null() -> Option<OwnedFd> {
    rustix::fs::open(
        c"/dev/null",
        OFlags::RDONLY | OFlags::CLOEXEC,
        Mode::empty(),
    )
    .ok()
}
