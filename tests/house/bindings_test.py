#!/usr/bin/env python3
"""One binding for each thing of the machine: what reaches a C library or the kernel is written once, in validators/host.
usage: bindings_test.py SOURCE"""
import os, re, sys

ONCE = {  # what: the only file that may hold it
    r"\bcurl_easy_init\b": "validators/host/http_curl.cpp",
    r"\bdlopen\(": "validators/host/shared_library.hpp",
    r"infiniband/verbs\.h": "validators/host/ibverbs.cpp",
    r"\bSYS_mbind\b|numaif\.h": "validators/host/numa.cpp",
    r"\bgetifaddrs\(": "bench/ranks/roll_call.cpp",
    r"\bIPV6_V6ONLY\b": "bench/ranks/tcp_socket.cpp",  # a port that listens
    r"\bsax_parse\(": "reports/record/json_reader.cpp",  # what others wrote is read within bounds: JSON,
    r"\bYAML::Load\w*\(": "validators/policy/yaml_document.cpp",  # and YAML
    r"(?<![.>\w])(?:::)?close\(\w": "validators/host/file_descriptor.hpp",  # a member's close() has an object before it
}
NEVER = {  # what: what does it instead
    r"\b\w*[jJ]son::(?:parse|accept|from_\w+)\(": "reports/record/json_reader.hpp",
    r"\bYAML::convert<": "validators/policy/yaml_reader.hpp",
}
OPENED = re.compile(r'"(lib[\w-]+)\.so')  # a library loaded at run time: by one file, whichever
root, libraries = sys.argv[1], {}
found = {what: [] for what in ONCE}
never = []
for top in ("reports", "kernels", "validators", "bench", "k8s"):
    for folder, _, files in os.walk(os.path.join(root, top)):
        for name in files:
            if name.endswith((".cpp", ".hpp", ".cu", ".cuh")):
                path = os.path.join(folder, name)
                with open(path, encoding="utf-8") as f:
                    code = re.sub(r"//[^\n]*", "", f.read())
                place = os.path.relpath(path, root)
                for what in ONCE:
                    found[what] += [place] * len(re.findall(what, code))
                never += [f"{place} has {hit.group(0)}: {NEVER[what]} does that" for what in NEVER for hit in re.finditer(what, code)]
                for library in OPENED.findall(code):
                    libraries.setdefault(library, []).append(place)
wrong = [f"{what}: {len(places)} times, in {' '.join(places) or 'no file'}; expected once, in {ONCE[what]}"
         for what, places in found.items() if places != [ONCE[what]]]
wrong += never
wrong += [f"{library} is opened in {' '.join(places)}" for library, places in libraries.items() if len(set(places)) != 1]
print("\n".join(wrong + [f"{len(ONCE) + len(libraries)} bindings, {len(wrong)} not written once"]))
sys.exit(1 if wrong or len(libraries) < 3 else 0)
