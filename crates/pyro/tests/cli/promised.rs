//! The public contract of version 2.4.0 and later ones: every command with its options, every tool with its
//! properties, every method with its parameters. Additions are allowed, removals are not.

use std::collections::BTreeMap;
use std::path::Path;

use clap::Command;
use serde_json::{Value, json};

use crate::context::TestContext;
use crate::mcp_client::{Client, Era};

/// A command, its positional arguments, and its options with their defaults; `-` for options
/// without a default, `!` for required ones.
const COMMANDS: &[(&str, &str, &str)] = &[
    ("env list", "", "--json"),
    ("env pull", "ENVIRONMENT", "--json"),
    ("env inspect", "ENVIRONMENT", "--json"),
    ("env prune", "", "--json"),
    ("mcp serve", "", "--profile=workspace-full"),
    (
        "run",
        "ENVIRONMENT COMMAND",
        "--vcpu-count=1 --mem-mib=1024 --timeout-seconds=30 --ttl-seconds=600 --network \
         --allow-host-compat --json",
    ),
    (
        "workspace create",
        "ENVIRONMENT",
        "--vcpu-count=1 --mem-mib=1024 --ttl-seconds=600 --network --allow-host-compat \
         --seed-path=- --network-policy=- --name=- --label=- --json --id-only",
    ),
    (
        "workspace port add",
        "WORKSPACE_ID [[ADDRESS:]HOST_PORT:]GUEST_PORT",
        "--json",
    ),
    ("workspace port list", "WORKSPACE_ID", "--json"),
    ("workspace port remove", "WORKSPACE_ID HOST_PORT", "--json"),
    ("workspace list", "", "--json"),
    (
        "workspace update",
        "WORKSPACE_ID",
        "--name=- --clear-name --label=- --clear-label=- --json",
    ),
    (
        "workspace sync push",
        "WORKSPACE_ID SOURCE_PATH",
        "--dest=/workspace --json",
    ),
    (
        "workspace exec",
        "WORKSPACE_ID COMMAND",
        "--timeout-seconds=30 --secret-env=- --json",
    ),
    ("workspace status", "WORKSPACE_ID", "--json"),
    ("workspace logs", "WORKSPACE_ID", "--json"),
    (
        "workspace file list",
        "WORKSPACE_ID PATH",
        "--recursive --json",
    ),
    (
        "workspace file read",
        "WORKSPACE_ID PATH",
        "--max-bytes=65536 --content-only --json",
    ),
    (
        "workspace file write",
        "WORKSPACE_ID PATH",
        "--text=- --text-file=- --json",
    ),
    ("workspace export", "WORKSPACE_ID PATH", "--output=! --json"),
    ("workspace disk export", "WORKSPACE_ID", "--output=! --json"),
    (
        "workspace disk list",
        "WORKSPACE_ID PATH",
        "--recursive --json",
    ),
    (
        "workspace disk read",
        "WORKSPACE_ID PATH",
        "--max-bytes=65536 --content-only --json",
    ),
    (
        "workspace snapshot create",
        "WORKSPACE_ID SNAPSHOT_NAME",
        "--json",
    ),
    ("workspace snapshot list", "WORKSPACE_ID", "--json"),
    (
        "workspace snapshot delete",
        "WORKSPACE_ID SNAPSHOT_NAME",
        "--json",
    ),
    (
        "workspace reset",
        "WORKSPACE_ID",
        "--snapshot=baseline --json",
    ),
    (
        "workspace shell open",
        "WORKSPACE_ID",
        "--cwd=/workspace --cols=120 --rows=30 --secret-env=- --json --id-only",
    ),
    (
        "workspace shell read",
        "WORKSPACE_ID SHELL_ID",
        "--cursor=0 --max-chars=65536 --plain --wait-for-idle-ms=- --json",
    ),
    (
        "workspace shell write",
        "WORKSPACE_ID SHELL_ID",
        "--input=! --no-newline --json",
    ),
    (
        "workspace shell signal",
        "WORKSPACE_ID SHELL_ID",
        "--signal=INT --json",
    ),
    ("workspace shell close", "WORKSPACE_ID SHELL_ID", "--json"),
    (
        "workspace service start",
        "WORKSPACE_ID SERVICE_NAME COMMAND",
        "--cwd=/workspace --ready-file=- --ready-tcp=- --ready-http=- --ready-command=- \
         --ready-timeout-seconds=30 --ready-interval-ms=500 --secret-env=- --publish=- --json",
    ),
    ("workspace service list", "WORKSPACE_ID", "--json"),
    (
        "workspace service status",
        "WORKSPACE_ID SERVICE_NAME",
        "--json",
    ),
    (
        "workspace service logs",
        "WORKSPACE_ID SERVICE_NAME",
        "--tail-lines=200 --all --json",
    ),
    (
        "workspace service stop",
        "WORKSPACE_ID SERVICE_NAME",
        "--json",
    ),
    ("workspace delete", "WORKSPACE_ID", "--json"),
    ("doctor", "", "--platform=linux-x86_64 --json"),
    ("demo", "", "--network"),
    (
        "demo ollama",
        "",
        "--base-url=http://localhost:11434/v1 --model=llama3.2:3b --verbose -v",
    ),
];

