//! The ways to run a program that are compared.

use std::ffi::OsStr;
use std::path::PathBuf;
use std::process::Command;

/// A way to run a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Runner {
    /// Directly on the host's kernel.
    Native,
    /// `belljar run`, by this command.
    Jar(PathBuf),
    /// qemu-user, which translates and hands system calls to the host. What a program executes runs natively.
    Qemu,
    /// Valgrind without a tool: translation only.
    Valgrind,
    /// gVisor, a kernel in user space, on the host's processor.
    Gvisor,
}

/// Where a program may run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// Wherever the host's scheduler likes.
    Anywhere,
    /// On one processor: the faster case for two processes that take turns.
    OneProcessor,
}

impl Runner {
    /// As a heading.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Runner::Native => "native",
            Runner::Jar(_) => "belljar",
            Runner::Qemu => "qemu-user",
            Runner::Valgrind => "valgrind",
            Runner::Gvisor => "gVisor",
        }
    }

    /// What it says of its version; none if it is not installed or does not work here.
    pub(crate) fn version(&self) -> Option<String> {
        let (program, arguments): (&OsStr, &[&str]) = match self {
            Runner::Native => (OsStr::new("uname"), &["-sr"]),
            Runner::Jar(belljar) => (belljar.as_os_str(), &["--version"]),
            Runner::Qemu => (OsStr::new("qemu-x86_64"), &["--version"]),
            Runner::Valgrind => (OsStr::new("valgrind"), &["--version"]),
            Runner::Gvisor => (OsStr::new("runsc"), &["--version"]),
        };
        let works = *self != Runner::Gvisor
            || self.command(Place::Anywhere, ["true"]).output().is_ok_and(|output| output.status.success());
        let output = Command::new(program).args(arguments).output().ok()?;
        let first = String::from_utf8_lossy(&output.stdout).lines().next().map(str::to_owned);
        first.filter(|_| works && output.status.success())
    }

    /// The command that runs a program with its arguments.
    pub(crate) fn command<S: AsRef<OsStr>>(&self, place: Place, program: impl IntoIterator<Item = S>) -> Command {
        let mut command = match place {
            Place::Anywhere => Command::new("env"),
            Place::OneProcessor => Command::new("taskset"),
        };
        if place == Place::OneProcessor {
            command.args(["-c", "0"]);
        }
        match self {
            Runner::Native => {}
            Runner::Jar(belljar) => _ = command.arg(belljar).args(["run", "--"]),
            Runner::Qemu => _ = command.arg("qemu-x86_64"),
            Runner::Valgrind => {
                command.args(["valgrind", "--tool=none", "-q", "--trace-children=yes"]);
            }
            Runner::Gvisor => _ = command.args(["runsc", "--network=none", "--ignore-cgroups", "do"]),
        }
        let mut program = program.into_iter();
        if let Some(name) = program.next() {
            command.arg(found(name.as_ref()));
        }
        command.args(program);
        command
    }
}

/// The path of a program: qemu-user looks nothing up.
fn found(name: &OsStr) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let candidates = std::env::split_paths(&path).map(|folder| folder.join(name));
    let slash = name.as_encoded_bytes().contains(&b'/');
    candidates.into_iter().find(|candidate| !slash && candidate.is_file()).unwrap_or_else(|| name.into())
}
