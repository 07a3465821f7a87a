"""fit --law isoflop and envelope, and the cost of leaving the optimum: `fit_optima_test.py LOGLOG`."""

import json
import pathlib
import subprocess
import sys
import tempfile
import unittest

LOGLOG = sys.argv[1]
ALPHA, BETA = .34, .28
A = BETA / (ALPHA + BETA)


def loss(n, d):
    return 1.69 + 406.4 * n**-ALPHA + 410.7 * d**-BETA


def best_size(c):
    return (ALPHA * 406.4 / (BETA * 410.7))**(1 / (ALPHA + BETA)) * (c / 6)**A


def sweep():
    rows = ["C,N,D,loss,arm"]
    for c in (1e18, 4e18, 1.6e19, 6.4e19):
        for i in range(-4, 5):
            n = best_size(c) * 1.2**i
            d = c / (6 * n)
            rows.append(f"{c:.17g},{n:.17g},{d:.17g},{loss(n, d):.17g},x/y")
    return "\n".join(rows) + "\n"


def curves():
    rows = ["name,N,D,loss"]
    for i in range(14):
        n = 1e7 * 1.5**i
        for k in range(60):
            d = n * .3 * 10**(k / 20)
            rows.append(f"run{i},{n:.17g},{d:.17g},{loss(n, d):.17g}")
    return "\n".join(rows) + "\n"


class FitOptima(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="loglog-optima-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def table(self, text):
        path = self.folder / "table.csv"
        path.write_text(text)
        return str(path)

    def fit(self, csv, *words, status=0):
        result = subprocess.run([LOGLOG, "fit", "--csv", self.table(csv), *words], capture_output=True, text=True,
                                timeout=60)
        self.assertEqual(result.returncode, status, result.stderr)
        return result

    def fit_json(self, csv, *words):
        return json.loads(self.fit(csv, "--json", *words).stdout)

    def test_isoflop_finds_the_exponents(self):
        for interpolation in ("parabola", "parabola-log", "akima"):
            fit = self.fit_json(sweep(), "--law", "isoflop", "--interpolation", interpolation, "--bootstrap", "50",
                                "--where", "arm = 'x/y'", "--predict", "1e21")
            self.assertEqual(len(fit["budgets"]), 4)
            self.assertTrue(all(budget["used"] for budget in fit["budgets"]))
            self.assertAlmostEqual(fit["parameters"]["a"]["value"], A, places=2)
            self.assertAlmostEqual(fit["predictions"][0]["N"]["value"] / best_size(1e21), 1, delta=.05)
            self.assertIn("loss", fit["predictions"][0])

    def test_ready_optima_are_recognised(self):
        text = "budget,N_star,N_star_logstd\n" + "".join(f"{c},{c**.5 / 100},0.1\n" for c in (1e18, 1e19, 1e20))
        fit = self.fit_json(text, "--law", "isoflop", "--map", "C=budget", "--bootstrap", "50")
        self.assertAlmostEqual(fit["parameters"]["a"]["value"], .5, places=9)
        self.assertEqual(fit["weights"], "error")
        refused = self.fit(text, "--law", "isoflop", "--map", "C=budget", "--noise", ".01", status=2)
        self.assertIn("--noise", refused.stderr)

    def test_envelope_finds_the_exponents(self):
        fit = self.fit_json(curves(), "--law", "envelope", "--map", "run=name", "--bootstrap", "50")
        self.assertEqual(fit["law"], "envelope")
        self.assertAlmostEqual(fit["parameters"]["a"]["value"], A, delta=.04)
        self.assertLess(fit["parameters"]["a"]["low"], fit["parameters"]["a"]["high"])
        codes = [warning["code"] for warning in fit["warnings"]]
        self.assertIn("one_length_per_size", codes)

    def test_departures_are_priced(self):
        fit = self.fit_json(sweep(), "--law", "chinchilla", "--bootstrap", "0", "--predict", "1e21", "--off-optimal", "0.5",
                            "--over-train", "4")
        smaller, over = fit["departures"]
        self.assertEqual((smaller["kind"], smaller["factor"], smaller["C"]), ("size", .5, 1e21))
        self.assertGreater(smaller["compute_ratio"]["value"], 1)
        self.assertLess(over["size_ratio"]["value"], 1)
        text = self.fit(sweep(), "--law", "chinchilla", "--bootstrap", "0", "--predict", "1e21", "--over-train", "4").stdout
        self.assertIn("4 times the optimal tokens per parameter", text)

    def test_text_names_the_budgets(self):
        text = self.fit(sweep(), "--law", "isoflop", "--bootstrap", "20").stdout
        for wanted in ("N_opt", "1.6e+19", "loss at the optimum", "the surface's 0.45"):
            self.assertIn(wanted, text)

    def test_options_of_another_law_are_refused(self):
        for words in (("--law", "chinchilla", "--interpolation", "akima"), ("--law", "isoflop", "--bins", "50"),
                      ("--law", "isoflop", "--x", "N"), ("--law", "envelope", "--weights", "equal"),
                      ("--law", "isoflop", "--hold-out", "largest"), ("--law", "isoflop", "--over-train", "2"),
                      ("--law", "power", "--x", "N", "--predict", "1e9", "--over-train", "2"),
                      ("--law", "chinchilla", "--over-train", "2")):
            refused = self.fit(sweep(), *words, status=2)
            self.assertRegex(refused.stderr, "--[a-z]")

    def test_bad_values_are_refused(self):
        for words in (("--interpolation", "spline"), ("--weights", "some"), ("--central-points", "2"), ("--noise", "-1")):
            self.fit(sweep(), "--law", "isoflop", *words, status=2)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
