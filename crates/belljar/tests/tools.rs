//! Stock tools that look at IPC and at open files: what they tell in the jar is what the script set up, and looks as it does
//! natively.

mod common;

use common::{Outcome, Scratch, finish, has, jar, plain_environment, same};
use std::process::Command;

/// Objects with fixed keys, and all tools that list and remove them.
const SYSTEM_V: &str = r#"
perl -e '
    $queue = msgget(0x1234, 0640 | 01000) // die; msgsnd($queue, pack("l! a*", 5, "hello"), 0) or die;
    defined semget(0x55, 5, 0600 | 01000) or die;
    $segment = shmget(0x77, 5000, 0604 | 01000) // die; shmwrite($segment, "x", 4999, 1) or die;'
ipcs; ipcs -q; ipcs -m; ipcs -s; ipcs -l; ipcs -u
lsipc -q -o KEY,ID,PERMS,USEDBYTES,MSGS; lsipc -m -o KEY,ID,PERMS,SIZE,NATTCH; lsipc -s -o KEY,ID,PERMS,NSEMS
lsipc -g -o RESOURCE,DESCRIPTION,LIMIT,USED
busybox ipcs
ipcrm -Q 0x1234; ipcrm -m 0; ipcrm -Q 0x1234; busybox ipcrm -S 0x55; ipcs
ipcmk -S 3 -p 0600 > /dev/null; ipcmk -Q > /dev/null; ipcmk -M 1 > /dev/null; lsipc -s -o ID,PERMS,NSEMS
ipcrm -a; ipcs
"#;

fn in_jar(scratch: &Scratch, script: &str) -> Outcome {
    let mut command = jar(&[]);
    command.args(["sh", "-c", script]);
    finish(plain_environment(&mut command, scratch.path()), b"")
}

#[test]
fn tools_list_and_remove_system_v_objects() {
    if !has(&["ipcs", "ipcrm", "ipcmk", "lsipc", "perl", "busybox"]) {
        return;
    }
    let scratch = Scratch::new("tools-sysv");
    let outcome = in_jar(&scratch, SYSTEM_V);
    let text = String::from_utf8_lossy(&outcome.stdout).into_owned();
    let has_line = |words: &[&str]| {
        let is_it = |line: &str| words.iter().zip(line.split_whitespace()).all(|(wanted, found)| *wanted == found);
        assert!(text.lines().any(|line| !line.is_empty() && is_it(line)), "no line {words:?} in {outcome:?}");
    };
    has_line(&["0x00001234", "0"]);
    has_line(&["0x00000077", "0"]);
    has_line(&["0x00000055", "0"]);
    has_line(&["0x00001234", "0", "rw-r-----", "5B", "1"]);
    has_line(&["0x00000077", "0", "rw----r--", "4.9K", "0"]);
    has_line(&["MSGMNI", "Number", "of", "message", "queues", "32000", "1"]);
    // Where one can have a namespace of one's own, the same is told natively.
    let mut native = Command::new("unshare");
    native.args(["-i", "sh", "-c", SYSTEM_V]);
    let native = finish(plain_environment(&mut native, scratch.path()), b"");
    if String::from_utf8_lossy(&native.stderr).contains("unshare") {
        return;
    }
    assert!(native == outcome, "=== natively: {native:?}\n=== in the jar: {outcome:?}");
}

#[test]
fn a_namespace_of_its_own_hides_and_keeps_objects() {
    if !has(&["unshare", "ipcmk", "ipcs"]) {
        return;
    }
    let scratch = Scratch::new("tools-namespace");
    let script = "ipcmk -S 1 > /dev/null; unshare -i sh -c 'ipcs -s; ipcmk -Q > /dev/null; readlink /proc/self/ns/ipc'; \
                  ipcs -sq | grep -c 0x; readlink /proc/self/ns/ipc";
    let outcome = in_jar(&scratch, script);
    let text = String::from_utf8_lossy(&outcome.stdout);
    if text.contains("4026531840") {
        let expected = "\n------ Semaphore Arrays --------\nkey        semid      owner      perms      nsems     \n\n\
                        ipc:[4026531840]\n1\nipc:[4026531839]\n";
        assert_eq!(text, expected, "{outcome:?}");
    } else {
        // Only root may.
        assert!(String::from_utf8_lossy(&outcome.stderr).contains("Operation not permitted"), "{outcome:?}");
    }
}

