"""What the scheduler and the Job's controller make of a Job, as far as the tests go: which nodes its Pods may have, and what its
status says when they have ended. Of the scheduler: tolerations, node selectors, required and preferred affinity to nodes, and one
Pod of ours a node (the templates' podAntiAffinity); it counts no resources."""

OPERATORS = {
    "In": lambda has, values: has in values,
    "NotIn": lambda has, values: has not in values,
    "Exists": lambda has, values: has is not None,
    "DoesNotExist": lambda has, values: has is None,
    "Gt": lambda has, values: has is not None and int(has) > int(values[0]),
    "Lt": lambda has, values: has is not None and int(has) < int(values[0]),
}


def matches(term, node):
    """A nodeSelectorTerm: all of its expressions; one without any selects nothing."""
    labels, fields = node["metadata"].get("labels", {}), {"metadata.name": node["metadata"]["name"]}
    wanted = [(labels.get(e["key"]), e) for e in term.get("matchExpressions", [])] + [(fields[e["key"]], e) for e in term.get("matchFields", [])]
    return bool(wanted) and all(OPERATORS[e["operator"]](has, e.get("values", [])) for has, e in wanted)


def tolerated(taint, tolerations):
    return any(t.get("effect") in (None, "", taint["effect"]) and t.get("key") in (None, "", taint["key"])
               and (t.get("operator", "Equal") == "Exists" or t.get("value", "") == taint.get("value", "")) for t in tolerations)


def why_not(node, spec):
    """Why a Pod of that spec finds no place on that node; empty where it does."""
    for taint in node["spec"].get("taints", []):
        if taint["effect"] != "PreferNoSchedule" and not tolerated(taint, spec.get("tolerations", [])):
            return f"untolerated taint {taint['key']}"
    labels = node["metadata"].get("labels", {})
    if any(labels.get(k) != v for k, v in spec.get("nodeSelector", {}).items()):
        return "node selector"
    required = spec.get("affinity", {}).get("nodeAffinity", {}).get("requiredDuringSchedulingIgnoredDuringExecution")
    if required and not any(matches(t, node) for t in required["nodeSelectorTerms"]):
        return "node affinity"
    return ""


def places(api, job):
    """The nodes of its Pods, best first, each once; fewer than it wants where there are no more."""
    spec = job["spec"]["template"]["spec"]
    preferred = spec.get("affinity", {}).get("nodeAffinity", {}).get("preferredDuringSchedulingIgnoredDuringExecution", [])
    fit = [n for n in api.nodes.values() if not why_not(n, spec)]
    fit.sort(key=lambda n: (-sum(p["weight"] for p in preferred if matches(p["preference"], n)), n["metadata"]["name"]))
    return [n["metadata"]["name"] for n in fit[:job["spec"].get("completions", 1)]]


def at_work(api, name, pods=1):
    """Its Pods have begun."""
    api.change("jobs", name, status={"startTime": api.now(), "active": pods, "ready": pods})


def end(api, name, failed=False, reason=None):
    kind, why = ("Failed", reason or "BackoffLimitExceeded") if failed else ("Complete", "CompletionsReached")
    api.change("jobs", name, status={"startTime": api.now(), "failed" if failed else "succeeded": 1,
                                     "conditions": [{"type": kind, "status": "True", "reason": why, "lastTransitionTime": api.now()}]})


def action_of(spec, code):
    """What its podFailurePolicy makes of an exit code."""
    for rule in spec.get("podFailurePolicy", {}).get("rules", []):
        codes = rule.get("onExitCodes")
        if codes and (code in codes["values"]) == (codes["operator"] == "In"):
            return rule["action"]
    return "Count"


def outcome(spec, codes):
    """Of an Indexed Job whose Pods have ended with these codes, by index, as yet: "Complete", "Failed", or "" as long as it goes on.
    What has not ended by then is told to (SIGTERM, and after the grace SIGKILL)."""
    if any(action_of(spec, code) == "FailJob" for code in codes.values() if code):
        return "Failed"
    if any(codes.values()) and spec.get("backoffLimit", 6) == 0 and "backoffLimitPerIndex" not in spec:
        return "Failed"
    done = {str(index) for index, code in codes.items() if code == 0}
    if any(set(rule["succeededIndexes"].split(",")) <= done for rule in spec.get("successPolicy", {}).get("rules", [])):
        return "Complete"
    if len(codes) < spec["completions"]:
        return ""
    return "Complete" if len(done) == spec["completions"] else "Failed" if spec.get("backoffLimitPerIndex") == 0 else ""


def settle(api, name, codes):
    """Its Pods have ended with these exit codes (of an Indexed Job one an index, else one a try). False where a Pod is made again."""
    spec = api.jobs[name]["spec"]
    if spec.get("completionMode") == "Indexed":
        if spec.get("backoffLimitPerIndex") != 0:
            raise AssertionError("an index that is tried again is not made here")
        end(api, name, any(codes), "FailedIndexes")
        return True
    if codes[-1] == 0:
        end(api, name)
    elif action_of(spec, codes[-1]) == "FailJob":
        end(api, name, True, "PodFailurePolicy")
    elif len(codes) > spec.get("backoffLimit", 6):
        end(api, name, True)
    else:
        return False
    return True
