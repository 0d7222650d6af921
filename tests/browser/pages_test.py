"""Opens the pages in a real browser: pages_test.py PAGES SCREENSHOTS. Exits 77 if there is no browser to do it with.

Needs Debian's chromium, chromium-driver and python3-selenium, and the wheel of requirements.txt next to this file.
"""
import itertools
import json
import math
import os
import pathlib
import shutil
import sys
import time
import unittest
import xml.etree.ElementTree

PAGES = pathlib.Path(sys.argv[1]).resolve()
SHOTS = pathlib.Path(sys.argv[2]).resolve()
PATIENCE = 300  # seconds

missing = [name for name in ("chromium", "chromedriver") if not shutil.which(name)]
try:
    from selenium import webdriver
    from selenium.webdriver.chrome.options import Options
    from selenium.webdriver.chrome.service import Service
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys
except ImportError:
    missing.append("python3-selenium")
if missing:
    print("skipped: the browser tests need", ", ".join(missing))
    sys.exit(77)


def find_axe():
    """The checker's script, from the wheel: of this Python, of the project's .venv, or of $MLC_AXE."""
    if os.environ.get("MLC_AXE"):
        return pathlib.Path(os.environ["MLC_AXE"]).read_text()
    roots = [pathlib.Path(path) for path in sys.path] + list(
        (pathlib.Path(__file__).resolve().parents[2] / ".venv" / "lib").glob("python3*/site-packages"))
    for root in roots:
        for script in root.glob("axe_core_python/**/axe*.js"):
            return script.read_text()
    return None


AXE = find_axe()


def open_browser(width=1200, height=900):
    options = Options()
    options.binary_location = shutil.which("chromium")
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    options.add_experimental_option("prefs", {"download.default_directory": str(SHOTS), "download.prompt_for_download": False})
    driver = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))
    # Long, for the machine may have other work: how fast a page is, is not tested here.
    driver.set_page_load_timeout(PATIENCE)
    driver.set_script_timeout(PATIENCE)
    return driver


