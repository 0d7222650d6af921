"""Label and field selectors of a list, as the API server reads them."""
import re


def terms(text):
    """Split at the commas that are not within parentheses."""
    return [t.strip() for t in re.split(r",(?![^(]*\))", text) if t.strip()]


def matches_labels(text, labels):
    return all(_matches(term, labels or {}) for term in terms(text))


def _matches(term, labels):
    listed = re.fullmatch(r"(\S+)\s+(in|notin)\s*\(([^)]*)\)", term)
    if listed:
        key, word, values = listed[1], listed[2], {v.strip() for v in listed[3].split(",")}
        return labels.get(key) in values if word == "in" else labels.get(key) not in values
    if "!=" in term:
        key, value = term.split("!=", 1)
        return labels.get(key.strip()) != value.strip()
    if "=" in term:
        key, value = term.replace("==", "=").split("=", 1)
        return labels.get(key.strip()) == value.strip()
    return term[1:].strip() not in labels if term.startswith("!") else term in labels


def matches_fields(text, one):
    for term in terms(text):
        wanted, (path, value) = "!=" not in term, re.split(r"!?==?", term, maxsplit=1)
        at = one
        for key in path.strip().split("."):
            at = at.get(key, {}) if isinstance(at, dict) else {}
        if ((at or "") == value.strip()) != wanted:
            return False
    return True
