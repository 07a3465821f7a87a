"""The plan's parameters and FLOPs against a count by hand: `hand_count.py LOGLOG SWEEP.toml`.

Written from the definition of a GPT with biases and a tied head, positions learned or rotary; shares nothing with the
program.
"""

import json
import math
import subprocess
import sys
import tomllib

loglog, sweep = sys.argv[1:]
plan = json.loads(subprocess.run([loglog, "sweep", "plan", sweep, "--json"], check=True, capture_output=True, text=True).stdout)

with open(sweep, "rb") as file:
    learned_positions = tomllib.load(file)["model"].get("positions", "learned") == "learned"

problems = []
for run in plan["runs"]:
    L, d, h, V, T = (run[key] for key in ("layers", "width", "heads", "vocab", "context"))
    f = run["mlp_width"]
    attention = (d * 3 * d + 3 * d) + (d * d + d)  # query, key, value with biases; output projection
    mlp = (d * f + f) + (f * d + d)
    norms = 2 * 2 * d
    non_embedding = L * (attention + mlp + norms) + 2 * d  # and the final norm
    embedding = V * d + (T * d if learned_positions else 0)
    # Forward multiply-adds of one token: every matrix once, the tied head included; scores and values over the
    # (T + 1) / 2 positions that a token sees on average. Two FLOPs each, and twice as much backward.
    matrices = L * (3 * d * d + d * d + 2 * d * f) + d * V
    mixing = L * 2 * d * (T + 1) / 2
    flops_per_token = 3 * 2 * (matrices + mixing)
    expected = {
        "non_embedding": non_embedding,
        "total": non_embedding + embedding,
        "flops_per_token": flops_per_token,
        "flops": flops_per_token * run["tokens"],
        "flops_6nd": 6 * non_embedding * run["tokens"],
    }
    found = {**run["parameters"], **{key: run[key] for key in ("flops_per_token", "flops", "flops_6nd")}}
    for key, value in expected.items():
        if not math.isclose(found[key], value, rel_tol=1e-12):
            problems.append(f"{run['id']} (L={L}, d={d}): {key} is {found[key]}, by hand {value}")

print("\n".join(problems) or f"{len(plan['runs'])} runs as counted by hand")
sys.exit(1 if problems or not plan["runs"] else 0)
