"""A small Kubernetes API server for tests. It does what the real one does where it matters to a client: optimistic locking,
JSON Patch with failing tests, strategic merge of conditions by type, taints as one atomic list, bearer tokens that are rotated,
TLS, lists in pages that grow too old, metadata without the rest; with `enforce` it also refuses what RBAC, admission policies and
Pod security refuse. And it can be told to misbehave. Everything asked of it is in `log`, by whom in `askers`. It has no scheduler and
no controllers: what those make of a Job is in controllers.py."""
import base64, copy, datetime, http.server, json, os, re, ssl, subprocess, threading, time, urllib.parse

from access import Access, Account, violations
from patches import Refused, invalid, merge_patch, patched  # noqa: F401 (merge_patch: for the servers of other tests)
from list_selectors import matches_fields, matches_labels
from pod_network import GATEWAY, within


def certificates(directory):
    """A certificate authority, a server certificate of it for 127.0.0.1, and an authority that signed nothing."""
    def openssl(*args):
        subprocess.run(["openssl", *args], check=True, capture_output=True, cwd=directory)
    for name in ("ca", "other"):
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-keyout", f"{name}.key",
                "-out", f"{name}.crt", "-subj", f"/CN={name}")
    with open(os.path.join(directory, "san"), "w") as f:
        f.write(f"subjectAltName=IP:127.0.0.1,IP:{GATEWAY}")
    openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "server.key", "-out", "server.csr", "-subj", "/CN=s")
    openssl("x509", "-req", "-in", "server.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2", "-extfile", "san",
            "-out", "server.crt")


VERBS = {"POST": "create", "PATCH": "patch", "PUT": "update", "DELETE": "delete"}
OPERATIONS = {"POST": "CREATE", "PATCH": "UPDATE", "PUT": "UPDATE", "DELETE": "DELETE"}
KINDS = {"nodes": "Node", "configmaps": "ConfigMap", "jobs": "Job", "cronjobs": "CronJob", "services": "Service", "pods": "Pod", "events": "Event", "ippools": "IPPool",
         "jobsets": "JobSet", "overlappingrangeipreservations": "OverlappingRangeIPReservation"}
METADATA_ONLY = "as=PartialObjectMetadata"
LABEL_VALUE = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?")


