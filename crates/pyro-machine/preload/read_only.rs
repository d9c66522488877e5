//! A library that is loaded into QEMU before 8.2. These versions open the file of a private memory
//! mapping for writing; the library makes them open that one file for reading. A guest that has
//! broken out into its QEMU then cannot alter the template from which other machines are cloned.
//!
//! It has no standard library, and needs two symbols of the C library. `build.rs` compiles it.

#![no_std]

use core::ffi::{c_char, c_int, c_long, c_uint};

/// The variable that names the file, by exactly the path that QEMU is given.
const VARIABLE: &[u8] = b"PYRO_READ_ONLY=";

/// Numbers of x86-64 Linux (asm/unistd_64.h, asm-generic/fcntl.h, linux/fcntl.h).
const OPENAT: c_long = 257;
const HERE: c_long = -100;
const ACCESS_MODE: c_int = 0o3;
const CREATE: c_int = 0o100;
const TRUNCATE: c_int = 0o1000;
/// The kernel returns an error as its negated number instead of a descriptor.
const LARGEST_ERROR: c_long = 4095;

unsafe extern "C" {
    static environ: *const *const c_char;
    fn __errno_location() -> *mut c_int;
}

/// Replaces the C library's function, whose mode matters only if it creates a file. The calling
/// convention is the same.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn open(path: *const c_char, flags: c_int, mode: c_uint) -> c_int {
    // SAFETY: the caller passes the arguments of `open`.
    unsafe { open_for_reading_if_named(path, flags, mode) }
}

/// As `open`, under the name that programs with large-file support call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn open64(path: *const c_char, flags: c_int, mode: c_uint) -> c_int {
    // SAFETY: as above.
    unsafe { open_for_reading_if_named(path, flags, mode) }
}

/// As `open`, under the names that fortified programs call if no file is created.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn __open_2(path: *const c_char, flags: c_int) -> c_int {
    // SAFETY: as above.
    unsafe { open_for_reading_if_named(path, flags, 0) }
}

/// As `__open_2`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn __open64_2(path: *const c_char, flags: c_int) -> c_int {
    // SAFETY: as above.
    unsafe { open_for_reading_if_named(path, flags, 0) }
}

unsafe fn open_for_reading_if_named(path: *const c_char, flags: c_int, mode: c_uint) -> c_int {
    // SAFETY: paths are C strings.
    let flags = if unsafe { is_named(path) } {
        flags & !(ACCESS_MODE | CREATE | TRUNCATE)
    } else {
        flags
    };
    let result: c_long;
    // SAFETY: a system call with the arguments of `openat`; it changes these two registers.
    unsafe {
        core::arch::asm!(
            "syscall",
            inlateout("rax") OPENAT => result,
            in("rdi") HERE,
            in("rsi") path,
            in("rdx") c_long::from(flags),
            in("r10") mode as c_long,
            lateout("rcx") _,
            lateout("r11") _,
            options(nostack),
        );
    }
    if (-LARGEST_ERROR..0).contains(&result) {
        // SAFETY: the address of the C library's `errno` of this thread.
        unsafe { *__errno_location() = -result as c_int };
        return -1;
    }
    result as c_int
}

/// Whether the variable names this path.
unsafe fn is_named(path: *const c_char) -> bool {
    // SAFETY: the C library's list of strings, which ends with a null pointer.
    let mut entry = unsafe { environ };
    if entry.is_null() || path.is_null() {
        return false;
    }
    loop {
        // SAFETY: as above.
        let variable = unsafe { *entry };
        if variable.is_null() {
            return false;
        }
        // SAFETY: both are C strings, and the comparisons end with the first difference.
        if unsafe { starts_with(variable, VARIABLE) } {
            return unsafe { same(variable.add(VARIABLE.len()), path) };
        }
        // SAFETY: the list has not ended yet.
        entry = unsafe { entry.add(1) };
    }
}

unsafe fn starts_with(text: *const c_char, start: &[u8]) -> bool {
    let mut at = 0;
    while at < start.len() {
        // SAFETY: all bytes before were equal, so the text has not ended.
        if unsafe { *text.add(at) } as u8 != start[at] {
            return false;
        }
        at += 1;
    }
    true
}

unsafe fn same(one: *const c_char, other: *const c_char) -> bool {
    let mut at = 0;
    loop {
        // SAFETY: all bytes before were equal and not the end.
        let (left, right) = unsafe { (*one.add(at), *other.add(at)) };
        if left != right {
            return false;
        }
        if left == 0 {
            return true;
        }
        at += 1;
    }
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    // Nothing here panics.
    loop {}
}
