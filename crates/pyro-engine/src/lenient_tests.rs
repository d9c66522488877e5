use serde_json::json;

use super::*;
use crate::operations::find;

#[expect(clippy::needless_pass_by_value, reason = "it is written in place")]
fn run(more: Value) -> Result<Value, String> {
    let mut request = json!({"environment": "debian:12", "command": "true"});
    for (name, value) in more.as_object().unwrap() {
        request[name] = value.clone();
    }
    fit(find("vm_run").unwrap(), request).map_err(|error| error.message)
}

#[test]
fn a_number_may_have_a_fraction() {
    let property = json!({"type": "number"});
    for (given, meant) in [
        (json!(1), json!(1)),
        (json!(0.5), json!(0.5)),
        (json!(" 0.5 "), json!(0.5)),
    ] {
        assert_eq!(fit_value("seconds", &property, given).unwrap(), meant);
    }
    let error = fit_value("seconds", &property, json!("soon")).unwrap_err();
    assert_eq!(error.message, "seconds is \"soon\"; it must be a number");
}

#[test]
fn what_can_only_mean_one_thing_is_taken() {
    for (name, given, meant) in [
        ("timeout_seconds", json!(30.0), json!(30)),
        ("timeout_seconds", json!("30"), json!(30)),
        ("timeout_seconds", json!(" 3e1 "), json!(30)),
        ("timeout_seconds", json!(30), json!(30)),
        ("network", json!("False"), json!(false)),
        ("network", json!("true"), json!(true)),
        ("network", json!(1), json!(true)),
        ("network", json!(true), json!(true)),
        ("command", json!(["echo", "a b"]), json!("echo 'a b'")),
        ("command", json!(["sleep", 1]), json!("sleep 1")),
        ("command", json!(["ls"]), json!("ls")),
        (
            "command",
            json!(r#"["bash", "-c", "echo a | cat"]"#),
            json!("bash -c 'echo a | cat'"),
        ),
        ("command", json!(r#"["ls"]"#), json!("ls")),
        // A line that is a shell command is not a list.
        ("command", json!(r#"[ "a" ]"#), json!(r#"[ "a" ]"#)),
        ("command", json!("[a-z]*"), json!("[a-z]*")),
        ("command", json!("null"), json!("null")),
    ] {
        let fitted = run(json!({name: given})).unwrap();
        assert_eq!(fitted[name], meant, "{name}: {given}");
    }
    for nothing in [json!(null), json!(""), json!("null"), json!("None")] {
        let fitted = run(json!({"timeout_seconds": nothing, "network": nothing})).unwrap();
        assert!(fitted.get("timeout_seconds").is_none() && fitted.get("network").is_none());
    }
    let create = find("workspace_create").unwrap();
    for (given, meant) in [
        (json!("*.o"), json!(["*.o"])),
        (json!(["*.o"]), json!(["*.o"])),
        (json!(r#"["*.o", "a"]"#), json!(["*.o", "a"])),
    ] {
        let request = json!({"environment": "debian:12", "exclude": given});
        assert_eq!(fit(create, request).unwrap()["exclude"], meant, "{given}");
    }
    let request = json!({"environment": "debian:12", "exclude": ["a", 7]});
    let error = fit(create, request).unwrap_err().message;
    assert_eq!(error, "exclude is [\"a\",7]; it must be a list of texts");
    for (given, meant) in [
        (json!({"a": "1"}), json!({"a": "1"})),
        (
            json!({"issue": 7, "draft": true}),
            json!({"issue": "7", "draft": "true"}),
        ),
        (json!(r#"{"a": "1"}"#), json!({"a": "1"})),
    ] {
        let request = json!({"environment": "debian:12", "labels": given});
        assert_eq!(fit(create, request).unwrap()["labels"], meant, "{given}");
    }
    for given in [
        json!({"a": null}),
        json!({"a": 1.5}),
        json!("a=1"),
        json!(["a=1"]),
    ] {
        let request = json!({"environment": "debian:12", "labels": given});
        let error = fit(create, request).unwrap_err().message;
        assert!(
            error.ends_with("; it must be an object whose values are texts"),
            "{error}"
        );
    }
    let exec = find("vm_exec").unwrap();
    let request = json!({"vm_id": 123_456_789_012_u64, "command": "true"});
    let fitted = fit(exec, request).unwrap();
    assert_eq!(fitted["vm_id"], "123456789012");
}

/// A missing command has its own error code, in whatever way it is missing.
#[test]
fn a_missing_command_has_its_code() {
    let run = find("vm_run").unwrap();
    for request in [
        json!({"environment": "debian:12"}),
        json!({"environment": "debian:12", "command": null}),
    ] {
        let error = fit(run, request).unwrap_err();
        assert_eq!(error.code, "command_required");
        assert!(!error.to_string().contains("--"), "{error}");
    }
    let error = fit(run, json!({"command": "true"})).unwrap_err();
    assert_eq!(error.code, "invalid_input");
}

#[test]
fn what_cannot_is_told_with_what_came_and_what_is_wanted() {
    for (name, given, told) in [
        (
            "timeout_seconds",
            json!(1.5),
            "timeout_seconds is 1.5; it must be a whole number, 1 or more",
        ),
        (
            "timeout_seconds",
            json!(true),
            "timeout_seconds is true; it must be a whole number, 1 or more",
        ),
        (
            "vcpu_count",
            json!("two"),
            "vcpu_count is \"two\"; it must be a whole number from 1 to 8",
        ),
        (
            "mem_mib",
            json!(1e300),
            "mem_mib is 1e+300; it must be a whole number from 256 to 32768",
        ),
        (
            "network",
            json!("maybe"),
            "network is \"maybe\"; it must be true or false",
        ),
        (
            "network",
            json!(2),
            "network is 2; it must be true or false",
        ),
        (
            "environment",
            json!(12),
            "environment is 12; it must be text",
        ),
        (
            "command",
            json!([]),
            "command is []; it must be text, or a list with each word of the command apart",
        ),
        (
            "command",
            json!(["a", {}]),
            "command is [\"a\",{}]; it must be text, or a list with each word of the command apart",
        ),
        (
            "command",
            json!(["ls -l"]),
            "command is [\"ls -l\"]; it must be text, or a list with each word of the command apart",
        ),
        (
            "command",
            json!(r#"["ls -l"]"#),
            "command is \"[\\\"ls -l\\\"]\"; it must be text, or a list with each word of the command apart",
        ),
        (
            "vcpu_count",
            json!(u64::MAX),
            "vcpu_count is 18446744073709551615; it must be a whole number from 1 to 8",
        ),
    ] {
        let error = run(json!({name: given})).unwrap_err();
        assert_eq!(error, told, "{name}: {given}");
    }
    let error = run(json!({"cmd": "x"})).unwrap_err();
    assert!(
        error.starts_with("vm_run takes no 'cmd'; it takes command, cwd, env, environment, "),
        "{error}"
    );
    let run = find("vm_run").unwrap();
    let missing = fit(run, json!({"environment": "debian:12"})).unwrap_err();
    assert!(
        missing
            .message
            .starts_with("command is missing; it must be text")
    );
    let long = fit(run, json!("x".repeat(1000))).unwrap_err();
    assert!(long.message.len() < 200, "{long}");
}

/// The operation accepts every fitted request, or refuses it with an error that names the property.
#[test]
fn every_operation_can_be_fitted() {
    for entry in crate::operations::OPERATIONS {
        assert!(fit(entry, json!([])).is_err());
        let schema = (entry.input_schema)().to_value();
        for (name, property) in schema["properties"].as_object().into_iter().flatten() {
            let kind = resolved(property, &schema);
            assert!(kind.get("type").is_some(), "{}.{name}: {kind}", entry.name);
        }
    }
}

#[test]
fn a_port_is_a_text_or_a_number() {
    let entry = crate::operations::find("workspace_port_add").unwrap();
    let port = |port: Value| {
        let fitted = fit(entry, json!({"workspace_id": "0123456789ab", "port": port}));
        fitted.map(|fitted| fitted["port"].clone())
    };
    for (given, meant) in [
        (json!("8080:80"), json!("8080:80")),
        (json!("80"), json!("80")),
        (json!(80), json!(80)),
        (json!(80.0), json!(80)),
    ] {
        assert_eq!(port(given.clone()), Ok(meant), "{given}");
    }
    let error = port(json!([80])).unwrap_err();
    assert_eq!(
        error.message,
        "port is [80]; it must be text, or a whole number"
    );
}