#[test]
fn queues_are_files_of_dev_mqueue() {
    if !has(&["python3", "stat"]) {
        return;
    }
    let scratch = Scratch::new("tools-mqueue");
    let script = r#"
umask 022; : > /dev/mqueue/made; ls /dev/mqueue; cat /dev/mqueue/made; stat -c '%a %s %F' /dev/mqueue/made
chmod 600 /dev/mqueue/made; stat -c %a /dev/mqueue/made; stat -f -c %T /dev/mqueue; grep mqueue /proc/mounts
python3 -c 'import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
queue = libc.mq_open(b"/made", os.O_RDWR)
assert libc.mq_send(queue, b"abc", 3, 1) == 0
print(open("/dev/mqueue/made").read(), os.readlink("/proc/self/fd/%d" % queue))'
mkdir /dev/mqueue/d; ln /dev/mqueue/made /dev/mqueue/other; mv /dev/mqueue/made /dev/mqueue/other
rm /dev/mqueue/made; ls /dev/mqueue
"#;
    let outcome = in_jar(&scratch, script);
    let expected = "made\nQSIZE:0          NOTIFY:0     SIGNO:0     NOTIFY_PID:0     \n644 80 regular file\n600\nmqueue\n\
                    mqueue /dev/mqueue mqueue rw,nosuid,nodev,noexec,noatime 0 0\n\
                    QSIZE:3          NOTIFY:0     SIGNO:0     NOTIFY_PID:0     \n /made\n";
    assert_eq!(String::from_utf8_lossy(&outcome.stdout), expected, "{outcome:?}");
    assert_eq!(String::from_utf8_lossy(&outcome.stderr).matches("Operation not permitted").count(), 3, "{outcome:?}");
}

#[test]
fn tools_tell_who_has_a_file_open_and_locked() {
    if !has(&["lslocks", "lsof", "fuser", "flock", "mkfifo", "python3"]) {
        return;
    }
    let scratch = Scratch::new("tools-files");
    let script = r#"
mkfifo -m 640 fifo; stat -c '%F %a' fifo
(flock 9; exec sleep 9) 9> locked & holder=$!
sleep 1; flock locked true & waiter=$!
sleep 1
lslocks -n -o TYPE,MODE,M,START,END,PATH | grep -c "FLOCK.*WRITE.*locked"
grep -c "^lock:.*FLOCK  ADVISORY  WRITE" /proc/$holder/fdinfo/9
case "$(fuser locked 2> /dev/null) " in *" $holder "*) echo the holder has it open;; esac
python3 -c '
import fcntl, os, socket, subprocess, sys
listener = socket.socket(socket.AF_UNIX); listener.bind("name"); listener.listen()
left, right = socket.socketpair()
read, write = os.pipe()
fifo = os.open("fifo", os.O_RDWR)
held = os.open("records", os.O_RDWR | os.O_CREAT)
fcntl.lockf(held, fcntl.LOCK_EX, 10, 5)
me = str(os.getpid())
show = lambda *words: subprocess.run(words, capture_output=True, text=True).stdout
text = show("lsof", "-w", "-p", me, "-a", "-d", "3-9", "-F", "ftn")
print(text.replace(os.getcwd(), "HERE"))
print(show("lslocks", "-n", "-p", me, "-o", "TYPE,MODE,M,START,END"))
print([line.split()[4:6] + line.split()[7:] for line in open("/proc/net/unix") if "name" in line])
print("name" in show("lsof", "-w", "-U", "-a", "-p", me))'
wait
"#;
    let outcome = in_jar(&scratch, script);
    let text = String::from_utf8_lossy(&outcome.stdout);
    let told: Vec<&str> = text.lines().take(4).collect();
    assert_eq!(told, ["fifo 640", "1", "1", "the holder has it open"], "{outcome:?}");
    for line in
        ["tFIFO", "tunix", "nHERE/fifo", "nHERE/records", "POSIX WRITE 0     5  14", "[['0001', '01', 'name']]", "True"]
    {
        assert!(text.lines().any(|found| found == line), "no line {line:?} in {outcome:?}");
    }
}

#[test]
fn mkfifo_makes_what_it_makes_natively() {
    if !has(&["mkfifo", "stat"]) {
        return;
    }
    let scratch = Scratch::new("tools-mkfifo");
    let script = "mkfifo a -m 602; umask 77; mkfifo b c; mkfifo a; mknod d p; stat -c '%F %a %h %s %n' a b c d; \
                  (echo through > b &); cat b; rm a b c d; mkfifo none/a";
    same(scratch.path(), &[], &["sh", "-c", script], b"");
}
