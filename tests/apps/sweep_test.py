"""Sweeps as people run them: `sweep_test.py LOGLOG MPIRUN [TestClass.test]`. Tiny runs on synthetic text."""

import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time
import unittest

LOGLOG, MPIRUN = sys.argv[1:3]
SWEEP = """
[sweep]
name = "tiny"
kind = "grid"
[data]
synthetic = { documents = 100, seed = 5 }
[model]
layers = 1
head_dim = 16
context = 32
[vary]
"model.width" = [16, 32, 48]
"train.tokens" = [2048, 8192]
[train]
batch_tokens = 512
eval_tokens = 512
threads = 1
seeds = [1]
"""
# "narrow" is dense attention in a model with a smaller MLP.
COMPARISON = """
[sweep]
name = "fair"
kind = "attention"
attentions = ["dense", { kind = "dense", label = "narrow", model.mlp_width = 24 }]
widths = [16, 32, 48]
tokens_per_parameter = 0.5
[data]
synthetic = { documents = 100, seed = 5 }
[model]
layers = 1
head_dim = 16
context = 32
[train]
batch_tokens = 128
eval_tokens = 512
optimizer = { lr = 4e-3 }
threads = 1
seeds = [1, 2]
"""
ENVIRONMENT = {
    **os.environ,
    "OMP_NUM_THREADS": "1",
    "OMPI_ALLOW_RUN_AS_ROOT": "1",
    "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
    "OMPI_MCA_rmaps_base_oversubscribe": "1",
}


class SweepCase(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="loglog-sweep-")
        self.addCleanup(folder.cleanup)
        self.path = pathlib.Path(folder.name)
        self.file = self.path / "sweep.toml"
        self.file.write_text(SWEEP)
        self.registry = self.path / "registry"

    def command(self, verb, *words, ranks=0):
        launch = [MPIRUN, "-n", str(ranks), "--bind-to", "none"] if ranks else []
        registry = [] if verb == "plan" else ["--registry", str(self.registry)]
        return [*launch, LOGLOG, "sweep", verb, str(self.file), *registry, *words]

    def sweep(self, verb, *words, ranks=0, status=0):
        result = subprocess.run(self.command(verb, *words, ranks=ranks), capture_output=True, text=True, timeout=120,
                                env=ENVIRONMENT)
        self.assertEqual(result.returncode, status, result.stderr)
        return result

    def runs(self):
        listed = subprocess.run([LOGLOG, "runs", "list", "--registry", str(self.registry), "--json"], check=True,
                                capture_output=True, text=True)
        return {run["id"]: run for run in json.loads(listed.stdout)}

    def long_sweep(self):
        self.file.write_text(SWEEP.replace("[2048, 8192]", "[1048576, 4194304]"))

    def until_running(self):
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            if list(self.registry.glob("runs/*/journal.jsonl")):
                return
            time.sleep(0.05)
        self.fail("no run started within a minute")


