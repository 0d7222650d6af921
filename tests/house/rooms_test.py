#!/usr/bin/env python3
"""What a room includes is what its library links. Reads rooms.json, which CMake writes from its targets (cmake/MlcTargets.cmake);
the same rules are tried on a tree with one fault planted in it, so that they are seen to find it."""
import json, os, re, tempfile, unittest

TOPS = ("reports", "kernels", "validators", "k8s", "bench")
SOURCES = (".cpp", ".hpp", ".cu", ".cuh", ".inc")


def closure(room, rooms):
    """The rooms whose headers `room` hands on."""
    seen, todo = set(), list(rooms[room]["public"])
    while todo:
        name = todo.pop()
        if name not in seen and name in rooms:
            seen.add(name)
            todo += rooms[name]["public"]
    return seen


def circles(rooms):
    def reachable(room):
        seen, todo = set(), [room]
        while todo:
            at = rooms[todo.pop()]
            for name in at["public"] + at["private"]:
                if name in rooms and name not in seen:
                    seen.add(name)
                    todo.append(name)
        return seen
    return [f"{room} links itself in a circle" for room in rooms if room in reachable(room)]


def faults(entries, root):
    """What is wrong with the rooms, a line each, and how many includes were looked at."""
    rooms = {entry["room"]: entry for entry in entries}
    folder_of = {entry["folder"]: entry["room"] for entry in entries}
    wrong, edges = circles(rooms), 0
    below = set()
    for entry in entries:
        for other in entry["public"] + entry["private"]:
            if other not in below:
                wrong.append(f"{entry['room']} links {other}, which is not below it")
        below.add(entry["room"])

    def room_of(path):
        while path := os.path.dirname(path):
            if path in folder_of:
                return folder_of[path]
        return None

    used = {room: set() for room in rooms}
    for top in TOPS:
        for folder, _, files in sorted(os.walk(os.path.join(root, top))):
            for name in sorted(files):
                if not name.endswith(SOURCES):
                    continue
                path = os.path.relpath(os.path.join(folder, name), root)
                room = room_of(path)
                if room is None:
                    wrong.append(f"{path} is in no room")
                    continue
                handed_on = closure(room, rooms)
                inner = handed_on.union(*({other} | closure(other, rooms) for other in rooms[room]["private"] if other in rooms))
                with open(os.path.join(root, path), encoding="utf-8") as stream:
                    text = stream.read()
                for target in re.findall(r'^#\s*include\s*"([^"]+)"', text, re.M):
                    edges += 1
                    other = room_of(target)
                    if other is None:
                        wrong.append(f"{path} includes {target}, which is in no room")
                    elif other != room:
                        used[room].add(other)
                        if other not in inner:
                            wrong.append(f"{path} includes {target}, but {room} does not link {other}")
                        elif name.endswith((".hpp", ".cuh")) and other not in handed_on:
                            wrong.append(f"{path} includes {target}, but {room} links {other} for its sources alone")
                if name.endswith((".cpp", ".cu")):
                    with open(os.path.join(root, rooms[room]["folder"], "CMakeLists.txt"), encoding="utf-8") as stream:
                        lists = stream.read()
                    inside = os.path.relpath(path, rooms[room]["folder"])
                    if not re.search(rf"(?<![\w/.]){re.escape(inside)}(?!\w)", lists) and "GLOB sources CONFIGURE_DEPENDS *.cpp" not in lists:
                        wrong.append(f"{path} is built nowhere: {rooms[room]['folder']}/CMakeLists.txt does not name it")
    for entry in entries:
        for other in entry["public"] + entry["private"]:
            if other not in used[entry["room"]]:
                wrong.append(f"{entry['room']} links {other}, but includes nothing of it")
    return wrong, edges


class Tree(unittest.TestCase):
    def test_every_include_is_of_a_room_that_is_linked(self):
        with open(os.path.join(os.environ["MLC_BUILD"], "rooms.json"), encoding="utf-8") as stream:
            entries = json.load(stream)
        wrong, edges = faults(entries, os.environ["MLC_SOURCE"])
        self.assertEqual([], wrong, "\n" + "\n".join(wrong))
        self.assertGreater(edges, 500)
        self.assertGreater(len(entries), 15)


class Planted(unittest.TestCase):
    ROOMS = [{"room": "low", "folder": "reports/low", "public": [], "private": []},
             {"room": "middle", "folder": "bench/middle", "public": ["low"], "private": []},
             {"room": "high", "folder": "bench/high", "public": ["middle"], "private": []}]
    FILES = {"reports/low/low.hpp": "", "reports/low/low.cpp": '#include "reports/low/low.hpp"\n', "reports/low/CMakeLists.txt": "low.cpp",
             "bench/middle/middle.hpp": '#include "reports/low/low.hpp"\n', "bench/middle/CMakeLists.txt": "",
             "bench/high/high.cpp": '#include "bench/middle/middle.hpp"\n#include "reports/low/low.hpp"\n', "bench/high/CMakeLists.txt": "high.cpp"}

    def faults(self, files={}, links={}):
        rooms = [dict(room, **links.get(room["room"], {})) for room in self.ROOMS]
        with tempfile.TemporaryDirectory() as root:
            for path, text in {**self.FILES, **files}.items():
                os.makedirs(os.path.dirname(os.path.join(root, path)), exist_ok=True)
                with open(os.path.join(root, path), "w", encoding="utf-8") as stream:
                    stream.write(text)
            return faults(rooms, root)[0]

    def test_a_sound_tree_has_none(self):
        self.assertEqual([], self.faults())

    def test_an_include_of_a_room_that_is_not_linked(self):
        self.assertEqual(["reports/low/low.cpp includes bench/high/high.hpp, but low does not link high"],
                         self.faults({"reports/low/low.cpp": '#include "bench/high/high.hpp"\n'}))

    def test_a_header_that_needs_what_only_the_sources_link(self):
        self.assertEqual(["bench/middle/middle.hpp includes reports/low/low.hpp, but middle links low for its sources alone",
                          "bench/high/high.cpp includes reports/low/low.hpp, but high does not link low"],
                         sorted(self.faults(links={"middle": {"public": [], "private": ["low"]}}), reverse=True))

    def test_a_source_in_no_room(self):
        self.assertEqual(["bench/lost.cpp is in no room"], self.faults({"bench/lost.cpp": ""}))

    def test_a_source_that_is_built_nowhere(self):
        self.assertEqual(["bench/high/forgotten.cpp is built nowhere: bench/high/CMakeLists.txt does not name it"],
                         self.faults({"bench/high/forgotten.cpp": ""}))

    def test_a_link_upwards_and_in_a_circle(self):
        wrong = self.faults({"reports/low/low.cpp": '#include "bench/high/high.hpp"\n'}, {"low": {"private": ["high"]}})
        self.assertIn("low links high, which is not below it", wrong)
        for room in ("low", "middle", "high"):
            self.assertIn(f"{room} links itself in a circle", wrong)

    def test_a_link_that_nothing_needs(self):
        self.assertEqual(["high links low, but includes nothing of it"],
                         self.faults({"bench/high/high.cpp": '#include "bench/middle/middle.hpp"\n'}, {"high": {"public": ["middle", "low"]}}))


if __name__ == "__main__":
    unittest.main()
