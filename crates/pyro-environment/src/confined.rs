//! A *confined* step of a build: a shell script in process, mount and (unless run by root) user
//! namespaces of its own, which ends, whole and with all it wrote, when its caller does.
//!
//! How that holds together, also if this process is killed:
//! * the script's standard input is a pipe that nobody writes to. When our end closes, because
//!   the future was dropped or the process has died, a watcher inside kills everything in the
//!   process namespace;
//! * a shell outside of that namespace then removes the step's directory, with the rights of the
//!   namespace's root and where none of the step's mounts is visible;
//! * all along, `busy` in that directory is locked, so that others know when this has ended.

use std::collections::VecDeque;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::process::{ExitStatus, Stdio};

use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::Command;

use crate::Error;
use crate::requirement::MORE_PATH;
use crate::tools::Tools;

/// The namespaces of a step. The process namespace ends with `unshare`, and with it all in it.
pub(crate) const NAMESPACES: &[&str] = &["--mount", "--pid", "--fork", "--kill-child"];

/// Lines of output kept for an error.
const TAIL_LINES: usize = 30;

/// The name of the file that is locked as long as anything runs in its directory.
const BUSY: &str = "busy";

/// Has what follows run without the caller's environment, which may hold secrets that are not for
/// the scripts of packages. What is kept leads to the archive. Arguments: the directory, then the
/// command.
const CLEAN: &str = r#"
dir=$1; shift
for name in http_proxy https_proxy ftp_proxy no_proxy all_proxy HTTP_PROXY HTTPS_PROXY NO_PROXY \
    ALL_PROXY APT_CONFIG CURL_CA_BUNDLE SSL_CERT_FILE SSL_CERT_DIR; do
    eval "value=\${$name-}"
    [ -z "$value" ] || set -- "$name=$value" "$@"
done
exec env -i PATH="$PATH" HOME="$dir" LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive "$@"
"#;

/// Rights that no build needs, of root or of a namespace's root: over the host's kernel, its
/// processes, its clocks and its network. What is gone from the bounding set never comes back.
const NEEDLESS_RIGHTS: &str = "-sys_module,-sys_rawio,-sys_boot,-sys_time,-sys_ptrace,-syslog,\
                               -sys_pacct,-sys_tty_config,-net_admin,-net_raw,-mac_admin,\
                               -mac_override,-audit_control";

/// Arguments: the directory, the script, the script's arguments. `namespaces` and `rights` are
/// set. Where a new /proc may not be mounted, as in some containers, the step sees the host's.
const OUTER: &str = r#"
dir=$1 script=$2; shift 2
umask 022
ulimit -c 0
unshare $namespaces --mount-proc -- true 2>/dev/null && namespaces="$namespaces --mount-proc"
exec 3<&0 </dev/null 2>&1 9>"$dir/busy" || exit 1
flock 9 || exit 1
unshare $namespaces -- setpriv --no-new-privs --bounding-set="$rights" -- /bin/sh -c '
    (cat <&3 >/dev/null; kill -s KILL -- -1) &
    exec 3<&-
    /bin/sh -c "$0" "$@"
    status=$?
    exit "$status"
' "$script" "$dir" "$@"
status=$?
[ "$status" -eq 0 ] || rm -rf --one-file-system -- "$dir"
exit "$status"
"#;

/// Whether a step may reach the network.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Network {
    /// It fetches from the archive.
    Hosts,
    /// It has none.
    None,
}

/// Returns the arguments that let `unshare` give an ordinary user the rights it needs.
pub(crate) fn user_namespace() -> &'static [&'static str] {
    if rustix::process::geteuid().is_root() {
        &[]
    } else {
        // `--user` comes first: the preflight tries it alone.
        &["--user", "--map-root-user", "--map-auto"]
    }
}

/// How a step went wrong.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) status: ExitStatus,
    /// The last lines of its output, oldest first.
    pub(crate) output: Vec<String>,
}

/// Runs the script, whose `$0` is the directory and whose arguments follow, handing on every line
/// it prints to either stream. If it fails or this future is dropped, the directory is removed.
pub(crate) async fn run(
    tools: &Tools,
    directory: &Path,
    network: Network,
    script: &str,
    arguments: &[impl AsRef<OsStr>],
    mut on_line: impl FnMut(&str),
) -> Result<Result<(), Failure>, Error> {
    let unshare = tools.path("unshare");
    let failed = |source| Error::Spawn {
        program: unshare.display().to_string(),
        source,
    };
    let mut command = match user_namespace() {
        [] => Command::new("/bin/sh"),
        user_namespace => {
            let mut command = Command::new(unshare);
            command.args(user_namespace).args(["--", "/bin/sh"]);
            command
        }
    };
    let more = match network {
        Network::Hosts => "",
        Network::None => "--net",
    };
    let namespaces = NAMESPACES.join(" ");
    let mut child = command
        .arg("-c")
        .arg(format!("{MORE_PATH}\n{CLEAN}"))
        .arg("sh")
        .arg(directory)
        .args(["/bin/sh", "-c"])
        .arg(format!(
            "namespaces='{namespaces} {more}' rights='{NEEDLESS_RIGHTS}'\n{OUTER}"
        ))
        .arg("sh")
        .arg(directory)
        .arg(script)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        // Ctrl-C in a terminal is for us; we then end the step in an orderly way.
        .process_group(0)
        .spawn()
        .map_err(failed)?;
    // Held until the step has ended: see above.
    let _watched = child.stdin.take();
    let output = child
        .stdout
        .take()
        .ok_or_else(|| failed(io::ErrorKind::BrokenPipe.into()))?;

    let mut tail = VecDeque::new();
    each_line(output, |line| {
        on_line(line);
        if tail.len() == TAIL_LINES {
            tail.pop_front();
        }
        tail.push_back(line.to_owned());
    })
    .await
    .map_err(failed)?;
    let status = child.wait().await.map_err(failed)?;
    let outcome = if status.success() {
        Ok(())
    } else {
        Err(Failure {
            status,
            output: tail.into(),
        })
    };
    Ok(outcome)
}

