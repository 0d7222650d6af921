"""Two programs in turns over several launches, so that both see the same machine, and what their figures say of each other."""
import json, os, statistics, subprocess

SIZES = (8, 64, 1024, 65536, 1 << 20, 4 << 20, 16 << 20)
ENVIRONMENT = dict(os.environ, OMPI_ALLOW_RUN_AS_ROOT="1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1")


def mpirun(ranks):
    """As mlc-bench starts local ranks itself."""
    more = ["--bind-to", "none", "--mca", "mpi_yield_when_idle", "1"] if ranks > len(os.sched_getaffinity(0)) else []
    return ["mpirun", "--quiet", "-n", str(ranks), "--oversubscribe"] + more


def output(command):
    done = subprocess.run(command, capture_output=True, text=True, env=ENVIRONMENT, stdin=subprocess.DEVNULL)
    if done.returncode not in (0, 2):  # 2: measured, but noisy
        raise SystemExit(f"{' '.join(command)} ended with {done.returncode}:\n{done.stderr}")
    return done.stdout


def bench(build, ranks, collective, sizes, *more):
    """The series of one launch of mlc-bench, by size asked for."""
    text = output(mpirun(ranks) + [os.path.join(build, "mlc-bench"), collective, "--sizes", ",".join(map(str, sizes)), "--placement", "out",
                                   "--format", "json", *more])
    return {series["requested_bytes"]: series for series in json.loads(text)["series"]}


def interval(ratios):
    """Median of paired ratios and its 95 % interval by order statistics (from 6 pairs on; else all of them)."""
    ordered, n = sorted(ratios), len(ratios)
    low = max((k for k in range(n // 2 + 1) if sum(binomial(n, i) for i in range(k)) / 2 ** n <= 0.025), default=0)
    return statistics.median(ordered), ordered[max(0, low - 1)], ordered[min(n - 1, n - low)]


def binomial(n, k):
    out = 1
    for i in range(k):
        out = out * (n - i) // (i + 1)
    return out


def size_text(size):
    for unit, name in ((1 << 20, "MiB"), (1 << 10, "KiB")):
        if size >= unit:
            return f"{size // unit} {name}"
    return f"{size} B"


def against(ratio, low, high, aim):
    """Beside the aim of 1 +- aim; 'unclear' where the interval does not rule it out and the median is outside."""
    if abs(ratio - 1) <= aim:
        return "met"
    return "MISSED" if low > 1 + aim or high < 1 - aim else "unclear"
