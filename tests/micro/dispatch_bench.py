#!/usr/bin/env python3
"""What a round of the dispatcher costs at 10,000 nodes in the steady state: MLC_BENCH=build/mlc-bench tests/micro/dispatch_bench.py [NODES [ROUNDS]].
The API server is made up: it hands out pages that are encoded beforehand, so that the time is the dispatcher's. Nodes have the managed
fields of a real cluster. Looks are done by the next minute; every tenth node is free."""
import datetime, http.server, json, os, random, re, subprocess, sys, tempfile, threading, time, urllib.parse

POLICY = """policy: bench
burnin: {stages: [{stage: checks, command: [validate]}]}
health: {stages: [{stage: checks, command: [validate]}]}
passive: {stages: [{stage: checks, command: [validate]}]}
fabric: {stages: [{stage: together, command: [allreduce]}]}
admit: {quarantine: {taint: "mlc-bench.io/quarantine:NoSchedule", share_per_hour: 0.1}}
"""
# A process begins with the memory of who started it in its books: this one holds the whole cluster, so that a small one starts it.
MEASURED = """import json, os, subprocess, sys
child = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL)
_, status, usage = os.wait4(child.pid, 0)
child.returncode = status
json.dump([status, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024], sys.stdout)"""
random.seed(1)
TIMES = [{"manager": m, "operation": "Update", "apiVersion": "v1", "time": "2026-01-01T00:00:00Z", "fieldsType": "FieldsV1",
          "fieldsV1": {"f:metadata": {"f:labels": {f"f:example.com/{m}-{i}": {} for i in range(25)}, "f:annotations": {f"f:example.com/{m}-{i}": {} for i in range(10)}}}}
         for m in ("kubelet", "kube-controller-manager", "cilium-operator", "nfd-master", "mlc-bench")]


def utc(seconds):
    return datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