/// The tools in their order, with their properties: a type, and a default or `!` for required ones.
const TOOLS: &[(&str, &str)] = &[
    (
        "vm_run",
        "environment:string! command:string! vcpu_count:integer=1 mem_mib:integer=1024 \
         timeout_seconds:integer=30 ttl_seconds:integer=600 network:boolean=false \
         allow_host_compat:boolean=false",
    ),
    ("vm_list_environments", ""),
    (
        "vm_create",
        "environment:string! vcpu_count:integer=1 mem_mib:integer=1024 ttl_seconds:integer=600 \
         network:boolean=false allow_host_compat:boolean=false",
    ),
    ("vm_start", "vm_id:string!"),
    (
        "vm_exec",
        "vm_id:string! command:string! timeout_seconds:integer=30",
    ),
    ("vm_stop", "vm_id:string!"),
    ("vm_delete", "vm_id:string!"),
    ("vm_status", "vm_id:string!"),
    ("vm_network_info", "vm_id:string!"),
    ("vm_reap_expired", ""),
    (
        "workspace_create",
        "environment:string! vcpu_count:integer=1 mem_mib:integer=1024 ttl_seconds:integer=600 \
         network:boolean=false allow_host_compat:boolean=false seed_path:string=null \
         network_policy:string=null published_ports:array=null name:string=null labels:object=null \
         secrets:array=null",
    ),
    ("workspace_list", ""),
    (
        "workspace_update",
        "workspace_id:string! name:string=null clear_name:boolean=false labels:object=null \
         clear_labels:array=null",
    ),
    (
        "workspace_exec",
        "workspace_id:string! command:string! timeout_seconds:integer=30 secret_env:object=null",
    ),
    (
        "workspace_sync_push",
        "workspace_id:string! source_path:string! dest:string=\"/workspace\"",
    ),
    ("workspace_status", "workspace_id:string!"),
    ("workspace_logs", "workspace_id:string!"),
    (
        "workspace_export",
        "workspace_id:string! path:string! output_path:string!",
    ),
    ("workspace_diff", "workspace_id:string!"),
    (
        "workspace_file_list",
        "workspace_id:string! path:string=\"/workspace\" recursive:boolean=false",
    ),
    (
        "workspace_file_read",
        "workspace_id:string! path:string! max_bytes:integer=65536",
    ),
    (
        "workspace_file_write",
        "workspace_id:string! path:string! text:string=null",
    ),
    (
        "workspace_patch_apply",
        "workspace_id:string! patch:string=null",
    ),
    (
        "workspace_disk_export",
        "workspace_id:string! output_path:string!",
    ),
    (
        "workspace_disk_list",
        "workspace_id:string! path:string=\"/workspace\" recursive:boolean=false",
    ),
    (
        "workspace_disk_read",
        "workspace_id:string! path:string! max_bytes:integer=65536",
    ),
    (
        "snapshot_create",
        "workspace_id:string! snapshot_name:string!",
    ),
    ("snapshot_list", "workspace_id:string!"),
    (
        "snapshot_delete",
        "workspace_id:string! snapshot_name:string!",
    ),
    (
        "workspace_reset",
        "workspace_id:string! snapshot:string=\"baseline\"",
    ),
    ("workspace_port_add", "workspace_id:string! port:string!"),
    ("workspace_port_list", "workspace_id:string!"),
    (
        "workspace_port_remove",
        "workspace_id:string! host_port:integer!",
    ),
    (
        "shell_open",
        "workspace_id:string! cwd:string=\"/workspace\" cols:integer=120 rows:integer=30 \
         secret_env:object=null",
    ),
    (
        "shell_read",
        "workspace_id:string! shell_id:string! cursor:integer=0 max_chars:integer=65536 \
         plain:boolean=false wait_for_idle_ms:integer=null",
    ),
    (
        "shell_write",
        "workspace_id:string! shell_id:string! input:string! append_newline:boolean=true",
    ),
    (
        "shell_signal",
        "workspace_id:string! shell_id:string! signal_name:string=\"INT\"",
    ),
    ("shell_close", "workspace_id:string! shell_id:string!"),
    (
        "service_start",
        "workspace_id:string! service_name:string! command:string! cwd:string=\"/workspace\" \
         ready_file:string=null ready_tcp:string=null ready_http:string=null \
         ready_command:string=null ready_timeout_seconds:integer=30 ready_interval_ms:integer=500 \
         secret_env:object=null published_ports:array=null",
    ),
    ("service_list", "workspace_id:string!"),
    (
        "service_status",
        "workspace_id:string! service_name:string!",
    ),
    (
        "service_logs",
        "workspace_id:string! service_name:string! tail_lines:integer=200 all:boolean=false",
    ),
    ("service_stop", "workspace_id:string! service_name:string!"),
    ("workspace_delete", "workspace_id:string!"),
];

