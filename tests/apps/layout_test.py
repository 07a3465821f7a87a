"""Runs spread over ranks, as people start them: `layout_test.py LOGLOG MPIRUN [TestClass.test]`."""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time
import unittest

LOGLOG, MPIRUN = sys.argv[1:3]
SPEC = """
[data]
synthetic = { documents = 100, seed = 5 }
[model]
layers = 4
width = 32
heads = 4
kv_heads = 2
context = 32
qk_norm = true
dropout = 0.1
[train]
tokens = 20480
batch_tokens = 512
micro_batch = 2
eval_tokens = 1024
checkpoint_every = 5
[layout]
reduction = "tree"
"""
ENVIRONMENT = {
    **os.environ,
    "OMP_NUM_THREADS": "1",
    "OMPI_ALLOW_RUN_AS_ROOT": "1",
    "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
    "OMPI_MCA_rmaps_base_oversubscribe": "1",
}


class Layout(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="loglog-layout-")
        self.addCleanup(folder.cleanup)
        self.path = pathlib.Path(folder.name)
        self.file = self.path / "run.toml"
        self.file.write_text(SPEC)

    def run_program(self, *words, ranks=0, status=0):
        launch = [MPIRUN, "-n", str(ranks), "--bind-to", "none"] if ranks else []
        result = subprocess.run([*launch, LOGLOG, *map(str, words)], capture_output=True, text=True, timeout=120,
                                env=ENVIRONMENT)
        self.assertEqual(result.returncode, status, result.stderr)
        return result

    def train_command(self, registry, layout):
        dp, tp, pp = layout.split("x")
        return ["train", self.file, "--registry", self.path / registry, "--json", "--set", f"layout.dp={dp}", "--set",
                f"layout.tp={tp}", "--set", f"layout.pp={pp}"]

    def train(self, registry, layout="1x1x1", *words, status=0):
        ranks = eval(layout.replace("x", "*"))
        return self.run_program(*self.train_command(registry, layout), *words, ranks=ranks if ranks > 1 else 0,
                                status=status)

    def curve(self, registry):
        run = json.loads(self.run_program("runs", "list", "--registry", self.path / registry, "--json").stdout)[0]
        curves = json.loads(self.run_program("runs", "export", "--registry", self.path / registry, "--curves", "--out", "-",
                                             "--format", "json").stdout)
        train, evaluations = curves[0]["train"], curves[0]["eval"]
        return run["state"], train["step"], train["loss"], train["grad_norm"], evaluations["val_loss"]

    def test_the_same_run_under_any_layout_has_the_same_curve_and_id(self):
        alone = json.loads(self.train("alone").stdout)
        expected = self.curve("alone")
        self.assertEqual(expected[0], "ok")
        self.assertEqual(len(expected[1]), 40)
        for layout in ("2x1x1", "1x2x1", "1x1x2", "1x2x2"):
            with self.subTest(layout=layout):
                run = json.loads(self.train(layout, layout).stdout)
                self.assertEqual(run["id"], alone["id"])
                self.assertEqual(run["dp"] * 100 + run["tp"] * 10 + run["pp"], int(layout.replace("x", "")))
                self.assertEqual(self.curve(layout), expected)

    def test_a_run_stopped_under_one_layout_goes_on_under_others(self):
        self.train("alone")
        process = subprocess.Popen([MPIRUN, "-n", "4", "--bind-to", "none", LOGLOG,
                                    *map(str, self.train_command("moved", "2x2x1"))],
                                   env=ENVIRONMENT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                   start_new_session=True)
        self.until_step(12, process)
        self.kill_session(process)
        expected = self.curve("alone")
        for layout, words in (("1x1x4", []), ("4x1x1", ["--set", "layout.zero=1"]), ("1x1x1", [])):
            with self.subTest(layout=layout):
                shutil.copytree(self.path / "moved", self.path / layout)
                self.train(layout, layout, *words)
                self.assertEqual(self.curve(layout), expected)
                journal = next((self.path / layout).glob("runs/*/journal.jsonl")).read_text()
                self.assertIn('"event":"resumed","step":10,', journal)

    def test_with_fast_sums_a_moved_run_stays_within_the_tolerance(self):
        self.file.write_text(SPEC.replace('"tree"', '"fast"').replace("tokens = 20480", "tokens = 10240"))
        self.train("alone")
        process = subprocess.Popen([MPIRUN, "-n", "4", "--bind-to", "none", LOGLOG,
                                    *map(str, self.train_command("moved", "2x2x1"))],
                                   env=ENVIRONMENT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                   start_new_session=True)
        self.until_step(11, process)
        self.kill_session(process)
        _, steps, expected, _, _ = self.curve("alone")
        for layout, words in (("1x1x4", []), ("4x1x1", ["--set", "layout.zero=1"]), ("1x1x1", [])):
            with self.subTest(layout=layout):
                shutil.copytree(self.path / "moved", self.path / layout)
                self.train(layout, layout, *words)
                for step, loss, wanted in zip(steps, self.curve(layout)[2], expected, strict=True):
                    self.assertLessEqual(abs(loss - wanted), 1e-4 * max(1, step / 10) * wanted, f"step {step}")

    def kill_session(self, process):
        # Every process of the session at once, as a scheduler does: mpirun puts ranks into process groups of their own.
        for _ in range(10):  # mpirun may be starting one while others are killed
            subprocess.run(["pkill", "-KILL", "-s", str(process.pid)])
            time.sleep(0.05)
        process.wait()

    def until_step(self, step, process):
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and process.poll() is None:
            for journal in (self.path / "moved").glob("runs/*/journal.jsonl"):
                if f'"step":{step},' in journal.read_text():
                    return
            time.sleep(0.01)
        self.fail("the run did not get that far")

    def test_verify_layout_finds_no_difference_with_tree_sums_and_says_how_far_fast_ones_are(self):
        words = ["verify", "layout", self.file, "--layouts", "1x1x1,1x2x1,2x1x2", "--steps", "4", "--json"]
        tree = json.loads(self.run_program(*words, "--reduction", "tree", "--schedule", "zb-h1").stdout)
        fast = json.loads(self.run_program(*words, "--reduction", "fast").stdout)

        self.assertEqual([entry["layout"] for entry in tree["layouts"]], ["1x1x1", "1x2x1", "2x1x2"])
        for entry in tree["layouts"]:
            self.assertEqual((entry["loss_difference"], entry["grad_norm_difference"]), (0, 0))
            self.assertTrue(entry["same_parameters"])
            self.assertGreater(entry["step_seconds"], 0)
        self.assertEqual(tree["layouts"][0]["bytes_per_rank"], 0)
        self.assertGreater(tree["layouts"][1]["bytes_per_rank"], 0)
        self.assertGreater(tree["layouts"][2]["bubble"], 0)
        self.assertLess(fast["layouts"][2]["loss_difference"], 1e-4)

    def test_impossible_layouts_say_what_to_change(self):
        def refused(*settings, ranks):
            words = [word for setting in settings for word in ("--set", setting)]
            result = self.run_program("train", self.file, "--registry", self.path / "none", *words, ranks=ranks,
                                      status=2)
            self.assertEqual(result.stderr.count("loglog: "), 1, "one rank speaks for all")
            return result.stderr

        self.assertIn("mpirun -n 2", refused("layout.tp=2", ranks=0))
        self.assertIn("needs 1 rank", refused(ranks=2))
        self.assertIn("layout.pp", refused("layout.pp=8", ranks=8))
        self.assertIn("heads is 4", refused("layout.tp=3", "layout.reduction=fast", ranks=3))
        self.assertIn("stages need", refused("layout.pp=2", "train.micro_batch=16", ranks=2))
        self.assertIn("power of two", refused("layout.dp=2", "train.batch_tokens=768", "train.micro_batch=4", ranks=2))
        self.assertFalse((self.path / "none").exists())


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]], verbosity=2)
