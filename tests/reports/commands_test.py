"""report, compare and history as a user types them: commands_test.py MLC_BENCH SCRATCH."""
import json
import os
import pathlib
import subprocess
import sys
import unittest
import xml.etree.ElementTree

BENCH = pathlib.Path(sys.argv[1]).resolve()
SCRATCH = pathlib.Path(sys.argv[2]).resolve()


def bench(*arguments, **options):
    return subprocess.run([BENCH, *map(str, arguments)], capture_output=True, text=True, timeout=120, cwd=SCRATCH, **options)


class Commands(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        SCRATCH.mkdir(parents=True, exist_ok=True)
        for old in SCRATCH.rglob("*"):
            if old.is_file():
                old.unlink()
        measured = bench("allreduce", "--backend", "loopback", "-b", "1K", "-e", "4K", "-n", "20", "--output", "base.json", "--quiet")
        assert measured.returncode in (0, 2), measured.stderr
        cls.base = json.loads((SCRATCH / "base.json").read_text())

    def variant(self, name, **changes):
        report = json.loads(json.dumps(self.base))
        report["run"]["id"] += "-" + name
        for series in report["series"]:
            factor = changes.get("slower", 1)
            series["ci_us"] = [series["time_us"]["p50"] * 0.999, series["time_us"]["p50"] * 1.001]
            series["samples"] = 100
            for key in series["time_us"]:
                series["time_us"][key] *= factor
            series["ci_us"] = [value * factor for value in series["ci_us"]]
            p50 = series["time_us"]["p50"]
            series["launches"] = [{"p50_us": p50 * (1 + step * changes.get("spread", 0.0002)), "mean_us": p50, "ci_us": [p50 * 0.999, p50 * 1.001], "samples": 20}
                                  for step in (0, -2, 1, 2, -1)]
            series["busbw_gb_s"] /= factor
        report["errors"] = []
        report["run"]["started"] = changes.get("started", report["run"]["started"])
        path = SCRATCH / f"{name}.json"
        path.write_text(json.dumps(report))
        return path

    def test_report_in_every_face(self):
        html = bench("report", "base.json", "--output", "base.html")
        self.assertEqual(html.returncode, 0, html.stderr)
        page = (SCRATCH / "base.html").read_text()
        self.assertTrue(page.startswith("<!DOCTYPE html>"))
        self.assertIn("allreduce", page)
        for face in ("text", "json", "jsonl", "csv", "prometheus", "markdown", "html", "junit"):
            shown = bench("report", "base.json", "--format", face)
            self.assertEqual(shown.returncode, 0, shown.stderr)
            self.assertIn("allreduce", shown.stdout)
        self.assertEqual(json.loads(bench("report", "base.json", "--format", "json").stdout), self.base)
        xml.etree.ElementTree.fromstring(bench("report", "base.json", "--format", "junit").stdout.encode())

    def test_report_from_a_pipe(self):
        shown = bench("report", "-", "--format", "markdown", input=(SCRATCH / "base.json").read_text())
        self.assertEqual(shown.returncode, 0, shown.stderr)
        self.assertIn("### Series", shown.stdout)

    def test_every_command_writes_a_page(self):
        done = bench("allreduce", "--backend", "loopback", "-b", "1K", "-e", "1K", "-n", "5", "--format", "html")
        self.assertIn(done.returncode, (0, 2), done.stderr)
        self.assertTrue(done.stdout.startswith("<!DOCTYPE html>"))

    def test_compare_exit_codes(self):
        same, slower = self.variant("same"), self.variant("slower", slower=1.3)
        self.assertEqual(bench("compare", same, same).returncode, 0)
        worse = bench("compare", same, slower)
        self.assertEqual(worse.returncode, 1, worse.stdout)
        self.assertIn("SLOWER", worse.stdout)
        self.assertEqual(bench("compare", same, slower, "--tolerance", "50%").returncode, 0)
        faster = bench("compare", slower, same)
        self.assertEqual(faster.returncode, 0)
        self.assertIn("FASTER", faster.stdout)
        unsure = bench("compare", same, self.variant("noisy", slower=1.3, spread=0.3))
        self.assertEqual(unsure.returncode, 2, unsure.stdout)
        self.assertIn("UNDECIDED", unsure.stdout)
        for face in ("json", "html", "markdown"):
            self.assertEqual(bench("compare", same, slower, "--format", face).returncode, 1)

    def test_one_launch_a_side_is_undecided_in_every_face(self):
        single = json.loads(self.variant("single").read_text())
        for series in single["series"]:
            del series["launches"]
        (SCRATCH / "single.json").write_text(json.dumps(single))
        for face in ("text", "json", "html", "markdown"):
            shown = bench("compare", self.variant("same"), "single.json", "--format", face)
            self.assertEqual(shown.returncode, 2, shown.stdout)
            self.assertIn("UNDECIDED", shown.stdout)
            self.assertIn("one launch in the new report: what launches differ by is not known", shown.stdout)

    def test_history_of_a_folder_and_of_a_store(self):
        folder = SCRATCH / "fleet"
        folder.mkdir(exist_ok=True)
        for day in range(1, 29):
            path = self.variant(f"day-{day:02}", started=f"2026-01-{day:02}T03:00:00Z", slower=1.5 if day > 14 else 1 + day % 3 / 1000)
            path.rename(folder / path.name)
        (folder / "foreign.json").write_text("{}")
        seen = bench("history", "fleet", "--format", "json")
        self.assertEqual(seen.returncode, 1, seen.stderr)
        result = json.loads(seen.stdout)
        self.assertEqual(result["runs"], 28)
        self.assertEqual([event["time_s"] // 86400 for event in result["events"]], [20468])  # 2026-01-15
        self.assertEqual(len(result["left_out"]), 1)
        self.assertTrue(bench("history", "fleet", "--format", "html").stdout.startswith("<!DOCTYPE html>"))
        stored = bench("history", "import", "store.db", "fleet")
        if "built" in stored.stderr and stored.returncode == 3:
            self.skipTest(stored.stderr)
        self.assertEqual(stored.returncode, 0, stored.stderr)
        self.assertIn("28 runs added", stored.stdout)
        self.assertIn("0 runs added, 28 were there already", bench("history", "import", "store.db", "fleet").stdout)
        again = json.loads(bench("history", "store.db", "--format", "json").stdout)
        self.assertEqual({**again, "left_out": []}, {**result, "left_out": []})
        # A store and the folder it was made from: every run counts once.
        self.assertEqual(json.loads(bench("history", "store.db", "fleet", "--format", "json").stdout)["runs"], 28)

    def test_mistakes(self):
        (SCRATCH / "cut.json").write_text((SCRATCH / "base.json").read_text()[:200])
        (SCRATCH / "notastore.db").write_text("x" * 5000)
        for code, arguments in (
                (64, ("report",)), (64, ("report", "none.json")), (3, ("report", "cut.json")), (64, ("report", "base.json", "--format", "docx")),
                (3, ("report", SCRATCH)), (64, ("compare", "base.json")), (64, ("compare", "base.json", "none.json")), (3, ("compare", "base.json", "cut.json")),
                (64, ("compare", "base.json", "base.json", "--tolerance", "2")), (64, ("compare", "base.json", "base.json", "--tolerance", "-1%")),
                (64, ("compare", "base.json", "base.json", "--tolerance", "nan")), (64, ("compare", "base.json", "base.json", "--format", "junit")),
                (64, ("history",)), (2, ("history", "none")), (2, ("history", "cut.json")), (64, ("history", "base.json", "--every", "often")),
                (64, ("history", "import")), (3, ("history", "import", "notastore.db", "base.json")), (2, ("history", "import", "empty.db", "cut.json")),
                (64, ("report", "base.json", "--output", "no/such/folder/x.html"))):
            with self.subTest(arguments=arguments):
                done = bench(*arguments)
                self.assertEqual(done.returncode, code, done.stdout + done.stderr)
                self.assertTrue(done.stderr or code == 2)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1] + sys.argv[3:], verbosity=2)
