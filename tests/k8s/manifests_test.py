"""Every manifest rendered with kustomize, validated against the schemas of several Kubernetes versions, and where it can be, run."""
import copy, glob, json, os, re, shutil, subprocess, sys, tempfile, unittest

import controllers
from cluster import FOREIGN, SOURCE, STARTUP, Case, ClusterCase, a_report, report, run

try:
    import jsonschema, kubernetes_validate, yaml
    MISSING = ""
except ImportError as error:
    MISSING = str(error)
KUBECTL = next((k for k in (os.path.join(os.path.dirname(sys.executable), "kubectl"), shutil.which("kubectl")) if k and os.path.exists(k)), None)
MANIFESTS = os.path.join(SOURCE, "k8s", "manifests")
VERSIONS = ("1.30", "1.33", "1.37")
KUSTOMIZATIONS = sorted(os.path.dirname(p) for p in glob.glob(f"{MANIFESTS}/**/kustomization.yaml", recursive=True))


def needs_tools(test):
    return unittest.skipIf(MISSING or not KUBECTL, f"pip install -r tests/k8s/requirements.txt: {MISSING or 'no kubectl'}")(test)


def render(directory):
    done = subprocess.run([KUBECTL, "kustomize", directory], capture_output=True, text=True)
    if done.returncode != 0 or "deprecated" in done.stderr:
        raise AssertionError(f"{directory}: {done.stderr}")
    return [d for d in yaml.safe_load_all(done.stdout) if d]


def overlay(name):
    return render(os.path.join(MANIFESTS, "overlays", name))


def validate(objects):
    """Each object against every version, custom ones against crds.py; the Pods of MPIJobs as Pods."""
    from crds import SCHEMAS
    for one in objects:
        schema = SCHEMAS.get((one["apiVersion"], one["kind"]))
        if schema:
            jsonschema.Draft202012Validator(schema).validate(one)
            pods = [{"apiVersion": "v1", "kind": "PodTemplate", "metadata": {"name": "x"}, "template": r["template"]}
                    for r in one["spec"].get("mpiReplicaSpecs", {}).values()]
            validate(pods)
            continue
        for version in VERSIONS:
            kubernetes_validate.validate(one, version, strict=True)


def containers(one):
    spec = one["spec"].get("jobTemplate", one)["spec"]["template"]["spec"]
    return spec["containers"] + spec.get("initContainers", [])


