"""What a person at a terminal sees: tmux is the terminal, in three widths, made narrower in the middle, and interrupted."""
from program import *
import re, shlex

SIZES = ",".join(str(1 << n) for n in range(10, 20))
# Each of six cells takes its whole second, so that a machine with other work sees the line too.
PRECISELY = ["--precision", "0.0001", "--max-time", "1s", "--placement", "out"]
LONG = ["allreduce", "--backend", "loopback", "--sizes", "1K,2K,4K,8K,16K,32K", "--launches", "1", *PRECISELY]


class Terminal:
    """A tmux server of its own with one window, in which a shell with an empty prompt waits."""

    def __init__(self, case, width, height=40):
        self.socket = f"mlc-{os.getpid()}-{width}"
        self.width = width
        env = clean_environment(PS1="")
        env["TERM"] = "xterm-256color"
        # Locale: without UTF-8 tmux shows no check mark.
        env.update({"LC_ALL": "C.UTF-8", "LANG": "C.UTF-8"})
        subprocess.run(["tmux", "-u", "-L", self.socket, "-f", "/dev/null", "new-session", "-d", "-x", str(width), "-y", str(height), "env", "PS1=", "sh"],
                       check=True, env=env, timeout=20)
        case.addCleanup(lambda: subprocess.run(["tmux", "-L", self.socket, "kill-server"], capture_output=True, timeout=20))

    def tmux(self, *words):
        return subprocess.run(["tmux", "-L", self.socket, *words], capture_output=True, text=True, check=True, timeout=20).stdout

    def type(self, *words):
        """Runs a command; at its end the screen says `ended CODE`."""
        self.tmux("send-keys", "clear; " + " ".join(shlex.quote(w) for w in words) + "; echo ended $?", "Enter")

    def lines(self, past=False):
        return self.tmux("capture-pane", "-p", *(["-S", "-2000"] if past else [])).rstrip("\n").split("\n")

    def until(self, condition, timeout=60):
        """Every different screen until one fits."""
        seen = []
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            now = self.lines()
            if not seen or seen[-1] != now:
                seen.append(now)
            if condition(now):
                return seen
            time.sleep(0.05)
        raise AssertionError("never came:\n" + "\n".join(seen[-1]))

    def until_it_ended(self, timeout=60):
        seen = self.until(lambda now: any(line.startswith("ended ") for line in now), timeout)
        return seen, next(int(line.split()[1]) for line in seen[-1] if line.startswith("ended "))


LIVE = re.compile(r"\d+ of \d+ done")


