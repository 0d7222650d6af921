"""docs/messages.md: what the program says where it will not or cannot go on, and what to do then, from its source.
usage: messages.py [--write]      Without --write it ends with 1 where the page says otherwise than the source does."""
import os, re, sys

SOURCE = os.environ.get("MLC_SOURCE") or os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PAGE = os.path.join(SOURCE, "docs/messages.md")
ROOMS = ("bench", "validators", "reports")
# What is thrown, and with which code it ends; of the others a caller makes one of these.
USAGE, POLICY, TOOL = "UsageError", ("PolicyError", "YamlError", "UnknownCheck"), ("BackendError", "GpuError", "VerbsError", "LinkError", "CudaError")
JUDGED = ("fail", "warn", "unknown", "judge")  # of CheckFindings: subject, observed, expected, source, remedy
TOKEN = re.compile(r'(?P<space>\s+|//[^\n]*|/\*.*?\*/)|(?P<text>"(?:\\.|[^"\\\n])*")|(?P<char>\'(?:\\.|[^\'\\])+\')|(?P<word>[A-Za-z_]\w*)|(?P<number>\d[\w.\']*)|(?P<mark>->|::|<<|>>|[-+*/=<>!&|]=|.)', re.S)
ESCAPES = {'\\"': '"', "\\\\": "\\", "\\n": " ", "\\t": " ", "\\'": "'"}


def tokens(source):
    for match in TOKEN.finditer(source):
        if match.lastgroup != "space":
            yield match.lastgroup, match[0]


def until_end(stream, at, ends):
    """The tokens from `at` to one of `ends` at this depth, and where that is."""
    depth, start = 0, at
    while at < len(stream):
        text = stream[at][1] if stream[at][0] == "mark" else ""
        if text and depth == 0 and text in ends:
            break
        depth += (text in "([{" if text else 0) - (text in ")]}" if text else 0)
        if depth < 0:
            break
        at += 1
    return stream[start:at], at


def prose(expression):
    """The words that are always there; … for those that are only known at run time."""
    said, depth = [], 0
    for index, (kind, text) in enumerate(expression):
        if kind == "text" and depth == 0:
            if said and said[-1] is not None and index and expression[index - 1][0] != "text":
                said.append("")
            said.append(re.sub(r"\\.", lambda m: ESCAPES.get(m[0], m[0]), text[1:-1]))
        elif kind == "mark" and text in "([{":
            depth += 1
        elif kind == "mark" and text in ")]}":
            depth -= 1
        elif kind == "mark" and text == "?" and depth == 0:
            return choices(expression)
        if (kind != "text" or depth) and not (kind == "mark" and text == "+") and (not said or said[-1] is not None):
            said.append(None)
    return re.sub(r"…(?: ?…)+", "…", "".join("…" if one is None else one for one in said)).strip()


def choices(expression):
    """Of `a ? b : c` what can be said."""
    question = next(i for i, (kind, text) in enumerate(expression) if (kind, text) == ("mark", "?"))
    yes, end = until_end(expression, question + 1, ":")
    said = [prose(yes), prose(expression[end + 1:])]
    return " | ".join(one for one in said if re.search(r"[A-Za-z]", one)) or "…"


def arguments(stream, at):
    found = []
    while at < len(stream):
        one, at = until_end(stream, at, ",")
        if one:
            found.append(prose(one))
        if at >= len(stream) or stream[at][1] != ",":
            return found
        at += 1
    return found


def messages_of(source):
    """(kind, what, next) of a file, in its order."""
    stream = list(tokens(source))
    fields = {}
    for at, (kind, text) in enumerate(stream):
        following = stream[at + 1][1] if at + 1 < len(stream) else ""
        if kind == "word" and following == "(" and at and stream[at - 1][1] == "throw":
            said = arguments(stream, at + 2)
            if text == USAGE:
                yield "usage", said[0], said[1] if len(said) > 1 else ""
            elif text in POLICY:
                yield "policy", said[0], ""
            elif text in TOOL:
                named = said[1:] if text in ("GpuError", "CudaError") else said
                yield "tool", named[0] if named else "", named[1] if len(named) > 1 else ""
        elif kind == "word" and text in JUDGED and following == "(" and at and stream[at - 1][1] == ".":
            said = arguments(stream, at + 2)
            first = 1 + (text == "judge")
            if len(said) == first + 4:  # subject, observed, expected, source, remedy; of judge the status before
                yield "finding", said[first], said[-1]
        elif kind == "word" and text in ("what", "hint", "observed", "remedy") and following == "=" and at and stream[at - 1][1] == ".":
            said = prose(until_end(stream, at + 2, ",;")[0])
            first, then = ("what", "hint") if text in ("what", "hint") else ("observed", "remedy")
            if text == first:
                fields[first] = said
            elif fields.get(first):
                yield "tool" if first == "what" else "finding", fields.pop(first), said
            elif text == "remedy":
                yield "finding", "", said


def collected():
    sections = {"usage": [], "policy": [], "tool": [], "finding": []}
    for room in ROOMS:
        for folder, folders, files in sorted(os.walk(os.path.join(SOURCE, room))):
            folders.sort()
            for name in sorted(files):
                if name.endswith((".cpp", ".hpp")):
                    with open(os.path.join(folder, name), encoding="utf-8") as f:
                        for kind, what, then in messages_of(f.read()):
                            if re.search(r"[A-Za-z]{3}", what + (then if kind == "finding" else "")) and (what, then) not in sections[kind]:
                                sections[kind].append((what, then))
    return sections


def row(what, then):
    return "| " + " | ".join(text.replace("|", "\\|").replace("<", "&lt;") for text in (what or "…", then)) + " |\n"


def page():
    heads = (("usage", "Exit 64: the command line", "nothing was started"),
             ("policy", "Exit 64: the policy", "which file, line or stage is at fault stands before it"),
             ("tool", "Exit 3: the tool, the transport or a driver failed", "of the node nothing is decided; where and while what stand below it"),
             ("finding", "Findings", "what was seen, and what to do next; `mlc-bench explain CHECK` says what it means"))
    sections = collected()
    text = "# What mlc-bench says\n\n…: what is only known then. This page is made from the source by `tests/docs/messages.py --write`.\n"
    for kind, title, about in heads:
        text += f"\n## {title}\n\n{about[0].upper()}{about[1:]}.\n\n| it says | what to do |\n|---|---|\n" + "".join(row(*one) for one in sections[kind])
    return text


def main():
    text = page()
    if sys.argv[1:] == ["--write"]:
        with open(PAGE, "w", encoding="utf-8") as f:
            f.write(text)
        return 0
    with open(PAGE, encoding="utf-8") as f:
        return 0 if f.read() == text else 1


if __name__ == "__main__":
    sys.exit(main())
