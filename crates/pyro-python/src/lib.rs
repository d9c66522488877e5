//! The Python *frontend*: one class, [`Engine`], whose `call` takes an operation's name and its
//! request as JSON and returns the response as JSON. The public interface is written in Python, in
//! `python/pyro_mcp`, and mostly generated from the table of operations.
//!
//! A call runs on the thread that makes it, with a runtime of its own: a VMM dies with the thread
//! that started it, and a forked process has only the forking thread.
//!
//! The words are in `docs/glossary.md`.

mod call;
mod callbacks;

use std::collections::HashMap;
use std::ffi::OsString;
use std::path::PathBuf;

use pyo3::prelude::*;
use pyo3::types::PyAny;
use pyro_engine::operations::HINTS;
use pyro_engine::variables::{BASE_DIR, CACHE_DIR};
use pyro_engine::{Config, Error, ErrorKind, VERSION, operations};

use crate::callbacks::Callbacks;

/// The module `pyro_mcp._native`.
#[pymodule]
fn _native(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("__version__", VERSION)?;
    module.add_class::<Engine>()
}

/// The object on which calls are made. It has only settings: no threads and no open files.
#[pyclass(frozen, module = "pyro_mcp._native")]
struct Engine {
    config: Config,
    /// The names of operations in Python.
    methods: HashMap<String, String>,
}

#[pymethods]
impl Engine {
    /// Reads the settings from a mapping of environment variables; explicit arguments take
    /// precedence. `methods` are the names of operations in Python, for hints.
    #[new]
    #[pyo3(signature = (variables, methods, *, base_dir=None, cache_dir=None, active_limit=None, program=None))]
    fn new(
        variables: &Bound<'_, PyAny>,
        methods: HashMap<String, String>,
        base_dir: Option<PathBuf>,
        cache_dir: Option<PathBuf>,
        active_limit: Option<usize>,
        program: Option<PathBuf>,
    ) -> PyResult<Self> {
        let variable = |name: &str| {
            let value = variables.call_method1("get", (name,)).ok()?;
            value.extract::<Option<OsString>>().ok().flatten()
        };
        let given = [(BASE_DIR, base_dir), (CACHE_DIR, cache_dir)];
        let config = Config::from_variables(|name| {
            let given = given.iter().find(|(known, _)| *known == name);
            match given {
                Some((_, Some(directory))) => Some(directory.clone().into_os_string()),
                _ => variable(name),
            }
        })
        .map_err(|error| exception(variables.py(), &error, &methods))?;
        Ok(Self {
            methods,
            config: Config {
                active_limit: active_limit.unwrap_or(config.active_limit),
                program,
                ..config
            },
        })
    }

    /// Runs an operation and returns its response. `on_output`, if given, receives the name of a
    /// stream and bytes as the command prints them. `on_news` receives a level of the module
    /// `logging` and a message. `wanted` is called periodically. If it returns false, or if one of
    /// the three functions or a signal handler raises an exception, the call is cancelled and
    /// everything that it started is ended.
    #[pyo3(signature = (operation, request, *, on_output=None, on_news=None, wanted=None))]
    fn call(
        &self,
        py: Python<'_>,
        operation: &str,
        request: &str,
        on_output: Option<Py<PyAny>>,
        on_news: Option<Py<PyAny>>,
        wanted: Option<Py<PyAny>>,
    ) -> PyResult<String> {
        let entry = operations::find(operation).ok_or_else(|| {
            let error = Error {
                kind: ErrorKind::InvalidInput,
                code: "invalid_input".into(),
                message: format!("no operation '{operation}'"),
                cause: None,
                remedy: None,
                retry_safe: true,
            };
            exception(py, &error, &self.methods)
        })?;
        let callbacks = Callbacks::new(on_output, on_news, wanted);
        let result = py.detach(|| call::run(&self.config, entry, request, &callbacks))?;
        if let Some(failure) = callbacks.failure() {
            // The caller gets the exception and not the response.
            if let Ok(response) = &result {
                py.detach(|| call::discard(&self.config, entry, response));
            }
            return Err(failure);
        }
        result.map_err(|error| exception(py, &error, &self.methods))
    }

    /// Deletes the instance that a call has created, for a caller that does not get the response.
    fn discard(&self, py: Python<'_>, operation: &str, response: &str) {
        if let Some(entry) = operations::find(operation) {
            py.detach(|| call::discard(&self.config, entry, response));
        }
    }

    /// The environment cache.
    #[getter]
    fn cache_dir(&self) -> &PathBuf {
        &self.config.cache_dir
    }

    /// The directory for machines.
    #[getter]
    fn base_dir(&self) -> &PathBuf {
        &self.config.base_dir
    }

    /// How many machines may be active at a time.
    #[getter]
    fn active_limit(&self) -> usize {
        self.config.active_limit
    }
}

/// Returns the exception for an error of the engine: its class is defined in Python, and its remedy
/// names Python methods.
fn exception(py: Python<'_>, error: &Error, methods: &HashMap<String, String>) -> PyErr {
    let known = |operation: &'static str| methods.get(operation).cloned();
    let hint = error.remedy.as_deref();
    let hint = hint.map(|hint| HINTS.for_operations(hint, known));
    let class = match error.kind {
        ErrorKind::InvalidInput => "PyroValueError",
        ErrorKind::Failed | ErrorKind::Cancelled | ErrorKind::OutputClosed => "PyroRuntimeError",
    };
    let made = py.import("pyro_mcp.errors").and_then(|errors| {
        errors.getattr(class)?.call1((
            &error.message,
            &*error.code,
            &error.cause,
            &hint,
            error.retry_safe,
        ))
    });
    made.map_or_else(|failure| failure, PyErr::from_value)
}
