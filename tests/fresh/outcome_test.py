"""tests/fresh/outcome.py over the results of a real ctest: what it lists, what it refuses, what it counts."""
import os, subprocess, tempfile, unittest

HERE = os.path.dirname(os.path.abspath(__file__))
PASSES = ["echo fine", "printf '%s\\n' \"test_a (x.Y.test_a) ... 0.1 s skipped 'no chart library'\""]
SKIPS = {"script": "echo 'skipped: no lab on this machine'; exit 77", "unittest": "echo \"test_b (x.Y) ... skipped \\\"it's not here\\\"\"; exit 77",
         "gtest": "printf 'tests/a b/netns_test.cpp:34: Skipped\\nneeds root\\n'; exit 77", "silent": "exit 77"}


class Outcome(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.TemporaryDirectory(prefix="mlc-outcome-")
        self.addCleanup(self.directory.cleanup)

    def path(self, name):
        return os.path.join(self.directory.name, name)

    def junit(self, tests, more=""):
        """The file that ctest writes for these shell commands."""
        text = "cmake_minimum_required(VERSION 3.25)\nproject(x NONE)\nenable_testing()\n"
        for name, command in tests.items():
            text += f"add_test(NAME {name} COMMAND sh -c [==[{command}]==])\nset_tests_properties({name} PROPERTIES SKIP_RETURN_CODE 77)\n"
        with open(self.path("CMakeLists.txt"), "w") as f:
            f.write(text + more)
        subprocess.run(["cmake", "-G", "Ninja", "-S", self.directory.name, "-B", self.path("build")], check=True, capture_output=True)
        subprocess.run(["ctest", "--test-dir", self.path("build"), "--output-junit", self.path("junit.xml")], capture_output=True)
        return self.path("junit.xml")

    def outcome(self, junit, allowed=""):
        with open(self.path("allowed"), "w") as f:
            f.write(allowed)
        done = subprocess.run([os.path.join(HERE, "outcome.py"), "--allowed", self.path("allowed"), *junit], capture_output=True, text=True)
        return done.returncode, done.stdout.splitlines(), done

    def test_what_passes_is_counted_over_all_files(self):
        junit = self.junit({"a": PASSES[0], "b": PASSES[0]})
        self.assertEqual(self.outcome([junit, junit])[:2], (0, ["4 passed, 0 failed, 0 skipped"]))

    def test_the_share_of_lines_that_ran_is_shown(self):
        junit = self.junit({"a": "echo 'coverage: 9 of 10 lines, 90 %'; echo 'no coverage: x'"})
        self.assertEqual(self.outcome([junit])[:2], (0, ["coverage: 9 of 10 lines, 90 %", "1 passed, 0 failed, 0 skipped"]))

    def test_a_skip_needs_a_line_of_the_list_for_its_name_and_its_reason(self):
        junit = self.junit({"a": PASSES[0], "lab": SKIPS["script"]})
        code, lines, _ = self.outcome([junit], "# why\n^lab$ no lab\n")
        self.assertEqual((code, lines), (0, ["not done:", "  lab: no lab on this machine", "1 passed, 0 failed, 1 skipped"]))
        for allowed in ("", "^lab$ no kernel\n", "^other$ no lab\n"):
            code, lines, _ = self.outcome([junit], allowed)
            self.assertEqual((code, lines[-1]), (1, "1 passed, 0 failed, 1 skipped (1 for a reason that is not allowed)"))
            self.assertIn("not in tests/allowed_skips.txt", lines[1])

    def test_every_kind_of_test_has_its_reason_shown(self):
        code, lines, _ = self.outcome([self.junit(SKIPS)], "^(script|unittest|gtest)$ .\n")
        self.assertEqual(code, 1, lines)
        self.assertEqual(lines[1:-1], ["  gtest: needs root", "  script: no lab on this machine",
                                       "  silent: no reason given (SKIP_RETURN_CODE=77)   <-- not in tests/allowed_skips.txt", "  unittest: it's not here"])

    def test_a_part_that_a_test_left_out_is_a_skip_too(self):
        junit = self.junit({"pages": PASSES[1]})
        self.assertEqual(self.outcome([junit])[:2], (1, ["not done:", "  pages (a part of it): no chart library   <-- not in tests/allowed_skips.txt",
                                                        "1 passed, 0 failed, 0 skipped (1 for a reason that is not allowed)"]))
        self.assertEqual(self.outcome([junit], "pages chart\n")[0], 0)

    def test_what_failed_hung_or_never_started_is_named(self):
        junit = self.junit({"good": PASSES[0], "bad": "exit 3", "slow": "sleep 20", "setup": "false", "needs": "true"},
                           "set_tests_properties(slow PROPERTIES TIMEOUT 1)\nadd_test(NAME gone COMMAND /no/such/program)\n"
                           "set_tests_properties(setup PROPERTIES FIXTURES_SETUP f)\nset_tests_properties(needs PROPERTIES FIXTURES_REQUIRED f)\n")
        code, lines, _ = self.outcome([junit], ". .\n")
        self.assertEqual((code, lines[-1]), (1, "1 passed, 5 failed, 0 skipped"))
        self.assertEqual(set(lines[-2].removeprefix("failed: ").split(", ")), {"bad", "slow", "setup", "needs", "gone"})

    def test_what_failed_has_its_last_words_shown(self):
        code, lines, _ = self.outcome([self.junit({"bad": "seq 1 100; printf '\\n\\n'; exit 3"})])
        self.assertEqual((code, lines), (1, ["what bad said last:", *(f"  {line}" for line in range(76, 101)), "failed: bad", "0 passed, 1 failed, 0 skipped"]))

    def test_one_that_passes_alone_is_named_and_no_failure(self):
        first = self.junit({"a": PASSES[0], "starved": "echo slow; exit 3", "bad": "exit 3"})
        os.rename(first, self.path("first.xml"))
        for again, expected in (({"starved": PASSES[0], "bad": "exit 3"}, (1, "2 passed, 1 failed, 0 skipped")), ({"starved": PASSES[0], "bad": PASSES[0]}, (0, "3 passed, 0 failed, 0 skipped")),
                                ({"starved": SKIPS["script"], "bad": PASSES[0]}, (1, "2 passed, 1 failed, 0 skipped")), ({}, (1, "1 passed, 2 failed, 0 skipped"))):
            code, lines, _ = self.outcome(["--again", self.junit(again), self.path("first.xml")])
            self.assertEqual((code, lines[-1]), expected)
            alone = [name for name in ("starved", "bad") if PASSES[0] == again.get(name)]
            self.assertEqual("failed beside others, and passed when run again alone: " + ", ".join(alone) in lines, bool(alone), lines)

    def test_no_test_at_all_is_no_pass(self):
        self.assertEqual(self.outcome([self.junit({})])[:2], (1, ["no test ran", "0 passed, 0 failed, 0 skipped"]))

    def test_the_list_of_the_tree_can_be_read(self):
        junit = self.junit({"a": PASSES[0]})
        done = subprocess.run([os.path.join(HERE, "outcome.py"), junit], capture_output=True, text=True)
        self.assertEqual((done.returncode, done.stdout), (0, "1 passed, 0 failed, 0 skipped\n"), done.stderr)


if __name__ == "__main__":
    unittest.main()
