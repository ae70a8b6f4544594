//! The command on a terminal: a person types at a shell in the jar, and sees what natively is seen.

mod common;

use common::{PATH, Scratch, has};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// What a prompt looks like here: nothing else prints it.
const PROMPT: &str = "jar$ ";

/// A person's terminal with a program in a session of its own.
struct Terminal {
    /// The side of who sits in front of it.
    screen: File,
    child: Child,
    /// What was shown and not asked for yet.
    shown: String,
}

impl Terminal {
    /// Starts a command line in `scratch`, natively or in the jar.
    fn start(scratch: &Scratch, arguments: &[&str]) -> Terminal {
        let screen: OwnedFd = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a pseudo-terminal");
        grantpt(&screen).and_then(|()| unlockpt(&screen)).expect("the pseudo-terminal is ours");
        resize(&screen, 24, 80);
        let name = ptsname(&screen, Vec::new()).expect("it has a name");
        let line = File::options().read(true).write(true).open(name.to_str().expect("ASCII")).expect("its other side");
        let mut command = Command::new("setsid");
        command.args(["--ctty", "--wait", "env", "--default-signal", "timeout", "--foreground", "-s", "KILL", "120"]);
        let command = common::plain_environment(command.args(arguments), scratch.path());
        command.env("PS1", PROMPT).env("PATH", PATH).env("HISTFILE", "");
        let stdio = || Stdio::from(line.try_clone().expect("a descriptor"));
        let child = command.stdin(stdio()).stdout(stdio()).stderr(stdio()).spawn().expect("setsid");
        Terminal { screen: File::from(screen), child, shown: String::new() }
    }

    /// A shell in the jar, at its first prompt.
    fn shell(scratch: &Scratch) -> Terminal {
        let jar = [env!("CARGO_BIN_EXE_belljar"), "run", "--no-cache", "--env=PS1", "--env=HISTFILE", "--"];
        let mut terminal = Terminal::start(scratch, &[&jar[..], &["bash", "--norc", "--noediting"]].concat());
        terminal.until(PROMPT);
        terminal
    }

    fn type_in(&mut self, text: &str) {
        self.screen.write_all(text.as_bytes()).expect("a terminal can be written to");
    }

    /// What is shown until `wanted` is, which goes with it. The program is killed when it takes for ever.
    fn until(&mut self, wanted: &str) -> String {
        loop {
            if let Some(at) = self.shown.find(wanted) {
                let rest = self.shown.split_off(at + wanted.len());
                let mut before = std::mem::replace(&mut self.shown, rest);
                before.truncate(at);
                return before;
            }
            let mut bytes = [0; 4096];
            match self.screen.read(&mut bytes) {
                Ok(count) if count > 0 => self.shown.push_str(&String::from_utf8_lossy(&bytes[..count])),
                // EIO: nobody has the other side open any more.
                _ => panic!("{wanted:?} was never shown, but {:?}", self.shown),
            }
        }
    }

    /// Types a line, and gives what it prints until the next prompt.
    fn run(&mut self, line: &str) -> String {
        self.type_in(&format!("{line}\n"));
        self.until("\r\n"); // The echo.
        self.until(PROMPT).replace("\r\n", "\n")
    }

