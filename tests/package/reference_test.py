"""Manual pages and shell completion, which are made from the same tree of commands and options as --help: that they say the same,
and that the shells themselves offer what they should."""
import gzip, os, pty, re, select, shutil, subprocess, time, unittest

from shipped import BENCH, BUILD, Case, output

REFERENCE = f"{BUILD}/reference"
COLLECTIVES = "allgather allreduce alltoall alltoallv broadcast gather hypercube reduce reducescatter scatter sendrecv".split()
# A command line up to where Tab is pressed, and what has to be among that which is offered; "!" is what must not be.
OFFERS = [
    (["mlc-bench", ""], ["allreduce", "validate", "burnin", "admit", "!--format"]),
    (["mlc-bench", "--ver"], ["--version"]),
    (["mlc-bench", "allreduce", "--"], ["--minbytes", "--format", "--policy", "!--write-lock", "!--publish"]),
    (["mlc-bench", "broadcast", "--ro"], ["--root"]),
    (["mlc-bench", "allreduce", "--format", ""], ["text", "json", "csv", "prometheus", "html", "markdown", "junit"]),
    (["mlc-bench", "validate", "--format", ""], ["json", "line"]),
    (["mlc-bench", "compare", "--format", ""], ["markdown", "!junit", "!line"]),
    (["mlc-bench", "allreduce", "--format", "js"], ["json", "!text"]),
    (["mlc-bench", "allreduce", "--backend", ""], ["auto", "mpi", "nccl", "shm", "loopback"]),
    (["mlc-bench", "allreduce", "-n", "5", "--policy", ""], ["local", "h100-4x200g"]),
    (["mlc-bench", "allreduce", "-d", ""], ["float", "half", "bfloat16"]),
    (["mlc-bench", "allreduce", "-d", "half,bf"], ["half,bfloat16"]),
    (["mlc-bench", "allreduce", "-o", ""], ["sum", "avg"]),
    (["mlc-bench", "report", "--table", "find"], ["findings"]),
    (["mlc-bench", "allreduce", "--color", ""], ["auto", "always", "never"]),
    (["mlc-bench", "list", ""], ["collectives", "checks", "gpu-tests", "backends", "policies", "dtypes"]),
    (["mlc-bench", "explain", ""], [*COLLECTIVES, "rdma", "net.rail-routes"]),
    (["mlc-bench", "validate", "net."], ["net.rail-routes", "net.sysctls", "!rdma.mtu"]),
    (["mlc-bench", "validate", "rdma.mtu", "net.r"], ["net.rail-routes"]),
    (["mlc-bench", "gpu", ""], ["memory", "gemm"]),
    (["mlc-bench", "rdma", ""], ["write", "read", "send"]),
    (["mlc-bench", "manifest", ""], COLLECTIVES),
    (["mlc-bench", "manifest", "--kind", ""], ["mpijob", "indexed-job"]),
    (["mlc-bench", "manifest", "--nodes", "2", "allreduce", "--"], ["--minbytes", "--nodes", "--kind"]),
    (["mlc-bench", "manifest", "allreduce", "--kind", "in"], ["indexed-job"]),
    (["mlc-bench", "history", "imp"], ["import"]),
]
BASH = r"""
source "$1"; shift
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
compopt() { :; }  # a builtin of a running completion, which this is not
_mlc_bench
printf '%s\n' "${COMPREPLY[@]}"
"""
# What compadd is given is what zsh would offer; it has no other way to say it to a program.
ZSH = r"""
PROMPT='ready:'  # printed when the line editor reads keys, and not before
zstyle ':completion:*' verbose no
fpath=("$1" $fpath)
autoload -Uz compinit && compinit -u -D
compadd() {
  [[ ${@[1,(i)(-|--)]} == *-(O|A|D)\ * ]] && { builtin compadd "$@"; return }
  typeset -a offered
  builtin compadd -A offered "$@"
  print -rl -- "offered:"$^offered >>"$OFFERED"
  builtin compadd "$@"
}
bindkey '^T' complete-word
"""


def offered_by_bash(words, _):
    return output("bash", "--norc", "-c", BASH, "bash", f"{REFERENCE}/mlc-bench.bash", *words).split("\n")


def offered_by_fish(words, folder):
    line = " ".join(words)
    text = output("fish", "--no-config", "-c", f"source {REFERENCE}/mlc-bench.fish; complete -C '{line}'", env={**os.environ, "HOME": folder})
    return [l.split("\t")[0].split("=", 1)[-1] if "=" in l else l.split("\t")[0] for l in text.splitlines()]


def offered_by_zsh(words, folder):
    shell, terminal = pty.openpty()
    told, script = os.path.join(folder, "offered"), os.path.join(folder, "script")
    open(told, "w").close()
    with open(script, "w") as f:
        f.write(ZSH)
    process = subprocess.Popen(["zsh", "-f", "-i"], stdin=terminal, stdout=terminal, stderr=terminal, start_new_session=True,
                               env={"PATH": os.environ["PATH"], "HOME": folder, "TERM": "dumb", "OFFERED": told, "LC_ALL": "C.UTF-8"})
    os.close(terminal)

    def wait_for(mark):
        seen, until = "", time.monotonic() + 30
        while mark not in seen:
            if time.monotonic() > until:
                raise AssertionError(f"zsh never said {mark!r}: {seen}")
            if select.select([shell], [], [], 1)[0]:
                seen += os.read(shell, 4096).decode(errors="replace")
    try:
        os.write(shell, f"source {script} {REFERENCE}\n".encode())
        wait_for("ready:")
        os.write(shell, (" ".join(words) + "\x14").encode())
        os.write(shell, b"\x15print -r -- done':'\n")
        wait_for("done:\r\n")
    finally:
        process.kill()
        process.wait()
        os.close(shell)
    with open(told) as f:
        return [l[len("offered:"):].strip() for l in f if l.startswith("offered:")]


