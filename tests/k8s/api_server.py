"""A small Kubernetes API server for tests. It does what the real one does where it matters to a writer: optimistic locking,
JSON Patch with failing tests, strategic merge of conditions by type, taints as one atomic list, bearer tokens that are
rotated, TLS; and it can be told to misbehave. Everything asked of it is in `log`."""
import copy, datetime, http.server, json, os, socket, ssl, subprocess, threading, time, urllib.parse


def certificates(directory):
    """A certificate authority, a server certificate of it for 127.0.0.1, and an authority that signed nothing."""
    def openssl(*args):
        subprocess.run(["openssl", *args], check=True, capture_output=True, cwd=directory)
    for name in ("ca", "other"):
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-keyout", f"{name}.key",
                "-out", f"{name}.crt", "-subj", f"/CN={name}")
    with open(os.path.join(directory, "san"), "w") as f:
        f.write("subjectAltName=IP:127.0.0.1")
    openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "server.key", "-out", "server.csr", "-subj", "/CN=s")
    openssl("x509", "-req", "-in", "server.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2", "-extfile", "san",
            "-out", "server.crt")


class Refused(Exception):
    def __init__(self, status, message):
        super().__init__(message)
        self.status = status


def pointer(document, path, parent=False):
    """(container, key) of a JSON pointer, or the value; KeyError where there is none."""
    parts = [p.replace("~1", "/").replace("~0", "~") for p in path.split("/")[1:]]
    at = document
    for part in parts[:-1]:
        at = at[int(part)] if isinstance(at, list) else at[part]
    if parent:
        return at, parts[-1]
    return at[int(parts[-1])] if isinstance(at, list) else at[parts[-1]]


def json_patch(document, operations):
    """RFC 6902 as the API server has it: what fails is 422, and a missing path equals null in a test."""
    document = copy.deepcopy(document)
    for step in operations:
        try:
            if step["op"] == "test":
                try:
                    value = pointer(document, step["path"])
                except (KeyError, IndexError):
                    value = None
                if value != step["value"]:
                    raise Refused(422, f"the test of {step['path']} failed")
                continue
            at, key = pointer(document, step["path"], parent=True)
            if step["op"] == "add":
                if isinstance(at, list):
                    at.insert(len(at) if key == "-" else int(key), step["value"])
                else:
                    at[key] = step["value"]
            elif step["op"] == "remove":
                del at[int(key) if isinstance(at, list) else key]
            else:
                raise Refused(422, f"operation {step['op']}")
        except (KeyError, IndexError) as error:
            raise Refused(422, f"{step['op']} {step['path']}: {error}")
    return document


def merge_patch(document, patch):
    if not isinstance(patch, dict) or not isinstance(document, dict):
        return patch
    merged = dict(document)
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        elif isinstance(value, dict):
            merged[key] = merge_patch(merged.get(key, {}), value)
        else:
            merged[key] = value
    return merged


def strategic_merge(node, patch):
    """For a Node: conditions merge by type, everything else that is a list is replaced as a whole."""
    conditions = copy.deepcopy(node.get("status", {}).get("conditions", []))
    for wanted in patch.get("status", {}).get("conditions", []):
        for one in conditions:
            if one["type"] == wanted["type"]:
                one.update(wanted)
                break
        else:
            conditions.append(wanted)
    merged = merge_patch(node, patch)
    if "conditions" in patch.get("status", {}):
        merged["status"]["conditions"] = conditions
    return merged


