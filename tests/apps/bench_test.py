"""Benches as programs read them, on tiny sizes: `bench_test.py LOGLOG`. Nothing is said of speed."""

import json
import subprocess
import sys
import unittest

LOGLOG = sys.argv[1]


def bench(*words, status=0):
    result = subprocess.run([LOGLOG, "bench", *words], capture_output=True, text=True, timeout=120)
    assert result.returncode == status, result.stderr
    return result


class BenchAttention(unittest.TestCase):
    TINY = ("attention", "--heads", "1", "--head-dim", "16")

    def test_json_has_points_and_trends_of_every_kind_asked_for(self):
        words = ("--kinds", "dense,window,gdn", "--times", "64,1024,2048", "--window", "32", "--json")

        result = json.loads(bench(*self.TINY, *words).stdout)

        self.assertEqual([kind["kind"] for kind in result["kinds"]], ["dense", "window", "gdn"])
        self.assertEqual((result["threads"], result["heads"], result["head_dim"]), (1, 1, 16))
        for kind in result["kinds"]:
            self.assertEqual([point["time"] for point in kind["points"]] + kind["skipped"], [64, 1024, 2048])
            for point in kind["points"]:
                self.assertGreater(point["seconds"], 0)
                self.assertAlmostEqual(point["tokens_per_second"] * point["seconds"], point["time"])
                self.assertAlmostEqual(point["flops_per_second"] / result["peak_flops"], point["share_of_peak"])
                # q, k, v and their gradients at least
                self.assertGreater(point["memory_bytes"], 6 * 16 * 4 * point["time"])
            self.assertIsInstance(kind["growth_exponent"], float)
            self.assertIsNone(kind["time_per_token_16384_over_2048"])
        dense = result["kinds"][0]
        self.assertIsNone(dense["crossover_with_dense"])
        # 3 x heads x 2 x head_dim x (time + 1) a token
        self.assertEqual(dense["points"][0]["flops"], 3 * 64 * 2 * 16 * 65)

    def test_all_kinds_are_timed_unless_some_are_named(self):
        kinds = json.loads(bench(*self.TINY, "--times", "64", "--json").stdout)["kinds"]

        self.assertEqual(len(kinds), 17)  # all but pattern, which needs a file
        self.assertIsNone(kinds[0]["growth_exponent"])

    def test_lengths_that_would_take_too_long_are_named(self):
        words = ("--kinds", "dense", "--times", "512,65536", "--limit", "0.1", "--json")

        dense = json.loads(bench(*self.TINY, *words).stdout)["kinds"][0]

        self.assertEqual(dense["skipped"], [65536])

    def test_wrong_words_are_named(self):
        self.assertIn("did you mean 'window'?", bench("attention", "--kinds", "windw", status=2).stderr)
        self.assertIn("needs at least 5", bench("attention", "--repeats", "3", status=2).stderr)


unittest.main(argv=sys.argv[:1] + sys.argv[2:])