class Pages(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        SHOTS.mkdir(parents=True, exist_ok=True)
        cls.driver = open_browser()

    @classmethod
    def tearDownClass(cls):
        cls.driver.quit()

    def setUp(self):
        self.began = time.time()

    def tearDown(self):
        print(f"{time.time() - self.began:.1f} s ", end="", flush=True)

    def emulate(self, dark=False, printed=False, width=1200, height=900):
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {
            "media": "print" if printed else "",
            "features": [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]})
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {
            "width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500})

    def open(self, name, **emulation):
        self.emulate(**emulation)
        self.driver.get_log("performance")
        self.driver.get_log("browser")
        self.driver.get((PAGES / name).as_uri())
        # Without the chart library nothing draws.
        self.wait_until("!!document.getElementById('no-charts') || "
                        "![...document.querySelectorAll('figure[data-drawing]')].some(f => f.offsetParent !== null && !f.dataset.drawn)", "the charts were not drawn")

    def wait_until(self, condition, otherwise):
        """A condition of the page, or one asked here, that ends a test which would hang."""
        asked = condition if callable(condition) else lambda: self.script("return " + condition)
        deadline = time.time() + PATIENCE
        while not asked():
            self.assertLess(time.time(), deadline, otherwise)
            time.sleep(0.1)

    def script(self, text, *arguments):
        return self.driver.execute_script(text, *arguments)

    def quiet(self):
        log = self.driver.get_log("browser")
        self.assertEqual([line["message"] for line in log], [], "the console must stay silent")

    def charts(self):
        if self.script("return !!document.getElementById('no-charts')"):
            self.skipTest("built without the chart library")
        return self.script("return Object.fromEntries([...document.querySelectorAll('figure')].map(f => [f.id, f.dataset.drawn]))")

    PAGES = ["sick.html", "healthy.html", "fleet.html", "campaign.html", "paths.html", "comparison.html", "history.html", "hostile.html"]

    def test_console_is_silent_and_nothing_is_fetched(self):
        for name in self.PAGES:
            with self.subTest(page=name):
                self.open(name)
                self.quiet()
                requests = []
                for entry in self.driver.get_log("performance"):
                    message = json.loads(entry["message"])["message"]
                    if message["method"] == "Network.requestWillBeSent":
                        requests.append(message["params"]["request"]["url"])
                self.assertEqual([url for url in requests if not url.startswith((PAGES.as_uri(), "data:", "blob:"))], [])
                self.assertEqual(len([url for url in requests if url.startswith("file:")]), 1)
                self.assertEqual(self.script("return performance.getEntriesByType('resource').filter(e => !e.name.startsWith('data:')).length"), 0)

    def test_the_policy_refuses_what_a_page_might_be_made_to_do(self):
        self.open("healthy.html")
        refused = self.script("""
          const said = []; addEventListener('securitypolicyviolation', e => said.push(e.effectiveDirective));
          const s = document.createElement('script'); s.textContent = 'window.owned = 1'; document.body.append(s);
          const i = document.createElement('img'); i.src = 'https://127.0.0.1:9/x.png'; document.body.append(i);
          setTimeout('window.evaluated = 1');  // later, out of reach of the driver's leave to evaluate
          fetch('https://127.0.0.1:9/').catch(() => {});
          return new Promise(done => setTimeout(() => done([said.map(d => d.split('-')[0]).sort(), !!window.owned, !!window.evaluated]), 500));""")
        self.assertEqual(refused[1:], [False, False])
        for directive in ("connect", "img", "script"):
            self.assertIn(directive, refused[0])
        self.driver.get_log("browser")

    def test_hostile_text_stays_text(self):
        self.open("hostile.html")
        self.assertNotEqual(self.driver.title, "owned")
        self.assertEqual(len(self.driver.find_elements(By.CSS_SELECTOR, "script")), len(self.script("return [...document.scripts].map(s => s.id)")))
        self.assertEqual(self.script("return document.querySelectorAll('script:not([id]):not([type])').length"), 2 if self.script("return !document.getElementById('no-charts')") else 1)
        self.assertIn("<script>document.title='owned'</script>", self.script("return document.body.innerText"))

    def test_charts_show_the_values_of_the_record(self):
        self.open("sick.html")
        drawn = self.charts()
        self.assertGreaterEqual(len(drawn), 9)
        self.assertNotIn("failed", drawn.values())
        record = json.loads(self.script("return document.getElementById('record').textContent"))
        rows = self.script("return mlcViews['bandwidth-0'].rows")
        sweep = [s for s in record["series"] if s["collective"] == "allreduce"]
        self.assertEqual([(r["bytes"], r["p50"]) for r in rows], [(s["bytes"], s["busbw_gb_s"]) for s in sweep])
        # What the library drew, not only what it was given: a mark for every size, at a height that follows the value.
        points = self.script("""return [...document.querySelectorAll('#bandwidth-0 .mark-symbol path')].map(p => {
          const m = /translate\\(([-\\d.]+),\\s*([-\\d.]+)\\)/.exec(p.getAttribute('transform')); return [+m[1], +m[2]]; })""")
        self.assertEqual(len(points), len(rows))
        order = sorted(range(len(rows)), key=lambda i: rows[i]["p50"])
        self.assertEqual(order, sorted(range(len(points)), key=lambda i: -points[i][1]))
        text = self.script("return document.querySelector('#bandwidth-0 svg').textContent")
        self.assertIn("target 4 × 200 Gbit/s = 100.00 GB/s", text)
        self.assertIn("ceiling at MTU 4096 = 98.04 GB/s", text)
        for chart in ("bandwidth-0", "ranks-0"):
            labels = self.script(f"return [...document.querySelectorAll('#{chart} .role-axis-label text')].map(t => t.textContent)")
            labels = {label for label in labels if label.endswith("B")}
            self.assertGreaterEqual(len(labels), 2)
            self.assertLessEqual(labels, {r["size"] for r in self.script(f"return mlcViews['{chart}'].rows")}, "sizes that were measured")
        rails = self.script("return mlcViews['rail-bars'].rows")
        self.assertEqual((rails[0]["name"], rails[0]["verdict"]), ("gpu-b rail 2 write → gpu-a", "fail"))
        self.assertEqual(len(self.script("return mlcViews['matrix-0'].rows")), 16)
        self.assertEqual(sum(row["count"] for row in self.script("return mlcViews['histogram-0'].rows")), sum(record["figures"]["histograms"][0]["counts"]))

    def test_other_pages_draw_too(self):
        for name, least in (("comparison.html", 1), ("history.html", 3), ("fleet.html", 4), ("hostile.html", 3)):
            with self.subTest(page=name):
                self.open(name)
                drawn = [state for state in self.charts().values() if state]
                self.assertGreaterEqual(len(drawn), least)
                self.assertNotIn("failed", drawn)

    def test_the_grid_of_a_campaign_tells_good_from_bad_without_colour(self):
        """Shades differ in lightness, in steps that any eye sees, and whatever is bad has its number."""
        for dark in (False, True):
            self.open("campaign.html", dark=dark)
            shades = self.script("""return [...document.querySelectorAll('.shades .strip')].map(s => {
              const [r, g, b] = getComputedStyle(s).backgroundColor.match(/[\\d.]+/g).map(Number).map(v => { v /= 255; return v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4; });
              return .2126 * r + .7152 * g + .0722 * b; })""")
            lightness = [116 * (y ** (1 / 3) if y > .008856 else 7.787 * y + 16 / 116) - 16 for y in shades]
            steps = [b - a for a, b in zip(lightness, lightness[1:])]
            self.assertTrue(all(step < -8 for step in steps) or all(step > 8 for step in steps), lightness)
        record = json.loads(self.script("return document.getElementById('record').textContent"))["figures"]["fleet"]
        rows = self.script("return Object.fromEntries([...document.querySelectorAll('.grid:not(.map) tbody tr:not(.leaf)')].map(r => [r.cells[0].innerText, [...r.querySelectorAll('.strip')].map(s => s.innerText)]))")
        self.assertEqual(set(rows), {node["name"] for node in record["nodes"]})
        for index, node in enumerate(record["nodes"]):
            worst = [min(test["ratios"][2 * rail:2 * rail + 2]) for test in record["held"] if index in (test["first"], test["second"]) for rail in range(record["rails"])]
            self.assertEqual(rows[node["name"]], ["×" if ratio <= 0 else f"{ratio * 100:.0f}" if ratio < .95 else "" for ratio in worst], node["name"])

    def test_history_marks_the_events(self):
        self.open("history.html")
        self.charts()
        record = json.loads(self.script("return document.getElementById('record').textContent"))
        self.assertTrue(record["events"])
        text = self.script("return [...document.querySelectorAll('figure svg')].map(s => s.textContent).join(' ')")
        for number in range(len(record["events"])):
            self.assertIn(f"E{number + 1}", text)

    def test_every_chart_has_a_table(self):
        for name in self.PAGES:
            self.open(name)
            bare = self.script("return [...document.querySelectorAll('figure[data-drawing]')].filter(f => !f.querySelector('table tbody tr')).map(f => f.id)")
            self.assertEqual(bare, [], name)

    def test_without_scripts_the_tables_are_there(self):
        self.driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
        try:
            self.emulate()
            self.driver.get((PAGES / "sick.html").as_uri())
            text = self.driver.find_element(By.TAG_NAME, "main").text
            self.assertIn("reseat or replace the cable on rail 2", text)
            self.assertTrue(self.driver.find_element(By.CSS_SELECTOR, "#bandwidth-0 table").is_displayed())
            self.assertIn("Scripts are off", self.driver.find_element(By.TAG_NAME, "footer").text)
        finally:
            self.driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})

    def test_sections_open_by_keyboard(self):
        self.open("sick.html")
        shut = self.script("return document.querySelectorAll('#findings details:not([open])').length")
        self.assertGreater(shut, 0)
        active = self.driver.switch_to.active_element
        for _ in range(200):
            active.send_keys(Keys.TAB)
            active = self.driver.switch_to.active_element
            if active.tag_name == "summary" and self.script("return arguments[0].closest('#findings') !== null", active):
                break
        else:
            self.fail("Tab never reached a folded section")
        active.send_keys(Keys.ENTER)
        self.assertEqual(self.script("return document.querySelectorAll('#findings details:not([open])').length"), shut - 1)
        self.assertTrue(self.script("return arguments[0].parentElement.querySelector('table').offsetParent !== null", active))

    def test_a_reason_leads_to_its_row_even_in_a_folded_section(self):
        self.open("sick.html")
        self.script("document.querySelectorAll('details').forEach(d => { d.open = false; })")
        self.driver.find_element(By.CSS_SELECTOR, ".reasons a[href^='#series-']").send_keys(Keys.ENTER)
        self.wait_until("!!location.hash && document.querySelector(location.hash).offsetParent !== null", "the row stayed folded")

    def test_the_record_can_be_saved(self):
        target = SHOTS / "report.json"
        target.unlink(missing_ok=True)
        self.open("sick.html")
        self.driver.execute_cdp_cmd("Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(SHOTS)})
        self.driver.find_element(By.ID, "download").click()
        self.wait_until(lambda: target.exists() and target.stat().st_size, "nothing was saved")
        self.assertEqual(json.loads(target.read_text()), json.loads(self.script("return document.getElementById('record').textContent")))
        target.unlink()

    def test_accessibility(self):
        if AXE is None:
            self.skipTest("axe-core is not there: pip install -r tests/browser/requirements.txt")
        for name in self.PAGES:
            for dark in (False, True):
                with self.subTest(page=name, dark=dark):
                    self.open(name, dark=dark)
                    # Everything unfolded, so that everything is checked; the fleet's thousands of rows say nothing new.
                    if name != "fleet.html":
                        self.script("document.querySelectorAll('details').forEach(d => { d.open = true; })")
                    self.script(AXE)
                    result = self.driver.execute_async_script("const done = arguments[arguments.length - 1]; axe.run(document, {resultTypes: ['violations']}).then(done, e => done({violations: [{id: String(e), nodes: []}]}))")
                    self.assertEqual([(v["id"], [n["html"][:160] for n in v["nodes"][:3]]) for v in result["violations"]], [])
                    self.assertGreater(len(result.get("passes", [])), 5)

    def test_a_table_has_no_empty_column_and_its_remarks_do_not_blow_up_rows(self):
        for name in ("sick.html", "healthy.html"):
            with self.subTest(page=name):
                self.open(name)
                empty = self.script("""
                    return [...document.querySelectorAll('#series table')].flatMap(table => {
                      const rows = [...table.tBodies[0].rows].filter(row => !row.classList.contains('remark'));
                      return [...table.tHead.rows[0].cells].filter((head, i) => rows.every(row => !row.cells[i].textContent.trim()))
                        .map(head => table.caption.textContent + ': ' + head.textContent);
                    });""")
                self.assertEqual(empty, [])
                heights = self.script("""
                    return [...document.querySelectorAll('#series details.sweep[open] figure > .scroll tbody tr:not(.remark)')].map(row => row.getBoundingClientRect().height);""")
                self.assertGreater(len(heights), 3)
                self.assertLess(max(heights), 2 * min(heights), "all rows have one line")

    def test_colours_that_tell_something_differ_for_who_does_not_see_green(self):
        """Deuteranopia after Machado, Oliveira and Fernandes (2009), severity 1, in linear RGB; distances are CIE 1976 Lab. A mark or a word
        stands beside each colour all the same."""
        matrix = ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.011820, 0.042940, 0.968881))

        def linear(colour):
            parts = [int(colour[i:i + 2], 16) / 255 for i in (1, 3, 5)]
            return [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]

        def seen(colour):
            rgb = linear(colour)
            return [min(1, max(0, sum(a * b for a, b in zip(row, rgb)))) for row in matrix]

        def lab(rgb):
            xyz = [sum(a * b for a, b in zip(row, rgb)) / white for row, white in zip(
                ((0.4124, 0.3576, 0.1805), (0.2126, 0.7152, 0.0722), (0.0193, 0.1192, 0.9505)), (0.95047, 1, 1.08883))]
            x, y, z = (t ** (1 / 3) if t > 0.008856 else 7.787 * t + 16 / 116 for t in xyz)
            return 116 * y - 16, 500 * (x - y), 200 * (y - z)

        for dark in (False, True):
            self.open("sick.html", dark=dark)
            names = ["good", "bad", "warn", "c0", "c1", "muted"]
            values = self.script("const s = getComputedStyle(document.documentElement); return arguments[0].map(n => s.getPropertyValue('--' + n).trim())", names)
            colours = dict(zip(names, values))
            for first, second in itertools.combinations(names, 2):
                apart = math.dist(lab(seen(colours[first])), lab(seen(colours[second])))
                self.assertGreater(apart, 14, f"{first} and {second}, {'dark' if dark else 'light'}")
            shades = self.script("const s = getComputedStyle(document.documentElement); return [0, 1, 2, 3, 4, 5].map(n => s.getPropertyValue('--s' + n).trim())")
            lightness = [lab(seen(shade))[0] for shade in shades]
            self.assertEqual(lightness, sorted(lightness, reverse=not dark), "shades of a grid are in order")
            self.assertGreater(min(abs(a - b) for a, b in zip(lightness, lightness[1:])), 6)

    def test_nothing_sticks_out_on_a_phone(self):
        for name in self.PAGES:
            with self.subTest(page=name):
                self.open(name, width=390, height=844)
                self.assertLessEqual(self.script("return document.documentElement.scrollWidth"), 390)

    def test_the_faults_are_on_the_first_screen(self):
        self.open("sick.html")
        for text in ("reseat or replace the cable on rail 2", "rank 11 (gpu-b)"):
            bottom = self.script("""return Math.min(...[...document.querySelectorAll('.remedy')].filter(e => e.textContent.includes(arguments[0]))
              .map(e => e.getBoundingClientRect().bottom))""", text)
            self.assertLess(bottom, 900)

    def test_screenshots(self):
        for name in self.PAGES:
            for mode in ("light", "dark", "phone", "print"):
                self.open(name, dark=mode == "dark", printed=mode == "print", width=390 if mode == "phone" else 1200)
                height = self.script("return Math.min(document.documentElement.scrollHeight, 12000)")
                self.emulate(dark=mode == "dark", printed=mode == "print", width=390 if mode == "phone" else 1200, height=height)
                time.sleep(0.2)
                path = SHOTS / f"{name.removesuffix('.html')}-{mode}.png"
                self.assertTrue(self.driver.save_screenshot(str(path)))
                self.assertGreater(path.stat().st_size, 10_000)
        # The start of the page as the README shows it.
        self.open("sick.html", height=1180)
        self.driver.save_screenshot(str(SHOTS / "readme.png"))

    def test_junit_is_xml(self):
        for path in PAGES.glob("*.xml"):
            root = xml.etree.ElementTree.parse(path).getroot()
            self.assertEqual(root.tag, "testsuites")
            self.assertEqual(int(root.get("tests")), len(root.findall(".//testcase")))
            self.assertEqual(int(root.get("failures")), len(root.findall(".//failure")))
            self.assertEqual(int(root.get("errors")), len(root.findall(".//error")))


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1] + sys.argv[3:], verbosity=2)
