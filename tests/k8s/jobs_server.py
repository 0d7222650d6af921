"""The API server of the tests with Jobs, CronJobs and pages of any size, for whoever makes Jobs."""
import copy, datetime, json, time

from api_server import ApiServer, Refused, merge_patch


class JobsServer(ApiServer):
    def __init__(self, directory, tls=True):
        super().__init__(directory, tls)
        self.reboots = []         # (node, when)
        self.jobs, self.cronjobs, self.accepts, self.made = {}, {}, [], 0

    def now(self, more=0):
        return datetime.datetime.fromtimestamp(time.time() + self.date_offset_s + more, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")

    def add_cronjob(self, name, labels, body):
        self.cronjobs[name] = {"kind": "CronJob", "apiVersion": "batch/v1", "metadata": {"name": name, "uid": f"uid-{name}", "labels": labels, "annotations": {}}, **body}

    def end(self, name, failed=False):
        """As the Job's controller writes it."""
        kind, reason = ("Failed", "BackoffLimitExceeded") if failed else ("Complete", "")
        self.jobs[name]["status"] = {"startTime": self.now(), "failed" if failed else "succeeded": 1,
                                     "conditions": [{"type": kind, "status": "True", "reason": reason, "lastTransitionTime": self.now()}]}

    def snapshot(self):
        return copy.deepcopy((self.nodes, self.jobs, self.cronjobs, self.date_offset_s))

    def restore(self, snapshot):
        self.nodes, self.jobs, self.cronjobs, self.date_offset_s = copy.deepcopy(snapshot)

    def answer(self, method, url, headers, body):
        if method == "GET" and "/api/v1/nodes" in url:
            self.accepts.append(headers.get("Accept", ""))
        return super().answer(method, url, headers, body)

    def route(self, method, path, query, kind, body):
        words = path.strip("/").split("/")
        if method == "GET" and words[2:] == ["namespaces", "default", "events"]:
            return 200, self.pages([{"metadata": {"name": f"{n}.1", "uid": f"e-{n}"}, "reason": "Rebooted", "involvedObject": {"kind": "Node", "name": n},
                                     "lastTimestamp": when} for n, when in self.reboots], query)
        if words[:4] != ["apis", "batch", "v1", "namespaces"]:
            return super().route(method, path, query, kind, body)
        objects = {"jobs": self.jobs, "cronjobs": self.cronjobs}[words[5]]
        name = words[6] if len(words) > 6 else None
        if method == "GET" and not name:
            selector = query.get("labelSelector", [""])[0]
            return 200, self.pages([o for _, o in sorted(objects.items()) if not selector or selector in o["metadata"].get("labels", {})], query)
        if method == "POST":
            return 201, self.create_job(json.loads(body))
        if name not in objects:
            raise Refused(404, f'{words[5]} "{name}" not found')
        if method == "DELETE":
            wanted = json.loads(body or "{}").get("preconditions", {})
            for key, value in wanted.items():
                if objects[name]["metadata"].get(key) != value:
                    raise Refused(409, f"the {key} in the precondition does not match")
            return 200, objects.pop(name)
        if method == "PATCH" and kind == "application/merge-patch+json":
            objects[name] = merge_patch(objects[name], json.loads(body))
            return 200, copy.deepcopy(objects[name])
        raise Refused(405, f"{method} {path}")

    def create_job(self, job):
        name = job["metadata"]["name"]
        if name in self.jobs:
            raise Refused(409, f'jobs.batch "{name}" already exists')
        if len(name) > 63 or any(len(str(v)) > 63 for v in job["metadata"].get("labels", {}).values()):
            raise Refused(422, f"{name}: must be no more than 63 characters")
        self.made += 1
        job["metadata"].update(uid=f"uid-of-job-{self.made}", resourceVersion=self.next_version(), creationTimestamp=self.now())
        job["status"] = {"startTime": self.now()}
        self.jobs[name] = job
        return copy.deepcopy(job)

    def pages(self, items, query, most=500):
        start, size = int(query.get("continue", ["0"])[0]), min(most, int(query.get("limit", [most])[0]))
        metadata = {"continue": str(start + size)} if start + size < len(items) else {}
        return {"kind": "List", "metadata": metadata, "items": copy.deepcopy(items[start:start + size])}