async fn each_line(
    output: impl AsyncRead + Unpin,
    mut on_line: impl FnMut(&str),
) -> io::Result<()> {
    let mut output = BufReader::new(output);
    let mut line = Vec::new();
    while output.read_until(b'\n', &mut line).await? > 0 {
        on_line(String::from_utf8_lossy(&line).trim_end());
        line.clear();
    }
    Ok(())
}

/// Removes a directory that steps may have left behind, waiting first until none of them runs in
/// it any more. Parts of it may belong to an ordinary user's subordinate ids. Blocks.
pub(crate) fn remove(directory: &Path) -> Result<(), Error> {
    if let Ok(busy) = File::options().write(true).open(directory.join(BUSY)) {
        busy.lock().map_err(Error::cache("lock", directory))?;
    }
    match fs::remove_dir_all(directory) {
        Ok(()) => return Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {}
        Err(error) => return Err(Error::cache("remove", directory)(error)),
    }
    let script = format!(r#"{MORE_PATH}; exec unshare "$@""#);
    let status = std::process::Command::new("/bin/sh")
        .args(["-c", &script, "sh"])
        .args(user_namespace())
        .args(["--", "rm", "-rf", "--one-file-system", "--"])
        .arg(directory)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .map_err(|source| Error::Spawn {
            program: "unshare".into(),
            source,
        })?;
    if status.success() {
        Ok(())
    } else {
        Err(Error::cache("remove", directory)(
            io::ErrorKind::PermissionDenied.into(),
        ))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// The tools, where this host can confine anything at all.
    fn tools(directory: &Path) -> Option<Tools> {
        let layout = crate::layout::Layout::new(directory.to_owned());
        fs::create_dir_all(layout.platform()).unwrap();
        crate::preflight::check(&layout, 0).ok()
    }

    #[tokio::test]
    async fn lines_arrive_and_a_failure_keeps_the_last() {
        let parent = tempfile::tempdir().unwrap();
        let Some(tools) = tools(parent.path()) else {
            return;
        };
        let directory = parent.path().join("step");
        fs::create_dir(&directory).unwrap();
        let mut lines = Vec::new();
        let script = r#"echo "in $1"; echo error >&2; touch "$0/made""#;
        let outcome = run(
            &tools,
            &directory,
            Network::None,
            script,
            &["a b"],
            |line| {
                lines.push(line.to_owned());
            },
        );
        outcome.await.unwrap().unwrap();
        assert_eq!(lines, ["in a b", "error"]);
        assert!(directory.join("made").exists());

        let outcome = run(
            &tools,
            &directory,
            Network::None,
            "seq 100; exit 7",
            &[""; 0],
            |_| {},
        )
        .await;
        let failure = outcome.unwrap().unwrap_err();
        assert_eq!(failure.status.code(), Some(7));
        assert_eq!(failure.output.len(), TAIL_LINES);
        assert_eq!(failure.output.last().unwrap(), "100");
        assert!(!directory.exists());
    }

    #[tokio::test]
    async fn dropping_the_future_ends_the_step_and_removes_what_it_wrote() {
        let parent = tempfile::tempdir().unwrap();
        let Some(tools) = tools(parent.path()) else {
            return;
        };
        let directory = parent.path().join("step");
        fs::create_dir(&directory).unwrap();
        let (sender, receiver) = tokio::sync::oneshot::channel();
        let mut sender = Some(sender);
        let script = r#"mkdir "$0/tree"; echo ready; sleep 1000 & sleep 1000; wait"#;
        let step = run(
            &tools,
            &directory,
            Network::None,
            script,
            &[""; 0],
            |line| {
                assert_eq!(line, "ready");
                sender
                    .take()
                    .expect("it prints one line")
                    .send(())
                    .expect("we listen");
            },
        );
        tokio::select! {
            _ = step => panic!("the step cannot end by itself"),
            _ = receiver => {}
        }
        // `remove` waits for the end of everything that ran there.
        let removed = tokio::task::spawn_blocking({
            let directory = directory.clone();
            move || remove(&directory)
        });
        tokio::time::timeout(Duration::from_secs(20), removed)
            .await
            .unwrap()
            .unwrap()
            .unwrap();
        assert!(!directory.exists());
    }
}
