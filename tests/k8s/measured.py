"""What a run of an overlay's stages would have measured, put into the node's state folder as the records of an attempt that was killed
(recorded_stages.cpp, by the program's own classes). `validate` reads a captured tree: a node of 8 x H100, seen from inside a Pod or
from its host, healthy or with one fault."""
import collections, functools, json, os, subprocess, tempfile

import yaml

from cluster import BENCH, run, utc

AS_NODE = 'mount --bind "$1" /proc/sys/kernel/random/boot_id; mount --bind "$2" /etc/machine-id; shift 2; exec "$@"'


def tool(name):
    return os.path.join(os.environ["MLC_BUILD"], "tests", "k8s", name)


@functools.cache
def trees():
    """(folder, {side: {tree: the check that finds its fault}}) with a folder for each side; the build wrote them (captured_trees.cpp)."""
    folder, faults = tool("trees"), collections.defaultdict(dict)
    with open(f"{folder}.list") as made:
        for line in made:
            tree, check = line.split()
            side, name = tree.split("/")
            faults[side][name] = check
    return folder, faults


def policy_text(objects):
    text, = [o["data"]["policy.yaml"] for o in objects if o["kind"] == "ConfigMap" and o["metadata"]["name"].startswith("mlc-bench-policy")]
    return text


def section(words):
    """Which section of the policy a burn-in's command line runs."""
    return next((w[2:] for w in words if w in ("--health", "--passive", "--fabric")), "burnin")


@functools.cache
def checked(text, command, tree):
    """The report of a `validate` stage under that policy."""
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as policy:
        policy.write(text)
        policy.flush()
        # On a machine with other work a check may not end within the policy's 5 s; that is not what is tested.
        for _ in range(5):
            ran = run(*command, "--root", f"{trees()[0]}/{tree}", "--policy", policy.name, "--format", "json")
            if "did not finish within" not in ran.out:
                break
    if ran.out[:1] != "{":
        raise AssertionError(ran)
    return ran.out


def record(pod, text, tree, failing=None):
    """The stages of that Pod (kubelet.py), measured; `failing` names one that was bad. What was inconclusive, in words."""
    container, = pod.spec["containers"]
    words = pod.words(container)
    run_id, = [w.split("=", 1)[1] for w in words if w.startswith("--run-id=")]
    mount, = [m["name"] for m in container["volumeMounts"] if m["mountPath"] == "/var/lib/mlc-bench"]
    state = pod.source(next(v for v in pod.spec["volumes"] if v["name"] == mount), {})
    side = "node" if pod.spec.get("hostNetwork") else "pod"
    stages = yaml.safe_load(text)[section(words)]["stages"]
    command = next(tuple(s["command"]) for s in stages if s["command"][0] == "validate")
    words = [tool("recorded_stages"), state, run_id, pod.text_file("rendered.yaml", text), section(words), BENCH, pod.node,
             pod.text_file("validate.json", checked(text, command, f"{side}/{tree}")), *([failing] if failing else [])]
    if pod.identity:
        files = [pod.text_file(f"its-{what}", pod.identity[what] + "\n") for what in ("boot", "machine")]
        words = ["unshare", "-m", "sh", "-ec", AS_NODE, "sh", *files, *words]
    return recorded(words, state, run_id)


def record_checks(state, run_id, policy_file, plan, node, tree, stage):
    """That stage alone, of a run on this very machine; the others are left to be run."""
    with open(policy_file) as f:
        report = checked(f.read(), ("validate",), tree)
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        file.write(report)
        file.flush()
        return recorded([tool("recorded_stages"), state, run_id, policy_file, plan, BENCH, node, file.name, "-", stage], state, run_id)


def recorded(words, state, run_id):
    made = subprocess.run(words, capture_output=True, text=True)
    if (made.returncode, made.stderr) != (0, ""):
        raise AssertionError(made.stdout + made.stderr)
    # The records say how long each launch took: the attempt that made them began before that.
    with open(f"{state}/{run_id}/run.json") as f:
        began = {**json.load(f), "started": utc(-3600)}
    with open(f"{state}/{run_id}/run.json", "w") as f:
        json.dump(began, f)
    return made.stdout
