"""What the cluster lets an account do: RBAC, ValidatingAdmissionPolicies and Pod security, from the objects that are shipped.
RBAC grants and nothing else does; a policy's CEL expressions are evaluated, by cel-python."""
import json, os, shutil, subprocess, sys

from patches import Refused

try:
    import celpy, yaml
    MISSING = ""
except ImportError as error:
    MISSING = str(error)
KUBECTL = next((k for k in (os.path.join(os.path.dirname(sys.executable), "kubectl"), shutil.which("kubectl")) if k and os.path.exists(k)), None)
if not KUBECTL:
    MISSING = MISSING or "no kubectl"
MANIFESTS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "k8s", "manifests")
NODE_NAME = "authentication.kubernetes.io/node-name"  # in a token that is bound to a Pod, from Kubernetes 1.32 on
_rendered = {}


def rendered(directory):
    """The objects of a kustomization below k8s/manifests, rendered once."""
    if directory not in _rendered:
        done = subprocess.run([KUBECTL, "kustomize", os.path.join(MANIFESTS, directory)], capture_output=True, text=True, check=True)
        _rendered[directory] = [d for d in yaml.safe_load_all(done.stdout) if d]
    return json.loads(json.dumps(_rendered[directory]))


class Account:
    """Who asks: a service account's username, and on which node its Pod runs."""

    def __init__(self, name, namespace="mlc-bench", node=None):
        self.name, self.namespace, self.node = name, namespace, node
        self.username = f"system:serviceaccount:{namespace}:{name}"

    def info(self):
        extra = {NODE_NAME: [self.node]} if self.node else {}
        return {"username": self.username, "groups": ["system:serviceaccounts", f"system:serviceaccounts:{self.namespace}"], "extra": extra}


class Access:
    def __init__(self, objects):
        self.by_kind = {}
        for one in objects:
            self.by_kind.setdefault(one["kind"], []).append(one)
        self.policies = [Policy(p) for p in self.by_kind.get("ValidatingAdmissionPolicy", [])
                         if any(b["spec"]["policyName"] == p["metadata"]["name"] and "Deny" in b["spec"]["validationActions"]
                                for b in self.by_kind.get("ValidatingAdmissionPolicyBinding", []))]

    def of(self, kind, name, namespace=None):
        return next((o for o in self.by_kind.get(kind, [])
                     if o["metadata"]["name"] == name and namespace in (None, o["metadata"].get("namespace"))), None)

    def rules(self, account, namespace):
        """Of the cluster, and of the namespace that is asked about."""
        for kind in ("ClusterRoleBinding", "RoleBinding"):
            for binding in self.by_kind.get(kind, []):
                home = binding["metadata"].get("namespace")
                bound = any(s["kind"] == "ServiceAccount" and s["name"] == account.name and s.get("namespace", home) == account.namespace
                            for s in binding.get("subjects", []))
                if not bound or (kind == "RoleBinding" and home != namespace):
                    continue
                reference = binding["roleRef"]
                role = self.of(reference["kind"], reference["name"], home if reference["kind"] == "Role" else None)
                yield from (role or {}).get("rules", [])

    def allows(self, account, verb, group, resource, namespace="", name=""):
        def has(wanted, listed):
            return wanted in listed or "*" in listed
        return any(has(verb, r["verbs"]) and has(group, r.get("apiGroups", [])) and has(resource, r.get("resources", []))
                   and (not r.get("resourceNames") or (name in r["resourceNames"] and verb != "create")) for r in self.rules(account, namespace))

    def authorize(self, account, verb, group, resource, namespace="", name=""):
        if not self.allows(account, verb, group, resource, namespace, name):
            where = f'in the namespace "{namespace}"' if namespace else "at the cluster scope"
            raise Refused(403, f'{resource}{"." + group if group else ""} "{name}" is forbidden: User "{account.username}" '
                               f'cannot {verb} resource "{resource}" in API group "{group}" {where}', "Forbidden")

    def admit(self, account, operation, group, resource, new, old):
        """Every ValidatingAdmissionPolicy that is bound, over an UPDATE, CREATE or DELETE."""
        for policy in self.policies:
            policy.judge(account.info(), operation, group, resource, new, old)

    def level_of(self, namespace):
        one = self.of("Namespace", namespace)
        return (one or {}).get("metadata", {}).get("labels", {}).get("pod-security.kubernetes.io/enforce", "privileged")


