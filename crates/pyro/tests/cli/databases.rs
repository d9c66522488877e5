//! A database server, by the example: packages of the distribution in a workspace, as a service that
//! the host's own client reaches. Only with `PYRO_TEST_FULL`: installing takes minutes.

use std::net::{IpAddr, TcpStream};
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use crate::clones::full;
use crate::context::{TestContext, debian};
use crate::examples;
use crate::instances::{Instance, Kind};
use crate::network;
use crate::templates::wait_until;

/// A port of the host on which nobody listens.
pub(crate) fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

/// Why the test cannot run here, if so.
fn missing() -> Option<&'static str> {
    if !full() {
        return Some("it takes minutes; PYRO_TEST_FULL=1 runs it");
    }
    if Command::new("psql").arg("--version").output().is_err() {
        return Some("this host has no psql (Debian: postgresql-client)");
    }
    if let Some(why) = network::missing() {
        return Some(why);
    }
    let reaches = addresses().into_iter().any(|address| {
        TcpStream::connect_timeout(&(address, 80).into(), Duration::from_secs(5)).is_ok()
    });
    (!reaches).then_some("this host does not reach its package mirror")
}

/// The addresses of the host's package mirrors, which a guest also uses.
fn addresses() -> Vec<IpAddr> {
    let mirrors = network::mirrors().into_iter();
    let all = mirrors.flat_map(|(_, addresses)| addresses);
    all.filter(IpAddr::is_ipv4).collect()
}

#[test]
fn a_database_is_a_service_that_survives_a_stop() {
    if let Some(why) = missing() {
        eprintln!("SKIPPED a_database_is_a_service_that_survives_a_stop: {why}");
        return;
    }
    let allowed: Vec<String> = addresses().iter().map(ToString::to_string).collect();
    let context =
        TestContext::with(debian()).with_variable("PYRO_NETWORK_ALLOW", allowed.join(","));
    let port = free_port().to_string();
    let id = examples::shell(&context, "database.sh")
        .args(&[&port])
        .limit(1800)
        .run()
        .expect(0)
        .out();
    let workspace = Instance::known(&context, Kind::Workspace, id.trim().to_owned());

    // The host's own client.
    let ask = |query: &str| {
        let psql = [
            "-h",
            "127.0.0.1",
            "-p",
            &port,
            "-U",
            "tester",
            "-At",
            "-c",
            query,
            "postgres",
        ];
        let asked = Command::new("psql")
            .args(psql)
            .env("PGPASSWORD", "tester")
            .output()
            .unwrap();
        (
            asked.status.success(),
            String::from_utf8_lossy(&asked.stdout).trim().to_owned(),
        )
    };
    assert!(ask("create table t as select generate_series(1, 1000) n").0);
    assert_eq!(ask("select sum(n) from t"), (true, "500500".to_owned()));
    workspace.call(&["stop"]).run().expect(0);
    assert!(!ask("select 1").0);
    workspace.call(&["start"]).run().expect(0);
    let status = || -> Value {
        let status = workspace
            .call(&["service", "status"])
            .args(&["db", "--json"]);
        status.run().expect(0).json()
    };
    wait_until("it is ready again", || status()["ready_at"].is_number());
    assert_eq!(ask("select sum(n) from t"), (true, "500500".to_owned()));

    // For the next tests, it is as new.
    let again = examples::shell(&context, "database.sh");
    let again = again.args(&[&port, &workspace.id]).limit(300).run();
    assert_eq!(again.expect(0).out(), id);
    assert_eq!(
        ask("select to_regclass('t') is null"),
        (true, "t".to_owned())
    );
}
