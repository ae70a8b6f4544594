//! What the runners share: scratch directories, programs run natively and in the jar, and comparing the two.
#![allow(dead_code)] // Every runner uses a part of it.

use std::fmt::Write as _;
use std::io::{Read, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::Duration;

/// A run that takes longer is stuck: a guard against tests that never end, far from what any of them needs.
const PATIENCE: Duration = Duration::from_secs(300);

/// Where programs are looked for, natively and in the jar.
pub(crate) const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// What a program left behind.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub stdout: Vec<u8>,
    pub stderr: Vec<u8>,
    /// Exit status, or 128 and the signal's number.
    pub status: i32,
}

impl std::fmt::Debug for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "status {}\n--- stdout\n{}--- stderr\n{}", self.status, shown(&self.stdout), shown(&self.stderr))
    }
}

/// Output as far as a person wants to read it.
fn shown(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    match text.char_indices().nth(4000) {
        Some((end, _)) => format!("{}... ({} bytes)\n", &text[..end], bytes.len()),
        None => text.into_owned(),
    }
}

/// A directory of its own that goes away with the value.
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    pub(crate) fn new(name: &str) -> Scratch {
        let place = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}", std::process::id()));
        _ = std::fs::remove_dir_all(&place);
        std::fs::create_dir_all(&place).expect("a scratch directory");
        Scratch(place)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    pub(crate) fn write(&self, name: &str, contents: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.join(name);
        std::fs::create_dir_all(path.parent().expect("inside the scratch directory")).expect("its directory");
        std::fs::write(&path, contents).expect("a scratch file");
        path
    }

    /// A file that may be executed.
    pub(crate) fn write_program(&self, name: &str, contents: impl AsRef<[u8]>) -> PathBuf {
        use std::os::unix::fs::PermissionsExt;
        let path = self.write(name, contents);
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("permissions");
        path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        _ = std::fs::remove_dir_all(&self.0);
    }
}

/// The command under test with options, ready for `-- PROGRAM`. It says no more on standard error than the program.
pub(crate) fn jar(options: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_belljar"));
    // Without what earlier runs left: each test is alone.
    command.args(["run", "--no-cache", "--crashes=none"]).args(options).arg("--");
    command
}

/// Gives a command the environment of all comparisons: fixed, and the same natively and in the jar.
pub(crate) fn plain_environment<'a>(command: &'a mut Command, directory: &Path) -> &'a mut Command {
    command
        .env_clear()
        .env("PATH", PATH)
        .env("HOME", directory)
        .env("USER", "tester")
        .env("LANG", "C.UTF-8")
        .env("TERM", "dumb")
        .env("TZ", "UTC")
        .env("PWD", directory)
        .current_dir(directory)
}

/// Runs a command to its end with `input` as its standard input.
pub(crate) fn finish(command: &mut Command, input: &[u8]) -> Outcome {
    finish_within(command, input, PATIENCE)
}

/// The same; fails when it takes longer than `patience`. What the command leaves behind is killed with it.
pub(crate) fn finish_within(command: &mut Command, input: &[u8], patience: Duration) -> Outcome {
    let shown = format!("{command:?}");
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn()
        .unwrap_or_else(|error| panic!("{shown}: {error}"));
    let mut stdin = child.stdin.take().expect("piped");
    let (mut stdout, mut stderr) = (child.stdout.take().expect("piped"), child.stderr.take().expect("piped"));
    let input = input.to_vec();
    let (sender, receiver) = mpsc::channel::<()>();
    std::thread::scope(|scope| {
        scope.spawn(move || stdin.write_all(&input));
        let out = scope.spawn(move || read_all(&mut stdout));
        let err = scope.spawn(move || read_all(&mut stderr));
        // An orphan may keep a pipe open for ever, so it is the group that goes.
        let group = format!("-{}", child.id());
        let kill = move || Command::new("kill").args(["-9", "--", &group]).stderr(Stdio::null()).status();
        let watchdog = scope.spawn(move || {
            let late = receiver.recv_timeout(patience).is_err_and(|error| error == mpsc::RecvTimeoutError::Timeout);
            _ = kill();
            late
        });
        let status = child.wait().expect("the child is ours");
        let outcome = Outcome {
            stdout: out.join().expect("the reader ends"),
            stderr: err.join().expect("the reader ends"),
            status: number(status),
        };
        drop(sender);
        assert!(!watchdog.join().expect("the watchdog ends"), "killed after {patience:?}: {shown}\n{outcome:?}");
        outcome
    })
}

