"""The verb sweep advise as people run it: `advise_test.py LOGLOG`. A sweep truly trained, advised on, and gone on with."""

import json
import pathlib
import subprocess
import sys
import tempfile
import tomllib
import unittest

LOGLOG = sys.argv[1]
SWEEP = """
[sweep]
name = "first"
aspect = 16
[data]
synthetic = { documents = 100, seed = 5 }
[model]
head_dim = 8
context = 32
[vary]
"model.width" = [8, 16, 32]
"train.tokens" = [8192, 32768, 131072]
[train]
batch_tokens = 1024
eval_tokens = 8192
threads = 1
optimizer = { lr = 5e-3 }
"""
BUDGET = 5e10


def loglog(*words):
    return subprocess.run([LOGLOG, *words], capture_output=True, text=True, timeout=240)


class Advise(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory(prefix="loglog-advise-")
        cls.addClassCleanup(folder.cleanup)
        cls.path = pathlib.Path(folder.name)
        cls.registry = str(cls.path / "registry")
        (cls.path / "first.toml").write_text(SWEEP)
        cls.run_sweep("first.toml")

    @classmethod
    def run_sweep(cls, file):
        result = loglog("sweep", "run", str(cls.path / file), "--registry", cls.registry)
        assert result.returncode == 0, result.stderr

    def advise(self, *words, status=0, budget=BUDGET):
        result = loglog("sweep", "advise", "--where", "sweep = 'first'", "--budget", str(budget), "--registry",
                        self.registry, *words)
        self.assertEqual(result.returncode, status, result.stderr)
        return result

    def test_what_is_printed_is_a_sweep_ready_to_run_within_the_budget(self):
        text = self.advise().stdout
        self.assertEqual(tomllib.loads(text)["sweep"]["adds_to"], "sweep = 'first'")
        (self.path / "next.toml").write_text(text)
        plan = loglog("sweep", "plan", str(self.path / "next.toml"), "--json", "--no-calibration", "--registry",
                      self.registry)
        self.assertEqual(plan.returncode, 0, plan.stderr)
        runs = json.loads(plan.stdout)["runs"]
        self.assertLessEqual(sum(run["flops"] for run in runs), BUDGET)

        self.run_sweep("next.toml")

        trained = json.loads(loglog("runs", "list", "--where", "sweep = 'advised'", "--format", "json", "--registry",
                                    self.registry).stdout)
        self.assertEqual(len(trained), len(runs))
        self.assertEqual({run["seed"] for run in trained}, {2})  # none repeats a run of the first
        fit = loglog("fit", "--where", "sweep IN ('first', 'advised')", "--law", "chinchilla", "--json",
                     "--bootstrap", "0", "--registry", self.registry)
        self.assertEqual(json.loads(fit.stdout)["n_points"], 9 + len(runs))

    def test_json_has_the_target_the_runs_and_the_file(self):
        advice = json.loads(self.advise("--json", "--shrink", "beta", "--runs", "3").stdout)
        self.assertEqual((advice["law"], advice["n_points"], advice["target"]["name"]), ("chinchilla", 9, "beta"))
        self.assertLessEqual(len(advice["runs"]), 3)
        self.assertLess(advice["target"]["se_after"], advice["target"]["se_before"])
        self.assertEqual(advice["target"]["se_after"], advice["runs"][-1]["se_after"])
        self.assertAlmostEqual(sum(run["flops"] for run in advice["runs"]) / advice["flops"], 1)
        self.assertEqual(tomllib.loads(advice["sweep"])["sweep"]["name"], "advised")

    def test_a_file_is_written_once(self):
        out = str(self.path / "out.toml")
        self.assertIn("written: " + out, self.advise("--out", out, "--name", "more").stdout)
        self.assertEqual(tomllib.loads(pathlib.Path(out).read_text())["sweep"]["name"], "more")
        self.assertIn("--force", self.advise("--out", out, status=2).stderr)
        self.advise("--out", out, "--force")

    def test_wrong_use_says_what_to_do_and_exits_2(self):
        for words, message in [
            (("--shrink", "aplha"), "did you mean 'alpha'"),
            (("--shrink", "loss"), "--at 1e18"),
            (("--law", "power"), "must be a law of N and D"),
            (("--name", "a b"), "must be a name of letters"),
        ]:
            self.assertIn(message, self.advise(*words, status=2).stderr)
        self.assertIn("less than the cheapest run", self.advise(status=2, budget=1e3).stderr)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