class Policy:
    """A ValidatingAdmissionPolicy. An expression that cannot be evaluated denies, as failurePolicy: Fail has it."""

    def __init__(self, one):
        self.name, spec = one["metadata"]["name"], one["spec"]
        self.rules = spec["matchConstraints"]["resourceRules"]
        self.environment = celpy.Environment()
        self.conditions = [self.program(c["expression"]) for c in spec.get("matchConditions", [])]
        self.variables = [(v["name"], self.program(v["expression"])) for v in spec.get("variables", [])]
        self.validations = [(v, self.program(v["expression"])) for v in spec["validations"]]

    def program(self, expression):
        return self.environment.program(self.environment.compile(expression))

    def judge(self, user, operation, group, resource, new, old):
        if not any(operation in r["operations"] and group in r["apiGroups"] and resource in r["resources"] for r in self.rules):
            return
        request = {"userInfo": user, "operation": operation, "name": (new or old)["metadata"].get("name", ""),
                   "resource": {"group": group, "resource": resource}}
        activation = {"request": celpy.json_to_cel(request), "object": celpy.json_to_cel(new), "oldObject": celpy.json_to_cel(old)}
        if not all(self.holds(c, activation) for c in self.conditions):
            return
        values = {}
        for name, program in self.variables:
            activation["variables"] = celpy.celtypes.MapType(values)
            values[celpy.celtypes.StringType(name)] = program.evaluate(activation)
        activation["variables"] = celpy.celtypes.MapType(values)
        for validation, program in self.validations:
            if not self.holds(program, activation):
                said = validation.get("message", f"failed expression: {validation['expression']}")
                message = f"{resource.split('/')[0]} \"{request['name']}\" is forbidden: ValidatingAdmissionPolicy '{self.name}' " \
                          f"with binding '{self.name}' denied request: {said}"
                reason = validation.get("reason", "Invalid")
                raise Refused({"Invalid": 422, "Forbidden": 403, "Unauthorized": 401}[reason], message, reason, [{"message": message}])

    @staticmethod
    def holds(program, activation):
        try:
            return bool(program.evaluate(activation))
        except celpy.CELEvalError:
            return False


# Capabilities that "baseline" lets a container add (Pod Security Standards).
BASELINE = {"AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD", "NET_BIND_SERVICE", "SETFCAP", "SETGID",
            "SETPCAP", "SETUID", "SYS_CHROOT"}


def violations(level, spec):
    """What the level of a namespace refuses of a Pod's spec, in words."""
    if level == "privileged":
        return []
    said = [f"host namespace: {key}" for key in ("hostNetwork", "hostPID", "hostIPC") if spec.get(key)]
    said += [f"hostPath volume {v['name']}" for v in spec.get("volumes", []) if "hostPath" in v]
    for container in spec.get("containers", []) + spec.get("initContainers", []):
        security, name = container.get("securityContext", {}), container["name"]
        added = set(security.get("capabilities", {}).get("add", []))
        if security.get("privileged"):
            said.append(f"{name} is privileged")
        if added - BASELINE:
            said.append(f"{name} adds {', '.join(sorted(added - BASELINE))}")
        said += [f"{name} has host port {p['hostPort']}" for p in container.get("ports", []) if p.get("hostPort")]
        if level == "restricted":
            pod = spec.get("securityContext", {})
            if security.get("runAsNonRoot", pod.get("runAsNonRoot")) is not True:
                said.append(f"{name} may run as root")
            if security.get("allowPrivilegeEscalation") is not False:
                said.append(f"{name} may escalate")
            if "ALL" not in security.get("capabilities", {}).get("drop", []) or added - {"NET_BIND_SERVICE"}:
                said.append(f"{name} keeps capabilities")
            if security.get("seccompProfile", pod.get("seccompProfile", {})).get("type") not in ("RuntimeDefault", "Localhost"):
                said.append(f"{name} has no seccomp profile")
    return said
