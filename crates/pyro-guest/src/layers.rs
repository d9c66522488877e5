//! The *layers* of the root file system: what was written lies above what the machine began with.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, fsconfig_create, fsconfig_set_string, fsmount,
    fsopen,
};

/// The roots of the layers. None of them has a path that commands could use.
#[derive(Debug)]
pub struct Layers {
    /// Layers that hold only what was written since.
    pub written: Vec<OwnedFd>,
    /// Read-only layers, the topmost first: what there was before. There is at least one.
    pub below: Vec<OwnedFd>,
}

impl Layers {
    /// Returns the root of what there was before anything was written.
    ///
    /// # Errors
    /// When the kernel does not mount it, for example because `/proc` is gone.
    pub(crate) fn before(&self) -> io::Result<OwnedFd> {
        if let [only] = &*self.below {
            return only.try_clone();
        }
        let paths = self.below.iter().map(AsRawFd::as_raw_fd);
        let paths: Vec<_> = paths.map(|fd| format!("/proc/self/fd/{fd}")).collect();
        let context = fsopen("overlay", FsOpenFlags::FSOPEN_CLOEXEC)?;
        fsconfig_set_string(&context, "lowerdir", paths.join(":"))?;
        fsconfig_create(&context)?;
        let (flags, attributes) = (
            FsMountFlags::FSMOUNT_CLOEXEC,
            MountAttrFlags::MOUNT_ATTR_RDONLY,
        );
        Ok(fsmount(&context, flags, attributes)?)
    }
}
