"""The verb fit as people run it: `fit_test.py LOGLOG`. A small table whose truth is known."""

import json
import pathlib
import subprocess
import sys
import tempfile
import unittest

LOGLOG = sys.argv[1]


def table():
    """Losses of 1.7 + 400/N^.34 + 600/D^.3 on a 5 x 5 grid, one row marked as bad."""
    rows = ["# made up", "params,tokens,flops,loss,bad"]
    for i in range(5):
        for j in range(5):
            n, d = 1e6 * 3**i, 1e8 * 3**j
            rows.append(f"{n:.17g},{d:.17g},{6 * n * d:.17g},{1.7 + 400 * n**-.34 + 600 * d**-.3:.17g},0")
    rows.append("1e6,1e8,6e14,99,1")
    return "\n".join(rows) + "\n"


class Fit(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="loglog-fit-")
        self.addCleanup(folder.cleanup)
        self.csv = pathlib.Path(folder.name) / "runs.csv"
        self.csv.write_text(table())

    def fit(self, *words, status=0):
        result = subprocess.run([LOGLOG, "fit", *words], capture_output=True, text=True, timeout=60)
        self.assertEqual(result.returncode, status, result.stderr)
        return result

    def fit_json(self, *words):
        return json.loads(self.fit("--csv", str(self.csv), "--json", *words).stdout)

    def test_recovers_the_truth_under_a_condition(self):
        fit = self.fit_json("--where", "bad = 0", "--law", "chinchilla", "--bootstrap", "50", "--predict", "1e20")
        for name, truth in {"E": 1.7, "A": 400, "B": 600, "alpha": .34, "beta": .3}.items():
            self.assertAlmostEqual(fit["parameters"][name]["value"] / truth, 1, places=6)
        self.assertEqual(fit["n_points"], 25)
        self.assertEqual(fit["predictions"][0]["C"], 1e20)

    def test_the_loss_at_a_place_is_predicted_with_its_interval(self):
        fit = self.fit_json("--where", "bad = 0", "--law", "chinchilla", "--bootstrap", "50", "--at", "N=1e9,D=2e10",
                            "--at", "D=1e9,N=1e8")
        first, second = fit["at"]
        self.assertEqual((first["N"], first["D"], second["N"], second["D"]), (1e9, 2e10, 1e8, 1e9))
        self.assertAlmostEqual(first["loss"]["value"], 1.7 + 400 * 1e9**-.34 + 600 * 2e10**-.3, places=6)
        self.assertLessEqual(first["loss"]["low"], first["loss"]["high"])
        for at, message in [("N=1e9", "must be N=NUMBER,D=NUMBER"), ("N=1e9,D=0", "'D=0' is not"),
                            ("N=1,N=2", "'N=2' is not"), ("N=1e9,U=1e9", "it gives N, U")]:
            self.assertIn(message, self.fit("--csv", str(self.csv), "--law", "chinchilla", "--at", at, status=2).stderr)

    def test_a_law_of_one_variable_uses_the_longest_runs(self):
        fit = self.fit_json("--where", "bad = 0", "--law", "saturating", "--x", "N", "--bootstrap", "0")
        self.assertEqual((fit["x"], fit["n_points"], len(fit["excluded"])), ("N", 5, 20))
        self.assertAlmostEqual(fit["parameters"]["alpha"]["value"], .34, places=6)
        self.assertIsNone(fit["parameters"]["alpha"]["se"])

    def test_hold_out_reports_the_extrapolation(self):
        fit = self.fit_json("--where", "bad = 0", "--law", "chinchilla", "--bootstrap", "0", "--hold-out", "largest")
        self.assertEqual(fit["hold_out"]["n_points"], 5)
        self.assertLess(abs(fit["hold_out"]["worst_error_nats"]), 1e-6)

    def test_sensitivity_shows_what_choices_change(self):
        fit = self.fit_json("--law", "chinchilla", "--where", "bad = 0", "--bootstrap", "20", "--sensitivity")
        choices = [one["choice"] for one in fit["sensitivity"]]
        self.assertTrue(choices[0].startswith("as asked"))
        for choice in ("ls-log", "l1-log", "huber-log, delta 0.1", "all 26 rows, without --where"):
            self.assertIn(choice, choices)
        self.assertAlmostEqual(fit["sensitivity"][choices.index("ls-log")]["parameters"]["alpha"], .34, places=6)
        for key in ("low", "high", "low_choice", "high_choice"):
            self.assertIn(key, fit["sensitivity_range"]["a"])
        second, first = fit["sensitivity"][-2:]  # the grid's diagonals are budgets of equal N D
        self.assertRegex(second["choice"], r"^approach 2: valleys at \d of 9 budgets$")
        self.assertEqual(set(second["derived"]), {"a", "b"})
        self.assertIn("no column 'run'", first["failure"])

    def test_repeated_seeds_as_a_random_effect(self):
        rows = [f"{n},{d},{(1.7 + 400 * n**-.34 + 600 * d**-.3) * (1 + .002 * sign)}"
                for n in (1e6, 3e6, 9e6) for d in (1e8, 3e8, 9e8) for sign in (-1, 1)]
        self.csv.write_text("N,D,loss\n" + "\n".join(rows) + "\n")
        fit = self.fit_json("--law", "chinchilla", "--bootstrap", "0", "--seeds", "random-effect")
        self.assertEqual((fit["n_points"], fit["seeds"]["kind"], fit["seeds"]["groups"]), (9, "random-effect", 9))
        # Two runs at -.002 and +.002 differ from their mean by .002 each: sigma is .002 sqrt(2).
        self.assertAlmostEqual(fit["seeds"]["sigma"] / (.002 * 2**.5), 1, places=5)
        self.assertEqual(fit["seeds"]["tau"], 0)
        self.csv.write_text("N,D,loss\n" + "\n".join(rows[::2]) + "\n")
        error = self.fit("--csv", str(self.csv), "--law", "chinchilla", "--seeds", "random-effect", status=2).stderr
        self.assertIn("no two of the 9 rows are at the same place", error)
        error = self.fit("--csv", str(self.csv), "--law", "chinchilla", "--seeds", "mean", status=2).stderr
        self.assertIn("must be each, average or random-effect", error)

    def test_a_row_far_off_is_named_and_kept(self):
        fit = self.fit_json("--law", "chinchilla", "--bootstrap", "0")
        self.assertEqual([one["id"] for one in fit["outliers"]], ["line 28"])
        self.assertEqual(fit["n_points"], 26)
        self.assertIn("outliers", [warning["code"] for warning in fit["warnings"]])
        self.assertIn("implausible_loss", [warning["code"] for warning in fit["warnings"]])  # 99 nats

    def test_runs_on_one_ray_are_refused(self):
        rows = [f"{n},{20 * n},{1.7 + 400 * n**-.34 + 600 * (20 * n)**-.3}" for n in (1e6 * 2**i for i in range(8))]
        self.csv.write_text("N,D,loss\n" + "\n".join(rows) + "\n")
        error = self.fit("--csv", str(self.csv), "--law", "chinchilla", status=2).stderr
        self.assertIn("one ray of tokens per parameter", error)
        self.assertIn("vary D at fixed N", error)

    def test_other_laws_are_compared(self):
        words = ("--where", "bad = 0", "--law", "power", "--x", "N", "--bootstrap", "0")
        scores = self.fit_json(*words)["model_choice"]["laws"]
        self.assertEqual([(one["law"], one["fitted"]) for one in scores[:2]], [("power", True), ("saturating", False)])
        error = self.fit("--csv", str(self.csv), *words, "--against", "chinchilla", status=2).stderr
        self.assertIn("no law of the same variables", error)

    def test_same_seed_same_intervals(self):
        words = ("--law", "power", "--x", "D", "--bootstrap", "30")
        self.assertEqual(self.fit_json(*words, "--seed", "7"), self.fit_json(*words, "--seed", "7"))
        self.assertNotEqual(self.fit_json(*words, "--seed", "7"), self.fit_json(*words, "--seed", "8"))

    def test_wrong_use_says_what_to_do_and_exits_2(self):
        csv = ("--csv", str(self.csv))
        for words, message in [
            (("--law", "power"), "--csv FILE, or --where SQL"),
            ((*csv, "--law", "kaplan2"), "did you mean 'kaplan'?"),
            ((*csv, "--law", "power", "--x", "Q"), "no column 'Q'; the columns are params, tokens"),
            ((*csv, "--law", "power", "--map", "N:params"), "must be QUANTITY=COLUMN"),
            ((*csv, "--law", "power", "--map", "N=parms"), "did you mean 'params'?"),
            ((*csv, "--law", "power", "--objective", "huber"), "must be one of huber-log"),
            ((*csv, "--law", "power", "--hold-out", "some"), "must be 'largest' or how many"),
            ((*csv, "--law", "chinchilla", "--count", "nonsense"), "nonsense"),
            ((*csv, "--law", "chinchilla", "--count", "total"), "--count is for runs"),
            ((*csv, "--law", "power", "--where", "1); drop table data; --"), "is not an expression"),
            ((*csv, "--law", "power", "--where", "loss > 1000"), "selects none of the 26 rows"),
            (("--csv", "no-such.csv", "--law", "power"), "cannot be read"),
            *(((*csv, "--law", "power", "--predict", number), "must be a finite number above 0")
              for number in ("0", "-1", "nan", "inf", "1e400")),
            ((*csv, "--law", "power", "--level", "nan"), "--level: nan must be from 0.5 to 0.9999"),
        ]:
            self.assertIn(message, self.fit(*words, status=2).stderr)

    def test_every_bad_row_is_named(self):
        self.csv.write_text("N,loss\n1e6,3\nx,2\n1e7,-1\n")
        error = self.fit("--csv", str(self.csv), "--law", "power", status=2).stderr
        self.assertIn("line 3: column 'N' holds 'x'", error)
        self.assertIn("line 4: column 'loss' holds '-1'", error)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
