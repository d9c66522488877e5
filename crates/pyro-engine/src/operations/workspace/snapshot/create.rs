//! `workspace snapshot create`

use pyro_machine::{Call, FileEntry, FilePath, FileType};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Snapshot, check_name, named};
use crate::instance::{self, Content, Instance, InstanceKind, State};
use crate::operation::{Effect, Operation};
use crate::output::Each;
use crate::request::WORKSPACE;
use crate::{Context, Engine, Error};

/// Save the files of a workspace, to restore them later with `workspace reset`
///
/// Everything that was written to its root file system is saved, in /workspace and elsewhere,
/// installed packages included; running processes are not. The workspace is paused while its disk is
/// copied. It may also be stopped.
#[derive(Clone, Debug, clap::Args, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
#[command(after_help = "Examples:\n  \
    pyro workspace snapshot create 0123456789ab before-upgrade\n  \
    pyro workspace reset 0123456789ab --snapshot before-upgrade")]
pub struct Create {
    /// Id of the workspace, as `workspace create` returned it
    pub workspace_id: String,
    /// Name of the snapshot: letters, digits, `.`, `_` and `-`
    pub snapshot_name: String,
}

/// A snapshot that was created.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
pub struct Created {
    /// The workspace.
    pub workspace_id: String,
    /// The snapshot.
    pub snapshot: Snapshot,
    /// Where the workspace's commands run.
    pub execution_mode: String,
}

impl Operation for Create {
    const NAME: &'static str = "snapshot_create";
    const COMMAND: &'static [&'static str] = &["workspace", "snapshot", "create"];
    const EFFECT: Effect = Effect::Mutating;
    type Output = Created;

    async fn run(self, engine: &Engine, _context: &mut Context) -> Result<Created, Error> {
        let name = self.snapshot_name;
        check_name(&name)?;
        let found = engine.instance(InstanceKind::Workspace, &self.workspace_id)?;
        engine.check_room(found.disk_bytes(None)).await?;
        let content = match found.state {
            State::Started => match count(&found).await {
                // It is saved, whatever a command has put in the place of the directory.
                Err(error) if error.is_of_a_path() => None,
                counted => Some(counted?),
            },
            _ => None,
        };
        found.make_snapshot(&name, content).await?;
        let record = found.snapshot(&name)?;
        Ok(Created {
            workspace_id: self.workspace_id,
            snapshot: named(&found, &name, &record),
            execution_mode: "guest_vsock".into(),
        })
    }
}

/// Counts the entries of /workspace.
async fn count(found: &Instance) -> Result<Content, Error> {
    let call = Call::ListFiles {
        file: FilePath {
            root: WORKSPACE.into(),
            path: String::new(),
        },
        recursive: true,
    };
    let mut counter = Counter::default();
    let mut output = Each(|bytes: &[u8]| {
        counter.count(bytes);
        Ok(())
    });
    instance::call(found, &call, &[], &mut output).await?;
    Ok(counter.content)
}

/// Counts the entries of a list as it arrives. The size of an entry that cannot be parsed is not
/// counted.
#[derive(Debug, Default)]
struct Counter {
    line: Vec<u8>,
    content: Content,
}

/// Longer than any entry: two paths of 4 KiB, which escaping may lengthen six times.
const LINE_LIMIT_BYTES: usize = 64 * 1024;

impl Counter {
    fn count(&mut self, bytes: &[u8]) {
        for byte in bytes {
            if *byte != b'\n' {
                if self.line.len() < LINE_LIMIT_BYTES {
                    self.line.push(*byte);
                }
                continue;
            }
            self.content.entries += 1;
            if let Ok(entry) = serde_json::from_slice::<FileEntry>(&self.line)
                && entry.state.file_type == FileType::File
            {
                self.content.bytes = self.content.bytes.saturating_add(entry.state.size);
            }
            self.line.clear();
        }
    }
}
