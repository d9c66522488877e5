//! The *real registry*: `docker-registry`, by which others are measured, filled by skopeo.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::context::TestContext;
use crate::image_archives::{layout, tar};
use crate::image_registry::{Image, digest};

/// User `ada`, password `s3cret`: the registry reads bcrypt alone.
const HTPASSWD: &str = "ada:$2y$05$abcdefghijklmnopqrstuuLK7U1u6pVRmL7L1BBM2aS35PSZnDXlK\n";
/// Both in base64.
pub(crate) const AUTH: &str = "YWRhOnMzY3JldA==";

/// Makes an authority, and a certificate of it for localhost.
const CERTIFICATES: &str = r#"
openssl req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.crt -days 30 -subj "/CN=test CA"
openssl req -newkey rsa:2048 -nodes -keyout s.key -out s.csr -subj "/CN=localhost"
printf 'subjectAltName=DNS:localhost,IP:127.0.0.1\nbasicConstraints=CA:FALSE\n' >ext
openssl x509 -req -in s.csr -CA ca.crt -CAkey ca.key -CAcreateserial -out s.crt -days 30 -extfile ext
"#;

/// What the tests of the real registry need.
pub(crate) const PROGRAMS: &[&str] = &["docker-registry", "skopeo", "openssl"];

/// The first of the programs that this host lacks.
pub(crate) fn missing(programs: &[&'static str]) -> Option<&'static str> {
    programs.iter().copied().find(|program| {
        let there = Command::new("sh")
            .args(["-c", &format!("command -v {program}")])
            .output();
        !there.is_ok_and(|run| run.status.success())
    })
}

/// A registry that runs. Its drop ends it.
pub(crate) struct RealRegistry {
    child: Child,
    directory: PathBuf,
    pub(crate) port: u16,
}

impl RealRegistry {
    /// Starts one that keeps its images in a directory of the test, as all of the test's do. What is
    /// added to its configuration begins below `http`; the names of files are relative to the
    /// directory.
    pub(crate) fn start(context: &TestContext, more: &str) -> Self {
        let directory = context.path("registry");
        fs::create_dir_all(&directory).unwrap();
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        let config = format!(
            "version: 0.1\nlog: {{level: error}}\n\
             storage: {{filesystem: {{rootdirectory: {}/data}}}}\n\
             http:\n  addr: 127.0.0.1:{port}\n{more}",
            directory.display()
        );
        let path = directory.join(format!("{port}.yml"));
        fs::write(&path, config).unwrap();
        let child = Command::new("docker-registry")
            .arg("serve")
            .arg(path)
            .current_dir(&directory)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let begun = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(begun.elapsed() < Duration::from_secs(60), "no registry");
            thread::sleep(Duration::from_millis(50));
        }
        Self {
            child,
            directory,
            port,
        }
    }

    /// Starts one that lets in ada alone.
    pub(crate) fn locked(context: &TestContext, more: &str) -> Self {
        let directory = context.path("registry");
        fs::create_dir_all(&directory).unwrap();
        fs::write(directory.join("htpasswd"), HTPASSWD).unwrap();
        let lock = "auth: {htpasswd: {realm: test, path: htpasswd}}\n";
        Self::start(context, &format!("{more}{lock}"))
    }

    /// Starts one with TLS, whose authority nobody knows, that lets in ada alone.
    pub(crate) fn locked_with_tls(context: &TestContext, more: &str) -> Self {
        let directory = context.path("registry");
        fs::create_dir_all(&directory).unwrap();
        run(&directory, "sh", &["-ec", CERTIFICATES]);
        Self::locked(
            context,
            &format!("  tls: {{certificate: s.crt, key: s.key}}\n{more}"),
        )
    }

    /// The name of an image in it.
    pub(crate) fn name(&self, rest: &str) -> String {
        named(self.port, rest)
    }

    /// Has skopeo push an image. Returns the digest of what the name stands for then.
    pub(crate) fn push(&self, name: &str, image: &Image, options: &[&str]) -> String {
        self.push_layout(name, &tar(&layout(image, "1")), options)
    }

    /// The same with an OCI layout, of which the tag is `1`.
    pub(crate) fn push_layout(&self, name: &str, packed: &[u8], options: &[&str]) -> String {
        fs::write(self.directory.join("in.tar"), packed).unwrap();
        let target = format!("docker://{}", self.name(name));
        let copy = ["--insecure-policy", "copy", "-q", "--dest-tls-verify=false"];
        let ends = ["oci-archive:in.tar:1", &target];
        run(
            &self.directory,
            "skopeo",
            &[&copy[..], options, &ends].concat(),
        );
        digest(&self.raw(name))
    }

    /// The manifest that a name stands for, as the registry has it.
    pub(crate) fn raw(&self, name: &str) -> Vec<u8> {
        let name = format!("docker://{}", self.name(name));
        let inspect = ["inspect", "--raw", "--tls-verify=false", &name];
        run(&self.directory, "skopeo", &inspect)
    }

    /// The directory of its files, and of its images below `data`.
    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }
}

