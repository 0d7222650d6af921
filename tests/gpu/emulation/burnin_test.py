"""`mlc-bench gpu` from end to end on emulated GPUs: every kernel, every driver, every way that a GPU breaks."""
from program import *

PROGRAM = [os.environ.get("MLC_EMULATED_PROGRAM") or os.path.join(os.environ["MLC_BUILD"], "tests/gpu/emulation/mlc-bench-emulated")]
POLICY = os.path.join(os.path.dirname(os.path.abspath(__file__)), "policy.yaml")
WITHOUT_LAUNCH = ["hbm", "memory", "gemm", "sm", "pcie", "nvlink", "atomics"]


def gpu(*arguments, timeout=100, **emulated):
    env = clean_environment(**{"MLC_EMULATED_" + key.upper(): str(value) for key, value in emulated.items()})
    policy = [] if "--policy" in arguments else ["--policy", POLICY]
    return run("gpu", *arguments, *policy, env=env, program=PROGRAM, timeout=timeout)


class Burnin(Case):
    def findings(self, *arguments, code, **emulated):
        path = self.path("report.json")
        done = gpu(*arguments, "--output", path, **emulated)
        self.assertEqual(done.code, code, done)
        self.assertNotIn("emulation:", done.err, done)
        return report(path)

    def test_healthy_gpus_pass_the_quick_form(self):
        # How long a launch takes is a matter of the machine that emulates: with one GPU nothing is held against it.
        alone = {result["test"] for result in self.findings("--quick", code=0, gpus=1)["figures"]["gpu_results"]}
        self.assertLessEqual({"hbm", "memory", "gemm", "pcie", "launch", "atomics"}, alone)
        loaded = self.findings(*WITHOUT_LAUNCH, code=0)
        checks = {finding["check"] for finding in loaded["findings"]}
        for check in ("burnin.memory", "burnin.sm", "burnin.gemm-bf16-repeats", "burnin.gemm-fp8-repeats", "burnin.pcie-data",
                      "burnin.nvlink-copy-engine"):
            self.assertTrue(any(one.startswith(check) for one in checks), (check, checks))
        self.assertEqual({finding["status"] for finding in loaded["findings"]}, {"pass"})

    def test_healthy_gpus_pass_every_test_of_the_full_form_in_another_order(self):
        self.assertIn("burnin.pulse", {one["check"] for one in self.findings("--full", code=0, gpus=1, seed=0)["findings"]})
        self.findings(*WITHOUT_LAUNCH, "--full", "pulse", code=0, gpus=3, sms=5, seed=2)

    def test_one_gpu_has_no_peer(self):
        loaded = self.findings("nvlink", "launch", code=0, gpus=1)
        self.assertIn("one GPU has no peer", json.dumps(loaded["findings"]))

    def test_any_planted_bit_is_named_as_that_bit(self):
        for bit in (0, 3, 17, 39, 63):
            with self.subTest(bit=bit):
                findings = self.findings("memory", "--inject", f"memory:gpu=0,word=1000,bit={bit}", code=1, gpus=1)["findings"]
                said = next(one["observed"] for one in findings if one["check"] == "burnin.memory" and one["status"] == "fail")
                self.assertIn(f"; bit {bit}, read as ", said)
                self.assertIn("read again, the same: the memory cell", said)

    def test_a_planted_bit_is_found_at_gpu_word_and_bit(self):
        text = json.dumps(self.findings("memory", "--inject", "memory:gpu=1,word=300001,bit=42", code=1)["findings"])
        self.assertIn("GPU 1", text)
        self.assertIn("300001", text)
        self.assertIn("42", text)

    def test_a_stuck_bit_of_the_memory_is_found(self):
        loaded = self.findings("memory", code=1, fault="stuck:gpu=0,byte=80003,bit=5")
        bad = [finding for finding in loaded["findings"] if finding["status"] == "fail"]
        self.assertEqual({finding["check"] for finding in bad}, {"burnin.memory"})
        self.assertIn("GPU 0", bad[0]["subject"])
        self.assertIn("word 10000)", bad[0]["observed"])  # of 8 bytes: byte 3 of it
        self.assertIn("bit 29", bad[0]["observed"])

    def test_a_multiprocessor_that_computes_wrongly_is_named(self):
        for arguments, fault in ((["sm"], {"fault": "sm:gpu=1,sm=2"}), (["sm", "--inject", "sm:gpu=1,sm=2"], {})):
            with self.subTest(arguments=arguments):
                bad = [one for one in self.findings(*arguments, code=1, **fault)["findings"] if one["status"] == "fail"]
                self.assertTrue(all("GPU 1" in one["subject"] for one in bad), bad)
                self.assertIn("SM 2", json.dumps(bad))

    def test_a_product_that_differs_is_found(self):
        bad = [one for one in self.findings("gemm", code=1, fault="gemm:gpu=0,every=3")["findings"] if one["status"] == "fail"]
        self.assertTrue(all("repeats" in one["check"] and "GPU 0" in one["subject"] for one in bad), bad)

    def test_two_gpus_that_disagree_are_both_named(self):
        for seed in ("1", "2", "3", "4"):
            bad = [one for one in self.findings("gemm", "--seed", seed, code=1, fault="gemm:gpu=0,every=1")["findings"] if one["status"] == "fail"]
            self.assertEqual({one["subject"][:5] for one in bad if "bf16" in one["check"]}, {"GPU 0", "GPU 1"}, bad)
            self.assertIn("which of them are wrong cannot be told", bad[0]["observed"])
        bad = [one for one in self.findings("gemm", code=1, gpus=3, fault="gemm:gpu=0,every=1")["findings"] if one["status"] == "fail"]
        self.assertEqual({one["subject"][:5] for one in bad}, {"GPU 0"}, bad)

    def test_a_lost_gpu_beside_one_that_lacks_the_product_ends_the_soak(self):
        loaded = self.findings("gemm", code=1, fault="old:gpu=0;old:gpu=1;lost:gpu=0,after=60")
        self.assertIn("fell off the bus", json.dumps(loaded["findings"]))

    def test_a_wrong_gpu_does_not_win_by_living_longer(self):
        loaded = self.findings("gemm", "--full", code=1, gpus=3, fault="gemm:gpu=0,every=1;lost:gpu=1,after=40;lost:gpu=2,after=40")
        wrong = {one["subject"][:5] for one in loaded["findings"] if one["check"] == "burnin.gemm-bf16-repeats" and one["status"] == "fail"}
        self.assertEqual(wrong, {"GPU 0"}, loaded["findings"])

    def test_of_two_that_copy_the_one_that_is_gone_is_named(self):
        for fault in ("ecc:gpu=1,after=2", "lost:gpu=1,after=1", "lost:gpu=0,after=3"):
            for gpus in (2, 3):
                with self.subTest(fault=fault, gpus=gpus):
                    loaded = self.findings("nvlink", code=1, gpus=gpus, fault=fault)
                    named = {one["subject"][:5] for one in loaded["findings"] if one["check"] == "burnin.device"}
                    self.assertEqual(named, {"GPU " + fault[fault.index("gpu=") + 4]}, loaded["findings"])

    def test_a_gpu_that_hangs_in_any_test_is_named(self):
        for test in ("hbm", "gemm", "sm", "pcie", "launch", "atomics"):
            with self.subTest(test=test):
                path = self.path(f"{test}.json")
                done = gpu(test, "-T", "1s", "--output", path, fault="hang:gpu=0,after=8", gpus=1)
                self.assertEqual(done.code, 1, done)
                self.assertIn("hung", json.dumps(report(path)["findings"]))

    def test_a_driver_that_does_not_return_hides_nothing_of_other_gpus_and_is_named_by_its_own(self):
        path = self.path("report.json")
        for fault, of_0 in (("lost:gpu=0,after=3;", "fell off the bus"), ("ecc:gpu=0,after=3;", "uncorrectable ECC error"), ("", "")):
            with self.subTest(fault=fault):
                done = gpu("memory", "-T", "3s", "--output", path, fault=fault + "blocks:gpu=1,after=30", gpus=3)
                self.assertEqual(done.code, 1, done)
                told = {one["subject"][:5]: one["observed"] for one in report(path)["findings"] if one["check"] == "burnin.device"}
                self.assertEqual(set(told), {"GPU 0", "GPU 1"} if of_0 else {"GPU 1"}, done)
                self.assertIn("a call into its driver does not return", told["GPU 1"])
                self.assertIn(of_0, told.get("GPU 0", ""))
        # Wrong words of earlier rounds stand as well.
        done = gpu("memory", "-T", "3s", "--output", path, fault="stuck:gpu=0,byte=1000,bit=3;blocks:gpu=1,after=400", gpus=2)
        self.assertEqual(done.code, 1, done)
        self.assertIn("burnin.memory", {one["check"] for one in report(path)["findings"] if one["status"] == "fail"}, done)

    def test_of_two_that_copy_the_one_that_hangs_is_named_within_its_deadline(self):
        path = self.path("report.json")
        done = gpu("nvlink", "--full", "-T", "12s", "--output", path, fault="hang:gpu=1,after=5", gpus=2)
        self.assertEqual(done.code, 1, done)
        self.assertEqual({one["subject"][:5]: one["status"] for one in report(path)["findings"] if one["check"] == "burnin.device"},
                         {"GPU 0": "unknown", "GPU 1": "fail"})
        self.assertLess(done.seconds, 40, done)
        # The other one's copies are stuck: it is not blamed, and not tested further either.
        for gpus, tests in ((2, ["nvlink", "atomics"]), (3, ["nvlink"])):
            done = gpu(*tests, "-T", "1s", "--output", path, fault="hang:gpu=1,after=5", gpus=gpus)
            self.assertEqual(done.code, 1, done)
            failed = {one["subject"][:5] for one in report(path)["findings"] if one["check"] == "burnin.device" and one["status"] == "fail"}
            self.assertEqual(failed, {"GPU 1"}, done)
        done = gpu("atomics", "-T", "1s", "--output", "/dev/full", fault="hang:gpu=0,after=5", gpus=1)
        self.assertEqual(done.code, 1, done)
        self.assertIn("/dev/full", done.err)
        self.assertNotIn("emulation:", done.err)

    def test_of_two_that_copy_the_one_whose_kernels_hang_is_named(self):
        """Its copy engines go on, and with them what the other one sends it."""
        path = self.path("report.json")
        for gpus, bad, after in ((2, 1, 3), (2, 0, 4), (2, 1, 6), (2, 1, 8), (3, 0, 6), (3, 1, 6)):
            with self.subTest(gpus=gpus, bad=bad, after=after):
                done = gpu("nvlink", "--full", "-T", "1s", "--output", path, fault=f"sms-hang:gpu={bad},after={after}", gpus=gpus)
                self.assertEqual(done.code, 1, done)
                failed = {one["subject"][:5] for one in report(path)["findings"] if one["check"] == "burnin.device" and one["status"] == "fail"}
                self.assertEqual(failed, {f"GPU {bad}"}, report(path)["findings"])

    def test_of_two_that_both_fail_one_is_named_at_least(self):
        """The other one may have waited for it before it came to its own fault."""
        path = self.path("report.json")
        for fault in [f"hang:gpu=0,after={n};hang:gpu=1,after={n}" for n in range(50, 56)] + ["hang:gpu=0,after=50;lost:gpu=1,after=50"] + [
                f"sms-hang:gpu=0,after={n};sms-hang:gpu=1,after={n}" for n in (45, 60, 70)]:
            with self.subTest(fault=fault):
                done = gpu("nvlink", "--full", "-T", "1s", "--output", path, fault=fault, gpus=2)
                self.assertEqual(done.code, 1, done)
                failed = {one["subject"][:5] for one in report(path)["findings"] if one["check"] == "burnin.device" and one["status"] == "fail"}
                self.assertTrue(failed, report(path)["findings"])

    def test_lost_beside_old_leaves_skipped_what_was(self):
        loaded = self.findings("gemm", code=1, gpus=3, fault="old:gpu=0;old:gpu=1;old:gpu=2;lost:gpu=1,after=20")
        fp8 = {one["subject"][:5]: one["status"] for one in loaded["findings"] if one["check"] == "burnin.gemm-fp8"}
        self.assertEqual({fp8.get("GPU 0"), fp8.get("GPU 2")}, {"skip"}, fp8)

    def test_a_gpu_that_fails_half_way_is_no_measure_for_the_others(self):
        for kind in ("lost", "ecc", "sms-hang"):
            for after in (40, 45):
                path = self.path("report.json")
                done = gpu("memory", "--full", "-T", "1s", "--output", path, fault=f"{kind}:gpu=1,after={after}", gpus=2)
                self.assertEqual(done.code, 1, done)
                rates = {one["subject"][:5]: one["status"] for one in report(path)["findings"] if one["check"] == "burnin.memory-rate"}
                self.assertNotIn("fail", rates.values(), rates)
                self.assertNotIn("GPU 1", rates)

    def test_a_lost_gpu_has_passed_no_memory_test(self):
        for form in ("--quick", "--full"):
            loaded = self.findings("hbm", "memory", form, code=1, gpus=2, fault="lost:gpu=1,after=150")
            of_lost = {one["check"]: one["status"] for one in loaded["findings"] if one["subject"].startswith("GPU 1") and "memory" in one["check"]}
            self.assertNotIn("pass", of_lost.values(), of_lost)

    def test_windows_are_looked_at_whenever_there_are_some(self):
        checks = {one["check"] for one in self.findings("hbm", code=0, gpus=1, memory=24)["findings"]}
        self.assertIn("burnin.hbm-windows", checks)

    def test_a_link_that_loses_bytes_is_found(self):
        bad = [one for one in self.findings("nvlink", code=1, fault="link:gpu=1")["findings"] if one["status"] == "fail"]
        self.assertEqual({one["check"] for one in bad}, {"burnin.nvlink-data"})
        bad = [one for one in self.findings("nvlink", code=1, gpus=3, fault="link:gpu=0;link:gpu=1")["findings"] if one["status"] == "fail"]
        self.assertEqual({one["subject"][:5] for one in bad}, {"GPU 0", "GPU 1"}, bad)
        for gpu in "012":
            bad = [one for one in self.findings("nvlink", code=1, gpus=3, fault=f"link:gpu={gpu}")["findings"] if one["status"] == "fail"]
            self.assertEqual({one["subject"][:5] for one in bad}, {f"GPU {gpu}"}, bad)

    def test_one_gpu_without_the_product_leaves_the_others_their_verdict(self):
        loaded = self.findings("gemm", code=0, gpus=3, fault="old:gpu=1")
        self.assertEqual({one["status"] for one in loaded["findings"] if one["check"] == "burnin.gemm-fp8"}, {"pass", "skip"})

    def test_a_gpu_that_falls_off_the_bus_is_named_and_the_others_go_on(self):
        for fault, words in (("lost:gpu=1,after=40", "fell off the bus"), ("ecc:gpu=1,after=40", "uncorrectable ECC error")):
            with self.subTest(fault=fault):
                loaded = self.findings("hbm", "memory", code=1, fault=fault, gpus=3)
                bad = [one for one in loaded["findings"] if one["check"] == "burnin.device"]
                self.assertEqual(len(bad), 1, bad)
                self.assertIn("GPU 1", bad[0]["subject"])
                self.assertIn(words, bad[0]["observed"])
                self.assertEqual(sum(one["check"] == "burnin.memory" and one["status"] == "pass" for one in loaded["findings"]), 2)

    def test_a_gpu_that_hangs_is_named_within_the_deadline(self):
        done = gpu("hbm", "-T", "2s", fault="hang:gpu=0,after=30")
        self.assertEqual(done.code, 1, done)
        self.assertIn("hung", done.out)
        self.assertLess(done.seconds, 40, done)

    def test_too_little_memory_is_no_verdict(self):
        done = gpu("hbm", memory=1)
        self.assertEqual(done.code, 2, done)
        self.assertIn("not enough free memory", done.out)

    def test_gpus_that_do_not_reach_each_other_are_said(self):
        done = gpu("nvlink", fault="no-peers:gpu=0")
        self.assertEqual(done.code, 0, done)
        self.assertIn("cannot reach", done.out)

    def test_a_gpu_without_peers_hides_no_fault_of_the_others(self):
        bad = [one for one in self.findings("nvlink", code=1, gpus=4, fault="link:gpu=1;no-peers:gpu=3")["findings"] if one["status"] == "fail"]
        self.assertTrue(any("GPU 1" in one["subject"] and one["check"] == "burnin.nvlink-data" for one in bad), bad)

    def test_a_gpu_that_goes_before_the_steps_of_power_has_not_passed_them(self):
        for after in (14, 30, 80):
            found = self.findings("pulse", "--full", code=1, gpus=2, fault=f"lost:gpu=1,after={after}")["findings"]
            self.assertEqual([one for one in found if one["check"] == "burnin.pulse" and "GPU 1" in one["subject"]], [], after)

    def test_what_was_found_stands_though_telemetry_cannot_be_written(self):
        path = self.path("found.json")
        done = gpu("memory", "--output", path, "--write-telemetry", "/nonexistent/t.json", fault="stuck:gpu=1,byte=80003,bit=5", gpus=2)
        self.assertEqual((done.code, report(path)["verdict"]["decision"]), (1, "fail"), done)
        self.assertIn("/nonexistent/t.json", done.err)
        self.assertEqual(gpu("memory", "--write-telemetry", "/nonexistent/t.json").code, 3)

    def test_what_was_found_is_told_though_the_report_cannot_be_written(self):
        done = gpu("memory", "--output", "/dev/full", fault="stuck:gpu=1,byte=80003,bit=5", gpus=2)
        self.assertEqual(done.code, 1, done)
        self.assertIn("bit 29", done.out)
        self.assertIn("/dev/full", done.err)
        self.assertEqual(gpu("memory", "--output", "/dev/full").code, 3)
        with open("/dev/full", "w") as full:
            shown = subprocess.run([*PROGRAM, "gpu", "memory", "--policy", POLICY, "--format", "json"], stdout=full, stderr=subprocess.PIPE, env=clean_environment())
        self.assertEqual(shown.returncode, 3, shown)

    def test_a_gpu_that_is_not_there_is_a_mistake_of_who_asks(self):
        self.assertEqual(gpu("memory", "--inject", "memory:gpu=9,word=5,bit=3").code, 64)

    def test_what_was_found_stands_though_nvml_hangs(self):
        path = self.path("hung.json")
        done = gpu("memory", "-T", "1s", "--output", path, fault="nvml-hangs:gpu=0;stuck:gpu=1,byte=80003,bit=5", gpus=2)
        self.assertEqual((done.code, report(path)["verdict"]["decision"]), (1, "fail"), done)
        self.assertIn("does not return", done.err)
        self.assertNotIn("transport", done.out + done.err)

    def test_what_was_found_stands_though_its_test_is_interrupted(self):
        path = self.path("interrupted.json")
        env = clean_environment(MLC_EMULATED_GPUS="3", MLC_EMULATED_FAULT="gemm:gpu=0,every=1")
        code, shown = through_terminal("gpu", "gemm", "--full", "--policy", POLICY, "--output", path, send=(b"fp8, ", b"\x03"), env=env, program=PROGRAM)
        self.assertEqual(code, 130, shown)
        loaded = report(path)
        self.assertEqual(loaded["verdict"]["decision"], "fail", shown)
        named = [one for one in loaded["findings"] if one["status"] == "fail"]
        self.assertEqual([one["check"] for one in named], ["burnin.gemm-bf16-repeats"])
        self.assertIn("GPU 0", named[0]["subject"])
        self.assertNotIn("fp8, ", shown.split("interrupted")[-1], "nothing is shown after the end")

    def test_a_wrong_word_is_told_though_its_gpu_fails_before_the_round_is_over(self):
        loaded = self.findings("memory", code=1, gpus=1, fault="stuck:gpu=0,byte=80003,bit=5;ecc:gpu=0,after=100")
        words = [one for one in loaded["findings"] if one["check"] == "burnin.memory"]
        self.assertEqual([one["status"] for one in words], ["fail"], loaded["findings"])
        self.assertIn("bit 29", words[0]["observed"])

    def test_a_gpu_is_named_as_nvidia_s_tools_write_its_address(self):
        self.assertEqual(gpu("launch", "--gpus", "00000000:C2:00.0", gpus=2).code, 0)
        self.assertEqual(gpu("launch", "--gpus", "00010000:C2:00.0", gpus=2).code, 64)

    def test_a_copy_that_is_not_its_source_is_found(self):
        # A stuck bit in the half that is written.
        loaded = self.findings("hbm", code=1, fault="stuck:gpu=0,byte=1100003,bit=5")
        bad = [one for one in loaded["findings"] if one["status"] == "fail"]
        self.assertEqual({one["check"] for one in bad}, {"burnin.hbm-copy"})
        self.assertIn("GPU 0", bad[0]["subject"])

    def test_without_products_the_steps_of_power_are_tiles(self):
        broken = self.path("broken")
        os.mkdir(broken)
        with open(os.path.join(broken, "libcublasLt.so.13"), "w") as file:
            file.write("no library")
        env = clean_environment(LD_LIBRARY_PATH=broken, MLC_EMULATED_GPUS="1")
        path = self.path("report.json")
        done = run("gpu", "gemm", "pulse", "--policy", POLICY, "--output", path, env=env, program=PROGRAM)
        self.assertEqual(done.code, 2, done)
        found = {one["check"]: one for one in report(path)["findings"]}
        self.assertEqual((found["burnin.gemm-bf16"]["status"], found["burnin.pulse"]["status"]), ("unknown", "pass"), found)
        self.assertIn("cuBLASLt cannot be loaded", found["burnin.gemm-bf16"]["observed"])

    def test_an_older_gpu_has_no_products_of_8_bits(self):
        loaded = self.findings("gemm", "sm", code=0, fault="old:gpu=0", gpus=1)
        found = {one["check"]: one for one in loaded["findings"]}
        self.assertEqual(found["burnin.gemm-fp8"]["status"], "skip")
        self.assertIn("compute capability 8.9", found["burnin.gemm-fp8"]["observed"])
        self.assertEqual(found["burnin.gemm-bf16-repeats"]["status"], "pass")
        engines = [one["subject"] for one in loaded["findings"] if one["check"] == "burnin.sm"]
        self.assertEqual(len(engines), 5, engines)
        self.assertNotIn("fp8", json.dumps(engines))
        # A policy that wants a figure of it gets no verdict without.
        policy = self.path("policy.yaml")
        with open(policy, "w", encoding="utf-8") as file:
            file.write("policy: fp8\nabout: a figure of fp8\ngpu:\n  gemm: {fp8_tflop_s_at_least: 0.001}\n")
        done = gpu("gemm", "--policy", policy, fault="old:gpu=0", gpus=1)
        self.assertEqual(done.code, 2, done)

    def test_no_driver_and_no_gpu_are_sentences(self):
        for emulated, words in (({"gpus": 0}, "no GPU is visible"), ({"fault": "no-driver:gpu=0"}, "no NVIDIA driver"),
                                ({"fault": "old-driver:gpu=0"}, "the driver is too old: it supports CUDA 11.8")):
            done = gpu("hbm", **emulated)
            self.assertIn(words, done.err + done.out, done)
            self.assertNotEqual(done.code, 0)
