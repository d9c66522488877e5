//! The page of the environments.

use std::fmt::Write;

use pyro_engine::operations::env::EnvironmentList;
use pyro_engine::{Config, Context, Engine, operations};

use super::page::{cell, header};
use crate::Error;

pub(super) fn page() -> Result<String, Error> {
    let list = list()?;
    let mut page = header("Environments", "the catalog");
    let _ = write!(
        page,
        "\nCatalog version {}. The packages named are promises; an image holds more.\n\n\
         | name | version | for | packages |\n|---|---|---|---|\n",
        list.catalog_version
    );
    for environment in &list.environments {
        let packages: Vec<String> = environment
            .default_packages
            .iter()
            .map(|package| format!("`{package}`"))
            .collect();
        let _ = writeln!(
            page,
            "| `{}` | {} | {} | {} |",
            environment.name,
            environment.version,
            cell(&environment.description),
            packages.join(" ")
        );
    }
    Ok(page)
}

/// Uses an engine whose directories do not exist: the reference must not depend on this host.
fn list() -> Result<EnvironmentList, Error> {
    let nowhere = |name: &str| (name == "HOME").then(|| "/nonexistent".into());
    let engine = Engine::open(Config::from_variables(nowhere)?)?;
    let entry = operations::find("vm_list_environments").ok_or("there is no list operation")?;
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let value = runtime.block_on(engine.call(entry, serde_json::json!({}), Context::default()))?;
    Ok(serde_json::from_value(value)?)
}
