"""fit --law curve as people run it: `fit_curve_test.py LOGLOG`. Curves truly trained, under three schedules."""

import json
import pathlib
import subprocess
import sys
import tempfile
import unittest

LOGLOG = sys.argv[1]
SPEC = """
[data]
synthetic = { documents = 200, seed = 5 }
[model]
layers = 1
width = 16
heads = 2
context = 32
[train]
tokens = 204800
batch_tokens = 1024
threads = 1
eval_every = 10
eval_tokens = 4096
optimizer = { kind = "adamw", lr = 4e-3 }
"""
SCHEDULES = {
    "cosine": '{ kind = "cosine", warmup = 10 }',
    "wsd": '{ kind = "wsd", warmup = 10, cooldown = 0.3 }',
    "constant": '{ kind = "constant", warmup = 10 }',
}


def loglog(*words):
    return subprocess.run([LOGLOG, *words], capture_output=True, text=True, timeout=240)


class FitCurve(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory(prefix="loglog-fit-curve-")
        cls.addClassCleanup(folder.cleanup)
        cls.path = pathlib.Path(folder.name)
        cls.registry = str(cls.path / "registry")
        cls.runs = {}
        for name, schedule in SCHEDULES.items():
            file = cls.path / f"{name}.toml"
            file.write_text(f'name = "{name}"\n{SPEC}schedule = {schedule}\n')
            result = loglog("train", str(file), "--registry", cls.registry)
            assert result.returncode == 0, result.stderr
        listed = json.loads(loglog("runs", "list", "--format", "json", "--registry", cls.registry).stdout)
        cls.runs = {run["name"]: run["id"] for run in listed}

    def fit(self, *words, status=0):
        result = loglog("fit", "--law", "curve", "--registry", self.registry, *words)
        self.assertEqual(result.returncode, status, result.stderr)
        return result

    def test_curves_of_the_registry_are_fitted_and_a_longer_schedule_is_predicted(self):
        longer = self.path / "longer.toml"
        longer.write_text(SPEC.replace("204800", "409600") + "schedule = " + SCHEDULES["cosine"] + "\n")
        result = json.loads(self.fit("--where", "true", "--form", "annealing", "--predict-schedule", str(longer),
                                     "--json").stdout)
        self.assertEqual((result["law"], result["form"], result["n_runs"]), ("curve", "annealing", 3))
        self.assertEqual(set(result["parameters"]), {"L0", "A", "alpha", "C"})
        predicted = result["predictions"][0]
        self.assertEqual(predicted["step"][-1], 400)
        self.assertEqual(len(predicted["step"]), len(predicted["loss"]))
        self.assertEqual(predicted["final_loss"], predicted["loss"][-1])
        self.assertLess(predicted["final_loss"], 0.8 * predicted["loss"][0])  # it starts near ln 257 = 5.5 nats

    def test_schedules_left_out_by_train_are_held_out_and_scored(self):
        result = json.loads(self.fit("--where", "true", "--form", "annealing", "--train", "schedule_kind <> 'wsd'",
                                     "--json").stdout)
        self.assertEqual(result["n_runs"], 2)
        self.assertEqual([one["schedule"] for one in result["hold_out"]["schedules"]], [self.runs["wsd"]])

    def test_wrong_use_says_what_to_do_and_exits_2(self):
        self.assertIn("annealing", self.fit("--where", "true", "--form", "annealling", status=2).stderr)
        self.assertIn("no-such.toml", self.fit("--where", "true", "--predict-schedule", "no-such.toml",
                                               status=2).stderr)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
