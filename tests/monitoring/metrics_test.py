"""What we write for Prometheus, read by Debian's own promtool, node_exporter and Prometheus: every face of every report, the rules in
k8s/monitoring, and every query of the dashboard over a month of reports."""
import contextlib, glob, re, shutil, socket, urllib.error, urllib.parse, urllib.request

from program import *

BUILD = os.environ["MLC_BUILD"]
TOOLS = os.path.join(SOURCE, ".monitoring")
MONITORING = os.path.join(SOURCE, "k8s/monitoring")
NODES = ("gpu-a", "gpu-b", "gpu-c")
KINDS = {"mlc-bench-burnin.prom": "sick.json", "mlc-bench-health.prom": "healthy.json"}


def tool(name):
    found = shutil.which(name, path=TOOLS + os.pathsep + os.environ.get("PATH", ""))
    if not found:
        raise unittest.SkipTest(f"no {name} here")
    return found


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def get(url):
    with urllib.request.urlopen(url, timeout=20) as answer:
        return answer.read().decode()


def samples(text):
    """(name, labels, value) of each line."""
    for line in text.splitlines():
        if line and not line.startswith("#"):
            name, labels, value = re.fullmatch(r"([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)", line).groups()
            yield name, labels or "", float(value)


class Monitoring(Case):
    def text_of(self, name):
        with open(self.path(name)) as file:
            return file.read()

    def reports(self):
        """One report of every kind that there is: those of the tests of the pages, and what commands make here."""
        done = subprocess.run([os.path.join(BUILD, "tests/reports/mlc_make_pages"), self.path("reports")], capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        for name, words in {"allreduce": ("allreduce", "--backend", "loopback", "--sizes", "4K,64K", "-n", "5", "-d", "float,bfloat16", "--launches", "1"),
                            "rooted": ("broadcast", "--backend", "loopback", "--sizes", "4K", "-n", "5", "--ranks", "2", "--root", "1", "--launches", "1"),
                            "validate": ("validate", "--policy", "h100-4x200g")}.items():
            made = run(*words, "--output", self.path(f"reports/{name}.json"), "-q")
            self.assertIn(made.code, (0, 1, 2), made)
        with open(self.path("reports/sick.json")) as file:
            record = json.load(file)
        for rail in record["figures"]["rails"]:  # all that `rdma` says of one
            rail |= {"phase": "solo", "both_directions": False, "netdev": "ens1", "peer_device": "mlx5_0", "peer_rail": rail["rail"], "mean_gbit_s": 190,
                     "target_gbit_s": 200, "ceiling_gbit_s": 196, "over_siblings": .9, "wrong": 0, "memory": "host", "attempts": 1, "why": "",
                     "counters": [{"end": "receiver", "name": "hw_counters/out_of_sequence", "by": 7}]}
        with open(self.path("reports/rails.json"), "w") as file:
            json.dump(record, file)
        emulated = [os.path.join(BUILD, "tests/gpu/emulation/mlc-bench-emulated")]
        made = run("gpu", "hbm", "gemm", "launch", "atomics", "--policy", "h100-4x200g", "--output",
                   self.path("reports/gpu.json"), "-q", env=clean_environment(MLC_EMULATED_GPUS="2", GCOV_ERROR_FILE="/dev/null"), program=emulated)
        self.assertIn(made.code, (0, 1, 2), made)
        found = sorted(glob.glob(self.path("reports/*.json")))
        self.assertGreater(len(found), 8)
        return found

    def prometheus_face(self, report):
        # The hostile one's policy is none.
        shown = run("report", report, "--format", "prometheus", *(("--policy", "local") if report.endswith("hostile.json") else ()))
        self.assertIn(shown.code, (0, 1, 2), shown)
        return shown.out

    @contextlib.contextmanager
    def serving(self, words, url):
        """The program, once it answers."""
        with open(self.path("log"), "w+") as log:
            process = subprocess.Popen(words, stdout=log, stderr=log)
            try:
                for _ in range(600):
                    self.assertIsNone(process.poll(), self.text_of("log"))
                    with contextlib.suppress(OSError, urllib.error.URLError):
                        get(url)
                        break
                    time.sleep(.1)
                else:
                    self.fail(self.text_of("log"))
                yield
            finally:
                process.kill()
                process.wait()

    def ask(self, base, query, at=None):
        words = {"query": query} | ({"time": at} if at else {})
        answer = json.loads(get(f"{base}/api/v1/query?{urllib.parse.urlencode(words)}"))
        self.assertEqual(answer["status"], "success", query)
        return answer["data"]["result"]

    def test_promtool_finds_nothing_wrong_in_any_report(self):
        promtool = tool("promtool")
        for report in self.reports():
            with self.subTest(os.path.basename(report)):
                text = self.prometheus_face(report)
                done = subprocess.run([promtool, "check", "metrics"], input=text, capture_output=True, text=True)
                self.assertEqual((done.returncode, done.stdout + done.stderr), (0, ""))
                names = [(name, labels) for name, labels, _ in samples(text)]
                self.assertEqual(len(names), len(set(names)))

    def test_a_node_has_few_samples_and_none_that_grow_with_time(self):
        """docs/metrics.md says how many: 1,000 nodes have to fit one server."""
        for report in self.reports():
            if os.path.basename(report) not in ("fleet.json", "hostile.json"):  # a report of 512 nodes is no node's
                self.assertLess(len(list(samples(self.prometheus_face(report)))), 1000, report)
        first, second = self.prometheus_face(self.path("reports/sick.json")), self.path("again.json")
        with open(self.path("reports/sick.json")) as file:
            record = json.load(file)
        record["run"]["id"], record["run"]["started"] = "another", "2027-01-01T00:00:00Z"
        with open(second, "w") as file:
            json.dump(record, file)
        names = lambda text: [(name, labels) for name, labels, _ in samples(text)]
        self.assertEqual(names(first), names(self.prometheus_face(second)), "a new run makes no new series")

    def test_a_node_s_files_go_through_node_exporter_into_prometheus(self):
        exporter, prometheus = tool("prometheus-node-exporter"), tool("prometheus")
        self.reports()
        os.mkdir(self.path("textfile"))
        expected = {}
        for file, report in KINDS.items():
            # The same samples in both files but for what tells the kinds of run apart.
            with open(self.path(f"reports/{report}")) as f:
                record = json.load(f)
            record["run"]["plan"] = file.split("-")[2].split(".")[0]
            with open(self.path("reports/plan.json"), "w") as f:
                json.dump(record, f)
            text = self.prometheus_face(self.path("reports/plan.json"))
            expected |= {(name, labels): value for name, labels, value in samples(text)}
            with open(self.path(f"textfile/{file}"), "w") as f:
                f.write(text)
        with open(self.path("textfile/allreduce.prom"), "w") as f:
            f.write(self.prometheus_face(self.path("reports/allreduce.json")))
        port, own = free_port(), free_port()
        base = f"http://127.0.0.1:{own}"
        with open(self.path("prometheus.yml"), "w") as f:
            f.write("global: {scrape_interval: 1s}\nscrape_configs:\n  - job_name: node\n    static_configs: [{targets: ['127.0.0.1:%d']}]\n"
                    "    relabel_configs: [{target_label: instance, replacement: gpu-a}]\n" % port)
        with self.serving([exporter, "--collector.disable-defaults", "--collector.textfile", f"--collector.textfile.directory={self.path('textfile')}",
                           f"--web.listen-address=127.0.0.1:{port}"], f"http://127.0.0.1:{port}/metrics"):
            text = get(f"http://127.0.0.1:{port}/metrics")
            self.assertIn("node_textfile_scrape_error 0", text)
            with self.serving([prometheus, f"--config.file={self.path('prometheus.yml')}", f"--storage.tsdb.path={self.path('data')}",
                               f"--web.listen-address=127.0.0.1:{own}"], f"{base}/-/ready"):
                for _ in range(100):
                    if self.ask(base, 'mlc_bench_verdict{run="health"}'):
                        break
                    time.sleep(.2)
                for (name, labels), value in expected.items():
                    found = self.ask(base, f"{name}{{{labels}}}")
                    self.assertEqual([float(one["value"][1]) for one in found if one["metric"]["instance"] == "gpu-a"], [value], f"{name}{{{labels}}}")

    def test_every_alert_is_raised_by_what_it_is_for_and_by_nothing_else(self):
        promtool = tool("promtool")
        rules = os.path.join(MONITORING, "rules.yaml")
        with open(os.path.join(SOURCE, "tests/monitoring/rules_test.yaml")) as f, open(self.path("t.yaml"), "w") as out:
            text = f.read()
            out.write(text.replace("RULES", rules))
        for words in (["check", "rules", rules], ["test", "rules", self.path("t.yaml")]):
            done = subprocess.run([promtool, *words], capture_output=True, text=True)
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        with open(rules) as f:
            self.assertEqual(set(re.findall(r"alert: (\w+)", f.read())), set(re.findall(r"alertname: (\w+)", text)), "each has its case")

    def month(self, end):
        """A month of reports of three nodes as OpenMetrics: four looks a day, and all of the last ten minutes."""
        faces = [self.prometheus_face(self.path(f"reports/{name}")) for name in ("rails.json", "healthy.json", "campaign.json", "gpu.json")]
        times = [end - day * 86400 // 4 for day in range(120, 0, -1)] + list(range(end - 600, end, 60))
        families = {}
        for node in NODES:
            for text in faces:
                for name, labels, value in samples(text):
                    families.setdefault(name, []).append((f'{{{labels},instance="{node}"}}', value))
        with open(self.path("month.txt"), "w") as f:
            for name, all_of_it in families.items():
                f.write(f"# TYPE {name} gauge\n")
                for labels, value in dict(all_of_it).items():
                    for n, moment in enumerate(times):
                        moved = moment if name.endswith("timestamp_seconds") else value * (1 + .01 * (n % 7 - 3) / 3) if value not in (0, 1) else value
                        f.write(f"{name}{labels} {moved:.17g} {moment}\n")
            f.write("# EOF\n")

    def test_every_query_of_the_dashboard_has_an_answer_over_a_month_of_reports(self):
        promtool, prometheus = tool("promtool"), tool("prometheus")
        self.reports()
        end = int(time.time())
        self.month(end)
        done = subprocess.run([promtool, "tsdb", "create-blocks-from", "openmetrics", self.path("month.txt"), self.path("data")], capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        with open(os.path.join(MONITORING, "rules.yaml")) as f, open(self.path("rules.yaml"), "w") as out:
            out.write(f.read().replace("interval: 1m", "interval: 1s"))
        with open(self.path("prometheus.yml"), "w") as f:
            f.write(f"rule_files: ['{self.path('rules.yaml')}']\n")
        port = free_port()
        base = f"http://127.0.0.1:{port}"
        with open(os.path.join(MONITORING, "dashboard.json")) as f:
            board = json.load(f)
        known = {"$run": ".*", "$node": NODES[0], "$rail": "2"}
        with self.serving([prometheus, f"--config.file={self.path('prometheus.yml')}", f"--storage.tsdb.path={self.path('data')}", "--storage.tsdb.retention.time=90d",
                           f"--web.listen-address=127.0.0.1:{port}"], f"{base}/-/ready"):
            for _ in range(100):
                if self.ask(base, "mlc_bench:verdict_fail:ratio"):
                    break
                time.sleep(.2)
            queries = [(panel["title"], target["expr"]) for panel in board["panels"] for target in panel.get("targets", [])]
            self.assertGreater(len(queries), 15)
            for title, query in queries:
                for name, value in known.items():
                    query = query.replace(name, value)
                self.assertNotIn("$", query)
                found = self.ask(base, query)
                self.assertGreater(len(found), 0, f"{title}: {query}")
                if "mlc_bench:" not in query and not title.startswith("Why"):
                    words = urllib.parse.urlencode({"query": query, "start": end - 20 * 86400, "end": end, "step": 86400 // 4})
                    month = json.loads(get(f"{base}/api/v1/query_range?{words}"))["data"]["result"]
                    self.assertGreater(max(len(one["values"]) for one in month), 60, title)
                print(f"dashboard: {title}: {len(found)} series")
            for variable in board["templating"]["list"]:
                if match := re.fullmatch(r"label_values\((.*), (\w+)\)", variable.get("definition", "")):
                    query, label = match.groups()
                    self.assertTrue(all(label in one["metric"] for one in self.ask(base, query.replace("$node", NODES[0]))), variable["name"])
            metrics = set(json.loads(get(f"{base}/api/v1/label/__name__/values"))["data"])
            used = set(re.findall(r"mlc_bench_\w+", json.dumps([q for _, q in queries])))
            self.assertLessEqual(used, metrics)

    def test_every_metric_is_in_the_documentation(self):
        with open(os.path.join(SOURCE, "docs/metrics.md")) as f:
            documented = set(re.findall(r"`(mlc_bench_\w+)`", f.read()))
        with open(os.path.join(SOURCE, "reports/faces/prometheus.cpp")) as f:
            written = set(re.findall(r'"(mlc_bench_\w+)"', f.read())) - {"mlc_bench_gpu_"}
        for report in self.reports():
            written |= {name for name, _, _ in samples(self.prometheus_face(report))}
        self.assertLessEqual(written, documented)
        self.assertLessEqual({name for name in documented if not name.startswith("mlc_bench_gpu_")}, written)


if __name__ == "__main__":
    unittest.main()
