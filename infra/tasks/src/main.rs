//! `cargo task`: lists the developer's tasks, or runs one by name. The alias is in `.cargo/config.toml`.

mod cost;
mod fuzz;
mod packages;
mod provider_package;
mod routes;

use std::env;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

/// The result of a task. The error is printed.
type TaskResult = Result<(), Box<dyn Error>>;

/// A developer's task.
struct Task {
    name: &'static str,
    /// Its arguments, for the usage.
    arguments: &'static str,
    /// What it does, in one line.
    summary: &'static str,
    run: fn(&[String]) -> TaskResult,
}

const TASKS: &[Task] = &[
    Task {
        name: "gate",
        arguments: "",
        summary: "checks that a change has to pass: format, spelling, dependencies, lints, tests",
        run: |_| run(command("bash").arg(".ci/run")),
    },
    Task {
        name: "bench",
        arguments: "[PART…]",
        summary: "measures the speed of the service, or of those parts",
        run: |parts| run(command("cargo").args(["bench", "--bench", "service", "--"]).args(parts)),
    },
    Task {
        name: "cost",
        arguments: cost::ARGUMENTS,
        summary: "computes what calls cost on AWS, and what nothing costs",
        run: cost::run,
    },
    Task {
        name: "fuzz",
        arguments: "[TARGET [SECONDS]]",
        summary: "runs every fuzz target, or one, for 600 seconds each by default",
        run: fuzz::run,
    },
    Task {
        name: "starts",
        arguments: "[STARTS [PACKAGES]]",
        summary: "measures the start and first invocation of the packaged functions",
        run: |arguments| run(command("cargo").args(["bench", "--bench", "starts", "--"]).args(arguments)),
    },
    Task {
        name: "packages",
        arguments: "[--arch arm64|x86_64] [--output DIR]",
        summary: "builds and zips the functions for AWS, with their sizes and sums",
        run: packages::run,
    },
    Task {
        name: "provider-package",
        arguments: "[--platform OS_ARCH] [--output DIR]",
        summary: "builds and zips the Terraform provider, with its sums and manifest",
        run: provider_package::run,
    },
    Task {
        name: "routes",
        arguments: "",
        summary: "prints the routes of infra/openapi.yaml, with their functions and body limits",
        run: |_| routes::print(),
    },
];

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let Some((name, arguments)) = arguments.split_first() else {
        print!("{}", usage());
        return ExitCode::SUCCESS;
    };
    let Some(task) = TASKS.iter().find(|task| task.name == name) else {
        eprint!("there is no task {name}\n\n{}", usage());
        return ExitCode::from(2);
    };
    match (task.run)(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{name}: {error}");
            ExitCode::FAILURE
        }
    }
}

fn usage() -> String {
    let lines = TASKS.iter().map(|task| {
        let call = format!("cargo task {} {}", task.name, task.arguments);
        format!("  {call:<66}{}\n", task.summary)
    });
    format!("The developer's tasks:\n\n{}", lines.collect::<String>())
}

/// The root of the workspace.
fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// A command in the root of the workspace. Its environment has none of the variables that cargo sets for the programs
/// it runs; build scripts would take those for a changed configuration.
fn command(program: &str) -> Command {
    let mut command = Command::new(program);
    command.current_dir(workspace());
    for (name, _) in env::vars_os() {
        let is_set_by_cargo = name.to_str().is_some_and(|name| {
            name == "CARGO"
                || name == "LD_LIBRARY_PATH"
                || name.starts_with("CARGO_PKG_")
                || name.starts_with("CARGO_MANIFEST_")
        });
        if is_set_by_cargo {
            command.env_remove(name);
        }
    }
    command
}

/// Runs a command. Fails if it cannot be started or exits with an error.
fn run(command: &mut Command) -> TaskResult {
    let program = command.get_program().display().to_string();
    let status = command.status().map_err(|error| format!("cannot run {program}: {error}"))?;
    if status.success() { Ok(()) } else { Err(format!("{program} ended with {status}").into()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Finds the names after `cargo task` in a text.
    fn tasks_in(text: &str) -> Vec<&str> {
        let calls = text.split("cargo task ").skip(1);
        calls.filter_map(|rest| rest.split(|c: char| !c.is_ascii_lowercase() && c != '-').next()).collect()
    }

    #[test]
    fn tasks_of_the_pages_exist_and_every_task_is_listed() {
        let listed = usage();
        let listed = tasks_in(&listed);
        assert_eq!(
            listed,
            ["gate", "bench", "cost", "fuzz", "starts", "packages", "provider-package", "routes"]
        );
        let pages =
            [include_str!("../../../.github/CONTRIBUTING.md"), include_str!("../../../tests/fuzz/README.md")];
        let named: Vec<_> = pages.into_iter().flat_map(tasks_in).collect();
        assert!(named.contains(&"gate") && named.iter().all(|name| listed.contains(name)), "{named:?}");
    }
}
