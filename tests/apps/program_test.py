"""The program as people run it: `program_test.py LOGLOG [TestClass.test]`. One small run from training to sampling."""

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
SPEC = """
[data]
synthetic = { documents = 100, seed = 5 }
[model]
layers = 2
width = 32
heads = 2
context = 64
[train]
tokens = 131072
batch_tokens = 2048
threads = 1
eval_every = 16
optimizer = { kind = "adamw", lr = 4e-3 }
"""
VERBS = ["data", "train", "sweep", "probe", "runs", "fit", "compare", "report", "generate", "score", "bench", "doctor"]


def loglog(*words, **options):
    return subprocess.run([LOGLOG, *words], capture_output=True, text=True, timeout=120, **options)


class Program(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory(prefix="loglog-program-")
        self.addCleanup(self.folder.cleanup)
        self.path = pathlib.Path(self.folder.name)
        self.spec = self.path / "run.toml"
        self.spec.write_text(SPEC)
        self.registry = str(self.path / "registry")

    def succeed(self, *words, status=0):
        result = loglog(*words)
        self.assertEqual(result.returncode, status, result.stderr)
        return result

    def train(self, *words, status=0):
        return json.loads(
            self.succeed("train", str(self.spec), "--registry", self.registry, "--json", *words, status=status).stdout)

    def test_every_verb_has_help(self):
        listed = self.succeed("--help").stdout
        for verb in VERBS:
            self.assertIn(f"\n  {verb} ", listed)
            self.assertIn("--help", self.succeed(verb, "--help").stdout)

    def test_wrong_use_exits_2(self):
        self.succeed("frobnicate", status=2)
        self.succeed("train", status=2)
        self.succeed("train", str(self.spec), "--no-such-flag", status=2)

    def test_an_unknown_key_names_place_and_nearest_key(self):
        self.spec.write_text(SPEC.replace("layers = 2", "layres = 2"))

        result = self.succeed("train", str(self.spec), status=2)

        self.assertIn(f"{self.spec}:5:", result.stderr)
        self.assertIn("layres", result.stderr)
        self.assertIn("layers", result.stderr)

    def test_a_dry_run_trains_nothing(self):
        result = json.loads(self.succeed("train", str(self.spec), "--registry", self.registry, "--dry-run", "--json").stdout)

        # By hand: 2 layers of 12 d^2 + 13 d, the final norm's 2 d, tables of 257 and 64 rows.
        d = 32
        non_embedding = 2 * (12 * d * d + 13 * d) + 2 * d
        self.assertEqual(result["parameters"]["non_embedding"], non_embedding)
        self.assertEqual(result["parameters"]["total"], non_embedding + (257 + 64) * d)
        matrices = 2 * 12 * d * d + 257 * d
        self.assertEqual(result["flops_per_token"], 6 * (matrices + 2 * 2 * d * 65 / 2))
        self.assertEqual(result["flops_total"], result["flops_per_token"] * 131072)
        self.assertFalse(os.path.exists(self.registry))

    def test_an_identical_run_is_recognised_unless_again(self):
        first = self.train()

        known = self.train()
        repeated = self.train("--again")

        self.assertEqual(known["id"], first["id"])
        self.assertEqual(known["finished_at"], first["finished_at"])
        self.assertEqual(repeated["id"], first["id"] + "-2")
        self.assertEqual(repeated["final_val_loss"], first["final_val_loss"])

    def test_a_run_learns_and_reports_what_it_cost(self):
        record = self.train()

        self.assertEqual(record["state"], "ok")
        self.assertEqual(record["steps"], 64)
        self.assertEqual(record["tokens"], 131072)
        self.assertLess(record["final_val_loss"], 4.0)  # ln 257 = 5.55 before training
        self.assertEqual(record["flops"], record["flops_per_token"] * 131072)

    def test_threads_do_not_change_a_number(self):
        one = self.train("--set", "train.threads=1")
        two = self.train("--set", "train.threads=2", "--again")

        self.assertEqual(one["final_val_loss"], two["final_val_loss"])
        self.assertEqual(one["final_train_loss"], two["final_train_loss"])

    def test_a_signal_stops_the_run_which_then_goes_on_bit_for_bit(self):
        undisturbed = self.train("--set", "train.tokens=524288")
        other = ["--registry", self.registry + "-2", "--set", "train.tokens=524288", "--json"]
        process = subprocess.Popen([LOGLOG, "train", str(self.spec), *other], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        journal = pathlib.Path(self.registry + "-2") / "runs" / undisturbed["id"] / "journal.jsonl"
        while not (journal.exists() and journal.read_bytes().count(b"\n") > 20):
            self.assertIsNone(process.poll(), "the run ended before it could be stopped")
            time.sleep(0.005)
        process.send_signal(signal.SIGTERM)
        stopped = json.loads(process.communicate(timeout=60)[0])
        self.assertEqual(process.returncode, 75)
        self.assertEqual(stopped["state"], "stopped")
        self.assertLess(stopped["steps"], 256)

        resumed = json.loads(self.succeed("train", str(self.spec), *other).stdout)

        self.assertEqual(resumed["state"], "ok")
        self.assertEqual(resumed["final_val_loss"], undisturbed["final_val_loss"])
        self.assertEqual(resumed["final_train_loss"], undisturbed["final_train_loss"])

    def test_a_run_under_way_is_left_to_its_process(self):
        command = ["train", str(self.spec), "--registry", self.registry, "--set", "train.tokens=2e6"]
        process = subprocess.Popen([LOGLOG, *command], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        try:
            while not list(pathlib.Path(self.registry).glob("runs/*/journal.jsonl")):
                self.assertIsNone(process.poll(), "the run ended before the other one was started")
                time.sleep(0.005)

            result = self.succeed(*command, status=1)

            self.assertIn("is being trained by another process", result.stderr)
        finally:
            process.kill()
            process.communicate()

    def test_a_learning_rate_far_too_large_is_recorded_as_diverged(self):
        record = self.train("--set", "train.optimizer.lr=100", "--set", "train.optimizer.clip=0", status=3)

        self.assertEqual(record["state"], "diverged")
        self.assertRegex(record["state_reason"], r"(loss|gradient norm) .* at step \d+")
        self.assertGreater(record["steps"], 0)

    def test_a_trained_run_generates_and_scores(self):
        run = self.train()["id"]
        text = self.path / "text.txt"
        text.write_text("some words of no language " * 20)
        place = ["--registry", self.registry, "--json"]

        first = json.loads(self.succeed("generate", run, "--tokens", "40", "--seed", "3", *place).stdout)
        again = json.loads(self.succeed("generate", run[:6], "--tokens", "40", "--seed", "3", *place).stdout)
        other = json.loads(self.succeed("generate", run, "--tokens", "40", "--seed", "4", *place).stdout)
        score = json.loads(self.succeed("score", run, str(text), "--per-token", *place).stdout)["files"][0]

        self.assertEqual(first, again)
        self.assertNotEqual(first["text"], other["text"])
        self.assertEqual(score["tokens"], len(text.read_bytes()))
        mean = sum(token["loss"] for token in score["per_token"]) / score["tokens"]
        self.assertAlmostEqual(score["loss"], mean, places=6)

    def test_files_become_a_data_set_that_is_trained_on_and_verified(self):
        texts = self.path / "texts"
        texts.mkdir()
        for i in range(60):
            (texts / f"{i}.py").write_text(f"def f{i}(x):\n    return x * {i} + {i * i}\n" * 20)
        (texts / "again.py").write_text((texts / "7.py").read_text())
        (texts / "binary.py").write_bytes(b"a\0b")
        (texts / "latin.py").write_bytes(b"caf\xe9")
        data = self.path / "data"
        build = ["data", "build", "--out", str(data), "--tokenizer", "bpe:300", "--val-fraction", "0.2", str(texts), "--json"]

        built = json.loads(self.succeed(*build).stdout)
        again = self.succeed(*build)
        info = json.loads(self.succeed("data", "info", str(data), "--verify", "--json").stdout)

        self.assertEqual(built["files"], 63)
        self.assertEqual(built["dropped"], {"duplicate": 1, "binary": 1, "not_utf8": 1, "empty": 0})
        self.assertEqual(sum(split["documents"] for split in info["splits"].values()), 60)
        self.assertIn("already", again.stdout + again.stderr)
        spec = SPEC.replace("synthetic = { documents = 100, seed = 5 }", f'path = "{data}"').replace("131072", "8192")
        self.spec.write_text(spec)
        self.assertEqual(self.train()["vocab"], info["tokenizer"]["vocab_size"])

        shard = next(data.glob("train-*.tokens"))
        damaged = bytearray(shard.read_bytes())
        damaged[100] ^= 1
        shard.write_bytes(damaged)
        result = self.succeed("train", str(self.spec), "--registry", self.registry, "--again", status=1)
        self.assertIn(str(shard), result.stderr)
        self.assertIn("checksum", result.stderr)

    def test_a_run_that_is_not_there_is_an_input_error(self):
        self.train()

        result = self.succeed("generate", "nosuchrun", "--registry", self.registry, status=2)

        self.assertIn("nosuchrun", result.stderr)


unittest.main(argv=sys.argv[1:2] + sys.argv[2:], verbosity=2)
