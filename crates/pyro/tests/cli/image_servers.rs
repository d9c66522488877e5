//! Images of the registry that others are measured by: `docker-registry`, filled by skopeo.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::context::TestContext;
use crate::image_archives::docker_archive;
use crate::images::{image, set_up};
use crate::skip;

/// User `ada`, password `s3cret`: the registry reads bcrypt alone.
const HTPASSWD: &str = "ada:$2y$05$abcdefghijklmnopqrstuuLK7U1u6pVRmL7L1BBM2aS35PSZnDXlK\n";
/// Both in base64.
const AUTH: &str = "YWRhOnMzY3JldA==";

/// Makes an authority, and a certificate of it for localhost.
const CERTIFICATES: &str = r#"
openssl req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.crt -days 30 -subj "/CN=test CA"
openssl req -newkey rsa:2048 -nodes -keyout s.key -out s.csr -subj "/CN=localhost"
printf 'subjectAltName=DNS:localhost,IP:127.0.0.1\nbasicConstraints=CA:FALSE\n' >ext
openssl x509 -req -in s.csr -CA ca.crt -CAkey ca.key -CAcreateserial -out s.crt -days 30 -extfile ext
"#;

/// A registry that runs. Its drop ends it.
struct Server {
    child: Child,
    port: u16,
}

impl Server {
    /// Starts one that keeps its images in the directory.
    fn start(directory: &Path, more: &str) -> Self {
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        let directory_text = directory.display();
        let config = format!(
            "version: 0.1\nlog: {{level: error}}\n\
             storage: {{filesystem: {{rootdirectory: {directory_text}/data}}}}\n\
             http:\n  addr: 127.0.0.1:{port}\n{more}"
        );
        let path = directory.join(format!("{port}.yml"));
        fs::write(&path, config).unwrap();
        let child = Command::new("docker-registry")
            .arg("serve")
            .arg(path)
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
        Self { child, port }
    }

    fn name(&self, rest: &str) -> String {
        format!("localhost:{}/{rest}", self.port)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn run(directory: &Path, program: &str, arguments: &[&str]) {
    let run = Command::new(program)
        .args(arguments)
        .current_dir(directory)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&run.stderr);
    assert!(run.status.success(), "{program} {arguments:?}: {said}");
}

fn works(context: &TestContext, name: &str) {
    let run = context.pyro(&["run", name, "--", "hello"]).run().expect(0);
    run.out_is("hello from ada in /app/deep as 1234\n");
}

#[test]
fn a_real_registry_is_asked_plainly_and_with_tls_and_a_password_or_skip() {
    for program in ["docker-registry", "skopeo", "openssl"] {
        let there = Command::new("sh")
            .args(["-c", &format!("command -v {program}")])
            .output();
        if !there.is_ok_and(|run| run.status.success()) {
            skip!("a_real_registry_is_asked_or_skip", "there is no {program}");
        }
    }
    let (_registry, context) = set_up();
    let directory = context.path("registry");
    fs::create_dir(&directory).unwrap();
    let archive = docker_archive(&[("localhost/app:1", &image())]);
    fs::write(directory.join("in.tar"), archive).unwrap();
    let plain = Server::start(&directory, "");
    for (tag, options) in [("gzip", &[][..]), ("docker", &["--format", "v2s2"])] {
        let target = format!("docker://{}", plain.name(&format!("team/app:{tag}")));
        let copy = ["--insecure-policy", "copy", "-q", "--dest-tls-verify=false"];
        let ends = ["docker-archive:in.tar:localhost/app:1", &target];
        run(&directory, "skopeo", &[&copy[..], options, &ends].concat());
    }
    works(&context, &plain.name("team/app:gzip"));
    // Other media types, and the same layers.
    works(&context, &plain.name("team/app:docker"));

    run(&directory, "sh", &["-ec", CERTIFICATES]);
    fs::write(directory.join("htpasswd"), HTPASSWD).unwrap();
    let path = directory.display();
    let locked = Server::start(
        &directory,
        &format!(
            "  tls: {{certificate: {path}/s.crt, key: {path}/s.key}}\n\
             auth: {{htpasswd: {{realm: test, path: {path}/htpasswd}}}}\n"
        ),
    );
    let name = locked.name("team/app:gzip");
    let fails = |code: &str, hint: &str| {
        let run = context.pyro(&["env", "pull", &name, "--json"]).run();
        let error = run.expect(1).json_error(code, true);
        assert!(error["remedy"].as_str().unwrap().contains(hint), "{error}");
    };
    fails("registry_unavailable", "ca.crt");
    let home = context.path("home");
    let trusted = home.join(format!(
        ".config/containers/certs.d/localhost:{}",
        locked.port
    ));
    fs::create_dir_all(&trusted).unwrap();
    fs::copy(directory.join("ca.crt"), trusted.join("ca.crt")).unwrap();
    fails("image_not_found", "docker login");
    let login = |auth: &str| {
        fs::create_dir_all(home.join(".docker")).unwrap();
        let host = format!("localhost:{}", locked.port);
        let logins = serde_json::json!({"auths": {host: {"auth": auth}}});
        let path = home.join(".docker/config.json");
        fs::write(path, serde_json::to_vec(&logins).unwrap()).unwrap();
    };
    login("YWRhOndyb25n");
    fails("registry_refused", "docker login");
    login(AUTH);
    works(&context, &name);
}