class ApiServer:
    """`with ApiServer(directory) as api:`; directory gets ca.crt, token and a kubeconfig. With a PodNetwork it listens there."""

    def __init__(self, directory, tls=True, network=None):
        self.directory, self.lock, self.log, self.version = directory, threading.RLock(), [], 100
        self.askers = []          # of each entry of `log`: the account's name, "" where it is the operator
        self.accepts = []         # of each entry of `log`: which form of an answer was asked for
        self.nodes, self.configmaps, self.events = {}, {}, {}
        self.objects = {}         # (resource, namespace, name): Jobs, Services, Pods and whatever else is namespaced
        self.missing = {"jobsets"}  # resources whose definition is not installed
        self.token = "secret-token-of-the-test"
        self.asking = None        # who asks just now
        self.account = None       # whose token that is; None: an operator, who may do everything
        self.accounts = {}        # more tokens
        self.access = None        # see `enforce`
        self.page_size = 2        # so that paging is exercised, however large a page is asked for
        self.oldest = 0           # resource versions from which a list can be continued
        self.faults = []          # callables (method, path) -> None or a fault, asked in order; see `do`
        self.delay_s = 0
        self.date_offset_s = 0    # of this server's clock
        self.interfere = None     # callable (server, method, path), run just before a write is applied
        certificates(directory)
        api = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            timeout = 30
            wbufsize = -1  # headers and body in one packet: two would wait for each other's acknowledgement
            disable_nagle_algorithm = True

            def date_time_string(self, timestamp=None):
                return super().date_time_string((time.time() if timestamp is None else timestamp) + api.date_offset_s)

            def log_message(self, *args):
                pass

            def do(self):
                length = int(self.headers.get("Content-Length") or 0)
                body = self.rfile.read(length)
                if api.delay_s:
                    time.sleep(api.delay_s)
                fault = api.fault(self.command, self.path)
                if fault == "hang":
                    time.sleep(8)
                    self.close_connection = True
                    return
                if fault == "drop":
                    self.close_connection = True
                    self.connection.close()
                    return
                if fault == "half":
                    self.send_response(200)
                    self.send_header("Content-Length", "1000")
                    self.end_headers()
                    self.wfile.write(b'{"kind": "Node", "metad')
                    self.wfile.flush()
                    self.close_connection = True
                    return
                headers = {}
                if isinstance(fault, tuple):
                    status, headers = fault
                    answer = {"kind": "Status", "code": status, "message": f"told to answer {status}"}
                else:
                    status, answer = api.answer(self.command, self.path, self.headers, body)
                if fault == "lost":  # done, but the answer never comes
                    self.close_connection = True
                    self.connection.close()
                    return
                content = json.dumps(answer).encode()
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_PATCH = do_POST = do_PUT = do_DELETE = do

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, request, address):
                pass  # a client that goes away is a part of the tests

        self.host = GATEWAY if network else "127.0.0.1"
        self.http = within(network.nodes, lambda: Server((self.host, 0), Handler)) if network else Server((self.host, 0), Handler)
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(os.path.join(directory, "server.crt"), os.path.join(directory, "server.key"))
            self.http.socket = context.wrap_socket(self.http.socket, server_side=True, do_handshake_on_connect=False)
        self.port = self.http.server_address[1]
        self.url = f"{'https' if tls else 'http'}://{self.host}:{self.port}"
        self.rotate(self.token)

    def __enter__(self):
        threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(self, *exception):
        self.http.shutdown()
        self.http.server_close()

    # What a test sets up and looks at.

    def enforce(self, objects, account="mlc-bench", node=None):
        """From now on only what these objects (of an overlay) grant and let through; the token of the test is that account's."""
        self.access, self.account = Access(objects), Account(account, node=node)

    def path(self, name):
        return os.path.join(self.directory, name)

    def rotate(self, token, file=True):
        self.token = token
        if file:
            with open(self.path("token"), "w") as f:
                f.write(token + "\n")
        return self.path("token")

    def token_of(self, account, node=None, namespace="mlc-bench"):
        """A file with a token of that service account, as a Pod on that node has it; of "operator", who may do everything."""
        token = f"secret-token-of-{account}-{node}"
        self.accounts[token] = None if account == "operator" else Account(account, namespace, node)
        with open(self.path(f"token-{account}-{node}"), "w") as f:
            f.write(token + "\n")
        return self.path(f"token-{account}-{node}")

    def kubeconfig(self, ca="ca.crt", account=None, node=None, **user):
        """A kubeconfig with the token of the test, or of an account on a node."""
        name = f"kubeconfig-{account}-{node}" if account else "kubeconfig"
        if account:
            user = {"tokenFile": os.path.basename(self.token_of(account, node))}
        with open(self.path(name), "w") as f:
            json.dump({"apiVersion": "v1", "kind": "Config", "current-context": "t",
                       "contexts": [{"name": "t", "context": {"cluster": "c", "user": "u"}}],
                       "clusters": [{"name": "c", "cluster": {"server": self.url, "certificate-authority": ca}}],
                       "users": [{"name": "u", "user": user or {"tokenFile": "token"}}]}, f)
        return self.path(name)

    def add_node(self, name, taints=(), boot="boot-1", labels=None):
        self.nodes[name] = {
            "kind": "Node", "apiVersion": "v1",
            "metadata": {"name": name, "uid": f"uid-{name}", "resourceVersion": self.next_version(), "annotations": {},
                         "labels": {"mlc-bench.io/admission": "pending"} if labels is None else dict(labels)},
            "spec": {}, "status": {"nodeInfo": {"bootID": boot}, "conditions": [
                {"type": "Ready", "status": "True", "reason": "KubeletReady", "message": "", "lastTransitionTime": "2026-01-01T00:00:00Z"}]}}
        if taints:
            self.nodes[name]["spec"]["taints"] = [dict(t) for t in taints]
        return self.nodes[name]

    def add_configmap(self, namespace, name):
        self.configmaps[(namespace, name)] = {"kind": "ConfigMap", "metadata": {"name": name, "namespace": namespace, "resourceVersion": self.next_version()}}
        return self.configmaps[(namespace, name)]

    def add_object(self, resource, namespace, name, **parts):
        metadata = {"name": name, "namespace": namespace, "uid": f"uid-{resource}-{name}-{self.version}", "creationTimestamp": self.now(),
                    "resourceVersion": self.next_version(), **parts.pop("metadata", {})}
        self.objects[(resource, namespace, name)] = {"kind": KINDS.get(resource, resource), "metadata": metadata, **parts}
        return self.objects[(resource, namespace, name)]

    def add_cronjob(self, one, namespace="mlc-bench"):
        """As `kubectl apply` makes it of what is rendered."""
        self.valid_indexes(one["metadata"]["name"], one["spec"]["jobTemplate"]["spec"])
        self.add_object("cronjobs", namespace, one["metadata"]["name"], apiVersion="batch/v1", spec=copy.deepcopy(one["spec"]),
                        metadata={"labels": dict(one["metadata"].get("labels", {})), "annotations": {}})

    def add_reboot(self, node, when):
        """What the kubelet says when it comes up in another boot than before."""
        self.add_object("events", "default", f"{node}.{self.next_version()}", reason="Rebooted", lastTimestamp=when, metadata={"creationTimestamp": when},
                        involvedObject={"kind": "Node", "name": node})

    def remove(self, resource, name, namespace="mlc-bench"):
        del self.objects[(resource, namespace, name)]

    def change(self, resource, name, namespace="mlc-bench", **parts):
        """By whoever may: a controller, or a hand."""
        one = self.objects[(resource, namespace, name)]
        one.update(parts)
        one["metadata"]["resourceVersion"] = self.next_version()

    @property
    def jobs(self):
        return self.listed("jobs")

    def snapshot(self):
        """All that is stored, and what time it is here."""
        return copy.deepcopy((self.nodes, self.configmaps, self.events, self.objects, self.date_offset_s))

    def restore(self, snapshot):
        self.nodes, self.configmaps, self.events, self.objects, self.date_offset_s = copy.deepcopy(snapshot)

    def listed(self, resource):
        return {name: one for (kind, _, name), one in self.objects.items() if kind == resource}

    def next_version(self):
        with self.lock:
            self.version += 1
            return str(self.version)

    def now(self, more=0):
        return datetime.datetime.fromtimestamp(int(time.time() + self.date_offset_s + more), datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")

    def forget_lists(self):
        """As after a compaction: a list that was begun before can no longer be continued (410)."""
        self.oldest = int(self.next_version())

    def condition(self, node, kind="MLClusterReady"):
        return next((c for c in self.nodes[node]["status"]["conditions"] if c["type"] == kind), None)

    def taints(self, node):
        return [t["key"] for t in self.nodes[node]["spec"].get("taints", [])]

    def writes(self):
        return [(method, path) for method, path, _ in self.log if method != "GET"]

    def fault(self, method, path):
        with self.lock:
            for fault in list(self.faults):
                answer = fault(method, path)
                if answer is not None:
                    return answer
        return None

    def fail_times(self, times, fault, method=None):
        """The next `times` requests (of a method) meet that fault."""
        left = [times]

        def once(asked, path):
            if left[0] > 0 and (method is None or asked == method):
                left[0] -= 1
                return fault
            return None
        self.faults.append(once)

    # What is asked.

    def answer(self, method, url, headers, body):
        parts = urllib.parse.urlsplit(url)
        bearer = (headers.get("Authorization") or "").removeprefix("Bearer ")
        account = self.account if bearer == self.token else self.accounts.get(bearer)
        with self.lock:
            self.log.append((method, parts.path, headers.get("Content-Type", "")))
            self.askers.append(account.name if account else "")
            self.accepts.append(headers.get("Accept") or "")
        if self.token and bearer != self.token and bearer not in self.accounts:
            return 401, {"kind": "Status", "code": 401, "message": "Unauthorized"}
        try:
            if method != "GET" and self.interfere:
                self.interfere(self, method, parts.path)
            with self.lock:
                self.asking = account
                self.authorize(method, parts.path)
                status, answer = self.route(method, parts.path, urllib.parse.parse_qs(parts.query), headers.get("Content-Type", ""), body)
            return status, self.negotiated(answer, headers.get("Accept") or "")
        except Refused as refused:
            return refused.status, refused.object()

    @staticmethod
    def negotiated(answer, accept):
        """Only the metadata, where that is what was asked for."""
        if METADATA_ONLY not in accept or not isinstance(answer, dict) or answer.get("kind") == "Status":
            return answer
        kinds = {"apiVersion": "meta.k8s.io/v1"}
        if "items" in answer:
            return {**kinds, "kind": "PartialObjectMetadataList", "metadata": answer["metadata"],
                    "items": [{**kinds, "kind": "PartialObjectMetadata", "metadata": i["metadata"]} for i in answer["items"]]}
        return {**kinds, "kind": "PartialObjectMetadata", "metadata": answer["metadata"]}

    @staticmethod
    def parsed(path):
        """(group, resource, subresource, namespace, name) of a path; Refused where it is none."""
        words = path.strip("/").split("/")
        group, rest = ("", words[2:]) if words[0] == "api" else (words[1], words[3:]) if words[0] == "apis" and len(words) > 3 else ("", [])
        namespace = ""
        if rest[:1] == ["namespaces"] and len(rest) > 2:
            namespace, rest = rest[1], rest[2:]
        if not rest or len(rest) > 3:
            raise Refused(404, f"the server could not find the requested resource ({path})", "NotFound")
        return group, rest[0], rest[2] if len(rest) > 2 else "", namespace, rest[1] if len(rest) > 1 else ""

    def authorize(self, method, path):
        """By RBAC, of whoever is asking."""
        if self.access and self.asking:
            group, resource, sub, namespace, name = self.parsed(path)
            verb = VERBS.get(method) or ("get" if name else "list")
            self.access.authorize(self.asking, verb, group, resource + ("/" + sub if sub else ""), namespace, name)

    def admit(self, operation, group, resource, new, old):
        """By the ValidatingAdmissionPolicies."""
        if self.access and self.asking:
            self.access.admit(self.asking, operation, group, resource, new, old)

    def route(self, method, path, query, kind, body):
        group, resource, sub, namespace, name = self.parsed(path)
        if resource in self.missing:
            raise Refused(404, "the server could not find the requested resource", "NotFound")
        if method == "GET" and not name:
            return 200, self.page(resource, namespace, query)
        if method == "POST" and not name:
            return self.create(group, resource, namespace, json.loads(body))
        if resource not in KINDS:
            raise Refused(404, f"{method} {path}", "NotFound")
        if resource == "events" or method not in ("GET", "PATCH", "DELETE"):
            raise Refused(405, f"{method} {path}", "MethodNotAllowed")
        store, key = (self.nodes, name) if resource == "nodes" else (self.configmaps, (namespace, name)) if resource == "configmaps" \
            else (self.objects, (resource, namespace, name))
        if key not in store:
            raise Refused(404, f'{resource} "{name}" not found', "NotFound")
        if method == "GET":
            return 200, copy.deepcopy(store[key])
        return self.write(method, group, resource, sub, store, key, kind, json.loads(body or "{}"))

    def write(self, method, group, resource, sub, store, key, kind, content):
        old = store[key]
        if method == "DELETE":
            for what, wanted in content.get("preconditions", {}).items():
                if old["metadata"].get(what) != wanted:
                    raise Refused(409, f"the {what} in the precondition does not match", "Conflict")
            new = None
        elif resource == "nodes":
            new = self.patched_node(old, sub == "status", kind, content)
        else:
            new = patched(old, kind, content)
        self.admit(OPERATIONS[method], group, resource + ("/" + sub if sub else ""), new, old)
        if new is None:
            del store[key]
            return 200, {"kind": "Status", "status": "Success"}
        if new != old:
            new["metadata"]["resourceVersion"] = self.next_version()
        store[key] = new
        return 200, copy.deepcopy(new)

    def create(self, group, resource, namespace, one):
        if resource == "events":
            if group != "events.k8s.io" or namespace != "default":
                raise Refused(404, f"events of {group} in {namespace}", "NotFound")
            return 201, self.create_event(one)
        if resource in ("nodes", "configmaps") or resource not in KINDS:
            raise Refused(405, f"nobody creates {resource} here", "MethodNotAllowed")
        metadata = one["metadata"]
        if metadata.get("namespace", namespace) != namespace:
            raise Refused(400, "the namespace of the object does not match that of the request", "BadRequest")
        name = metadata.get("name") or metadata.get("generateName", "") + f"{int(self.next_version()):05x}"
        if not name or len(name) > 63:
            raise invalid(f"{KINDS[resource]} is invalid: metadata.name", "FieldValueInvalid", "metadata.name")
        if (resource, namespace, name) in self.objects:
            raise Refused(409, f'{resource} "{name}" already exists', "AlreadyExists")
        # The real one refuses the Pods that a Job makes; here the Job is refused, so that a test sees it.
        pod = one.get("spec", {}) if resource == "pods" else one.get("spec", {}).get("template", {}).get("spec", {})
        wrong = violations(self.access.level_of(namespace), pod) if self.access and pod else []
        if wrong:
            raise Refused(403, f'{resource} "{name}" is forbidden: violates PodSecurity: {"; ".join(wrong)}', "Forbidden")
        for label, value in metadata.get("labels", {}).items():
            if not LABEL_VALUE.fullmatch(value):
                raise invalid(f'{KINDS[resource]} "{name}" is invalid: metadata.labels: {label}', "FieldValueInvalid", "metadata.labels")
        if resource == "jobs":
            self.valid_indexes(name, one.get("spec", {}))
        self.admit("CREATE", group, resource, one, None)
        made = self.add_object(resource, namespace, name, **{k: v for k, v in copy.deepcopy(one).items() if k not in ("metadata", "kind")})
        made["metadata"].update({k: v for k, v in metadata.items() if k not in ("generateName", "namespace", "name")})
        if resource == "jobs":  # its controller takes it up at once, unless a queue holds it
            made["status"] = {} if made["spec"].get("suspend") else {"startTime": self.now()}
        return 201, copy.deepcopy(made)

    @staticmethod
    def valid_indexes(name, spec):
        """As pkg/apis/batch/validation has it for Jobs that count failures by index."""
        most, completions, by_index = (spec.get(key) for key in ("maxFailedIndexes", "completions", "backoffLimitPerIndex"))
        if by_index is not None and spec.get("completionMode") != "Indexed":
            raise invalid(f'Job "{name}" is invalid: spec.backoffLimitPerIndex: Invalid value: {by_index}: requires indexed completion mode', "FieldValueInvalid", "spec.backoffLimitPerIndex")
        if most is not None and (by_index is None or (completions is not None and most > completions)):
            raise invalid(f'Job "{name}" is invalid: spec.maxFailedIndexes: Invalid value: {most}: must be less than or equal to completions', "FieldValueInvalid", "spec.maxFailedIndexes")

    def page(self, resource, namespace, query):
        """At most `page_size` objects, and from where to go on; what is left is counted where nothing is selected, as in etcd."""
        if resource == "nodes":
            every = dict(self.nodes)
        elif resource == "configmaps":
            every = {n: c for (ns, n), c in self.configmaps.items() if not namespace or ns == namespace}
        else:
            every = {(ns, n): o for (kind, ns, n), o in self.objects.items() if kind == resource and (not namespace or ns == namespace)}
        if resource == "events":  # those of events.k8s.io are the same ones, in other words
            every.update({("default", n): {**e, "involvedObject": e["regarding"], "message": e["note"]} for n, e in self.events.items()})
        labels, fields = query.get("labelSelector", [""])[0], query.get("fieldSelector", [""])[0]
        chosen = [every[k] for k in sorted(every) if matches_labels(labels, every[k]["metadata"].get("labels")) and matches_fields(fields, every[k])]
        start, version = 0, self.version
        if token := query.get("continue", [""])[0]:
            try:
                version, start = json.loads(base64.urlsafe_b64decode(token))
            except ValueError:
                raise Refused(400, "continue key is not valid", "BadRequest") from None
            if version < self.oldest:
                raise Refused(410, "The provided continue parameter is too old to display a consistent list result.", "Expired")
        size = min(int(query.get("limit", ["0"])[0]) or 1 << 30, self.page_size)
        end, metadata = start + size, {"resourceVersion": str(version)}
        if end < len(chosen):
            metadata["continue"] = base64.urlsafe_b64encode(json.dumps([version, end]).encode()).decode()
            if not labels and not fields:
                metadata["remainingItemCount"] = len(chosen) - end
        return {"kind": KINDS.get(resource, resource) + "List", "metadata": metadata, "items": copy.deepcopy(chosen[start:end])}

    def patched_node(self, node, status, kind, patch):
        changed = patched(node, kind, patch)
        # A subresource changes only its own part.
        result = copy.deepcopy(node)
        if status:
            result["status"] = changed["status"]
        else:
            result["metadata"], result["spec"] = changed["metadata"], changed["spec"]
            if changed["status"] != node["status"]:
                raise invalid("status is changed through its subresource", "FieldValueForbidden", "status")
        taints = result["spec"].get("taints", [])
        if len({(t["key"], t["effect"]) for t in taints}) != len(taints):
            raise invalid(f'Node "{node["metadata"]["name"]}" is invalid: metadata.taints: Duplicate value', "FieldValueDuplicate", "metadata.taints[1]")
        for name, value in result["metadata"].get("labels", {}).items():
            if len(value) > 63:
                raise invalid(f"label {name}", "FieldValueInvalid", "metadata.labels")
        return result

    def create_event(self, event):
        wrong = [key for key in ("eventTime", "reportingController", "reportingInstance", "action", "reason") if not event.get(key)]
        if wrong or event["type"] not in ("Normal", "Warning") or len(event["note"].encode()) > 1024 or len(event["reason"]) > 128 \
                or len(event["reportingInstance"]) > 128 or event["metadata"]["namespace"] != "default":
            raise invalid(f"event: {wrong}", "FieldValueInvalid", "note")
        datetime.datetime.strptime(event["eventTime"], "%Y-%m-%dT%H:%M:%S.%fZ")
        name = event["metadata"]["name"]
        if name in self.events:
            raise Refused(409, f'events "{name}" already exists', "AlreadyExists")
        event["metadata"]["creationTimestamp"] = self.now()
        self.events[name] = event
        return event
