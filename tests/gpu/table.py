#!/usr/bin/env python3
"""The README's table of GPU figures, from tests/gpu/results/*.json. Without results it says so; no figure comes from elsewhere.
usage: table.py [--check | --write] [RESULTS_FOLDER [README]]"""
import glob, json, os, sys

HERE = os.path.dirname(os.path.abspath(__file__))
BEGIN, END = "<!-- tests/gpu/table.py -->", "<!-- end of tests/gpu/table.py -->"
PEER_OF = {("hbm", "copy"): "copy_gb_s", ("hbm", "triad"): "triad_gb_s", ("gemm", "bf16"): "cublas_bf16_tflop_s"}
PEER_NAME = {"copy_gb_s": "device-to-device copy", "triad_gb_s": "plain triad", "cublas_bf16_tflop_s": "cublasGemmEx"}


def rows_of(run):
    figures = ((run.get("burnin") or {}).get("figures") or {}).get("gpu_results", [])
    peers = run.get("peers") or {}
    reads = [r["value"] for r in figures if (r["test"], r["metric"]) == ("hbm", "read")]
    for result in figures:
        if result.get("value") is None or result["metric"].startswith("mean "):
            continue
        peer = PEER_OF.get((result["test"], result["metric"]))
        beside = f"{result['value'] / peers[peer]:.2f} of {PEER_NAME[peer]}" if peers.get(peer) else ""
        share = f"{100 * result['share_of_limit']:.1f} %" if "share_of_limit" in result else ""
        yield f"gpu {result['test']} {result['metric']}", f"{result['value']:.4g} {result['unit']}", share, beside
    for dtype, rate in (peers.get("verify_gb_s") or {}).items():
        yield f"verification of {dtype} sums", f"{rate:.4g} GB/s", "", f"{rate / reads[0]:.2f} of hbm read" if reads else ""
    if run.get("allreduce_over_nccl_tests"):
        yield "allreduce 64 MiB, one rank", f"{run['allreduce_over_nccl_tests']:.3f} of nccl-tests' time", "", "nccl-tests"


def table(folder):
    runs = [json.load(open(path, encoding="utf-8")) for path in sorted(glob.glob(os.path.join(folder, "*.json")))]
    if not runs:
        return "No results yet: `tests/gpu/run` has not been run on a GPU.\n"
    text = ""
    for run in runs:
        failed = [step["step"] for step in run["steps"] if step["status"] == "fail"]
        skipped = [step["step"] for step in run["steps"] if step["status"] == "skip"]
        text += (f"{run['gpu']}, {run['date']}, commit {run['commit'][:12]}, CUDA {run['nvcc']}, `tests/gpu/run`: {len(run['steps'])} steps, "
                 f"failed: {', '.join(failed) or 'none'}, skipped: {', '.join(skipped) or 'none'}\n\n")
        text += "| what | median | of the limit | beside |\n|---|---|---|---|\n"
        text += "".join("| " + " | ".join(row) + " |\n" for row in rows_of(run)) + "\n"
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