class ALiveLine(Case):
    def check(self, width, command=LONG):
        terminal = Terminal(self, width)
        terminal.type(BENCH, *command)
        screens, code = terminal.until_it_ended()
        self.assertEqual(code, 0)
        live = [[line for line in screen if LIVE.search(line)] for screen in screens]
        self.assertTrue(any(live), "no live line was seen")
        for screen, lines in zip(screens, live):
            self.assertLessEqual(len(lines), 1, "\n".join(screen))
        self.assertFalse([line for line in terminal.lines(past=True) if LIVE.search(line) or "iterations, " in line], "it is gone at the end")
        return screens

    def test_is_one_line_at_60_columns(self):
        self.check(60)

    def test_is_one_line_at_80_columns(self):
        screens = self.check(80)
        said = [match.group() for screen in screens for line in screen for match in [re.search(r"\d+ of 6 done, \d+ s left", line)] if match]
        self.assertTrue(said, "done of all, and the time that is left")

    def test_is_one_line_at_160_columns(self):
        self.check(160)

    @unittest.skipUnless(HAS_MPI, "MPI is not built in")
    def test_is_one_line_of_ranks_behind_the_pipes_of_mpirun(self):
        for width in (60, 80):
            self.check(width, ["allreduce", "--backend", "mpi", "--ranks", "2", "--sizes", "1K,2K,4K", "--launches", "2", *PRECISELY])

    @unittest.skipUnless(HAS_MPI, "MPI is not built in")
    def test_a_second_interrupt_ends_at_once(self):
        for wait in (.1, .4):
            terminal = Terminal(self, 80)
            terminal.type(BENCH, "allreduce", "--backend", "mpi", "--ranks", "2", "--sizes", "1M", "--precision", "0.0001", "--max-time", "60s")
            terminal.until(lambda now: any("iterations" in line or LIVE.search(line) for line in now))
            terminal.tmux("send-keys", "C-c")
            time.sleep(wait)
            terminal.tmux("send-keys", "C-c")
            began = time.monotonic()
            screens = terminal.until(lambda now: any("ended 130" in line for line in now))  # behind a ^C
            self.assertLess(time.monotonic() - began, 4)  # it was eight
            self.assertNotIn("abort is already in progress", "\n".join(screens[-1]))

    def test_a_table_of_80_columns_fits(self):
        terminal = Terminal(self, 80, height=60)
        terminal.type(BENCH, "allreduce", "--backend", "loopback", "--sizes", SIZES, "--launches", "1", "--progress", "never")
        screens, _ = terminal.until_it_ended()
        rows = [line for line in screens[-1] if re.match(r" *\d+ KiB|.*busbw", line)]
        self.assertGreaterEqual(len(rows), 10)
        for row in rows:
            self.assertRegex(row, r"(yes|correct)$", "no line is broken")

    def test_leaves_nothing_where_the_terminal_is_made_narrower(self):
        terminal = Terminal(self, 160)
        terminal.type(BENCH, *LONG)
        terminal.until(lambda now: any(LIVE.search(line) for line in now))
        terminal.tmux("resize-window", "-x", "50")
        _, code = terminal.until_it_ended()
        self.assertEqual(code, 0)
        self.assertFalse([line for line in terminal.lines(past=True) if LIVE.search(line)], "\n".join(terminal.lines(past=True)))

    def test_leaves_nothing_where_it_is_interrupted(self):
        terminal = Terminal(self, 80)
        terminal.type(BENCH, *LONG)
        terminal.until(lambda now: any(LIVE.search(line) for line in now))
        began = time.monotonic()
        terminal.tmux("send-keys", "C-c")
        screens, code = terminal.until_it_ended(20)
        self.assertEqual(code, 130, "\n".join(screens[-1]))
        self.assertLess(time.monotonic() - began, 10)
        self.assertFalse([line for line in terminal.lines(past=True) if LIVE.search(line)], "\n".join(terminal.lines(past=True)))

    def test_of_a_burn_in_says_which_stage_and_how_long(self):
        command = ", ".join([*LONG[:3], "-b", "1K", "-e", "32K", "-f", "2", *PRECISELY])
        policy = self.write("p.yaml", "policy: p\nburnin:\n  budget: 5 min\n  stages:\n"
                                      f"    - {{stage: first, command: [{command}], limit: 1 min}}\n")
        terminal = Terminal(self, 80)
        terminal.type(BENCH, "burnin", "--policy", policy, "--state", self.path("state"))
        screens, _ = terminal.until_it_ended()
        live = [line for screen in screens for line in screen if line.startswith("stage 1 of 1: first, ")]
        self.assertTrue(live, "\n".join(screens[-1]))
        self.assertRegex(live[-1], r"^stage 1 of 1: first, \d+ s of at most 60 s; \d+ s of 5 min$")
        self.assertFalse([line for line in terminal.lines(past=True) if line.startswith("stage 1 of 1")])

    def test_of_history_import_counts_reports(self):
        path = self.path("one.json")
        self.assertEqual(run("allreduce", "--backend", "loopback", "--sizes", "1K", "--launches", "1", "--output", path).code, 0)
        with open(path) as f:
            loaded = json.load(f)
        os.mkdir(self.path("reports"))
        for i in range(1500):
            loaded["run"]["id"] = f"run-{i}"
            with open(self.path(f"reports/{i}.json"), "w") as f:
                json.dump(loaded, f)
        terminal = Terminal(self, 80)
        terminal.type(BENCH, "history", "import", self.path("store"), self.path("reports"))
        screens, code = terminal.until_it_ended()
        self.assertEqual(code, 0, "\n".join(screens[-1]))
        self.assertTrue([line for line in screens[-1] if "1500 runs added" in line], "\n".join(screens[-1]))
        self.assertFalse([line for line in terminal.lines(past=True) if "reports: " in line])


class PlainProgress(Case):
    def test_is_lines_in_a_log(self):
        """Every ten seconds one, whole, with the time since the beginning; stdout is as without it."""
        done = run("allreduce", "--backend", "loopback", "--sizes", SIZES, "--launches", "1", "--progress", "plain", "--policy",
                   self.write("p.yaml", "policy: p\nconfidence: {observe: 12 s}\nthresholds:\n  - {collective: allreduce, sizes: [64K], placement: in_place, "
                                        "time_at_most: 10 s}\n"), "--placement", "in", "--admission")
        lines = [line for line in done.err.splitlines() if LIVE.search(line)]
        self.assertTrue(lines, str(done))
        for line in lines:
            self.assertRegex(line, r"^\d+ s: \d+ of 10 done")
        self.assertNotIn("\r", done.err)
        self.assertNotIn("\x1b", done.err)
        self.assertNotRegex(done.out, LIVE)


if __name__ == "__main__":
    unittest.main()