class Reference(Case):
    def check_offers(self, offered_by):
        for words, expected in OFFERS:
            with self.subTest(words):
                offered = offered_by(words, self.directory.name)
                for one in expected:
                    if one.startswith("!"):
                        self.assertNotIn(one[1:], offered)
                    else:
                        # The words of a list are offered with or without those before the comma.
                        self.assertTrue(one in offered or one.rsplit(",")[-1] in offered, f"{one} is not in {offered}")

    def test_bash_offers_what_there_is(self):
        self.check_offers(offered_by_bash)
        self.assertEqual(sorted(offered_by_bash(["mlc-bench", "allreduce", "--format", "=", "j"], "")), ["", "json", "jsonl", "junit"])

    @unittest.skipUnless(shutil.which("fish"), "there is no fish")
    def test_fish_offers_what_there_is(self):
        self.check_offers(offered_by_fish)

    @unittest.skipUnless(shutil.which("zsh"), "there is no zsh")
    def test_zsh_offers_what_there_is(self):
        self.check_offers(offered_by_zsh)

    def test_files_and_folders_are_offered_where_they_are_meant(self):
        os.makedirs(self.path("folder"))
        self.write("file.yaml", "")
        for shell, offered_by in (("bash", offered_by_bash), ("fish", offered_by_fish), ("zsh", offered_by_zsh)):
            if not shutil.which(shell):
                continue
            for option, expected in (("allreduce --policy", {"folder", "file.yaml"}), ("burnin --state", {"folder"})):
                with self.subTest(shell=shell, option=option):
                    begun = self.directory.name + "/f"
                    offered = {os.path.basename(o.rstrip("/")) for o in offered_by(["mlc-bench", *option.split(), begun], self.directory.name) if o}
                    self.assertEqual(offered, expected)

    def test_what_is_offered_is_accepted(self):
        """Every word for every option of a command that measures nothing by itself: none of them may be unknown to it."""
        tried = 0
        for option in ("--format", "--progress", "--color", "--placement", "--backend", "--launcher", "--policy", "--datatype", "--op"):
            for word in filter(None, offered_by_bash(["mlc-bench", "allreduce", option, ""], "")):
                if "." in word and os.path.exists(word) or "/" in word or os.path.isdir(word):
                    continue  # files that lie here
                done = subprocess.run([BENCH, "manifest", "allreduce", option, word, "--sizes", "4K"], capture_output=True, text=True, cwd=self.directory.name)
                self.assertFalse("is none of" in done.stderr or "there is no" in done.stderr, f"{option} {word}: {done.stderr}")
                tried += 1
        self.assertGreater(tried, 30)

    def pages(self):
        pages = [f for f in os.listdir(REFERENCE) if f.endswith(".1.gz")]
        self.assertGreater(len(pages), 15)
        return pages

    def test_every_command_and_option_of_the_help_has_its_place_in_a_page(self):
        helps = {"mlc-bench": output(BENCH, "--help-all")}
        for command in re.findall(r"^  ([a-z]+) ", helps["mlc-bench"], re.M):
            helps[f"mlc-bench-{command}"] = output(BENCH, command, "--help-all")
        self.assertEqual(sorted(f"{name}.1.gz" for name in helps), sorted(self.pages()))
        for name, text in helps.items():
            with gzip.open(f"{REFERENCE}/{name}.1.gz", "rt") as f:
                page = f.read().replace("\\-", "-")
            options = set(re.findall(r"(?<=[ ,])--?[a-zA-Z][a-z-_]*", "\n".join(l for l in text.splitlines() if l.startswith("  -"))))
            self.assertTrue(options)
            for option in options:
                if re.search(rf"^  .*{option}\b", text, re.M):
                    self.assertIn(option, page, name)

    @unittest.skipUnless(shutil.which("man"), "there is no man (man-db)")
    def test_man_has_nothing_to_warn_of(self):
        for page in self.pages():
            for locale in ("C", "C.UTF-8"):
                done = subprocess.run(["man", "--warnings", "-l", f"{REFERENCE}/{page}"], capture_output=True, text=True,
                                      env={**os.environ, "LC_ALL": locale, "MANWIDTH": "80", "MANPAGER": "cat", "MAN_DISABLE_SECCOMP": "1"})
                self.assertEqual((done.returncode, done.stderr), (0, ""), page)
                self.assertIn("SYNOPSIS", done.stdout)
        done = subprocess.run(["lexgrog", f"{REFERENCE}/mlc-bench-allreduce.1.gz"], capture_output=True, text=True)
        self.assertIn("mlc-bench-allreduce - ", done.stdout)


if __name__ == "__main__":
    unittest.main()
