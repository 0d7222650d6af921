#!/usr/bin/env python3
"""Stands in for `mlc-bench rdma` and the collectives between nodes: writes the report that a world with planted faults gives.
MLC_TEST_WORLD: {"nodes": {name: {"boot": .., "machine": ..}}, "rails": N, "bad": [[node, rail or null, way]], "slow_s": S, "hang": [node]}."""
import datetime, hashlib, json, os, re, sys, time

began = time.time()
words = sys.argv[1:]
value = lambda option: next((w.split("=", 1)[1] for w in words if w.startswith(option + "=")), None) or words[words.index(option) + 1]
with open(os.environ["MLC_TEST_WORLD"]) as f:
    world = json.load(f)
me = os.environ["NODE_NAME"]
with open(os.environ["MLC_TEST_LOG"]) as f:
    peer = re.findall(r"with (\S+)$", f.read(), re.M)[-1]
if me in world.get("hang", []):
    time.sleep(600)
time.sleep(world.get("slow_s", 0))
with open(value("--policy")) as f:
    policy = f.read()


def is_bad(sender, receiver, rail):
    return any((r is None or r == rail) and ((n == sender and w in ("both", "sending")) or (n == receiver and w in ("both", "receiving")))
               for n, r, w in world.get("bad", []))


def utc(at):
    return datetime.datetime.fromtimestamp(at, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


rails, findings, series, failed = [], [], [], []
if words[0] == "rdma":
    assert ("--connect" in words) != any(w.startswith("--listen=") for w in words), words
    assert "--admission" in words, words
    for sender, receiver in ((me, peer), (peer, me)):
        for rail in range(world["rails"]):
            bad = is_bad(sender, receiver, rail)
            rails.append({"node": sender, "rail": rail, "device": f"mlx5_{rail}", "peer": receiver, "operation": "write", "bytes": 65536,
                          "gbit_s": 87.5 if bad else 194.5, "ci_gbit_s": [87, 88] if bad else [194, 195], "status": "fail" if bad else "pass",
                          "phase": "together", "both_directions": False, "netdev": f"net{rail + 1}", "peer_device": f"mlx5_{rail}", "peer_rail": rail,
                          "mean_gbit_s": 87.5 if bad else 194.5, "target_gbit_s": 200, "ceiling_gbit_s": 196, "wrong": 0, "memory": "host",
                          "attempts": 1, "why": "87.50 Gbit/s, 53 % under 186.27 Gbit/s" if bad else "", "counters": []})
            subject = f"{sender} rail {rail} (mlx5_{rail}, net{rail + 1}) to {receiver}"
            findings.append({"check": "rdma.bandwidth", "subject": subject, "status": "fail" if bad else "pass",
                             "observed": "87.50 Gbit/s" if bad else "194.50 Gbit/s", "expected": "at least 186.27 Gbit/s", "source": "mlc-bench rdma",
                             "remedy": "look at it" if bad else ""})
            failed += [f"rdma.bandwidth: {subject}"] if bad else []
else:
    assert value("--hosts").count(",") == 1 and "--launches" in words, words
    bad = any(n in (me, peer) and r is None for n, r, w in world.get("bad", []))
    size, us = 1 << 20, 50.0 if not bad else 5000.0
    algbw = size / us / 1e3
    series.append({"collective": words[0], "dtype": "float", "redop": "sum", "placement": "out_of_place", "bytes": size, "requested_bytes": size,
                   "ranks": 2, "samples": 100, "time_us": {"min": us, "p50": us, "p95": us, "p99": us, "max": us}, "ci_us": [us, us], "cv": 0,
                   "algbw_gb_s": algbw, "busbw_gb_s": algbw, "wrong": 7 if bad else 0, "stop": "fixed"})
    failed += [f"{words[0]} 1 MiB: 7 wrong elements"] if bad else []

nodes = [{"name": n, "kernel": "6.1", "os": "", "cpu": "", "cpus": 2, "versions": {}, "gpus": [], "ranks": [i], "boot_id": world["nodes"][n]["boot"],
          "machine_id": world["nodes"][n]["machine"]} for i, n in enumerate((me, peer))]
report = {"schema": "mlc-bench/report/v1", "tool": {"version": "0.1.0", "built": {}},
          "run": {"id": f"meeting-{os.getpid()}", "command": ["mlc-bench", *words], "started": utc(began), "duration_s": time.time() - began + 0.05, "ranks": 2,
                  "nodes": 2, "backend": "mpi" if series else "verbs", "policy": "test",
                  "policy_digest": "sha256:" + hashlib.sha256(policy.encode()).hexdigest()},
          "environment": {"nodes": nodes, "variables": {}}, "series": series, "findings": findings,
          "figures": {"rails": rails} if rails else {}, "verdict": {"decision": "fail" if failed else "pass", "because": failed}, "errors": []}
with open(value("--output"), "w") as f:
    json.dump(report, f)
sys.exit(1 if failed else 0)
