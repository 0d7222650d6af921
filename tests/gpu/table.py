#!/usr/bin/env python3
"""The README's table of GPU figures, from tests/gpu/results/*.json: whatever steps they have. Without results it says so; no figure
comes from elsewhere.
usage: table.py [--check | --write] [RESULTS_FOLDER [README]]"""
import glob, json, os, sys

HERE = os.path.dirname(os.path.abspath(__file__))
BEGIN, END = "<!-- tests/gpu/table.py -->", "<!-- end of tests/gpu/table.py -->"
PEER_OF = {("hbm", "copy"): "copy_gb_s", ("hbm", "triad"): "triad_gb_s", ("gemm", "bf16"): "cublas_bf16_tflop_s"}
PEER_NAME = {"copy_gb_s": "device-to-device copy", "triad_gb_s": "plain triad", "cublas_bf16_tflop_s": "cublasGemmEx"}


def data_of(run):
    """What the steps measured: {step: its data}, in the order they ran."""
    return {step["step"]: step["data"] for step in run["steps"] if step.get("data")}


def gpu_results(data):
    """Of each figure the last: a test's own step comes first, the whole burn-in, which is longer, after it."""
    figures = {}
    for measured in data.values():
        for result in (measured.get("figures") or {}).get("gpu_results", []):
            if result.get("value") is not None and not result["metric"].startswith("mean "):
                figures[result.get("gpu"), result["test"], result["metric"]] = result
    return list(figures.values())


def bytes_text(number):
    for unit, size in (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)):
        if number >= size and number % size == 0:
            return f"{number // size} {unit}"
    return f"{number} B"


def rows_of(run):
    data = data_of(run)
    figures, peers = gpu_results(data), data.get("verify-rates") or {}
    reads = [r["value"] for r in figures if (r["test"], r["metric"]) == ("hbm", "read")]
    for result in figures:
        peer = PEER_OF.get((result["test"], result["metric"]))
        beside = f"{result['value'] / peers[peer]:.2f} of {PEER_NAME[peer]}" if peers.get(peer) else ""
        share = f"{100 * result['share_of_limit']:.1f} %" if "share_of_limit" in result else ""
        yield f"gpu {result['test']} {result['metric']}", f"{result['value']:.4g} {result['unit']}", share, beside
    for dtype, rate in (peers.get("verify_gb_s") or {}).items():
        yield f"verification of {dtype} sums", f"{rate:.4g} GB/s", "", f"{rate / reads[0]:.2f} of hbm read" if reads else ""
    for size, ratio in (data.get("nccl-tests") or {}).get("allreduce_over_nccl_tests", {}).items():
        yield f"allreduce {bytes_text(int(size))}, one rank", f"{ratio:.3f} of nccl-tests' time", "", "nccl-tests, in turns"


def table(folder):
    runs = []
    for path in sorted(glob.glob(os.path.join(folder, "*.json"))):
        with open(path, encoding="utf-8") as file:
            runs.append(json.load(file))
    if not runs:
        return "No results yet: `tests/gpu/run` has not been run on a GPU.\n"
    text = ""
    for run in runs:
        failed = [step["step"] for step in run["steps"] if step["status"] == "fail"]
        skipped = [step["step"] for step in run["steps"] if step["status"] == "skip"]
        text += (f"{run['gpu']}, {run['date']}, commit {run['commit'][:12]}, CUDA {run['nvcc']}, `tests/gpu/run`: {len(run['steps'])} steps, "
                 f"failed: {', '.join(failed) or 'none'}, skipped: {', '.join(skipped) or 'none'}\n\n")
        rows = list(rows_of(run))
        if rows:
            text += "| what | median | of the limit | beside |\n|---|---|---|---|\n"
            text += "".join("| " + " | ".join(row) + " |\n" for row in rows) + "\n"
        else:
            text += "No step of it measured a rate.\n\n"
    return text.rstrip("\n") + "\n"


arguments = [a for a in sys.argv[1:] if not a.startswith("--")]
folder = arguments[0] if arguments else os.path.join(HERE, "results")
readme = arguments[1] if len(arguments) > 1 else os.path.join(HERE, "..", "..", "README.md")
text = table(folder)
if "--check" not in sys.argv and "--write" not in sys.argv:
    sys.exit(sys.stdout.write(text) and 0)
content = open(readme, encoding="utf-8").read()
before, found, rest = content.partition(BEGIN + "\n")
between, closed, after = rest.partition(END)
if not found or not closed:
    sys.exit(f"{readme} has no place for the table ({BEGIN} ... {END})")
if "--write" in sys.argv:
    open(readme, "w", encoding="utf-8").write(before + BEGIN + "\n" + text + END + after)
elif between != text:
    sys.exit(f"the table in {readme} is not what tests/gpu/results says: tests/gpu/table.py --write")