    /// The program's exit status, and what it still shows.
    fn end(mut self) -> (Option<i32>, String) {
        let status = self.child.wait().expect("the child is ours");
        let mut bytes = Vec::new();
        // It ends with EIO, as nobody has the other side open.
        _ = self.screen.read_to_end(&mut bytes);
        self.shown.push_str(&String::from_utf8_lossy(&bytes));
        (status.code(), std::mem::take(&mut self.shown))
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

fn resize(screen: &impl std::os::fd::AsFd, rows: u16, columns: u16) {
    let size = Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    tcsetwinsize(screen, size).expect("a terminal has a size");
}

#[test]
fn a_shell_has_a_terminal_and_job_control() {
    if !has(&["bash", "setsid", "timeout", "cat", "sleep", "stty", "ps"]) {
        return;
    }
    let scratch = Scratch::new("terminal");
    let mut terminal = Terminal::shell(&scratch);
    assert_eq!(terminal.run("tty"), "/dev/pts/0\n");
    assert_eq!(terminal.run("[ -t 0 ] && echo yes; stty size"), "yes\n24 80\n");
    // Ctrl-C kills who is in the foreground, and the shell lives.
    terminal.type_in("cat\n");
    terminal.until("cat\r\n");
    terminal.type_in("line\n");
    terminal.until("line\r\nline\r\n"); // The terminal's echo and cat's.
    terminal.type_in("\x03");
    terminal.until("^C");
    terminal.until(PROMPT);
    assert_eq!(terminal.run("echo $?"), "130\n");
    // Ctrl-Z stops it; it can be continued in the foreground.
    terminal.type_in("cat\n");
    terminal.until("cat\r\n");
    terminal.type_in("\x1a");
    terminal.until("^Z");
    assert!(terminal.until(PROMPT).contains("Stopped"));
    assert!(terminal.run("jobs").contains("Stopped"));
    terminal.type_in("fg\n");
    terminal.until("fg\r\ncat\r\n");
    terminal.type_in("again\n");
    terminal.until("again\r\nagain\r\n");
    terminal.type_in("\x04"); // Ctrl-D: the end of the input.
    terminal.until(PROMPT);
    // Ctrl-\ goes to the program, not to belljar.
    terminal.type_in("cat\n");
    terminal.until("cat\r\n");
    terminal.type_in("\x1c");
    terminal.until("^\\");
    terminal.until(PROMPT);
    assert_eq!(terminal.run("echo $?"), "131\n");
    // A program in the background that reads the terminal is stopped by SIGTTIN.
    terminal.run("cat &");
    assert!(terminal.run("sleep 0.01; jobs -l").contains("Stopped (tty input)"));
    assert!(terminal.run("kill %1; fg; echo $?").ends_with("143\n"));
    terminal.type_in("exit 7\n");
    assert_eq!(terminal.end().0, Some(7));
}

#[test]
fn the_size_of_the_window_reaches_the_programs() {
    if !has(&["bash", "setsid", "timeout", "stty"]) {
        return;
    }
    let scratch = Scratch::new("window");
    let mut terminal = Terminal::shell(&scratch);
    terminal.run("trap 'stty size' WINCH");
    resize(&terminal.screen, 50, 132);
    // When bash looks at its traps depends on when the signal came: at the latest when it has read a line.
    terminal.type_in("read line\ndone\n");
    terminal.until("50 132\r\n");
    terminal.type_in("exit\n");
    assert_eq!(terminal.end().0, Some(0));
}

#[test]
fn an_editor_in_the_jar_writes_a_file_of_the_host_if_that_was_asked_for() {
    if !has(&["busybox", "setsid", "timeout"]) {
        return;
    }
    let scratch = Scratch::new("editor");
    let file = scratch.write("notes", "first\nsecond\n");
    let place = format!("--write={}", scratch.path().display());
    let jar = [env!("CARGO_BIN_EXE_belljar"), "run", "--no-cache", &place, "--", "busybox", "vi", "notes"];
    let mut terminal = Terminal::start(&scratch, &jar);
    terminal.until("second");
    terminal.type_in("othird\x1b");
    terminal.until("third");
    terminal.type_in(":wq\n");
    assert_eq!(terminal.end().0, Some(0));
    assert_eq!(std::fs::read_to_string(file).unwrap(), "first\nthird\nsecond\n");
}

#[test]
fn the_terminal_is_left_as_it_was() {
    if !has(&["bash", "setsid", "timeout", "stty", "sh"]) {
        return;
    }
    let scratch = Scratch::new("restored");
    let jar = format!("{} run --no-cache -- bash -c 'stty raw -echo; kill -9 $$'", env!("CARGO_BIN_EXE_belljar"));
    let script = format!("stty -g; {jar}; echo; stty -g; echo over");
    let mut terminal = Terminal::start(&scratch, &["sh", "-c", &script]);
    let shown = terminal.until("over").replace('\r', "");
    let settings: Vec<&str> = shown.lines().filter(|line| line.contains(':') && !line.contains(' ')).collect();
    assert!(settings.len() == 2 && settings[0] == settings[1], "{shown}");
    assert_eq!(terminal.end().0, Some(0));
}

/// Nobody looks at a clock here: what takes too long is killed by `timeout`, far later than any of this needs.
#[test]
fn a_sleep_at_the_prompt_takes_real_time() {
    if !has(&["bash", "setsid", "timeout", "sleep"]) {
        return;
    }
    let scratch = Scratch::new("sleep");
    let mut terminal = Terminal::shell(&scratch);
    let start = std::time::Instant::now();
    terminal.run("sleep 0.3");
    assert!(start.elapsed() >= Duration::from_millis(300));
    terminal.type_in("exit\n");
    assert_eq!(terminal.end().0, Some(0));
}