@needs_tools
class Manifests(Case):
    def test_everything_renders_and_is_valid(self):
        rendered = 0
        for directory in KUSTOMIZATIONS:
            if "/components/" in directory:
                continue
            with self.subTest(os.path.relpath(directory, MANIFESTS)):
                objects = render(directory)
                validate(objects)
                rendered += len(objects)
        self.assertGreater(rendered, 60)

    def test_components_beside_the_overlays(self):
        """Kueue and the rest are chosen by nobody here, so they are tried on the base."""
        for component in glob.glob(f"{MANIFESTS}/components/*"):
            with self.subTest(os.path.basename(component)), tempfile.TemporaryDirectory() as directory:
                shutil.copytree(MANIFESTS, f"{directory}/m")
                with open(f"{directory}/m/kustomization.yaml", "w") as f:
                    f.write(f"resources: [base]\ncomponents: [components/{os.path.basename(component)}]\n")
                validate(render(f"{directory}/m"))

    def test_the_validation_can_fail(self):
        good = overlay("sakura-h100")
        spoilt = 0
        for one in good:
            bad = copy.deepcopy(one)
            if one["kind"] == "CronJob":
                bad["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"][0]["imagee"] = "x"
            elif one["kind"] == "NetworkAttachmentDefinition":
                bad["spec"]["configg"] = "x"
            elif one["kind"] == "ClusterRole":
                bad["rules"][0]["verbs"] = "get"
            else:
                continue
            spoilt += 1
            with self.assertRaises(jsonschema.ValidationError):
                validate([bad])
        self.assertGreaterEqual(spoilt, 8)

    def test_pods_are_as_tight_as_rdma_permits(self):
        for name in ("generic", "lab", "sakura-h100"):
            for one in overlay(name):
                if one["kind"] != "CronJob":
                    continue
                pod = one["spec"]["jobTemplate"]["spec"]["template"]["spec"]
                # The passive look asks about the node's own interfaces and routes, and has no capability there.
                passive = one["metadata"]["name"] == "mlc-passive"
                for key in ("hostPID", "hostIPC") + (() if passive else ("hostNetwork",)):
                    self.assertNotIn(key, pod)
                if passive:
                    self.assertNotIn("add", pod["containers"][0]["securityContext"]["capabilities"])
                self.assertEqual(pod["securityContext"]["seccompProfile"]["type"], "RuntimeDefault")
                for container in pod["containers"]:
                    context = container["securityContext"]
                    self.assertFalse(context["allowPrivilegeEscalation"])
                    self.assertTrue(context["readOnlyRootFilesystem"])
                    self.assertNotIn("privileged", context)
                    self.assertEqual(context["capabilities"]["drop"], ["ALL"])
                    sshd = {"SETUID", "SETGID", "SYS_CHROOT"} if one["metadata"]["name"] == "mlc-fabric" else set()
                    self.assertLessEqual(set(context["capabilities"].get("add", [])), {"IPC_LOCK", "NET_RAW"} | sshd)
                    self.assertEqual([w for w in container["command"] + container["args"] if re.search(r"\bsh\b|bash", w)], [], "no shell")

    def test_each_pod_has_a_place_where_it_is_needed(self):
        """Of a cluster whose workers register shut and whose control planes take no work, and of nodes that train, or are shut."""
        def node(*taints):
            return {"metadata": {"name": "n", "labels": {"mlc-bench.io/admission": "admitted", "node-role.kubernetes.io/gpu": ""}},
                    "spec": {"taints": [{"key": key, "effect": "NoSchedule"} for key in taints]}}
        ours = ["mlc-bench.io/unvalidated", "mlc-bench.io/quarantine", "readiness.k8s.io/mlc-burnin"]
        needed = {"mlc-burnin": ours, "mlc-fabric": ours, "mlc-dispatch": [*ours, "node-role.kubernetes.io/control-plane"],
                  "mlc-ipam": [*ours, "node-role.kubernetes.io/control-plane"],
                  "mlc-passive": [*ours, "node.kubernetes.io/unschedulable", "nvidia.com/gpu", "example.com/reserved"]}
        for name in ("generic", "lab", "sakura-h100"):
            for one in overlay(name):
                if one["kind"] != "CronJob":
                    continue
                spec = copy.deepcopy(one["spec"]["jobTemplate"]["spec"]["template"]["spec"])
                spec.pop("nodeSelector", None)   # of the overlay's own nodes
                for taint in needed.get(one["metadata"]["name"], []):
                    with self.subTest(overlay=name, pod=one["metadata"]["name"], taint=taint):
                        self.assertEqual(controllers.why_not(node(taint), spec), "")
                self.assertIn("taint", controllers.why_not({**node(), "spec": {"taints": [{"key": "node.kubernetes.io/not-ready", "effect": "NoExecute"}]}}, spec))

    def test_a_job_by_hand_is_a_run_of_its_own(self):
        for one in overlay("sakura-h100"):
            if one["kind"] == "CronJob" and one["metadata"]["name"] in ("mlc-burnin", "mlc-health", "mlc-passive"):
                container, = one["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"]
                run_id, = [e for e in container["env"] if e["name"] == "RUN_ID"]
                self.assertEqual(run_id["valueFrom"]["fieldRef"]["fieldPath"], "metadata.labels['batch.kubernetes.io/controller-uid']")

    def test_a_fabric_stage_is_one_pod_a_node_and_none_ends_the_others(self):
        objects = overlay("sakura-h100")
        job, = [o["spec"]["jobTemplate"]["spec"] for o in objects if o["kind"] == "CronJob" and o["metadata"]["name"] == "mlc-fabric"]
        self.assertEqual((job["completionMode"], job["backoffLimitPerIndex"]), ("Indexed", 0))
        self.assertNotIn("maxFailedIndexes", job, "the API server takes none above completions, which the dispatcher sets; without it none ends the others")
        pod = job["template"]["spec"]
        container, = pod["containers"]
        self.assertEqual(sorted(k for k in container["resources"]["limits"] if "/" in k), ["mlc.io/rail0", "mlc.io/rail1", "mlc.io/rail2", "mlc.io/rail3", "nvidia.com/gpu"])
        service, = [o for o in objects if o["kind"] == "Service"]
        self.assertEqual((service["spec"]["clusterIP"], service["metadata"]["name"], service["spec"]["publishNotReadyAddresses"]), ("None", pod["subdomain"], True))
        self.assertLessEqual(service["spec"]["selector"].items(), job["template"]["metadata"]["labels"].items())
        self.assertIn(f"--leader=$(RUN_ID)-0.{pod['subdomain']}", container["args"])
        names = {v["name"]: v for v in pod["volumes"]}
        self.assertEqual((names["ssh"]["secret"]["secretName"], names["ssh"]["secret"]["defaultMode"]), ("mlc-fabric", 0o400))
        for one in objects:
            if one["kind"] in ("Role", "ClusterRole"):
                self.assertNotIn("secrets", str(one["rules"]), "no account reads or writes Secrets")

    def test_burnin_job_is_what_a_new_node_needs(self):
        by_name = {o["metadata"]["name"]: o for o in overlay("sakura-h100") if o["kind"] == "CronJob"}
        job = by_name["mlc-burnin"]["spec"]["jobTemplate"]["spec"]
        pod = job["template"]["spec"]
        self.assertEqual({t["key"] for t in pod["tolerations"]}, {"mlc-bench.io/unvalidated", "mlc-bench.io/quarantine", "readiness.k8s.io/mlc-burnin"})
        limits = pod["containers"][0]["resources"]["limits"]
        self.assertEqual({k: limits[k] for k in limits if "/" in k}, {"nvidia.com/gpu": "8", **{f"mlc.io/rail{r}": "1" for r in range(4)}})
        self.assertEqual(job["template"]["metadata"]["annotations"]["k8s.v1.cni.cncf.io/networks"].count("@net"), 4)
        rules = {tuple(r["onExitCodes"]["values"]): r["action"] for r in job["podFailurePolicy"]["rules"] if "onExitCodes" in r}
        self.assertEqual(rules, {(1, 64): "FailJob", (2, 3, 130): "Count"})
        self.assertGreater(job["backoffLimit"], 0)
        self.assertIn({"medium": "Memory", "sizeLimit": "16Gi"}, [v.get("emptyDir") for v in pod["volumes"]])
        health = by_name["mlc-health"]["spec"]
        quiet = health["jobTemplate"]["spec"]["template"]["spec"]
        self.assertEqual(quiet["containers"][0]["resources"]["limits"]["nvidia.com/gpu"], "8", "only where all GPUs are free")
        self.assertEqual(quiet["priorityClassName"], "mlc-bench-idle")
        self.assertNotIn("tolerations", quiet)
        passive = by_name["mlc-passive"]["spec"]["jobTemplate"]["spec"]["template"]
        self.assertEqual({k for k in passive["spec"]["containers"][0]["resources"]["limits"] if "/" in k}, set(), "no GPU and no VF")
        self.assertNotIn("k8s.v1.cni.cncf.io/networks", passive["metadata"].get("annotations", {}))
        for name, one in by_name.items():
            kind = one["metadata"].get("labels", {}).get("mlc-bench.io/template")
            self.assertEqual(one["spec"].get("suspend", False), kind is not None, f"{name}: a template is never run by its schedule")
        dispatch = by_name["mlc-dispatch"]["spec"]
        self.assertEqual((dispatch["schedule"], dispatch["concurrencyPolicy"]), ("* * * * *", "Forbid"))
        priority, = [o for o in overlay("sakura-h100") if o["kind"] == "PriorityClass"]
        self.assertEqual((priority["preemptionPolicy"], priority["value"] < 0), ("Never", True))

    def test_networks_agree_with_the_policy(self):
        objects = overlay("sakura-h100")
        config, = [o["data"]["policy.yaml"] for o in objects if o["kind"] == "ConfigMap" and "policy" in o["metadata"]["name"]]
        rails = yaml.safe_load(config)["node"]["rails"]
        networks = sorted((o for o in objects if o["kind"] == "NetworkAttachmentDefinition"), key=lambda o: o["metadata"]["name"])
        self.assertEqual(len(networks), len(rails["addresses"]))
        for number, (network, rail) in enumerate(zip(networks, rails["addresses"])):
            self.assertEqual(network["metadata"]["annotations"]["k8s.v1.cni.cncf.io/resourceName"], f"mlc.io/rail{number}")
            sriov, tuning = json.loads(network["spec"]["config"])["plugins"]
            self.assertEqual((sriov["type"], sriov["ipam"]["type"], tuning["type"]), ("sriov", "whereabouts", "tuning"))
            self.assertEqual(sriov["ipam"]["range"], rail["prefix"])
            self.assertEqual([(r["dst"], r["gw"]) for r in sriov["ipam"]["routes"]], [(d, rail["gateway"]) for d in rail["destinations"]])
            self.assertGreaterEqual(tuning["mtu"], rails["netdev_mtu"])
            for absent in ("mtu", "vlan"):
                self.assertNotIn(absent, sriov)

    def test_sakura_is_the_built_in_policy_with_addresses(self):
        with open(f"{MANIFESTS}/overlays/sakura-h100/policy.yaml") as f, open(f"{SOURCE}/validators/policies/h100-4x200g.yaml") as g:
            site, built_in = yaml.safe_load(f), yaml.safe_load(g)
        del site["node"]["rails"]["addresses"], site["policy"], built_in["policy"]
        built_in["burnin"]["stages"] = [s for s in built_in["burnin"]["stages"] if not re.search(r"\{", " ".join(s["command"]))]
        self.assertEqual(site, built_in)

    def test_every_policy_is_understood(self):
        for path in glob.glob(f"{MANIFESTS}/**/policy.yaml", recursive=True):
            if "own-node-only" in path:
                continue
            ran = run("validate", "host.limits", "--policy", path)
            self.assertIn(ran.code, (0, 1, 2), (path, str(ran)))
            with open(path) as f:
                self.assertLessEqual({"burnin", "health", "passive", "admit"}, set(yaml.safe_load(f)))

    def test_taints_and_conditions_have_one_name_everywhere(self):
        with open(f"{SOURCE}/validators/policies/h100-4x200g.yaml") as f:
            admit = yaml.safe_load(f)["admit"]
        template, check = render(f"{MANIFESTS}/cluster-api")
        if template["kind"] != "KubeadmConfigTemplate":
            template, check = check, template
        registration = template["spec"]["template"]["spec"]["joinConfiguration"]["nodeRegistration"]
        self.assertEqual([f"{t['key']}:{t['effect']}" for t in registration["taints"]], [admit["startup_taint"]])
        self.assertIn("mlc-bench.io/admission=pending", registration["kubeletExtraArgs"][0]["value"])
        self.assertEqual({c["type"] for c in check["spec"]["checks"]["unhealthyNodeConditions"]}, {"Ready", admit["condition"].replace("Ready", "Refused")},
                         "a node is remade for what a second run has confirmed, and never for what nobody knows")
        self.assertRegex(check["spec"]["remediation"]["triggerIf"]["unhealthyLessThanOrEqualTo"], r"^[1-3]?\d%$", "a fault of the fabric must not remake the cluster")
        rule, = render(f"{MANIFESTS}/node-readiness")
        self.assertEqual(rule["spec"]["conditions"][0]["type"], admit["condition"])

    def test_problem_detector_calls_what_there_is(self):
        config, = render(f"{MANIFESTS}/node-problem-detector")
        plugin = json.loads(config["data"]["mlc-bench.json"])
        for rule in plugin["rules"]:
            ran = run(*rule["args"])
            self.assertIn(ran.code, (0, 1, 2), ran)
            self.assertLessEqual(len(ran.out), plugin["pluginConfig"]["max_output_length"] + 1)
            self.assertIn(rule["condition"], [c["type"] for c in plugin["conditions"]])

    def test_jobs_are_what_manifest_prints(self):
        for name, more in (("mpijob", []), ("indexed-job", ["--kind", "indexed-job"])):
            ran = run("manifest", "allreduce", "--nodes", "4", "--sizes", "1G", "--policy", "h100-4x200g", *more)
            self.assertEqual(ran.code, 0, ran)
            with open(f"{MANIFESTS}/jobs/allreduce-{name}.yaml") as f:
                self.assertEqual(ran.out, f.read())
        ran = run("manifest", "fleet", "--nodes", "4", "--policy", "h100-4x200g")
        self.assertEqual(ran.code, 0, ran)
        with open(f"{MANIFESTS}/jobs/fleet-indexed-job.yaml") as f:
            self.assertEqual(ran.out, f.read())


