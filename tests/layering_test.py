#!/usr/bin/env python3
"""Rooms include only downwards: reports nothing of ours; validators, kernels and the engine never the command line. A wrong
include fails here. usage: layering_test.py SOURCE"""
import os, re, sys

ALLOWED = {  # folder: the folders it may include from
    "reports": ["reports"],
    "kernels": ["kernels"],
    "validators": ["validators", "reports"],
    "bench/handles": ["bench/handles", "bench/backends"],
    "bench/collectives": ["bench/collectives", "bench/backends", "kernels"],
    "bench/engine": ["bench/engine", "bench/collectives", "bench/backends", "bench/watch/pulse.hpp", "kernels", "reports"],
    "bench/backends": ["bench/backends", "bench/engine/clock.hpp", "bench/handles", "kernels", "reports"],
    "bench/watch": ["bench/watch", "bench/backends/control.hpp", "bench/exit_code.hpp", "reports"],
    "bench/launch": ["bench/launch", "bench/watch", "bench/exit_code.hpp", "reports"],
    "bench/gpu": ["bench/gpu", "bench/engine/clock.hpp", "bench/handles", "bench/watch/pulse.hpp", "kernels", "reports", "validators"],
    "bench/burnin": ["bench/burnin", "bench/launch", "bench/watch", "bench/exit_code.hpp", "reports", "validators"],
    "bench/rdma": ["bench/rdma", "bench/engine", "bench/backends", "bench/handles", "bench/watch/pulse.hpp", "bench/watch/file_descriptor.hpp",
                   "validators", "kernels", "reports"],
    "bench/cli": ["bench", "validators", "reports", "kernels", "k8s"],
    "bench": ["bench/cli", "reports"],
    "k8s": ["k8s", "reports", "validators"],
}
root, wrong, edges = sys.argv[1], [], 0
for top in ("reports", "kernels", "validators", "bench", "k8s"):
    for folder, _, files in os.walk(os.path.join(root, top)):
        for name in files:
            if not name.endswith((".cpp", ".hpp", ".cu", ".cuh")):
                continue
            path = os.path.relpath(os.path.join(folder, name), root)
            room = max((r for r in ALLOWED if path.startswith(r + "/")), key=len)
            for line in open(os.path.join(root, path), encoding="utf-8"):
                included = re.match(r'#include "([^"]+)"', line)
                if not included:
                    continue
                edges += 1
                target = included.group(1)
                if not any(target == allowed or target.startswith(allowed + "/") for allowed in ALLOWED[room]):
                    wrong.append(f"{path} includes {target}")
print("\n".join(wrong + [f"{edges} includes, {len(wrong)} in a wrong direction"]))
sys.exit(1 if wrong or edges < 50 else 0)