fn read_all(from: &mut impl Read) -> Vec<u8> {
    let mut bytes = Vec::new();
    from.read_to_end(&mut bytes).expect("a pipe can be read");
    bytes
}

fn number(status: ExitStatus) -> i32 {
    use std::os::unix::process::ExitStatusExt;
    status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0))
}

/// Runs `arguments` in the jar and then natively, in `directory`, and demands the same outcome.
pub(crate) fn same(directory: &Path, options: &[&str], arguments: &[&str], input: &[u8]) -> Outcome {
    let before = listing(directory);
    // Natively nobody tells of what is left behind.
    let options: Vec<&str> = options.iter().copied().chain(["--leaks=ignore"]).collect();
    let mut command = jar(&options);
    command.args(arguments);
    let jar = finish(plain_environment(&mut command, directory), input);
    assert_eq!(before, listing(directory), "the jar changed the host's files: {arguments:?}");
    let mut command = Command::new(arguments[0]);
    command.args(&arguments[1..]);
    let native = finish(plain_environment(&mut command, directory), input);
    assert!(jar == native, "{arguments:?} differs\n=== natively: {native:?}\n=== in the jar: {jar:?}");
    jar
}

/// The hash that an account shows.
pub(crate) fn hash(account: &str) -> Option<&str> {
    account.lines().find_map(|line| line.trim().strip_prefix("hash"))?.split_whitespace().next()
}

/// Every file under a directory with its size, mode and time of change.
pub(crate) fn listing(directory: &Path) -> String {
    use std::os::unix::fs::MetadataExt;
    let mut entries: Vec<_> =
        std::fs::read_dir(directory).expect("a directory").map(|entry| entry.expect("an entry").path()).collect();
    entries.sort();
    let mut out = String::new();
    for path in entries {
        let metadata = std::fs::symlink_metadata(&path).expect("an entry of the listing");
        let changed = (metadata.ctime(), metadata.ctime_nsec());
        _ = writeln!(out, "{} {:o} {} {changed:?}", path.display(), metadata.mode(), metadata.len());
        if metadata.is_dir() {
            out.push_str(&listing(&path));
        }
    }
    out
}

/// Whether all programs are there. If not, says so loudly, and fails where everything has to be installed (`CI=true`).
pub(crate) fn has(programs: &[&str]) -> bool {
    let missing: Vec<&&str> = programs
        .iter()
        .filter(|program| !std::env::split_paths(PATH).any(|place| place.join(program).is_file()))
        .collect();
    if missing.is_empty() {
        return true;
    }
    let message = format!("NOT TESTED, because these programs are not installed: {missing:?}");
    assert!(std::env::var("CI").as_deref() != Ok("true"), "{message}");
    eprintln!("{message}");
    _ = writeln!(std::io::stdout(), "{message}");
    false
}

/// The project's directory.
pub(crate) fn project() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().expect("the project's directory")
}

/// A machine for one program, without the command line in between.
pub(crate) fn setup(program: &Path, memory_bytes: u64, swap_bytes: u64) -> system::boot::Setup {
    let bytes = |path: &Path| path.to_string_lossy().into_owned().into_bytes();
    system::boot::Setup {
        paging: machine::PagingScheme::x86_64(),
        tlb: None,
        program: bytes(program),
        arguments: vec![bytes(program)],
        environment: Vec::new(),
        directory: b"/".to_vec(),
        memory_bytes,
        swap_bytes,
        disk_bytes: swap_bytes,
        replacement: kernel::mm::replacement::Algorithm::default(),
        cpus: 2,
        host_name: b"jar".to_vec(),
        start_ns: 1_000_000_000_000_000_000,
        time_limit_ns: None,
        uid: 0,
        gid: 0,
        groups: Vec::new(),
        writable: Vec::new(),
    }
}
