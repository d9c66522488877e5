//! The `pyro` program.

fn main() -> std::process::ExitCode {
    pyro::main()
}
