//! The examples for shells work. That of a database is with the [databases](crate::databases), those in
//! Python are tested with the package.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use crate::context::{PYRO, TestContext};
use crate::databases::free_port;
use crate::instances::{Instance, Kind};
use crate::process::Pyro;
use crate::service_ports::{ask, is_free};

/// A run of an example, which finds pyro in its path.
pub(crate) fn shell(context: &TestContext, name: &str) -> Pyro {
    let programs = context.path("programs");
    if !programs.exists() {
        fs::create_dir(&programs).unwrap();
        symlink(PYRO, programs.join("pyro")).unwrap();
    }
    let inherited = std::env::var("PATH").unwrap_or_default();
    let path = format!("{}:{inherited}", programs.display());
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/shell");
    context.program(&example.join(name)).env("PATH", path)
}

#[test]
fn a_directory_is_served_to_the_hosts_browser() {
    let context = TestContext::with("debian:12-build");
    fs::create_dir(context.path("home/site")).unwrap();
    fs::write(context.path("home/site/index.html"), "<h1>hello</h1>").unwrap();
    let port = free_port();
    let served = shell(&context, "web_server.sh");
    let served = served.args(&["site", &port.to_string()]).run().expect(0);
    let told = served.out();
    let url = format!("http://127.0.0.1:{port}/ until: pyro workspace delete ");
    let id = told.trim_end().rsplit_once(&url).expect(&told).1.to_owned();
    let workspace = Instance::known(&context, Kind::Workspace, id);
    assert!(ask(port).unwrap().ends_with("<h1>hello</h1>"));
    workspace.call(&["delete"]).run().expect(0);
    assert!(is_free(port));
}
