"""The verb compare as people run it: `compare_test.py LOGLOG`. Two copies of dense attention at three sizes, truly trained."""

import json
import pathlib
import subprocess
import sys
import tempfile
import unittest

LOGLOG = sys.argv[1]
SPEC = """
[data]
synthetic = { documents = 100, seed = 5 }
[model]
layers = 1
heads = 2
context = 32
[train]
batch_tokens = 1024
threads = 1
eval_tokens = 4096
optimizer = { kind = "adamw", lr = 4e-3 }
"""
TOKENS = {16: 32768, 32: 65536, 64: 131072}


def loglog(*words):
    return subprocess.run([LOGLOG, *words], capture_output=True, text=True, timeout=120)


class Compare(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory(prefix="loglog-compare-")
        cls.addClassCleanup(cls.folder.cleanup)
        cls.path = pathlib.Path(cls.folder.name)
        (cls.path / "run.toml").write_text(SPEC)
        cls.registry = str(cls.path / "registry")
        for width, tokens in TOKENS.items():
            for seed in (1, 2):
                cls.train(width, tokens, seed, "dense", "main")
                cls.train(width, tokens, seed + 10, "dense-aa", "control")
        for lr in ("1e-3", "2e-3", "8e-3"):
            cls.train(16, TOKENS[16], 1, "dense", "lr-search", f"train.optimizer.lr={lr}")

    @classmethod
    def train(cls, width, tokens, seed, label, name, *settings):
        words = [f"model.width={width}", f"train.tokens={tokens}", f"train.seed={seed}", f"name={name}", *settings]
        if label != "dense":
            words.append(f"model.attention.label={label}")
        result = loglog("train", str(cls.path / "run.toml"), "--registry", cls.registry,
                        *[word for setting in words for word in ("--set", setting)])
        assert result.returncode == 0, result.stderr

    def compare(self, *words, status=0):
        result = loglog("compare", *words, "--registry", self.registry)
        self.assertEqual(result.returncode, status, result.stderr)
        return result

    def test_two_copies_are_compared_with_intervals(self):
        numbers = json.loads(self.compare("--by", "attention", "--where", "true", "--json", "--bootstrap", "300").stdout)
        self.assertEqual([variant["name"] for variant in numbers["variants"]], ["dense", "dense-aa"])
        self.assertEqual(numbers["runs"], {"chosen": 15, "compared": 12})
        self.assertTrue(numbers["variants"][1]["control"])
        self.assertEqual([axis["axis"] for axis in numbers["axes"]], ["flops", "parameters", "seconds"])
        multiplier = numbers["axes"][0]["variants"][1]["multipliers"][0]
        self.assertLess(multiplier["low"], multiplier["value"])
        self.assertLess(multiplier["value"], multiplier["high"])
        self.assertEqual(len(numbers["variants"][0]["sizes"][0]["loss_by_position"]), 8)
        self.assertEqual(numbers["variants"][0]["tuning"]["runs"], 3)
        codes = {warning["code"] for warning in numbers["warnings"]}
        self.assertLessEqual({"few_learning_rates", "few_seeds", "no_recheck"}, codes)

    def test_the_same_seed_gives_the_same_text(self):
        words = ("--by", "attention", "--where", "true", "--bootstrap", "100", "--loss", "4.5")
        text = self.compare(*words).stdout
        self.assertEqual(text, self.compare(*words).stdout)
        for part in ("multiplier at 4.5", "dense (baseline)", "dense-aa (control)", "1x64", "Findings", "Warnings",
                     "loglog bench attention"):
            self.assertIn(part, text)

    def test_measured_crossovers_are_shown(self):
        bench = self.path / "bench.json"
        bench.write_text(json.dumps({"kinds": [{"kind": "gdn", "points": [{"time": 256, "seconds": 0.5}],
                                                "growth_exponent": 1.01, "crossover_with_dense": 2048}]}))
        self.assertIn("gdn from 2048 tokens on",
                      self.compare("--by", "attention", "--where", "true", "--bench", str(bench)).stdout)

    def test_a_report_of_them_has_the_section(self):
        page = self.path / "page" / "report.html"
        result = loglog("report", "--where", "true", "--out", str(page), "--bootstrap", "50", "--registry", self.registry)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn('id="attention"', page.read_text())
        numbers = json.loads(page.with_suffix(".json").read_text())
        self.assertEqual(numbers["fitted_attention"], "dense")
        self.assertEqual(numbers["comparison"]["runs"]["compared"], 12)
        self.assertTrue(any("compare --by attention" in command for command in numbers["commands"]))
        self.assertEqual(len(numbers["comparison"]["variants"][0]["sizes"][0]["loss_by_position"]), 8)

    def test_wrong_use_says_what_to_do_and_exits_2(self):
        everything = ("--by", "attention", "--where", "true")
        for words, message in [
            (("--by", "optimizer", "--where", "true"), "--by 'optimizer' must be attention"),
            (("--by", "attention"), "either --sweep NAME or --where SQL"),
            (("--by", "attention", "--sweep", "none"), "no run in"),
            ((*everything, "--axis", "watts"), "must be flops, parameters or seconds"),
            ((*everything, "--baseline", "moba"), "there are dense, dense-aa"),
            (("--by", "attention", "--where", "attention = 'dense'"), "there is nothing to compare it with"),
            (("--by", "attention", "--where", "width = 16"), "one size (1x16)"),
            ((*everything, "--bench", "no-such.json"), "cannot be read"),
            ((*everything, "--bench", str(self.path / "run.toml")), "is no JSON"),
        ]:
            self.assertIn(message, self.compare(*words, status=2).stderr)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
