"""What a write does to an object, as the API server has it."""
import copy


class Refused(Exception):
    """An answer other than 2xx: a metav1.Status."""

    def __init__(self, status, message, reason="", causes=()):
        super().__init__(message)
        self.status, self.reason, self.causes = status, reason, list(causes)

    def object(self):
        details = {"details": {"causes": self.causes}} if self.causes else {}
        return {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": self.status, "reason": self.reason, "message": str(self), **details}


def invalid(message, reason, field):
    """A field that is wrong: 422 with its cause (apimachinery pkg/api/errors, NewInvalid)."""
    return Refused(422, message, "Invalid", [{"reason": reason, "message": message, "field": field}])


def failed_patch(_what):
    """A JSON Patch whose test failed: 422 without a cause, in these words (apiserver handlers/patch.go, NewGenericServerResponse)."""
    return Refused(422, "the server rejected our request due to an error in our request", "Invalid")


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
                    raise failed_patch(step["path"])
                continue
            at, key = pointer(document, step["path"], parent=True)
            if step["op"] == "add":
                if isinstance(at, list):
                    at.insert(len(at) if key == "-" else int(key), step["value"])
                else:
                    at[key] = step["value"]
            elif step["op"] == "replace":
                at[int(key) if isinstance(at, list) else key] = step["value"]
            elif step["op"] == "remove":
                del at[int(key) if isinstance(at, list) else key]
            else:
                raise failed_patch(step["op"])
        except (KeyError, IndexError):
            raise failed_patch(step["path"]) from None
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


def patched(document, kind, patch):
    """`patch` of a Content-Type, applied; the preconditions that it carries are held."""
    if kind == "application/json-patch+json":
        return json_patch(document, patch)
    metadata = patch.get("metadata", {})
    for key in ("uid", "resourceVersion"):
        if metadata.get(key, document["metadata"].get(key)) != document["metadata"].get(key):
            raise Refused(409, f"the {key} in the precondition does not match", "Conflict")
    if kind == "application/strategic-merge-patch+json":
        return strategic_merge(document, patch)
    if kind == "application/merge-patch+json":
        return merge_patch(document, patch)
    raise Refused(415, kind, "UnsupportedMediaType")
