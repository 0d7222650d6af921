#!/usr/bin/env -S python3 -B
"""What a run of the suite came to: what was skipped, with its reason, what was measured of the tests, what those that failed said last,
and the counts in the last line.

usage: tests/fresh/outcome.py [--allowed FILE] [--again JUNIT] JUNIT...      the files that ctest --output-junit writes
--again: of the same tests those that failed, run once more by themselves. One that passes then is named, and no failure.
Exits 1 if a test failed, if none ran, or if one was skipped, or left out a part of itself, for a reason that is not in the list of
allowed ones: tests/allowed_skips.txt, one a line, a pattern for the test's name and one for the reason."""
import argparse, os, re, sys, xml.etree.ElementTree as ElementTree

ALLOWED = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "allowed_skips.txt")
# How each kind of test says why: Python's unittest (one line a method), GoogleTest (a line after the place), and our scripts.
UNITTEST = re.compile(r"^\w.* \.\.\. .*\bskipped (?P<quote>['\"])(?P<reason>.*)(?P=quote)$", re.M)
GOOGLETEST = re.compile(r"^\S.*:\d+: Skipped\n(?P<reason>[^\n]+)", re.M)
# What a test says of the tests themselves.
FIGURE = re.compile(r"^coverage: .*$", re.M)
SCRIPT = re.compile(r"^skipped: (?P<reason>.*)$", re.M | re.I)


def reasons(output, *ways):
    """Everything that a test says it did not do."""
    return list(dict.fromkeys(match["reason"].strip() for how in ways for match in how.finditer(output)))


def read_allowed(path):
    with open(path) as f:
        lines = [line.split(None, 1) for line in f if line.strip() and not line.startswith("#")]
    for line in lines:
        if len(line) != 2:
            raise SystemExit(f"{path}: a pattern for the test and one for the reason: {line[0]}")
    return [(re.compile(test), re.compile(reason.strip())) for test, reason in lines]


def last_words(path, lines=25):
    """What each test that failed said last, by its name."""
    cases = [case for case in ElementTree.parse(path).getroot().iter("testcase") if case.get("status") == "fail"]
    return {case.get("name"): [line[:300] for line in (case.findtext("system-out") or "").splitlines() if line.strip()][-lines:] for case in cases}


def figures(path):
    return [line for case in ElementTree.parse(path).getroot().iter("testcase") for line in FIGURE.findall(case.findtext("system-out") or "")]


def read_junit(path):
    """(name, outcome, reasons) of every test: passed, failed or skipped."""
    for case in ElementTree.parse(path).getroot().iter("testcase"):
        name, status, output = case.get("name"), case.get("status"), case.findtext("system-out") or ""
        skipped = case.find("skipped")
        why = skipped.get("message") if skipped is not None else status
        if status == "run":
            # A test that passed can have left out a part of itself. What its programs print is theirs, so SCRIPT does not count.
            yield name, "passed", reasons(output, UNITTEST, GOOGLETEST)
        elif status == "disabled" or status == "notrun" and why.startswith("SKIP_"):
            yield name, "skipped", reasons(output, UNITTEST, GOOGLETEST, SCRIPT) or [f"no reason given ({why})"]
        else:  # also what could not start: its program or what it needs was not there
            yield name, "failed", []


def main():
    parser = argparse.ArgumentParser(prog="tests/fresh/outcome.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--allowed", default=ALLOWED, metavar="FILE")
    parser.add_argument("--again", metavar="JUNIT")
    parser.add_argument("junit", nargs="+", metavar="JUNIT")
    options = parser.parse_args()
    allowed = read_allowed(options.allowed)
    tests = [test for path in options.junit for test in read_junit(path)]
    alone = {name for name, how, _ in read_junit(options.again) if how == "passed"} if options.again else set()
    alone = [name for name, how, _ in tests if how == "failed" and name in alone]
    tests = [(name, "passed" if name in alone else how, why) for name, how, why in tests]
    count = {outcome: sum(how == outcome for _, how, _ in tests) for outcome in ("passed", "failed", "skipped")}
    left_out = [(name, how, reason) for name, how, why in tests for reason in why]
    refused = [not any(test.search(name) and pattern.search(reason) for test, pattern in allowed) for name, _, reason in left_out]
    if left_out:
        print("not done:")
    for (name, how, reason), no in sorted(zip(left_out, refused)):
        print(f"  {name}{'' if how == 'skipped' else ' (a part of it)'}: {reason}{'   <-- not in tests/allowed_skips.txt' if no else ''}")
    for line in dict.fromkeys(line for path in options.junit for line in figures(path)):
        print(line)
    for name, said in (words for path in options.junit for words in last_words(path).items()):
        print(f"what {name} said last:", *said, sep="\n  ")
    if alone:
        print("failed beside others, and passed when run again alone: " + ", ".join(alone))
    failed = [name for name, how, _ in tests if how == "failed"]
    if failed:
        print("failed: " + ", ".join(failed))
    if not tests:
        print("no test ran")
    closing = f"{count['passed']} passed, {count['failed']} failed, {count['skipped']} skipped"
    if any(refused):
        closing += f" ({sum(refused)} for a reason that is not allowed)"
    print(closing)
    return 1 if failed or any(refused) or not tests else 0


if __name__ == "__main__":
    sys.exit(main())
