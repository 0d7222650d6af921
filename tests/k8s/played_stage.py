#!/usr/bin/env python3
"""Stands in for `mlc-bench rdma`, `fleet` and the collectives between nodes: writes what a world with planted faults gives, a report, or the
rounds of a campaign (MLC_TEST_CAMPAIGN: played_campaign).
MLC_TEST_WORLD: {"nodes": {name: {"boot": .., "machine": ..}}, "rails": N, "bad": [[node, rail or null, way]], "slow_s": S, "hang": [node],
"busbw": {collective: [GB/s that is measured by 16 ranks in 31 s, and that is asked for]}}."""
import datetime, hashlib, json, os, re, sys, time

began = time.time()
words = sys.argv[1:]
value = lambda option: next((w.split("=", 1)[1] for w in words if w.startswith(option + "=")), None) or words[words.index(option) + 1]
with open(os.environ["MLC_TEST_WORLD"]) as f:
    world = json.load(f)
me = os.environ["NODE_NAME"]
with open(os.environ["MLC_TEST_LOG"]) as f:
    log = f.read()
if me in world.get("hang", []):
    time.sleep(600)
time.sleep(world.get("slow_s", 0))
with open(value("--policy")) as f:
    policy = f.read()
if words[0] == "fleet":
    if "--index=0" not in words:
        sys.exit(0)
    nodes = re.findall(r"a campaign of (\S+-.*)$", log, re.M)[-1].split(", ")
    bad = [f"{n}:{r}" for n, r, _ in world.get("bad", []) if r is not None] or ["-"]
    os.execv(os.environ["MLC_TEST_CAMPAIGN"], ["played_campaign", value("--keep"), str(world["rails"]), str(200 * 4096 / 4178), bad[0], *nodes])
peer = re.findall(r"with (\S+)$", log, re.M)[-1]


def is_bad(sender, receiver, rail):
    return any((r is None or r == rail) and ((n == sender and w in ("both", "sending")) or (n == receiver and w in ("both", "receiving")))
               for n, r, w in world.get("bad", []))


def utc(at):
    return datetime.datetime.fromtimestamp(at, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


rails, sums, findings, series, failed = [], [], [], [], []
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
        own = rails[-world["rails"]:]
        sums.append({"node": sender, "peer": receiver, "operation": "write", "bytes": 65536, "both_directions": False, "rails": world["rails"],
                     "solo_gbit_s": sum(r["gbit_s"] for r in own), "together_gbit_s": sum(r["gbit_s"] for r in own), "target_gbit_s": 200 * len(own),
                     "ceiling_gbit_s": 196 * len(own), "status": "pass", "why": ""})
else:
    assert value("--hosts").count(",") == 1 and "--launches" in words, words
    bad = any(n in (me, peer) and r is None for n, r, w in world.get("bad", []))
    long = "busbw" in world   # as the policies that ship ask for
    size, ranks = (1 << 30, 16) if long else (1 << 20, 2)
    factor = (2 if words[0] == "allreduce" else 1) * (ranks - 1) / ranks
    busbw = world["busbw"][words[0]][0] if long else size / 50e3 * factor
    algbw = busbw / factor / (100 if bad else 1)
    us = size / algbw / 1e3
    series.append({"collective": words[0], "dtype": "float", "redop": "sum", "placement": "out_of_place", "bytes": size, "requested_bytes": size,
                   "ranks": ranks, "samples": 100, "time_us": {"min": us, "p50": us, "p95": us, "p99": us, "max": us}, "ci_us": [us, us], "cv": 0,
                   "algbw_gb_s": algbw, "busbw_gb_s": algbw * factor, "wrong": 7 if bad else 0, "stop": "fixed"})
    if long:
        series[0].update(nodes=2, backend="nccl", samples=int(31e6 / us), stop="decided", observation={
            "timed_s": 31, "wall_s": 31.5, "untimed": 0, "wall_busbw_gb_s": algbw * factor * 0.999, "longest_us": us * 1.03, "correlation_s": 0,
            "block_s": 0.3, "blocks": 100, "blocks_reached": 0 if bad else 100, "slices": 20, "slices_reached": 0 if bad else 20, "end_share": 1,
            "drift": 0, "drift_z": 0},
            threshold={"metric": "busbw_gb_s", "bound": world["busbw"][words[0]][1], "status": "fail" if bad else "pass", "observe_s": 30,
                       "why": "below the bound" if bad else "at least the bound"})
    failed += [f"{words[0]} 1 MiB: 7 wrong elements"] if bad else []

nodes = [{"name": n, "kernel": "6.1", "os": "", "cpu": "", "cpus": 2, "versions": {}, "gpus": [], "ranks": [i], "boot_id": world["nodes"][n]["boot"],
          "machine_id": world["nodes"][n]["machine"]} for i, n in enumerate((me, peer))]
report = {"schema": "mlc-bench/report/v1", "tool": {"version": "0.1.0", "built": {}},
          "run": {"id": f"meeting-{os.getpid()}", "command": ["mlc-bench", *words], "started": utc(began), "duration_s": time.time() - began + 0.05,
                  "ranks": series[0]["ranks"] if series else 2, "nodes": 2, "backend": series[0].get("backend", "mpi") if series else "verbs", "policy": "test",
                  "policy_digest": "sha256:" + hashlib.sha256(policy.encode()).hexdigest()},
          "environment": {"nodes": nodes, "variables": {}}, "series": series, "findings": findings,
          "figures": {"rails": rails, "rail_sums": sums} if rails else {}, "verdict": {"decision": "fail" if failed else "pass", "because": failed}, "errors": []}
with open(value("--output"), "w") as f:
    json.dump(report, f)
sys.exit(1 if failed else 0)
