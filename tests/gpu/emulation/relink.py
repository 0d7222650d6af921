"""Single files of the product compiled otherwise than the build has them, and linked into the emulated programs in their place."""
import json
import os
import shlex
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(HERE)))
PROGRAMS = {"kernels": "tests/gpu/emulation/emulated_kernels_test", "device": "tests/gpu/emulation/emulated_device_test",
            "bench": "tests/gpu/emulation/mlc-bench-emulated", "gpu": "tests/gpu/gpu_test"}
USED_BY = {"bench/backends/nccl_comm.hpp": "bench/backends/nccl.cpp", "kernels/tile.cuh": "kernels/tile.cu"}


class Build:
    def __init__(self, directory):
        self.directory = os.path.abspath(directory)
        with open(os.path.join(self.directory, "compile_commands.json"), encoding="utf-8") as file:
            self.commands = json.load(file)

    def command_of(self, source):
        """How the emulation, or else the product, compiles a file of the tree."""
        name = os.path.splitext(os.path.basename(source))[0] + ".cpp" if source.endswith(".cu") else source
        folder = "emulation/" if source.endswith(".cu") else ""
        found = [one for one in self.commands if one["file"].endswith("/" + folder + name)]
        found.sort(key=lambda one: "emulated_product" not in one["command"])
        if not found:
            raise SystemExit(f"{source} is not compiled in {self.directory}")
        return found[0]

    def compile(self, source, target, text=None, more=()):
        """`source` is relative to the tree; `text` is in its place, where it is given. Raises CalledProcessError."""
        if source.endswith((".hpp", ".cuh")):
            # A header in front of the tree's own, for the one file that has most of its code.
            front = os.path.splitext(target)[0] + ".headers"
            os.makedirs(os.path.join(front, os.path.dirname(source)))
            with open(os.path.join(front, source), "w", encoding="utf-8") as out:
                out.write(text)
            return self.compile(USED_BY[source], target, more=("-iquote", front, *more))
        command = self.command_of(source)
        words = shlex.split(command["command"])
        if "ccache" in words[0]:
            words = words[1:]
        at = words.index("-o")
        own_object = words[at + 1]
        file = command["file"]
        if source.endswith(".cu") or text is not None:
            file = os.path.splitext(target)[0] + ".cpp"
            original = os.path.join(SOURCE, source)
            if text is not None:
                changed = file + ".changed"
                with open(changed, "w", encoding="utf-8") as out:
                    out.write(text)
            if source.endswith(".cu"):
                read = original if text is None else changed
                run([sys.executable, "-B", os.path.join(HERE, "rewrite_launches.py"), read, file, source])
            else:
                with open(file, "w", encoding="utf-8") as out:
                    out.write(f'#line 1 "{original}"\n{text}')
        words = [word for word in words[:at] + words[at + 2:] if word not in ("-MD", "-Werror", "--coverage", command["file"])]
        for flag in ("-MF", "-MT"):
            if flag in words:
                del words[words.index(flag):words.index(flag) + 2]
        words.remove("-c")
        run(words + list(more) + ["-c", file, "-o", target], self.directory)
        return own_object

    def link(self, program, target, replaced, more=()):
        """`replaced`: objects of the build -> objects in their place; what the build does not name comes in front of its libraries."""
        asked = subprocess.run(["ninja", "-t", "commands", PROGRAMS[program]], cwd=self.directory, check=True, capture_output=True,
                               text=True)
        line = next(one for one in reversed(asked.stdout.splitlines()) if f"-o {PROGRAMS[program]} " in one)
        words = shlex.split(line.split("&&")[1])
        words[words.index("-o") + 1] = target
        # A file that several programs compile for themselves has the same tail in each of their folders.
        tail = lambda word: word.partition(".dir/")[2]
        by_tail = {tail(old): new for old, new in replaced.items()}
        unnamed = [new for old, new in replaced.items() if tail(old) not in map(tail, words)]
        words = [by_tail.get(tail(word), word) if tail(word) else word for word in words]
        at = words.index("-o")
        words[at:at] = unnamed
        run(words + list(more), self.directory)


def run(words, directory=None):
    subprocess.run(words, cwd=directory, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def tests(build, programs, suites, **variables):
    """Runs the emulation's tests with these programs; the first that fails, or None."""
    env = dict(os.environ, **variables, MLC_SOURCE=SOURCE, MLC_BUILD=build.directory, MLC_BENCH=programs.get("bench", ""),
               PYTHONPATH=os.path.join(SOURCE, "tests/cli"))
    if "bench" in programs:
        env["MLC_EMULATED_PROGRAM"] = programs["bench"]
    for name in [one for one in ("gpu", "kernels", "device") if one in programs]:
        try:
            done = subprocess.run([programs[name], "--gtest_brief=1"], env=env, capture_output=True, text=True, timeout=200, check=False)
        except subprocess.TimeoutExpired:
            return name + "_test: takes too long"
        if done.returncode != 0:
            said = [line for line in (done.stdout + done.stderr).splitlines() if "FAILED" in line or "emulation:" in line]
            return f"{name}_test: {said[0] if said else done.returncode}"
    def failing(name):
        """The test, by the name that unittest takes, and what to call it; None: all pass."""
        try:
            done = subprocess.run([sys.executable, "-B", "-m", "unittest", "-f", name], cwd=HERE, env=env, capture_output=True, text=True,
                                  timeout=600, check=False)
        except subprocess.TimeoutExpired:
            return name, "takes too long"
        said = [line.split() for line in done.stderr.splitlines() if line.startswith(("FAIL:", "ERROR:"))]
        if done.returncode == 0:
            return None
        return (said[0][2].strip("()"), said[0][1]) if said and len(said[0]) > 2 else (name, str(done.returncode))

    for name in suites:
        # A machine that others load fails one in thousands: what counts fails by itself too.
        found = failing(name)
        if found and found[0] != name and not failing(found[0]):
            found = failing(name)
        if found:
            return f"{name}: {found[1]}"
    return None
