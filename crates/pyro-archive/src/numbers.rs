//! The *numbers* by which Linux knows owners and devices.

/// The numbers of a user and of a group.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Owner {
    pub(crate) user: u32,
    pub(crate) group: u32,
}

/// The device that a device file refers to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Device {
    /// It is a block device, not a character device.
    pub(crate) has_blocks: bool,
    pub(crate) major: u32,
    pub(crate) minor: u32,
}