class ApiServer:
    """`with ApiServer(directory) as api:`; directory gets ca.crt, token and a kubeconfig."""

    def __init__(self, directory, tls=True):
        self.directory, self.lock, self.log, self.version = directory, threading.RLock(), [], 100
        self.nodes, self.configmaps, self.events = {}, {}, {}
        self.token = "secret-token-of-the-test"
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

        self.http = Server(("127.0.0.1", 0), Handler)
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(os.path.join(directory, "server.crt"), os.path.join(directory, "server.key"))
            self.http.socket = context.wrap_socket(self.http.socket, server_side=True, do_handshake_on_connect=False)
        self.port = self.http.server_address[1]
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}"
        self.rotate(self.token)

    def __enter__(self):
        threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(self, *exception):
        self.http.shutdown()
        self.http.server_close()

    def path(self, name):
        return os.path.join(self.directory, name)

    def rotate(self, token, file=True):
        self.token = token
        if file:
            with open(self.path("token"), "w") as f:
                f.write(token + "\n")
        return self.path("token")

    def kubeconfig(self, ca="ca.crt", **user):
        with open(self.path("kubeconfig"), "w") as f:
            json.dump({"apiVersion": "v1", "kind": "Config", "current-context": "t",
                       "contexts": [{"name": "t", "context": {"cluster": "c", "user": "u"}}],
                       "clusters": [{"name": "c", "cluster": {"server": self.url, "certificate-authority": ca}}],
                       "users": [{"name": "u", "user": user or {"tokenFile": "token"}}]}, f)
        return self.path("kubeconfig")

    def add_node(self, name, taints=(), boot="boot-1", labels=None):
        self.nodes[name] = {
            "kind": "Node", "apiVersion": "v1",
            "metadata": {"name": name, "uid": f"uid-{name}", "resourceVersion": self.next_version(), "labels": {"mlc-bench.io/admission": "pending"} if labels is None else dict(labels), "annotations": {}},
            "spec": {}, "status": {"nodeInfo": {"bootID": boot}, "conditions": [
                {"type": "Ready", "status": "True", "reason": "KubeletReady", "message": "", "lastTransitionTime": "2026-01-01T00:00:00Z"}]}}
        if taints:
            self.nodes[name]["spec"]["taints"] = [dict(t) for t in taints]
        return self.nodes[name]

    def add_configmap(self, namespace, name):
        self.configmaps[(namespace, name)] = {"kind": "ConfigMap", "metadata": {"name": name, "namespace": namespace, "resourceVersion": self.next_version()}}

    def next_version(self):
        with self.lock:
            self.version += 1
            return str(self.version)

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

    def answer(self, method, url, headers, body):
        parts = urllib.parse.urlsplit(url)
        with self.lock:
            self.log.append((method, parts.path, headers.get("Content-Type", "")))
        if self.token and headers.get("Authorization") != f"Bearer {self.token}":
            return 401, {"kind": "Status", "code": 401, "message": "Unauthorized"}
        try:
            if method != "GET" and self.interfere:
                self.interfere(self, method, parts.path)
            with self.lock:
                return self.route(method, parts.path, urllib.parse.parse_qs(parts.query), headers.get("Content-Type", ""), body)
        except Refused as refused:
            return refused.status, {"kind": "Status", "code": refused.status, "message": str(refused)}

    def route(self, method, path, query, kind, body):
        words = path.strip("/").split("/")
        if words[:3] == ["api", "v1", "nodes"]:
            if len(words) == 3 and method == "GET":
                return 200, self.page(query)
            name, status = words[3], words[4:] == ["status"]
            if name not in self.nodes:
                raise Refused(404, f'nodes "{name}" not found')
            if method == "GET":
                return 200, copy.deepcopy(self.nodes[name])
            if method == "PATCH":
                self.nodes[name] = self.patched_node(self.nodes[name], status, kind, json.loads(body))
                return 200, copy.deepcopy(self.nodes[name])
        if words[:3] == ["api", "v1", "namespaces"] and words[4:5] == ["configmaps"]:
            key = (words[3], words[5])
            if key not in self.configmaps:
                raise Refused(404, f'configmaps "{words[5]}" not found')
            if method == "GET":
                return 200, copy.deepcopy(self.configmaps[key])
            if method == "PATCH":
                if kind != "application/json-patch+json":
                    raise Refused(415, kind)
                changed = json_patch(self.configmaps[key], json.loads(body))
                changed["metadata"]["resourceVersion"] = self.next_version()
                self.configmaps[key] = changed
                return 200, copy.deepcopy(changed)
        if method == "GET" and words[-1] in ("ippools", "overlappingrangeipreservations", "pods"):
            return 200, {"kind": "List", "metadata": {}, "items": []}
        if method == "POST" and path == "/apis/events.k8s.io/v1/namespaces/default/events":
            return 201, self.create_event(json.loads(body))
        raise Refused(405 if method in ("PUT", "DELETE") else 404, f"{method} {path}")

    def page(self, query):
        """In pages of two at the most, so that paging is exercised."""
        names = sorted(self.nodes)
        selector = query.get("labelSelector", [""])[0]
        if selector:
            key, equals, value = selector.partition("=")
            labels = {n: self.nodes[n]["metadata"]["labels"] for n in names}
            names = [n for n in names if key in labels[n] and (not equals or labels[n][key] == value)]
        start = int(query.get("continue", ["0"])[0])
        metadata = {"continue": str(start + 2)} if start + 2 < len(names) else {}
        return {"kind": "NodeList", "metadata": metadata, "items": [copy.deepcopy(self.nodes[n]) for n in names[start:start + 2]]}

    def patched_node(self, node, status, kind, patch):
        if kind == "application/json-patch+json":
            changed = json_patch(node, patch)
        else:
            metadata = patch.get("metadata", {})
            if metadata.get("uid", node["metadata"]["uid"]) != node["metadata"]["uid"]:
                raise Refused(409, "the UID in the precondition does not match")
            if metadata.get("resourceVersion", node["metadata"]["resourceVersion"]) != node["metadata"]["resourceVersion"]:
                raise Refused(409, "the object has been modified")
            if kind == "application/strategic-merge-patch+json":
                changed = strategic_merge(node, patch)
            elif kind == "application/merge-patch+json":
                changed = merge_patch(node, patch)
            else:
                raise Refused(415, kind)
        # A subresource changes only its own part.
        result = copy.deepcopy(node)
        if status:
            result["status"] = changed["status"]
        else:
            result["metadata"], result["spec"] = changed["metadata"], changed["spec"]
            if changed["status"] != node["status"]:
                raise Refused(422, "status is changed through its subresource")
        taints = result["spec"].get("taints", [])
        if len({(t["key"], t["effect"]) for t in taints}) != len(taints):
            raise Refused(422, "spec.taints: Duplicate value")
        for name, value in result["metadata"].get("labels", {}).items():
            if len(value) > 63:
                raise Refused(422, f"label {name}")
        if result != node:
            result["metadata"]["resourceVersion"] = self.next_version()
        return result

    def create_event(self, event):
        wrong = [key for key in ("eventTime", "reportingController", "reportingInstance", "action", "reason") if not event.get(key)]
        if wrong or event["type"] not in ("Normal", "Warning") or len(event["note"].encode()) > 1024 or len(event["reason"]) > 128 \
                or len(event["reportingInstance"]) > 128 or event["metadata"]["namespace"] != "default":
            raise Refused(422, f"event: {wrong}")
        datetime.datetime.strptime(event["eventTime"], "%Y-%m-%dT%H:%M:%S.%fZ")
        name = event["metadata"]["name"]
        if name in self.events:
            raise Refused(409, f'events "{name}" already exists')
        self.events[name] = event
        return event
