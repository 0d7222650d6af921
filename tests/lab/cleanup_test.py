"""However a lab's driver ends, nothing of the lab stays: no QEMU, no directory."""
import glob, os, signal, subprocess, sys, time, unittest

from lab import HERE


class Cleanup(unittest.TestCase):
    def ended_by(self, number):
        driver = subprocess.Popen([sys.executable, "-B", os.path.join(HERE, "up"), "--bench", "/bin/true", "true"], stderr=subprocess.PIPE,
                                  stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL, text=True, start_new_session=True)
        try:
            directory = driver.stderr.readline().split()[-1]
            self.assertTrue(os.path.isdir(directory), directory)
            until = time.monotonic() + 120
            while len(pids := self.machines(directory)) < 3:
                self.assertLess(time.monotonic(), until)
                time.sleep(0.05)
            driver.send_signal(number)
            driver.wait(timeout=120)
        finally:
            driver.kill()
            driver.communicate()
        until = time.monotonic() + 120
        while os.path.exists(directory) or any(os.path.exists(f"/proc/{pid}") for pid in pids):
            self.assertLess(time.monotonic(), until, f"{directory} and {pids}: something stays")
            time.sleep(0.05)
        return driver.returncode

    def machines(self, directory):
        pids = []
        for path in glob.glob(os.path.join(directory, "*.pid")):
            with open(path) as f:
                pids += f.read().split()
        return pids

    def test_killed(self):
        self.assertEqual(self.ended_by(signal.SIGKILL), -signal.SIGKILL)

    def test_interrupted(self):
        self.assertEqual(self.ended_by(signal.SIGINT), 130)

    def test_terminated(self):
        self.assertEqual(self.ended_by(signal.SIGTERM), 130)
