//! *Cold starts*: everything from the call to the end of `true` in a machine that was booted for
//! it and thrown away, once by calling the engine and once as a user does, as a process.

use std::borrow::Cow;
use std::fmt::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use pyro_engine::operation::Entry;
use pyro_engine::operations;
use pyro_engine::{Context, Engine, Event, Listener};
use serde_json::json;

use super::{Host, Table, engine};
use crate::Error;

/// Measures `count` starts of each kind and returns a report in Markdown. `tell` hears how far it
/// is. One start before the first that counts builds the environment, if it is not installed, and
/// reads its files into memory.
///
/// # Errors
/// When a start fails, or `program` is not there.
pub fn measure(
    count: u32,
    environment: &str,
    program: &Path,
    tell: impl Fn(&str),
) -> Result<String, Error> {
    if !program.is_file() {
        let hint = "build it: cargo build --release -p pyro";
        return Err(format!("{} does not exist; {hint}", program.display()).into());
    }
    // One thread: a machine ends with the thread that started it.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let engine = engine()?;
        let host = Host::examine(&engine).await?;
        let run = operations::find("vm_run").ok_or("there is no run operation")?;
        tell("warming up");
        call(&engine, run, environment, &mut Table::default()).await?;

        let (mut in_process, mut as_process) = (Table::default(), Table::default());
        for round in 1..=count {
            call(&engine, run, environment, &mut in_process).await?;
            spawn(program, environment, &mut as_process)?;
            tell(&format!("{round} of {count}"));
        }
        let mut report = String::new();
        write!(
            report,
            "## Cold starts of `{environment}` (`true`, 1 vCPU, 1024 MiB)\n\n{host}\n\
             Calling the engine:\n\n{in_process}\nAs a process:\n\n{as_process}"
        )?;
        Ok(report)
    })
}

/// What was done, and how long it took.
type Step = (Cow<'static, str>, Duration);

/// Measures one call of the engine, step by step.
async fn call(
    engine: &Engine,
    run: &Entry,
    environment: &str,
    table: &mut Table,
) -> Result<(), Error> {
    let steps: Arc<Mutex<Vec<Step>>> = Arc::default();
    let heard = Arc::clone(&steps);
    let listener = Listener::new(move |event| {
        if let Event::Timing { name, duration } = event {
            let mut steps = heard.lock().unwrap_or_else(PoisonError::into_inner);
            steps.push((name, duration));
        }
    });
    let context = Context {
        listener,
        ..Context::default()
    };
    let request = json!({"environment": environment, "command": "true"});
    let begun = Instant::now();
    let result = engine.call(run, request, context).await?;
    let total = begun.elapsed();
    if result["exit_code"] != 0 {
        return Err(format!("`true` failed in {environment}: {result}").into());
    }
    let steps = steps.lock().unwrap_or_else(PoisonError::into_inner);
    for (name, duration) in steps.iter() {
        table.add(&format!("`{name}`"), *duration);
    }
    let named: Duration = steps.iter().map(|(_, duration)| duration).sum();
    table.add("all else", total.saturating_sub(named));
    let teardown = steps.iter().find(|(name, _)| *name == "teardown");
    let teardown = teardown.map_or(Duration::ZERO, |(_, duration)| *duration);
    table.add(
        "**until the command's end**",
        total.saturating_sub(teardown),
    );
    table.add("**total**", total);
    Ok(())
}

/// Measures one process, from its start to its end.
fn spawn(program: &Path, environment: &str, table: &mut Table) -> Result<(), Error> {
    let begun = Instant::now();
    let output = Command::new(program)
        .args(["--quiet", "run", environment, "--", "true"])
        .stdin(Stdio::null())
        .output()?;
    let total = begun.elapsed();
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(format!("pyro run failed ({}): {said}", output.status).into());
    }
    table.add("`pyro run … -- true`", total);
    Ok(())
}
