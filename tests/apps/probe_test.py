"""The verb probe as people run it: `probe_test.py LOGLOG [TestClass.test]`. Tiny models that copy short strings."""

import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time
import unittest

LOGLOG = sys.argv[1]
SMALL = {
    "model.context": 20,
    "model.width": 32,
    "model.head_dim": 16,
    "data.probe.size": 4,
    "train.batch_tokens": 320,
    "train.tokens": 32000,
    "train.eval_every": 50,
    "train.eval_tokens": 640,
    "train.threads": 1,
}


def settings(**changed):
    keys = {**SMALL, **{key.replace("__", "."): value for key, value in changed.items()}}
    return [word for key, value in keys.items() for word in ("--set", f"{key}={value}")]


class Probe(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory(prefix="loglog-probe-")
        self.addCleanup(self.folder.cleanup)
        self.registry = str(pathlib.Path(self.folder.name) / "registry")

    def loglog(self, *words, status=0):
        result = subprocess.run([LOGLOG, *words], capture_output=True, text=True, timeout=120)
        self.assertEqual(result.returncode, status, result.stderr)
        return result

    def command(self, *words, registry=None):
        return ["probe", "--attention", "dense,elu", "--task", "copy", "--registry", registry or self.registry, *words]

    def probe(self, *words, **options):
        return json.loads(self.loglog(*self.command(*words, "--json", **options)).stdout)

    def refusal(self, *words):
        stderr = self.loglog("probe", "--registry", self.registry, *words, status=2).stderr
        self.assertFalse((pathlib.Path(self.registry) / "runs").exists())
        return stderr

    def test_the_best_run_of_each_attention_is_a_row_and_all_are_in_the_registry(self):
        result = self.probe(*settings())

        runs = json.loads(self.loglog("runs", "list", "--registry", self.registry, "--json").stdout)
        self.assertEqual(result["runs"], len(runs))
        self.assertEqual({row["attention"] for row in result["rows"]}, {"dense", "elu"})
        by_id = {run["id"]: run for run in runs}
        for row in result["rows"]:
            rivals = [run["accuracy"] for run in runs if run["attention"] == row["attention"]]
            self.assertGreater(len(rivals), 1)
            self.assertEqual(row["accuracy"], max(rivals))
            self.assertEqual(row["accuracy"], by_id[row["id"]]["accuracy"])
            self.assertEqual([score["length"] for score in row["by_length"]], [4, 8])
            self.assertGreater(row["accuracy"], 1 / 26)  # a guess among the letters
            self.assertEqual(by_id[row["id"]]["sweep"], "probe-copy-small")
            self.assertIsNone(by_id[row["id"]]["recall_loss"])

        table = self.loglog(*self.command(*settings())).stdout
        for row in result["rows"]:
            self.assertIn(f"{row['accuracy']:.4f}", table)

    def test_a_run_ends_where_its_accuracy_is_high_enough(self):
        row = self.probe(*settings(data__probe__stop_at=0.02))["rows"][0]

        shown = json.loads(self.loglog("runs", "show", row["id"], "--registry", self.registry, "--json").stdout)
        self.assertEqual(shown["state"], "ok")
        self.assertEqual(shown["steps"], 50)
        self.assertEqual(shown["planned_steps"], 100)
        self.assertGreaterEqual(shown["accuracy"], 0.02)

    def test_after_a_stop_or_a_kill_the_same_command_goes_on_to_the_same_numbers(self):
        words = settings(train__tokens=320000, train__eval_every=500, train__checkpoint_every=40)
        undisturbed = self.probe(*words)
        for how, status in ((signal.SIGTERM, 75), (signal.SIGKILL, -signal.SIGKILL)):
            with self.subTest(how=how):
                registry = f"{self.registry}-{how}"
                process = subprocess.Popen(
                    [LOGLOG, *self.command(*words, registry=registry)],
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL)
                while not any(journal.read_bytes().count(b"\n") > 100
                              for journal in pathlib.Path(registry).glob("runs/*/journal.jsonl")):
                    self.assertIsNone(process.poll(), "the probe ended before it could be stopped")
                    time.sleep(0.005)
                process.send_signal(how)
                self.assertEqual(process.wait(timeout=60), status)

                self.assertEqual(self.probe(*words, registry=registry), undisturbed)

    def test_an_unknown_attention_or_task_or_key_is_refused_with_what_there_is(self):
        self.assertIn("did you mean 'dense'?", self.refusal("--attention", "dens"))
        self.assertIn("no kind 'wndow' (did you mean 'window'?)", self.refusal("--attention", "gdn-3:1-wndow"))
        self.assertIn("write KIND-N:1", self.refusal("--attention", "gdn-3"))
        self.assertIn("mqar,copy,palindrome,induction,noisy_copy", self.refusal("--task", "cop"))
        self.assertIn("did you mean 'model.width'?", self.refusal("--set", "model.widht=3"))

    def test_examples_that_do_not_fit_are_refused_with_the_least_that_would(self):
        long = self.refusal("--set", "data.probe.size=400", "--set", "model.context=128")
        self.assertIn("mqar of 400 pairs needs a context of at least 1600 tokens, which is 128", long)
        self.assertIn("a copy of 64 letters needs a context of at least 129 tokens, which is 100",
                      self.refusal("--task", "copy", "--set", "data.probe.size=64", "--set", "model.context=100"))
        self.assertIn("needs a vocabulary of at least 18, which is 10",
                      self.refusal("--set", "data.probe.size=8", "--set", "data.probe.vocab=10"))

    def test_an_accuracy_to_stop_at_lies_between_0_and_1(self):
        for stop_at in ("1.5", "-0.5"):
            self.assertIn(f"data.probe.stop_at: is {stop_at} but must be a number in [0, 1]",
                          self.refusal("--set", f"data.probe.stop_at={stop_at}"))


if __name__ == "__main__":
    os.environ["OMP_NUM_THREADS"] = "1"
    unittest.main(argv=[sys.argv[0], *sys.argv[2:]])