@needs_tools
class ManifestCommand(Case):
    def objects(self, *words):
        ran = run("manifest", *words)
        self.assertEqual(ran.code, 0, ran)
        objects = list(yaml.safe_load_all(ran.out))
        validate(objects)
        return objects

    def launcher(self, *words):
        job, = self.objects(*words)
        return job["spec"]["mpiReplicaSpecs"]["Launcher"]["template"]["spec"]["containers"][0]["command"]

    def test_flags_of_the_collective_go_to_the_ranks(self):
        command = self.launcher("allreduce", "--nodes", "3", "-b", "1M", "-e", "1G", "-f", "2", "-d", "bfloat16", "-c", "0", "--quiet")
        at = command.index("mlc-bench")
        self.assertEqual(command[command.index("-n") + 1], "24")
        self.assertIn("NCCL_SOCKET_IFNAME==eth0", command[:at])
        self.assertEqual(command[at + 1], "allreduce")
        ran = run(*command[at + 1:], "--backend", "loopback", "--sizes", "4K")
        self.assertEqual(ran.code, 64, "a range and a list: it is the flags that came through")
        self.assertEqual(run(*[w for w in command[at + 1:] if not re.match("--(min|max|step)", w)], "--sizes", "4K", "--backend", "loopback", "-n", "3").code, 2,
                         "it ran, and was not verified")

    def test_kinds_and_shapes(self):
        for words in (["alltoall"], ["allgather", "--gpus", "0", "--rails", "0", "--nodes", "2"], ["broadcast", "-r", "3", "--as-root"],
                      ["allreduce", "--queue", "team", "--namespace", "ml", "--name", "x"], ["reduce", "--deadline", "10m", "--interface", "bond0"]):
            for kind in ("mpijob", "indexed-job"):
                with self.subTest(words=words, kind=kind):
                    self.objects(*words, "--kind", kind)

    def test_text_stays_text(self):
        job, = self.objects("allreduce", "--gpus", "8", "--name", "y", "--namespace", "no", "--queue", "true", "--image", "registry:5000/a@sha256:0")
        self.assertEqual((job["metadata"]["name"], job["metadata"]["namespace"], job["metadata"]["labels"]["kueue.x-k8s.io/queue-name"]), ("y", "no", "true"))
        worker = job["spec"]["mpiReplicaSpecs"]["Worker"]["template"]["spec"]["containers"][0]
        self.assertEqual((worker["resources"]["limits"]["nvidia.com/gpu"], worker["image"]), ("8", "registry:5000/a@sha256:0"))

    def test_hostile_words_stay_words(self):
        nasty = 'x"\n  privileged: true\n# \x1b[2J: - {'
        job, = self.objects("allreduce", "--image", nasty)
        self.assertEqual(job["spec"]["mpiReplicaSpecs"]["Worker"]["template"]["spec"]["containers"][0]["image"], nasty)
        for words in (["--name", "a b"], ["--name", "x" * 51], ["--namespace", "../x"], ["--nodes", "0"], ["--kind", "pod"], ["--deadline", "never"], ["-b", "lots"],
                      ["--ranks", "3"], ["--hosts", "a,b"]):
            ran = run("manifest", "allreduce", *words)
            self.assertEqual(ran.code, 64, ran)
            self.assertEqual(ran.out, "")

    def campaign(self, *words):
        *others, job = self.objects("fleet", *words)
        return others, job["spec"]["template"]["spec"]["containers"][0]["command"]

    def test_files_of_a_campaign_go_with_it(self):
        topology = self.write("topology.csv", "node,rail,leaf\ngpu-a,0,leaf-1\ngpu-b,0,leaf-1\n")
        policy = self.write("ours.yaml", "policy: ours  # 'x': \"y\"\nthresholds: []\n")
        (service, files), command = self.campaign("--nodes", "3", "--topology", topology, "--policy", policy, "--name", "which")
        self.assertEqual((service["kind"], files["kind"], files["metadata"]["name"]), ("Service", "ConfigMap", "which-files"))
        with open(topology) as one, open(policy) as other:
            self.assertEqual(files["data"], {"topology": one.read(), "policy.yaml": other.read()})
        for word in ("--topology=/etc/mlc-bench/topology", "--policy=/etc/mlc-bench/policy.yaml", "--leader=which-0.which", "--members=3"):
            self.assertIn(word, command)
        (service,), command = self.campaign("--policy", "h100-4x200g", "--topology", "none", "--gpus", "8", "--rails", "0", "--as-root", "--queue", "team")
        self.assertIn("--policy=h100-4x200g", command)

    def test_its_options_come_to_the_agents(self):
        _, command = self.campaign("--seed", "7", "--rounds", "3", "--engine", "tcp", "--interfaces", "net1,net2", "--test-time", "2s", "--gather", "90s", "--format", "json")
        self.assertIn("--gather=90s", command)
        ran = run(*[w for w in command[1:] if not w.startswith("--key=")], "--key", self.path("none"), "--index", "1")
        self.assertEqual(ran.code, 64, ran)
        self.assertIn(f"--key {self.path('none')}", ran.err, "all else that the Pods are told is understood")

    def test_what_no_campaign_of_pods_can_be(self):
        binary, big = self.path("binary"), self.write("big", "node,rail,leaf\n" + "".join(f"n{i},0,leaf-{i // 32}\n" for i in range(60000)))
        with open(binary, "wb") as f:
            f.write(b"node,rail,leaf\na\xff,0,l\n")
        for words in (["--nodes", "1"], ["--kind", "mpijob"], ["--keep", "x"], ["--resume", "x"], ["--output", "x"], ["--interface", "eth1"], ["--gather", "never"],
                      ["--rail-rate", "fast"], ["--name", "1fleet"], ["--rounds", "99"], ["--policy", "nonesuch"], ["--topology", self.path("nonesuch")], ["--topology", binary], ["--topology", big],
                      ["--hosts", "a,b"], ["--leader", "a"], ["--simulate"], ["--kind", "sbatch", "--launcher", "mpirun"], ["--kind", "sbatch", "--image", "x"], ["--kind", "sbatch", "--gpus", "8"],
                      ["--kind", "sbatch", "--gather", "5m"]):
            ran = run("manifest", "fleet", *words)
            self.assertEqual((ran.code, ran.out), (64, ""), (words, ran))


