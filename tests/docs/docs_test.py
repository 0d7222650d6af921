"""What the pages say can be followed: links lead somewhere, and every command line is one that the program knows."""
import glob, os, re, shlex, subprocess, sys, unittest

SOURCE, BENCH = os.environ["MLC_SOURCE"], os.environ["MLC_BENCH"]
PAGES = sorted(glob.glob(f"{SOURCE}/*.md") + glob.glob(f"{SOURCE}/docs/*.md"))


def text_of(page):
    with open(page) as f:
        return f.read()


def anchor(heading):
    return re.sub(r"[^\w\- ]", "", heading.replace("`", "").lower()).replace(" ", "-")


def help_of(*words):
    return subprocess.run([BENCH, *words, "--help-all"], capture_output=True, text=True, timeout=60).stdout


class Docs(unittest.TestCase):
    def test_links_lead_somewhere(self):
        for page in PAGES:
            for target in re.findall(r"\]\(([^)\s]+)\)", re.sub(r"```.*?```", "", text_of(page), flags=re.S)):
                if "://" in target:
                    continue
                file, _, part = target.partition("#")
                there = os.path.join(os.path.dirname(page), file) if file else page
                with self.subTest(page=os.path.relpath(page, SOURCE), link=target):
                    self.assertTrue(os.path.exists(there))
                    if part:
                        headings = [anchor(one) for one in re.findall(r"^#+ (.*)$", text_of(there), re.M)]
                        self.assertIn(part, headings)

    def test_commands_and_their_options_exist(self):
        commands = set(re.findall(r"^  ([a-z]+)  ", help_of(), re.M)) | {"help"}
        self.assertGreater(len(commands), 15)
        known, seen = {}, 0
        for page in PAGES:
            if page.endswith("CHANGELOG.md"):
                continue
            text = text_of(page)
            lines = [line for block in re.findall(r"```\w*\n(.*?)```", text, re.S) for line in block.split("\n")]
            lines += re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", text, flags=re.S))
            for line in lines:
                # Of a command line: what mlc-bench is given, up to a pipe, a comment or another command.
                match = re.match(r"(?:\$ |.*?(?:^|[\s/|]))?mlc-bench ([a-z]+)\b(.*)", line)
                if not match or line.startswith(("docker", "    ", "apt", "scontrol", "#", "MLC_BENCH=")) or "kubectl -n" in line or line.startswith("kubectl"):
                    continue
                command, rest = match.groups()
                rest = re.split(r"\s#|\||;|&&| > |>>", rest)[0]
                with self.subTest(page=os.path.relpath(page, SOURCE), line=line):
                    self.assertIn(command, commands)
                    sub = next((word for word in rest.split()[:1] if re.fullmatch(r"[a-z]+", word) and command in ("policy", "history", "manifest")), None)
                    key = (command, sub) if sub else (command,)
                    if key not in known:
                        known[key] = help_of(*key) + help_of(command)
                    for option in re.findall(r"(?<!\S)(--[a-z][a-z-]*)", rest):
                        seen += 1
                        self.assertRegex(known[key], rf"{option}\b(?!-)")
        self.assertGreater(seen, 60)

    def test_the_page_of_the_operator_is_what_the_program_says(self):
        done = subprocess.run([sys.executable, f"{SOURCE}/tests/docs/walk.py"], capture_output=True, text=True, timeout=200)
        self.assertEqual(done.returncode, 0, done.stdout[-4000:] + done.stderr[-2000:])

    def test_the_page_of_messages_is_what_the_source_says(self):
        done = subprocess.run([sys.executable, f"{SOURCE}/tests/docs/messages.py"], capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 0, "tests/docs/messages.py --write makes it anew" + done.stderr)
        page = open(f"{SOURCE}/docs/messages.md", encoding="utf-8").read()
        for said in ("swap -b and -e", "reboot first", "power-cycle (AC)"):
            self.assertIn(said, page)

    def test_the_readme_is_read_in_five_minutes(self):
        """Of 238 words a minute, but for its tables of what was run."""
        text = text_of(f"{SOURCE}/README.md").split("## What has been run")[0]
        self.assertLess(len(text.split()), 5 * 238)


if __name__ == "__main__":
    unittest.main()