#[test]
fn every_command_exists_with_its_options() {
    let mut tree = pyro::command();
    tree.build();
    let top: Vec<&str> = tree.get_subcommands().map(Command::get_name).collect();
    for (words, positionals, options) in COMMANDS {
        let mut command = &tree;
        for word in words.split(' ') {
            command = command
                .find_subcommand(word)
                .unwrap_or_else(|| panic!("no {words}"));
        }
        let named: Vec<String> = command
            .get_positionals()
            .flat_map(|one| one.get_value_names().unwrap_or_default())
            .map(ToString::to_string)
            .collect();
        assert_eq!(named.join(" "), *positionals, "{words}");
        for option in options.split_whitespace() {
            let (name, default) = option.split_once('=').unzip();
            let name = name.unwrap_or(option).trim_start_matches('-');
            let found = command.get_arguments().find(|argument| {
                argument.get_long() == Some(name)
                    || argument
                        .get_short()
                        .is_some_and(|short| name == short.to_string())
            });
            let found = found.unwrap_or_else(|| panic!("{words} has no {option}"));
            let is_required = default == Some("!");
            assert_eq!(found.is_required_set(), is_required, "{words} {option}");
            assert_eq!(
                found.get_action().takes_values(),
                default.is_some(),
                "{words} {option}"
            );
            let defaults: Vec<_> = found.get_default_values().iter().collect();
            match default {
                None => {}
                Some("-" | "!") => assert!(defaults.is_empty(), "{words} {option}"),
                Some(default) => assert_eq!(defaults, [default], "{words} {option}"),
            }
        }
    }
    for word in ["env", "mcp", "run", "workspace", "doctor", "demo"] {
        assert!(top.contains(&word), "{top:?}");
    }
}

#[test]
fn every_tool_exists_with_its_properties() {
    let context = TestContext::new();
    let mut client = Client::start(&context, Era::Legacy, &["--allow-host-compat"]);
    let tools = client.ask("tools/list", json!({}))["tools"].clone();
    client.finish();
    let tools = tools.as_array().unwrap();
    let order: Vec<&str> = tools
        .iter()
        .map(|tool| tool["name"].as_str().unwrap())
        .filter(|name| TOOLS.iter().any(|(known, _)| known == name))
        .collect();
    let promised: Vec<&str> = TOOLS.iter().map(|(name, _)| *name).collect();
    assert_eq!(order, promised);
    for (name, properties) in TOOLS {
        let schema = &tools.iter().find(|tool| tool["name"] == *name).unwrap()["inputSchema"];
        let required = schema["required"].as_array().into_iter().flatten();
        let required: Vec<&str> = required.filter_map(Value::as_str).collect();
        let promised: BTreeMap<&str, &str> = properties
            .split_whitespace()
            .map(|property| property.split_once(':').unwrap())
            .collect();
        for (property, promise) in &promised {
            let found = &schema["properties"][property];
            let is_required = promise.ends_with('!');
            assert_eq!(
                required.contains(property),
                is_required,
                "{name}.{property}"
            );
            let (wanted, default) = match promise.split_once('=') {
                Some((wanted, default)) => (wanted, serde_json::from_str(default).unwrap()),
                None => (promise.trim_end_matches('!'), Value::Null),
            };
            assert!(has_type(found, wanted), "{name}.{property}: {found}");
            assert_eq!(found["default"], default, "{name}.{property}");
        }
        // A caller that knows only the contract can call it.
        let more = required.iter().find(|one| !promised.contains_key(*one));
        assert_eq!(more, None, "{name} requires more than was promised");
    }
}

fn has_type(schema: &Value, wanted: &str) -> bool {
    let one_of = schema["anyOf"].as_array().into_iter().flatten();
    schema["type"] == wanted || one_of.into_iter().any(|one| one["type"] == wanted)
}

/// The promises in the tests of the Python package match the source.
#[test]
fn every_method_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let read = |path: &str| std::fs::read_to_string(root.join(path)).unwrap();
    let promises: Value = serde_json::from_str(&read("tests/python/promises.json")).unwrap();
    let tested: Vec<&String> = promises["methods"].as_object().unwrap().keys().collect();
    let source = ["_operations.py", "_pyro.py"]
        .map(|name| std::fs::read_to_string(root.join("python/pyro_mcp").join(name)));
    let source: String = source.into_iter().flatten().collect();
    for method in [
        "create_server",
        "create_vm",
        "create_workspace",
        "delete_vm",
        "delete_workspace",
        "exec_vm",
        "exec_workspace",
        "inspect_environment",
        "list_environments",
        "list_workspaces",
        "logs_workspace",
        "network_info_vm",
        "prune_environments",
        "pull_environment",
        "push_workspace_sync",
        "reap_expired",
        "run_in_vm",
        "start_vm",
        "status_vm",
        "status_workspace",
        "stop_vm",
        "update_workspace",
    ] {
        assert!(
            tested.iter().any(|name| *name == method),
            "{method} is not tested"
        );
        assert!(
            source.contains(&format!("def {method}(")),
            "there is no {method}"
        );
    }
}