class Sweep(SweepCase):
    def test_a_plan_prints_every_run_and_trains_nothing(self):
        plan = json.loads(self.sweep("plan", "--json").stdout)

        self.assertEqual(len(plan["runs"]), 6)
        self.assertEqual(sorted({run["width"] for run in plan["runs"]}), [16, 32, 48])
        self.assertEqual(len({run["id"] for run in plan["runs"]}), 6)
        self.assertGreater(plan["totals"]["predicted_seconds"], 0)
        self.assertEqual(sum(run["flops"] for run in plan["runs"]), plan["totals"]["flops"])
        self.assertEqual(list(self.path.iterdir()), [self.file])

    def test_a_plan_that_identifies_nothing_needs_force(self):
        words = ["--set", "vary.model.width=[16, 32]", "--no-calibration"]

        self.assertIn("2 model sizes", self.sweep("plan", *words, status=2).stderr)
        self.assertIn("2 model sizes", self.sweep("run", *words[:2], status=2).stderr)
        self.assertIn("2 model sizes", self.sweep("plan", *words, "--force").stderr)
        self.assertFalse(self.registry.exists())

    def test_any_number_of_ranks_gives_the_same_runs(self):
        planned = {run["id"] for run in json.loads(self.sweep("plan", "--json", "--no-calibration").stdout)["runs"]}
        self.sweep("run")
        alone = self.runs()
        self.registry = self.path / "ranks"
        self.sweep("run", ranks=3)
        ranks = self.runs()

        self.assertEqual(alone.keys(), planned)
        self.assertEqual(ranks.keys(), planned)
        for run_id, run in alone.items():
            self.assertEqual(run["state"], "ok")
            self.assertEqual(run["sweep"], "tiny")
            self.assertEqual(run["final_val_loss"], ranks[run_id]["final_val_loss"])

    def test_finished_runs_are_not_trained_again(self):
        self.sweep("run")
        before = self.runs()

        summary = json.loads(self.sweep("run", "--json", ranks=2).stdout)

        self.assertEqual(summary["ok"], 6)
        self.assertEqual(self.runs(), before)

    def test_signals_stop_it_with_status_75_and_it_goes_on(self):
        self.long_sweep()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1):
            process = subprocess.Popen(self.command("run"), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
                                       env=ENVIRONMENT)
            self.until_running()
            time.sleep(0.3)
            process.send_signal(number)
            message = process.communicate(timeout=60)[1]
            self.assertEqual(process.returncode, 75, message)
            self.assertIn("the same command goes on", message)
        states = json.loads(self.sweep("status", "--json").stdout)["states"]
        self.assertEqual((states["stopped"], states["planned"], states["running"]), (1, 5, 0))

    def test_a_time_limit_stops_every_rank(self):
        self.long_sweep()
        self.sweep("run", "--stop-after", "1.5", ranks=2, status=75)

        states = json.loads(self.sweep("status", "--json").stdout)["states"]
        self.assertEqual(states["stopped"] + states["planned"] + states["ok"], 6)
        self.assertGreaterEqual(states["stopped"], 1)

    def test_cancel_stops_a_running_sweep(self):
        self.long_sweep()
        process = subprocess.Popen(self.command("run"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                   env=ENVIRONMENT)
        self.until_running()
        self.assertIn("1 running", self.sweep("status").stdout)
        self.sweep("cancel")

        self.assertEqual(process.wait(timeout=60), 75)
        self.assertFalse((self.registry / "cancel-tiny").exists())

    def test_runs_that_diverge_or_fail_leave_the_others_alone(self):
        # One learning rate is absurd; one context is longer than the whole validation split.
        self.file.write_text(SWEEP.replace('"train.tokens" = [2048, 8192]',
                                           '"train.optimizer.lr, model.context, train.batch_tokens" = '
                                           "[[1e-3, 32, 512], [1e5, 32, 512], [1e-3, 65536, 65536]]")
                             .replace("threads = 1", "threads = 1\ntokens = 20480\nschedule = { kind = 'constant' }"))

        result = self.sweep("run", "--force", ranks=2, status=3)

        states = sorted(run["state"] for run in self.runs().values())
        self.assertEqual(states, ["diverged"] * 3 + ["failed"] * 3 + ["ok"] * 3)
        self.assertIn("3 diverged, 3 failed", result.stdout)
        self.assertIn("validation split", result.stdout)

    def test_two_sweeps_at_once_share_the_work(self):
        first = subprocess.Popen(self.command("run"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                 env=ENVIRONMENT)
        second = subprocess.Popen(self.command("run"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                  env=ENVIRONMENT)
        statuses = {first.wait(timeout=60), second.wait(timeout=60)}

        self.assertLessEqual(statuses, {0, 75})  # 75: the other process was still at a run
        self.assertEqual([run["state"] for run in self.runs().values()], ["ok"] * 6)

    def mixed_sweep(self):
        self.file.write_text(SWEEP.replace('"model.width" = [16, 32, 48]',
                                           '"model.width, layout.dp, layout.tp" = [[16, 1, 1], [32, 2, 1], [48, 2, 2]]'))

    def test_runs_of_different_rank_counts_share_one_job(self):
        self.mixed_sweep()

        summary = json.loads(self.sweep("run", "--json", "--set", "model.head_dim=8", ranks=4).stdout)

        self.assertEqual(summary["ok"], 6)
        self.assertEqual({(run["dp"], run["tp"]) for run in self.runs().values()}, {(1, 1), (2, 1), (2, 2)})
        lines = [json.loads(line) for line in (self.registry / "sweeps/tiny/timeline.jsonl").read_text().splitlines()]
        self.assertEqual([len(line["ranks"]) for line in sorted(lines, key=lambda line: line["start"])],
                         [4, 4, 2, 2, 1, 1])
        self.assertEqual({line["id"] for line in lines}, set(self.runs()))
        for line in lines:
            self.assertLess(line["start"], line["end"])

    def test_all_ranks_are_busy_while_there_is_work(self):
        self.mixed_sweep()
        words = ["--json", "--force", "--set", "model.head_dim=8", "--set", "vary.train.tokens=[32768]", "--set",
                 "train.seeds=[1, 2, 3, 4]"]

        summary = json.loads(self.sweep("run", *words, ranks=4).stdout)

        self.assertEqual(summary["ok"], 12)
        self.assertGreater(summary["utilisation"], 0.85)

    def test_a_run_that_needs_more_ranks_than_there_are_fails_and_is_trained_by_a_larger_job(self):
        self.mixed_sweep()
        words = ["--json", "--set", "model.head_dim=8"]

        few = self.sweep("run", *words, ranks=2, status=3)

        self.assertEqual(json.loads(few.stdout)["failed"], 2)
        self.assertIn("needs 4 ranks, but this job has 2", few.stderr)
        self.assertEqual(json.loads(self.sweep("run", *words, ranks=4).stdout)["ok"], 6)

    def test_a_plan_for_a_cluster_has_a_layout_and_what_it_costs(self):
        cluster = self.path / "cluster.toml"
        cluster.write_text("""[cluster]
name = "two nodes"
nodes = 2
ranks_per_node = 4
flops = 1e11
bytes_per_second = 2e10
intra = { latency = 1e-6, bandwidth = 1e10 }
inter = { latency = 5e-6, bandwidth = 1e9 }
""")
        self.mixed_sweep()

        plan = json.loads(self.sweep("plan", "--json", "--cluster", str(cluster), "--set", "model.head_dim=8").stdout)

        self.assertEqual(plan["ranks"], 8)
        self.assertEqual({run["layout"] for run in plan["runs"]}, {"1x1x1", "2x1x1", "2x2x1"})
        for run in plan["runs"]:
            self.assertGreater(run["predicted_seconds"], 0)
            self.assertEqual(run["bytes_per_rank"] > 0, run["ranks"] > 1)

    def test_bad_input_ends_every_rank(self):
        result = self.sweep("run", "--set", "model.widht=3", ranks=2, status=2)

        self.assertEqual(result.stderr.count("did you mean 'model.width'?"), 1)


class AttentionSweep(SweepCase):
    """The fair comparison: searches, then what follows from them."""

    def setUp(self):
        super().setUp()
        self.file.write_text(COMPARISON)

    def plan(self):
        return json.loads(self.sweep("plan", "--json", "--no-calibration", "--registry", str(self.registry)).stdout)

    def checked_runs(self):
        """All runs ended well, and every attention's rate is the best of its search."""
        runs = list(self.runs().values())
        self.assertEqual({run["state"] for run in runs}, {"ok"})
        for attention in ("dense", "narrow"):
            named = lambda stage: [run for run in runs if run["name"] == f"{stage} {attention}"]
            search = named("lr-search")
            self.assertGreaterEqual(len(search), 5)
            best = min(search, key=lambda run: (run["final_val_loss"], run["lr"]))["lr"]
            self.assertEqual({run["lr"] for run in named("main")}, {best})
            self.assertEqual(sorted((run["width"], run["seed"]) for run in named("main")),
                             [(16, 2), (32, 1), (32, 2), (48, 1), (48, 2)])
            self.assertEqual({(run["width"], run["lr"]) for run in named("lr-recheck")},
                             {(32, best / 2), (32, best * 2)})
        control = [run for run in runs if run["name"] == "control dense-aa"]
        self.assertEqual({run["seed"] for run in control}, {1001, 1002})
        self.assertEqual(len(control), 6)
        return {run["id"]: run["final_val_loss"] for run in runs}

    def test_one_command_searches_and_then_compares(self):
        before = self.plan()
        summary = json.loads(self.sweep("run", "--json", ranks=2).stdout)

        self.assertEqual(sum(run["lr"] is None for run in before["runs"]), 20)
        self.assertEqual(summary["ok"], summary["runs"])
        self.assertEqual(summary["waiting"], 0)
        losses = self.checked_runs()
        after = self.plan()
        self.assertEqual({run["id"] for run in after["runs"]}, set(losses))
        self.assertTrue(all(search["settled"] for search in after["searches"]))
        self.assertEqual(sum(run["also_main"] for run in after["runs"]), 2)
        again = json.loads(self.sweep("run", "--json").stdout)
        self.assertEqual(again["ok"], summary["runs"])

    def test_it_goes_on_anywhere_to_the_same_results(self):
        self.sweep("run", "--json")
        alone = self.checked_runs()
        self.registry = self.path / "in-pieces"
        for _ in range(100):
            result = subprocess.run(self.command("run", "--stop-after", "0.4", ranks=2), capture_output=True, text=True,
                                    env=ENVIRONMENT, timeout=60)
            if result.returncode != 75:
                break

        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(self.checked_runs(), alone)
        states = json.loads(self.sweep("status", "--json").stdout)["states"]
        self.assertEqual(states["ok"], len(alone))

    def test_a_budget_too_small_says_what_it_needs(self):
        text = COMPARISON.replace("tokens_per_parameter = 0.5", "budget = 1e6")
        self.file.write_text(text)

        result = self.sweep("plan", "--no-calibration", status=2)

        self.assertIn("one is the least", result.stderr)


unittest.main(argv=sys.argv[:1] + sys.argv[3:])
