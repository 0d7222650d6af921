"""What the tests of the package and the image share: the package that cpack made, and bare roots to put it into."""
import os, shutil, subprocess, tempfile, unittest

from program import BENCH, SOURCE, Case  # noqa: F401 (for the tests)

BUILD = os.environ["MLC_BUILD"]
CUDA = os.environ.get("MLC_HAS_CUDA") == "1"
NAME = "mlc-bench-cuda" if CUDA else "mlc-bench"
HERE = os.path.dirname(os.path.abspath(__file__))
INSIDE = os.path.join(SOURCE, "tests", "fresh", "inside")


def output(*words, **more):
    """What a command said; its stderr is part of the failure."""
    done = subprocess.run(words, capture_output=True, text=True, **more)
    if done.returncode != 0:
        raise AssertionError(f"{' '.join(words)}: exit {done.returncode}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}")
    return done.stdout


def package(kind="deb"):
    """The package, or with "ddeb" the one with its debugging information."""
    found = [f for f in os.listdir(f"{BUILD}/package") if f.endswith("." + kind)]
    if len(found) != 1:
        raise AssertionError(f"{BUILD}/package should hold one .{kind}: {found}")
    return f"{BUILD}/package/{found[0]}"


def a_root(case, maker):
    """A root made by a script that exits 77, with its reason, where it cannot. Gone after the test."""
    root = tempfile.mkdtemp(prefix="mlc-root-")
    case.addCleanup(shutil.rmtree, root, ignore_errors=True)
    done = subprocess.run([maker, root], stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode == 77:
        raise unittest.SkipTest(done.stderr.strip().splitlines()[-1])
    if done.returncode != 0:
        raise AssertionError(f"{maker}: {done.stdout}\n{done.stderr}")
    return root