impl Drop for RealRegistry {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The name of an image of a registry on this host.
pub(crate) fn named(port: u16, rest: &str) -> String {
    format!("localhost:{port}/{rest}")
}

/// Runs another program, which has to succeed. Returns what it says.
pub(crate) fn run(directory: &Path, program: &str, arguments: &[&str]) -> Vec<u8> {
    let run = Command::new(program)
        .args(arguments)
        .current_dir(directory)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&run.stderr);
    assert!(run.status.success(), "{program} {arguments:?}: {said}");
    run.stdout
}

/// Writes what `docker login` and its helpers leave behind.
pub(crate) fn write_docker_config(context: &TestContext, config: &Value) {
    let directory = context.path("home").join(".docker");
    fs::create_dir_all(&directory).unwrap();
    fs::write(directory.join("config.json"), config.to_string()).unwrap();
}

/// Logs in at a registry with a name and a password in base64.
pub(crate) fn log_in(context: &TestContext, port: u16, auth: &str) {
    let host = format!("localhost:{port}");
    write_docker_config(context, &json!({"auths": {host: {"auth": auth}}}));
}

/// Has the program made by [`image`](crate::images::image) run.
#[track_caller]
pub(crate) fn works(context: &TestContext, name: &str) {
    let run = context.pyro(&["run", name, "--", "hello"]).run().expect(0);
    run.out_is("hello from ada in /app/deep as 1234\n");
}

/// Pulls an image, which has to be refused. Returns the error.
#[track_caller]
pub(crate) fn refused(context: &TestContext, name: &str, code: &str) -> Value {
    let run = context.pyro(&["env", "pull", name, "--json"]).run();
    let error = run.expect(1).json_error(code, true);
    assert_eq!(inspected(context, name)["installed"], false);
    error
}

/// Pulls an image, which has to be the one of this digest, and removes it.
#[track_caller]
pub(crate) fn arrives(context: &TestContext, name: &str, digest: &str) {
    context.pyro(&["env", "pull", name]).run().expect(0);
    is_there(context, name, digest);
    context.pyro(&["env", "remove", name]).run().expect(0);
}

/// Whether a name stands for the image of this digest, which is installed.
#[track_caller]
pub(crate) fn is_there(context: &TestContext, name: &str, digest: &str) {
    let shown = inspected(context, name);
    assert_eq!(shown["installed"], true, "{shown}");
    assert_eq!(shown["source_digest"], digest["sha256:".len()..], "{shown}");
}

#[track_caller]
pub(crate) fn inspected(context: &TestContext, name: &str) -> Value {
    let run = context.pyro(&["env", "inspect", name, "--json"]).run();
    run.expect(0).json()
}
