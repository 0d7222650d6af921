"""The blocks of docs/operator.md that show a command with its output: runs each, against captured nodes and an API server of the tests.
usage: walk.py [--write]      (MLC_BENCH, MLC_BUILD, MLC_SOURCE as for the tests)
Without --write it ends with 1 and a diff where the page says otherwise than the program does, but for times, numbers of a measurement and the
names of this machine."""
import contextlib, difflib, json, os, re, shlex, subprocess, sys, tempfile

SOURCE, BUILD, BENCH = (os.environ[name] for name in ("MLC_SOURCE", "MLC_BUILD", "MLC_BENCH"))
for room in ("cli", "k8s"):
    sys.path.insert(0, os.path.join(SOURCE, "tests", room))
from api_server import ApiServer  # noqa: E402
from cluster import STARTUP, a_report, digest, finding  # noqa: E402
from program import clean_environment  # noqa: E402

PAGE = os.path.join(SOURCE, "docs/operator.md")
TREES = os.path.join(BUILD, "tests/k8s/trees/node")
MOST_LINES = 14


def site_policy():
    """The built-in policy with a site's addresses, as the page tells one to write it."""
    with open(os.path.join(SOURCE, "k8s/manifests/overlays/sakura-h100/policy.yaml")) as f:
        return f.read().replace("policy: sakura-h100", "policy: my-site", 1)


def template(kind):
    """A CronJob of which the dispatcher makes Jobs, as far as it looks into one."""
    pod = {"restartPolicy": "Never", "containers": [{"name": "mlc-bench", "image": "registry.example/mlc-bench:0.1.0", "args": ["burnin"]}]}
    return {"metadata": {"name": f"mlc-{kind}", "labels": {"mlc-bench.io/template": kind}},
            "spec": {"schedule": "0 0 31 2 *", "suspend": True, "jobTemplate": {"spec": {"template": {"spec": pod}}}}}


class Walk:
    def __init__(self, stack):
        self.directory = stack.enter_context(tempfile.TemporaryDirectory(prefix="mlc-walk-"))
        os.mkdir(self.path("api"))
        self.api = stack.enter_context(ApiServer(self.path("api")))
        for name in ("gpu-1", "gpu-2", "gpu-3"):
            self.api.add_node(name, [STARTUP], labels={"mlc-bench.io/admission": "pending"})
        for kind in ("burnin", "fabric", "health", "passive"):
            self.api.add_cronjob(template(kind))
        self.write("my-site.yaml", site_policy())
        self.write("gpu-2.json", json.dumps(self.refused()))

    def path(self, name):
        return os.path.join(self.directory, name)

    def write(self, name, text):
        with open(self.path(name), "w") as f:
            f.write(text)

    def refused(self):
        """The report of a burn-in that a narrow PCIe link ended: the findings are those that validate has of such a node."""
        done = self.run("validate", "--policy", self.path("my-site.yaml"), "--root", f"{TREES}/nic-at-half-width", "--format", "json")
        seen = json.loads(done.stdout)
        report = a_report(node="gpu-2", decision="fail", findings=seen["findings"], because=seen["verdict"]["because"])
        report["run"]["policy"], report["run"]["policy_digest"] = "my-site", digest(site_policy())
        report["figures"] = {"policy": {"name": "my-site", "about": "", "source": "my-site.yaml", "text": site_policy()}}
        for one in report["findings"]:
            one["stage"], one["launch"] = "validate", 1
        report["stages"] = [{"stage": "validate", "command": ["validate"], "launches": 1, "status": "fail", "why": "fail in 2.1 s"}]
        return report

    def run(self, *words):
        env = clean_environment(KUBECONFIG=self.api.kubeconfig())
        return subprocess.run([BENCH, *words], capture_output=True, text=True, cwd=self.directory, env=env, timeout=120)

    def block(self, shown, *words, merged=False, most=MOST_LINES):
        """`shown` is what a person types; what is run differs only in where the captured node is."""
        done = self.run(*(words or shlex.split(shown)[1:]))
        text = done.stdout + (done.stderr if merged or not done.stdout else "")
        lines = [line.rstrip() for line in text.rstrip("\n").split("\n")]
        if len(lines) > most:
            lines = lines[:most - 2] + ["..."] + lines[-1:]
        return "\n".join([f"$ {shown}", *lines, f"(exit code {done.returncode})"])

    def blocks(self):
        validate = ["validate", "--policy", "my-site.yaml", "--root"]
        return {
            "policy": self.block("mlc-bench policy check my-site.yaml"),
            "keys": self.block("mlc-bench policy keys node.rails.addresses"),
            "bad": self.block("mlc-bench validate --policy my-site.yaml", *validate, f"{TREES}/nic-at-half-width"),
            "explain": self.block("mlc-bench explain pci.link"),
            "waiting": self.block("mlc-bench dispatch --policy my-site.yaml", merged=True),
            "report": self.block("mlc-bench report gpu-2.json"),
            "admit": self.block("mlc-bench admit --node gpu-2 --report gpu-2.json --policy my-site.yaml", merged=True, most=28),
            "simulate": self.block("mlc-bench fleet --simulate --nodes 64 --trials 50 --seed 1 --inject node=7,rail=2,slow=20%"),
        }


def steady(text):
    """Without what differs from run to run."""
    text = re.sub(r"\d{4}-\d\d-\d\dT[\d:]+(\.\d+)?Z", "TIME", text)
    text = re.sub(r"\d+(\.\d+)? (s|ms|µs|min|h)\b", "N s", text)
    return re.sub(r"sha256:[0-9a-f]+", "sha256:DIGEST", text)


def with_blocks(page, blocks):
    def one(match):
        made = f"<!-- walk: {match[1]} -->\n```\n{blocks[match[1]]}\n```\n<!-- end -->"
        return match[0] if steady(made) == steady(match[0]) else made
    return re.sub(r"<!-- walk: (\w+) -->\n.*?<!-- end -->", one, page, flags=re.S)


with contextlib.ExitStack() as stack:
    blocks = Walk(stack).blocks()
with open(PAGE) as f:
    page = f.read()
missing = set(blocks) - set(re.findall(r"<!-- walk: (\w+) -->", page))
made = with_blocks(page, blocks)
if "--write" in sys.argv:
    with open(PAGE, "w") as f:
        f.write(made)
else:
    differences = list(difflib.unified_diff(steady(page).split("\n"), steady(made).split("\n"), "docs/operator.md", "the program", lineterm=""))
    print("\n".join(differences))
    sys.exit(1 if differences or missing else 0)
