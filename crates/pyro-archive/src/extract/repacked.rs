//! A stream *repacked* is a tar file that has the same members, written anew.

use crate::content::Content;
use crate::error::Error;
use crate::member::{KEPT_BITS, Member, What};
use crate::packer::Packer;
use crate::stream::Stream;

pub(super) struct Repacked<'a> {
    stream: Stream<Packer<'a>>,
    name: &'a [u8],
}

impl<'a> Repacked<'a> {
    pub(super) fn new(output: Packer<'a>, name: &'a [u8], owner: (u32, u32)) -> Self {
        let stream = Stream::new(output, owner);
        Self { stream, name }
    }

    pub(super) fn take(&mut self, member: Member, content: &mut dyn Content) -> Result<(), Error> {
        let what = match member.what {
            What::HardLink { target } => What::HardLink {
                target: target.with_first(self.name),
            },
            what => what,
        };
        let member = Member {
            path: member.path.with_first(self.name),
            mode: member.mode & KEPT_BITS,
            what,
            ..member
        };
        self.stream.member(&member, content)
    }

    pub(super) fn finish(self) -> Result<(), Error> {
        let finished = self.stream.end()?.finish();
        finished.map_err(|source| Error::Write {
            output: "archive",
            source,
        })
    }
}
