//! Images that the tools of others build, keep and load: buildah and podman.

use std::fs;
use std::path::Path;

use serde_json::json;

use crate::context::TestContext;
use crate::images::{image, set_up};
use crate::instances::{Instance, Kind, id_in};
use crate::process::Pyro;
use crate::real_registry::{PROGRAMS, RealRegistry, is_there, missing, works};
use crate::skip;

/// Builds the image of [`image`] from its root file system, which is Debian's.
const CONTAINERFILE: &str = r#"
FROM scratch
ADD root.tar /
ADD own.tar /
ENV PATH=/app:/bin GREETER=ada
WORKDIR /app/deep
USER ada
RUN echo "built by $(id -u) in $PWD" >/home/ada/built
LABEL of=a-test
CMD ["hello"]
"#;

/// A context in which the tools keep their images below the test's directory, in a form that mounts
/// nothing, and believe everybody.
fn with_tools(context: TestContext) -> TestContext {
    let directory = context.path("containers");
    let policies = context.path("home").join(".config/containers");
    fs::create_dir_all(&directory).unwrap();
    fs::create_dir_all(&policies).unwrap();
    let policy = json!({"default": [{"type": "insecureAcceptAnything"}]});
    fs::write(policies.join("policy.json"), policy.to_string()).unwrap();
    let storage = directory.join("storage.conf");
    let path = directory.display();
    let config = format!(
        "[storage]\ndriver = \"vfs\"\ngraphroot = \"{path}/data\"\nrunroot = \"{path}/run\"\n"
    );
    fs::write(&storage, config).unwrap();
    context.with_variable("CONTAINERS_STORAGE_CONF", storage)
}

fn tool(context: &TestContext, program: &str, arguments: &[&str]) -> Pyro {
    context
        .program(Path::new(program))
        .args(arguments)
        .directory(&context.path("registry"))
}

#[test]
fn what_buildah_builds_runs_and_podman_hands_over_and_loads_or_skip() {
    const TEST: &str = "what_buildah_builds_runs_and_podman_hands_over_and_loads_or_skip";
    if let Some(program) = missing(PROGRAMS).or_else(|| missing(&["buildah", "podman"])) {
        skip!(TEST, "there is no {program}");
    }
    if !rustix::process::geteuid().is_root() {
        skip!(TEST, "it needs root: an image has files of several users");
    }
    let (_registry, context) = set_up();
    let context = with_tools(context);
    let registry = RealRegistry::start(&context, "");
    let image = image();
    let files = registry.directory();
    for (name, layer) in ["root.tar", "own.tar"].iter().zip(&image.layers) {
        fs::write(files.join(name), layer).unwrap();
    }
    fs::write(files.join("Containerfile"), CONTAINERFILE).unwrap();
    let build = [
        "build",
        "--isolation",
        "chroot",
        "--layers",
        "-t",
        "localhost/app:1",
        ".",
    ];
    tool(&context, "buildah", &build).run().expect(0);
    // Both forms, each of which the registry has as it was pushed.
    for (tag, format) in [("1", "oci"), ("docker", "v2s2")] {
        let name = registry.name(&format!("team/built:{tag}"));
        let target = format!("docker://{name}");
        let push = [
            "push",
            "--tls-verify=false",
            "--format",
            format,
            "localhost/app:1",
            &target,
        ];
        tool(&context, "buildah", &push).run().expect(0);
        works(&context, &name);
        let read = context.pyro(&["run", &name, "--", "cat", "/home/ada/built"]);
        read.run().expect(0).out_is("built by 1234 in /app/deep\n");
        let digest = crate::image_registry::digest(&registry.raw(&format!("team/built:{tag}")));
        is_there(&context, &name, &digest);
    }

    // What buildah has built is in the storage that podman saves from.
    works(&context, "podman:localhost/app:1");
    let none = context.pyro(&["env", "pull", "podman:localhost/none:1", "--json"]);
    let error = none.run().json_error("image_storage_failed", true);
    assert!(error.to_string().contains("localhost/none:1"), "{error}");

    // And what is written here, podman loads.
    let podman = |arguments: &[&str]| tool(&context, "podman", arguments).run().expect(0);
    let layers_of = |name: &str| {
        let shown = podman(&["image", "inspect", name]).json();
        shown[0]["RootFS"]["Layers"].clone()
    };
    let layers = layers_of("localhost/app:1");
    let load = |name: &str, option: &str, file: &str| {
        podman(&["rmi", "--all", "--force"]);
        let path = context.path(file);
        let file = path.to_str().unwrap();
        let export = ["env", "export", name, option, file];
        context.pyro(&export).run().expect(0);
        podman(&["load", "--quiet", "--input", file]);
        fs::remove_file(path).unwrap();
    };
    let name = registry.name("team/built:1");
    for (option, file) in [("--docker", "docker.tar"), ("--oci", "oci.tar")] {
        load(&name, option, file);
        let shown = podman(&["image", "inspect", &name]).json();
        let config = &shown[0]["Config"];
        for (key, expected) in [
            ("User", json!("ada")),
            ("WorkingDir", json!("/app/deep")),
            ("Cmd", json!(["hello"])),
            ("Env", json!(["PATH=/app:/bin", "GREETER=ada"])),
        ] {
            assert_eq!(config[key], expected, "{option}: {shown}");
        }
        assert_eq!(config["Labels"]["of"], "a-test", "{option}: {shown}");
        assert_eq!(layers_of(&name), layers, "{option}");
    }
    works(&context, &format!("podman:{name}"));

    // So it is with what was saved here.
    let create = context.pyro(&["workspace", "create", &name, "--json"]);
    let id = id_in(&create.run().expect(0).json(), Kind::Workspace);
    let workspace = Instance::known(&context, Kind::Workspace, id);
    workspace.ask("echo saved >~/saved");
    let save = context.pyro(&["env", "save", &workspace.id, "mine:2"]);
    save.limit(120).run().expect(0);
    load("local:mine:2", "--docker", "saved.tar");
    let name = "podman:localhost/mine:2";
    works(&context, name);
    let read = context.pyro(&["run", name, "--", "cat", "/home/ada/saved"]);
    read.run().expect(0).out_is("saved\n");
}
