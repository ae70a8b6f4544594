//! Other people's programs, natively and in the jar: output and exit status are equal.

mod common;

use common::{Scratch, has, same};

/// Declares a test that runs a shell script, or another program's arguments, both ways.
macro_rules! show {
    ($name:ident, needs $needs:expr, $script:expr) => {
        #[test]
        fn $name() {
            if has(&$needs) {
                let scratch = furnished(stringify!($name));
                same(scratch.path(), &[], &["sh", "-c", $script], b"");
            }
        }
    };
}

/// A directory with some files to work on.
fn furnished(name: &str) -> Scratch {
    let scratch = Scratch::new(name);
    let words: String = (0..2000_u32)
        .map(|index| {
            format!("{} line {index} {}\n", index.wrapping_mul(2_654_435_761) % 1009, "x".repeat(index as usize % 50))
        })
        .collect();
    scratch.write("words.txt", &words);
    scratch.write("notes.md", "# Notes\n\nalpha beta gamma\nbeta gamma delta\n");
    scratch.write("data.tar.not", "not an archive\n");
    scratch.write("src/main.c", MAIN_C);
    scratch.write("src/sum.c", "int sum(int from, int to) { int s = 0; while (from <= to) s += from++; return s; }\n");
    scratch.write("src/text.c", "#include <ctype.h>\nvoid shout(char *t) { for (; *t; t++) *t = toupper(*t); }\n");
    scratch.write("Makefile", MAKEFILE);
    scratch
}

const MAIN_C: &str = r#"#include <stdio.h>
#include <math.h>
int sum(int, int);
void shout(char *);
int main(int argc, char **argv) {
    char text[] = "hello from a compiled program";
    shout(text);
    printf("%s: %d %.6f %d\n", text, sum(1, 100), sqrt(2), argc);
    return argc;
}
"#;

const MAKEFILE: &str = "objects = main.o sum.o text.o\n\
program: $(objects)\n\tgcc -o $@ $(objects) -lm\n\
%.o: src/%.c\n\tgcc -O2 -Wall -c -o $@ $<\n\
clean:\n\trm -f program $(objects)\n";

show!(the_pipeline_of_the_readme, needs ["ls", "cut", "sort", "uniq", "tee"],
    // Of another directory than `contents` is in: natively it is a race whether `ls` sees what `tee` makes.
    "ls -l src | cut -d. -f1 | sort | uniq | tee contents; cat contents | wc -l");

// busybox-static: one static binary.
show!(busybox_sha256sum, needs["busybox"], "busybox sha256sum words.txt notes.md");
show!(
    busybox_sort,
    needs["busybox"],
    "busybox sort -n words.txt | busybox head -50; busybox sort -r -k2 words.txt | busybox tail -5"
);
show!(
    busybox_gzip,
    needs["busybox"],
    "busybox gzip -c words.txt | busybox gunzip -c | busybox md5sum; busybox gzip -9 -c words.txt | busybox wc -c"
);
show!(
    busybox_awk,
    needs["busybox"],
    "busybox awk '{ count[$1 % 10]++; total += length($0) } END { for (i = 0; i < 10; i++) print i, count[i]; print total; printf \"%.3f\\n\", total / NR }' words.txt"
);
show!(
    busybox_find,
    needs["busybox"],
    "busybox find . -name '*.c' | busybox sort; busybox find . -type d | busybox sort"
);
show!(
    busybox_sh,
    needs["busybox"],
    "busybox sh -c 'for i in 1 2 3; do echo $((i * i)); done; echo a b c | while read x y; do echo $y $x; done'"
);
show!(
    busybox_vi_and_friends_exit_cleanly,
    needs["busybox"],
    "busybox expr 3 + 4; busybox printf '%05d\\n' 42; busybox seq 3 | busybox tac; busybox false; echo $?"
);