@needs_tools
class OfTheCluster(ClusterCase):
    """What the manifests run, run against the API server of the tests."""

    def run_cronjob(self, name, objects):
        job, = [o for o in objects if o["kind"] == "CronJob" and o["metadata"]["name"] == name]
        container, = containers(job)
        policy, = [o["data"]["policy.yaml"] for o in objects if o["kind"] == "ConfigMap" and "policy" in o["metadata"]["name"]]
        words = container["command"][1:] + container.get("args", [])
        for mark, value in {"$(NODE_NAME)": "gpu-a", "$(RUN_ID)": "run-1", "/etc/mlc-bench/policy.yaml": self.write("policy-of-it.yaml", policy),
                            "/var/lib/mlc-bench": self.path("state")}.items():
            words = [w.replace(mark, value) for w in words]
        # As long as the lab's policy gives a burn-in, and the minute in which it ends itself.
        account = job["spec"]["jobTemplate"]["spec"]["template"]["spec"]["serviceAccountName"]
        return run(*words, env=self.environment(account=account, NODE_NAME="gpu-a"), timeout=360)

    def test_the_lab_runs_from_its_manifests(self):
        objects = overlay("lab")
        with open("/proc/sys/kernel/random/boot_id") as f:
            self.api.add_node("gpu-a", [FOREIGN, STARTUP], boot=f.read().strip())
        ran = self.run_cronjob("mlc-burnin", objects)
        self.assertEqual(ran.code, 0, ran)
        self.assertEqual(self.api.taints("gpu-a"), [FOREIGN["key"]])
        ran = self.run_cronjob("mlc-health", objects)
        self.assertEqual(ran.code, 0, ran)
        ran = self.run_cronjob("mlc-passive", objects)
        self.assertEqual(ran.code, 0, ran)
        self.assertIn("mlc-bench.io/looked-at", self.api.nodes["gpu-a"]["metadata"]["annotations"])

    def test_rbac_is_what_is_used_and_no_more(self):
        for i in range(10):
            self.api.add_node(f"gpu-{i}")
        self.admit("--begin")
        self.api.add_node("gpu-a", [FOREIGN])  # open: one that is shut needs no place in the ledger
        self.admit(report=a_report(decision="fail"))
        self.admit(report=a_report(run_id="run-2"))
        used = set()
        for method, path, _ in self.api.log:
            words = path.strip("/").split("/")
            group, words = ("", words[2:]) if words[0] == "api" else (words[1], words[3:])
            namespace, words = (words[1], words[2:]) if words[0] == "namespaces" else ("", words)
            resource, name = words[0], words[1] if len(words) > 1 else ""
            resource += "/" + words[2] if len(words) > 2 else ""
            verb = {"GET": "get" if name else "list", "PATCH": "patch", "POST": "create"}[method]
            used.add((namespace, group, resource, name if namespace == "mlc-bench" else "", verb))
        granted = set()
        for one in overlay("generic"):
            # The dispatcher's are held against what it asks by `dispatch_test`.
            ours = one["kind"] in ("Role", "ClusterRole") and one["metadata"]["name"] != "mlc-bench-dispatch"
            for rule in one["rules"] if ours else []:
                for group in rule["apiGroups"]:
                    for resource in rule["resources"]:
                        for verb in rule["verbs"]:
                            for name in rule.get("resourceNames", [""]):
                                granted.add((one["metadata"].get("namespace", ""), group, resource, name, verb))
        self.assertEqual(granted, used)


if __name__ == "__main__":
    unittest.main()
