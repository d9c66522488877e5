//! The *host*: what a number was measured on, without which it says nothing.

use std::fmt;
use std::fs;

use pyro_engine::operations::doctor::Report;
use pyro_engine::{Context, Engine, operations};
use serde_json::json;

use crate::Error;

/// What numbers were measured on.
#[derive(Clone, Debug)]
pub struct Host {
    processor: String,
    cores: usize,
    memory_mib: u64,
    kernel: String,
    qemu: String,
    accelerator: String,
    load: String,
}

impl Host {
    /// Looks at this host.
    ///
    /// # Errors
    /// When it cannot run guests at all.
    pub async fn examine(engine: &Engine) -> Result<Self, Error> {
        let entry = operations::find("doctor").ok_or("there is no doctor operation")?;
        let value = engine.call(entry, json!({}), Context::default()).await?;
        let report: Report = serde_json::from_value(value)?;
        if !report.runtime_ok {
            return Err(format!("no guest can run here: {}", report.issues.join("; ")).into());
        }
        let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
        Ok(Self {
            processor: field("/proc/cpuinfo", "model name"),
            cores: std::thread::available_parallelism().map_or(0, Into::into),
            memory_mib: rustix::system::sysinfo().totalram >> 20,
            kernel: version(&rustix::system::uname().release().to_string_lossy()),
            qemu: report.qemu.version.unwrap_or_default(),
            accelerator: report.accelerator.selected.unwrap_or_default(),
            load: load.split(' ').next().unwrap_or_default().to_owned(),
        })
    }
}

/// The digits a kernel's release begins with, without what its vendor added.
fn version(release: &str) -> String {
    let is_part = |c: char| c.is_ascii_digit() || c == '.';
    let end = release.find(|c| !is_part(c)).unwrap_or(release.len());
    release[..end].to_owned()
}

/// The value of the first line `name : value` of a file.
fn field(path: &str, name: &str) -> String {
    let text = fs::read_to_string(path).unwrap_or_default();
    text.lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(key, _)| key.trim() == name)
        .map_or_else(|| "unknown".into(), |(_, value)| value.trim().to_owned())
}

impl fmt::Display for Host {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let build = if cfg!(debug_assertions) {
            "debug (use --release for numbers to quote)"
        } else {
            "release"
        };
        write!(
            formatter,
            "* processor: {}, {} cores, {} MiB of memory\n* kernel: Linux {}\n* QEMU: {}, accelerator \
             {}\n* load average when it began: {}\n* pyro {}, {build} build\n",
            self.processor,
            self.cores,
            self.memory_mib,
            self.kernel,
            self.qemu,
            self.accelerator,
            self.load,
            pyro_engine::VERSION,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::version;

    #[test]
    fn a_kernel_has_a_version_without_its_vendor() {
        assert_eq!(version("6.1.0-56-cloud-amd64"), "6.1.0");
        assert_eq!(version("6.12.3"), "6.12.3");
    }
}