// dash and bash.
show!(
    dash_functions_and_here_documents,
    needs["dash"],
    r#"dash -c '
greet() { local who=$1; cat <<END
hello $who, $(expr 6 \* 7)
END
}
greet world
x=${undefined:-fallback}; echo "$x ${#x} ${x%back} ${x#fall}"
case $x in f*) echo starts with f;; *) echo no;; esac
set -- a b c; shift; echo "$# $*"
(exit 7); echo status $?
cat <<"RAW"
$not expanded
RAW
'"#
);
show!(
    dash_traps_and_background_jobs,
    needs["dash"],
    r#"dash -c '
trap "echo bye" EXIT
trap "echo got usr1" USR1
kill -USR1 $$
sleep 0.2 & first=$!
(sleep 0.1; exit 5) & second=$!
wait $second; echo second $?
wait $first; echo first $?
sleep 100 & kill $!; wait $! 2>/dev/null; echo killed $?
'"#
);
show!(
    bash_arrays_and_arithmetic,
    needs["bash"],
    r#"bash -c '
declare -A ages=([ann]=31 [bob]=27)
for who in ann bob; do echo "$who ${ages[$who]}"; done
list=(one two three); list+=(four); echo "${#list[@]} ${list[@]:1:2} ${list[-1]}"
for ((i = 0; i < 3; i++)); do printf "%d " $((i ** 3)); done; echo
[[ "2026-11-21" =~ ^([0-9]+)-([0-9]+) ]] && echo "${BASH_REMATCH[2]}"
text="a,b,c"; IFS=, read -ra parts <<< "$text"; echo "${parts[2]} ${text//,/;} ${text^^}"
mapfile -t lines < notes.md; echo ${#lines[@]}
printf "%s\n" {a..e} | tac | paste -sd-
'"#
);
show!(bash_process_substitution, needs ["bash", "diff"], r#"bash -c '
diff <(sort words.txt | head -20) <(sort -r words.txt | head -20) | head -5
paste <(seq 3) <(seq 4 6)
tee >(wc -l >&2) < notes.md | head -1
sleep 0.1
'"#);
show!(
    bash_jobs_and_wait,
    needs["bash"],
    r#"bash -c '
set -m
for i in 1 2 3; do (sleep 0.$i; exit $i) & done
for job in 1 2 3; do wait %$job; echo "job $job: $?"; done
coproc CAT { cat; }; echo through the coprocess >&${CAT[1]}; read -r line <&${CAT[0]}; echo "$line"
trap "echo interrupted" INT; kill -INT $$; echo after
( trap "echo term; exit 3" TERM; kill -TERM $BASHPID; sleep 1 ); echo $?
'"#
);
show!(
    bash_command_substitution_and_pipes,
    needs["bash"],
    r#"bash -c '
set -o pipefail
echo "$(echo "nested $(echo deeper $(echo deepest))")"
false | true; echo "$? ${PIPESTATUS[@]}"
yes | head -3
seq 1 100000 | while read n; do [ $n -gt 5 ] && break; echo $n; done
f() { if [ $1 -le 1 ]; then echo 1; else echo $(( $1 * $(f $(( $1 - 1 ))) )); fi; }; f 8
'"#
);

// coreutils, grep, sed, gawk, find, xargs.
show!(coreutils_on_files, needs ["ls", "cp", "mv", "ln", "stat", "du"], r#"
cp -r src copy; mv copy/sum.c copy/total.c; ln -s total.c copy/link; ln copy/total.c copy/hard
ls -R copy; readlink copy/link; stat -c '%n %s %h %F %a' copy/*; cmp src/sum.c copy/link && echo same
mkdir -p a/b/c; touch -d @1000000000 a/b/c/old; stat -c '%Y' a/b/c/old; rmdir a/b/c 2>/dev/null || echo not empty
rm -r copy a; ls; chmod 640 notes.md; stat -c %a notes.md; truncate -s 5 notes.md; od -c notes.md; df . > /dev/null; sync"#);
show!(coreutils_on_text, needs ["bash", "sort", "uniq", "cut", "tr", "wc", "md5sum"], r#"bash -c '
sort -n words.txt | uniq -c | sort -rn | head -5; cut -d" " -f1 words.txt | sort -u | wc -l
tr a-z A-Z < notes.md | rev; nl notes.md; fold -w 20 notes.md; fmt -w 30 notes.md; head -c 100 words.txt | base64
split -l 500 words.txt part.; wc -l part.*; cat part.* | md5sum; md5sum words.txt | cut -c1-32; sha512sum notes.md
seq 10 | shuf --random-source=words.txt | sort -n | paste -sd,; join <(sort notes.md) <(sort notes.md) 2>/dev/null | head -2
comm -12 src/main.c src/main.c | wc -l; expand notes.md | unexpand -a | cksum; factor 1234567890; numfmt --to=iec 123456789
date -u -d @86400 +%F; printf "%s %q\n" x "a b"; test -f notes.md && echo yes; basename /a/b.c .c; dirname /a/b.c; tsort <<< "a b b c"'"#);
show!(grep_and_sed, needs ["grep", "sed"], r#"
grep -n beta notes.md; grep -c 'x\{20\}' words.txt; grep -rl include src | sort; grep -v line words.txt; echo $?
grep -oE '[0-9]+ line' words.txt | tail -3; grep -P '^\d{3} .* 1\d\d ' words.txt | wc -l
sed -n '2,4p' words.txt; sed 's/\(alpha\) \(beta\)/\2 \1/; /^$/d' notes.md; sed -i.bak 's/gamma/GAMMA/g' notes.md; cat notes.md notes.md.bak"#);
show!(
    gawk,
    needs["gawk"],
    r#"gawk 'BEGIN { FS = " " } { sum[$1 % 7] += $3 } END { n = asorti(sum, keys); for (i = 1; i <= n; i++) printf "%s %d\n", keys[i], sum[keys[i]]; print strftime("%Y", 0, 1), toupper("abc"), gensub(/(b)/, "<\\1>", "g", "abcb"); while (("echo " 6 * 7) | getline line) print line; print exp(1), atan2(0, -1) }' words.txt"#
);
show!(find_with_xargs, needs ["find", "xargs"],
    "find . -type f -print0 | sort -z | xargs -0 -n 2 wc -c; find . -name '*.c' -exec grep -l include {} + | sort; find . -size +1k -newermt 2000-01-01 | sort; seq 20 | xargs -P 4 -n 5 echo | sort");
show!(tar_with_gzip_and_xz, needs ["tar", "gzip", "xz"],
    "tar czf a.tar.gz src notes.md && tar tzf a.tar.gz | sort; tar cJf a.tar.xz src && mkdir out && tar xJf a.tar.xz -C out && diff -r src out/src && echo same; gzip -k words.txt && gzip -l words.txt.gz && zcat words.txt.gz | md5sum; xz -9 -c words.txt | xz -dc | md5sum; tar xf notes.md; echo $?");
show!(diff_and_patch, needs ["diff", "patch"],
    "sed 's/beta/BETA/' notes.md > new.md; diff -u --label a --label b notes.md new.md > d.patch; echo $?; cat d.patch; patch notes.md < d.patch; cmp notes.md new.md && echo patched; patch -R notes.md < d.patch; diff3 notes.md new.md new.md; sdiff -s notes.md new.md");

// Interpreters.
show!(
    python_json_re_hashlib,
    needs["python3"],
    r#"/usr/bin/python3 -c '
import json, re, hashlib, math, collections, datetime
data = {"b": [1, 2.5, None, True], "a": {"x": "\u00e9"}}
print(json.dumps(data, sort_keys=True), json.loads("[1e3]"))
print(re.findall(r"(\w+)@(\w+)", "ann@here bob@there"))
print(hashlib.sha256(open("words.txt", "rb").read()).hexdigest())
print(collections.Counter(open("notes.md").read().split()).most_common(2), math.factorial(30))
print(datetime.datetime.fromtimestamp(0, datetime.timezone.utc).isoformat(), sum(i * i for i in range(100000)))
'"#
);
show!(
    python_subprocess_and_threading,
    needs["python3"],
    r#"/usr/bin/python3 -c '
import subprocess, threading, queue, os, sys
print(subprocess.run(["sh", "-c", "echo out; echo err >&2; exit 3"], capture_output=True, text=True))
total, lock = 0, threading.Lock()
def work(q):
    global total
    for item in iter(q.get, None):
        with lock: total += item
q = queue.Queue(); workers = [threading.Thread(target=work, args=(q,)) for _ in range(4)]
[w.start() for w in workers]; [q.put(i) for i in range(1000)]; [q.put(None) for _ in workers]; [w.join() for w in workers]
print(total)
p = subprocess.Popen(["sort", "-n"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
print(p.communicate("3\n1\n2\n")[0].split(), p.returncode)
r, w = os.pipe(); pid = os.fork()
if pid == 0: os.write(w, b"from the child"); os._exit(4)
print(os.read(r, 100), os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
sys.exit(5)
'"#
);
show!(
    python_multiprocessing_and_files,
    needs["python3"],
    r#"/usr/bin/python3 -c '
import multiprocessing, tempfile, os, shutil, sqlite3, zlib, struct, signal, asyncio
def square(n): return n * n
if __name__ == "__main__":
    with multiprocessing.get_context("fork").Pool(2) as pool: print(pool.map(square, range(10)))
    with tempfile.TemporaryDirectory() as d:
        path = os.path.join(d, "x"); open(path, "w").write("hello\n" * 1000); print(os.path.getsize(path), len(zlib.compress(open(path, "rb").read())))
    async def main(): await asyncio.gather(asyncio.sleep(0.2), asyncio.sleep(0.1)); return "slept"
    print(asyncio.run(main()))
    signal.signal(signal.SIGALRM, lambda *a: print("alarm")); signal.setitimer(signal.ITIMER_REAL, 0.05); signal.pause()
    db = sqlite3.connect(":memory:"); db.execute("create table t(a)"); db.executemany("insert into t values(?)", [(i,) for i in range(100)]); print(db.execute("select sum(a) from t").fetchone())
'"#
);
show!(
    perl,
    needs["perl"],
    r#"perl -e '
use strict; use warnings; use List::Util qw(sum max); use POSIX qw(floor strftime);
my %count; open my $f, "<", "words.txt" or die; while (<$f>) { $count{$1 % 5}++ if /^(\d+)/ } close $f;
print join(",", map { "$_=$count{$_}" } sort keys %count), "\n", sum(1..100), " ", max(3, 9, 4), " ", floor(-1.5), "\n";
my $out = `echo from a child; exit 3`; print $out, $? >> 8, "\n";
my $pid = fork // die; if (!$pid) { print "child\n"; exit 2 } waitpid $pid, 0; print $? >> 8, "\n";
local $SIG{ALRM} = sub { print "alarm\n" }; alarm 1; select undef, undef, undef, 3;
printf "%s %.3f %s\n", scalar reverse("abc"), 3.14159, strftime("%F", gmtime 0); (my $t = "aXbX") =~ s/X/-/g; print "$t\n"; exit 6'"#
);

// Compilers, version control, a database, other languages' programs.
show!(
    gcc_compiles_and_links_several_files,
    needs["gcc"],
    "gcc -O2 -Wall -c src/main.c src/sum.c src/text.c && gcc -o program main.o sum.o text.o -lm && ./program a b; echo status $?; gcc -c notes.md 2>/dev/null; echo $?; echo 'int x = ;' > bad.c; gcc -c bad.c; echo $?"
);
show!(make_in_parallel, needs ["gcc", "make"],
    "make -j4 -s && ./program; echo status $?; make -s; make -q; echo uptodate $?; make clean; make -j4 > log 2>&1; sort log; make nothing; echo $?");
show!(
    git_keeps_history,
    needs["git"],
    r#"
export GIT_AUTHOR_DATE='2026-01-01T00:00:00Z' GIT_COMMITTER_DATE='2026-01-01T00:00:00Z' GIT_CONFIG_NOSYSTEM=1
git config --global user.name Tester; git config --global user.email t@example.org; git config --global init.defaultBranch main
git init -q repo && cd repo && cp ../notes.md ../words.txt . && git add . && git commit -qm first && echo more >> notes.md && git diff --stat
git commit -qam second && git log --oneline --stat && git checkout -qb side HEAD~1 && echo side > side.txt && git add side.txt && git commit -qm side
git merge -q -m merged main && git log --oneline --graph && git gc -q && git fsck && git status --short && git ls-tree -r HEAD && git tag v1 && git describe --tags
git clone -q . ../clone && git -C ../clone log --format=%h%s -1 && git blame -s notes.md | tail -1"#
);
show!(
    sqlite_with_wal_and_concurrent_writers,
    needs["sqlite3"],
    r#"
sqlite3 t.db 'pragma journal_mode=wal; create table t(who, n);'
for who in a b c d; do
    for n in 1 2 3 4 5; do echo "insert into t values('$who', $n);"; done | sqlite3 -cmd '.timeout 10000' t.db &
done
wait
sqlite3 t.db 'select who, count(*), sum(n) from t group by who order by who; pragma integrity_check; pragma wal_checkpoint(truncate);'
ls t.db*; sqlite3 t.db 'create index i on t(n); explain query plan select * from t where n = 3;' 'select 1/0, round(2.567, 1), upper("x");' nonsense; echo $?"#
);
show!(
    ripgrep_is_a_rust_program_with_threads,
    needs["rg"],
    "rg -n beta notes.md; rg --sort path -c 'line 1\\d+ ' .; rg --sort path -l include; rg -j 4 --files | sort; rg nothing-like-this; echo $?; rg -o '\\d+ line (\\d+)' -r '$1' words.txt | tail -3"
);
show!(
    gron_is_a_go_program,
    needs["gron"],
    r#"echo '{"a": [1, 2, {"b": null}], "c": "text", "d": {"e": 1.5e3}}' | gron; echo '{"x": [3, 4]}' | gron | grep x | gron -u; echo '{' | gron; echo $?"#
);

// Programs about processes.
show!(timeout_and_friends, needs ["timeout", "nohup", "env", "setsid", "nice"], r#"
timeout 0.5 sleep 10; echo $?; timeout 5 echo in time; timeout -s KILL 0.2 sleep 5; echo $?; timeout --preserve-status 0.1 sleep 5; echo $?
nohup echo survived 2>/dev/null; env -i A=1 B='two words' env; env -u HOME sh -c 'echo ${HOME-unset}'; setsid -w sh -c 'exit 4'; echo $?
nice -n 5 nice; id -u; stdbuf -oL echo buffered; sh -c 'kill -SEGV $$'; echo $?; sh -c 'ulimit -c 0; kill -ABRT $$'; echo $?
xargs -I{} echo item {} < notes.md; which sh; pwd; echo $PWD; (cd src && pwd); umask; ulimit -n > /dev/null; kill -l 9; tty; echo $?"#);

#[test]
fn standard_input_reaches_the_program_and_ends() {
    if has(&["sort", "cat", "head"]) {
        let scratch = furnished("standard_input");
        same(scratch.path(), &[], &["sort"], b"b\na\nc");
        same(scratch.path(), &[], &["cat"], b"");
        same(scratch.path(), &[], &["sh", "-c", "read first; echo got $first; cat; head -1"], b"one\ntwo\nthree\n");
        let long: Vec<u8> = (0..200_000_u32).flat_map(|index| format!("{index}\n").into_bytes()).collect();
        same(scratch.path(), &[], &["wc"], &long);
    }
}
