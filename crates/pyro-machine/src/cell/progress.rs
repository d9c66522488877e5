//! The *progress* of a process between fork and exec, visible to its parent: the standard library
//! passes on only an error's number.

#![expect(unsafe_code, reason = "memory that two processes share")]

use std::ffi::c_void;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::mm::{MapFlags, ProtFlags, mmap_anonymous, munmap};

use super::namespaces::Reached;

/// A step of a process.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Step {
    Namespaces = 1,
    Limits,
    Capabilities,
    Parent,
    Files,
    Filter,
    Program,
}

/// How far a process got.
#[derive(Clone, Debug)]
pub(crate) struct Progress(Arc<Page>);

#[derive(Debug)]
struct Page(*mut c_void);

// SAFETY: the page contains two atomic numbers, which any thread may use.
unsafe impl Send for Page {}
// SAFETY: as above.
unsafe impl Sync for Page {}

const PAGE_BYTES: usize = 4096;

impl Progress {
    pub(super) fn new() -> io::Result<Self> {
        let access = ProtFlags::READ | ProtFlags::WRITE;
        let anywhere = std::ptr::null_mut();
        // SAFETY: the kernel chooses an unused address.
        let page = unsafe { mmap_anonymous(anywhere, PAGE_BYTES, access, MapFlags::SHARED)? };
        Ok(Self(Arc::new(Page(page))))
    }

    fn numbers(&self) -> &[AtomicU32; 2] {
        // SAFETY: the page is larger than this type, aligned, was zero at first, and lives as long
        // as the caller's borrow.
        unsafe { &*self.0.0.cast() }
    }

    pub(super) fn at(&self, step: Step) {
        self.numbers()[0].store(step as u32, Ordering::Relaxed);
    }

    pub(super) fn reach(&self, namespaces: Reached) {
        self.numbers()[1].store(namespaces as u32, Ordering::Relaxed);
    }

    pub(super) fn namespaces(&self) -> Reached {
        match self.numbers()[1].load(Ordering::Relaxed) {
            0 => Reached::Nothing,
            1 => Reached::Separate,
            _ => Reached::Root,
        }
    }

    /// The step at which a process failed that did not start its program.
    pub(crate) fn failed_at(&self) -> &'static str {
        match self.numbers()[0].load(Ordering::Relaxed) {
            0 => "its descriptors",
            1 => "its namespaces",
            2 => "its limits",
            3 => "its capabilities",
            4 => "its parent",
            5 => "its files",
            6 => "its system calls",
            _ => "the program",
        }
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        // SAFETY: this was the last reference.
        if let Err(error) = unsafe { munmap(self.0, PAGE_BYTES) } {
            tracing::debug!(%error, "a page stays mapped");
        }
    }
}
