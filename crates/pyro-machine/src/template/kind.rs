//! The *kind* of a template.

/// How far the machine was when it was saved.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum TemplateKind {
    /// Its root file system is assembled, on a fresh private disk: for new machines.
    Assembled,
    /// Only its agent runs; its disks are not looked at yet: for machines that have theirs.
    Bare,
}