class Cluster:
    def __init__(self, count):
        self.now, self.requests, self.jobs = 1_800_000_000, [], {}
        self.nodes = [self.node(i, count) for i in range(count)]
        self.text, self.changed = [""] * count, set(range(count))
        self.cronjobs = [{"metadata": {"name": f"mlc-{k}", "uid": f"u-{k}", "labels": {"mlc-bench.io/template": k}},
                          "spec": {"jobTemplate": {"spec": {"template": {"spec": {"containers": [{"name": "mlc-bench"}]}}}}}}
                         for k in ("burnin", "health", "passive", "fabric")]

    def node(self, i, count):
        """Looks are spread over the interval, as they are after a while."""
        looked, tested = self.now - int(43200 * i / count), self.now - (random.randrange(86400) if i % 10 == 0 else random.randrange(20 * 86400))
        return {"metadata": {"name": f"gpu-{i:05}", "uid": f"00000000-0000-0000-0000-{i:012}", "resourceVersion": str(i), "creationTimestamp": utc(self.now - 86400 * 100),
                             "labels": {"mlc-bench.io/admission": "admitted", "kubernetes.io/hostname": f"gpu-{i:05}", "mlc-bench.io/tested-hour": str(tested // 3600),
                                        **{f"feature.node.kubernetes.io/cpu-{k}": "true" for k in range(30)}},
                             "annotations": {"mlc-bench.io/tested-at": utc(tested), "mlc-bench.io/looked-at": utc(looked), "mlc-bench.io/expires": utc(looked + 604800),
                                             **{f"example.com/note-{k}": "x" * 40 for k in range(10)}}, "managedFields": TIMES}}

    def encode(self):
        """Those that changed."""
        for i in self.changed:
            self.text[i] = json.dumps(self.nodes[i])
        self.changed.clear()

    def answer(self, method, url, body):
        self.requests.append((method, urllib.parse.urlsplit(url).path))
        query = {k: v[0] for k, v in urllib.parse.parse_qs(urllib.parse.urlsplit(url).query).items()}
        what = urllib.parse.urlsplit(url).path.rsplit("/", 1)[-1]
        if method == "GET":
            items = {"nodes": self.text, "jobs": [json.dumps(j) for j in self.jobs.values()], "cronjobs": [json.dumps(c) for c in self.cronjobs], "events": [], "pods": []}.get(what)
            if items is None:   # the ledger, which knows the fleet's size
                return 200, json.dumps({"metadata": {"name": what, "resourceVersion": "1", "annotations": {
                    "mlc-bench.io/fleet": str(len(self.nodes)), "mlc-bench.io/fleet-counted-at": utc(self.now)}}, "data": {}}).encode()
            start, limit = int(query.get("continue", 0)), int(query["limit"])
            more = json.dumps({"continue": str(start + limit)} if start + limit < len(items) else {})
            return 200, ('{"metadata": %s, "items": [%s]}' % (more, ",".join(items[start:start + limit]))).encode()
        if method == "POST":
            job = json.loads(body)
            job["metadata"].update(uid="u-" + job["metadata"]["name"], resourceVersion="1", creationTimestamp=utc(self.now))
            self.jobs[job["metadata"]["name"]] = job
        if method == "DELETE":
            self.jobs.pop(what, None)
        if method == "PATCH" and "/nodes/" in url:
            metadata = self.nodes[int(what[4:])]["metadata"]
            self.changed.add(int(what[4:]))
            for part in ("labels", "annotations"):
                metadata[part].update(json.loads(body)["metadata"].get(part, {}))
        return 200, b"{}"

    def minute(self):
        """What was asked for is done, and Jobs that are over go after half an hour."""
        self.now += 60
        for name, job in list(self.jobs.items()):
            if "conditions" in job.get("status", {}):
                if self.now - job["ended"] > 1800:
                    del self.jobs[name]
                continue
            if job["metadata"]["labels"]["mlc-bench.io/kind"] == "passive":
                number = int(json.loads(job["metadata"]["annotations"]["mlc-bench.io/members"])[0]["name"][4:])
                node = self.nodes[number]
                self.changed.add(number)
                node["metadata"]["annotations"]["mlc-bench.io/looked-at"] = utc(self.now)
                job["ended"], job["status"] = self.now, {"succeeded": 1, "conditions": [{"type": "Complete", "status": "True", "lastTransitionTime": utc(self.now)}]}


def serve(cluster):
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1

        def date_time_string(self, timestamp=None):
            return super().date_time_string(cluster.now)

        def log_message(self, *args):
            pass

        def do(self):
            status, content = cluster.answer(self.command, self.path, self.rfile.read(int(self.headers.get("Content-Length") or 0)))
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)
        do_GET = do_POST = do_PATCH = do_DELETE = do
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_address[1]}"


def main():
    count, rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000, int(sys.argv[2]) if len(sys.argv) > 2 else 20
    cluster = Cluster(count)
    url = serve(cluster)
    seconds, cpu, memory, requests = [], [], [], []
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as policy:
        policy.write(POLICY)
        policy.flush()
        for number in range(rounds + 5):   # the first few only bring it into its steady state
            cluster.encode()
            cluster.requests.clear()
            began = time.monotonic()
            words = [os.environ.get("MLC_BENCH", "mlc-bench"), "dispatch", "--policy", policy.name, "--publish", "--server", url]
            ran = subprocess.run([sys.executable, "-c", MEASURED, *words], capture_output=True, text=True)
            status, used, most = json.loads(ran.stdout)
            if status:
                sys.exit(f"exit {status}\n{ran.stderr}")
            if number >= 5:
                seconds.append(time.monotonic() - began), cpu.append(used), memory.append(most), requests.append(len(cluster.requests))
            cluster.minute()
    kinds = {}
    for method, path in cluster.requests:
        kind = method + " " + re.sub(r"(gpu-|mlc-)[\w-]*$", "*", path).rsplit("/", 1)[-1]
        kinds[kind] = kinds.get(kind, 0) + 1
    page = sum(map(len, cluster.text)) / 1e6
    print(f"nodes {count}, metadata {page:.0f} MB, {rounds} rounds")
    print(f"a round takes {sorted(seconds)[len(seconds) // 2]:.2f} s (longest {max(seconds):.2f} s), of a processor {sorted(cpu)[len(cpu) // 2]:.2f} s; {max(memory):.0f} MB")
    print(f"requests a minute {sum(requests) / len(requests):.1f} (most {max(requests)}); the last: {kinds}")


main()
