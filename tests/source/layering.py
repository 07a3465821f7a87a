"""Proves that includes point one way: `layering.py ROOT` fails on an include that the table below does not allow."""

import pathlib
import re
import sys

# The longest matching prefix decides both what a file belongs to and what it includes.
ALLOWED = {
    "engine/base": [],
    "engine": ["engine"],
    "distributed": ["engine"],
    "db": ["engine/base"],
    "experiments": ["engine", "distributed", "db"],
    "sweeps": ["engine/base", "db", "experiments"],
    "analysis": ["engine/base", "db"],
}
FREE = {"apps", "tests", "bench"}
# Foreign headers that only one folder, and its tests, may see.
CONFINED = {"mpi.h": "distributed/mpi", "nccl.h": "distributed/nccl", "hdf5.h": "db/hdf5"}

INCLUDE = re.compile(r'^\s*#\s*include\s*(["<])([^">]+)[">]')


def layer(path):
    inside = [name for name in ALLOWED if path == name or path.startswith(name + "/")]
    return max(inside, key=len) if inside else None


def violation(path, quote, target):
    """A message when the file at `path` may not include `target`, else None."""
    top = path.split("/")[0]
    if target in CONFINED and top != "tests" and not path.startswith(CONFINED[target] + "/"):
        return f"<{target}> belongs to {CONFINED[target]} alone"
    own = layer(path)
    if quote == "<" or top in FREE or own is None:
        return None
    other = layer(target)
    if other is None:
        return f'"{target}" is not a path from the repository root into a layer below'
    allowed = [own, *ALLOWED[own]]
    if any(other == name or other.startswith(name + "/") for name in allowed):
        return None
    return f'{own} may include {", ".join(ALLOWED[own]) or "nothing of ours"}, not "{target}"'


def check(root):
    problems = []
    for top in {name.split("/")[0] for name in ALLOWED} | FREE:
        for path in sorted((root / top).rglob("*")):
            if path.suffix not in {".hpp", ".cpp", ".cu", ".cuh", ".h"}:
                continue
            relative = path.relative_to(root).as_posix()
            for number, line in enumerate(path.read_text().splitlines(), 1):
                found = INCLUDE.match(line)
                message = found and violation(relative, *found.groups())
                if message:
                    problems.append(f"{relative}:{number}: {message}")
    return problems


def self_test():
    assert violation("engine/base/error.hpp", '"', "engine/tensor/shape.hpp")
    assert violation("db/sqlite/handle.cpp", '"', "engine/tensor/shape.hpp")
    assert violation("analysis/fit/fit.cpp", '"', "experiments/spec/spec.hpp")
    assert violation("engine/ops/linear.cpp", "<", "mpi.h")
    assert violation("engine/ops/linear.cpp", '"', "linear.hpp")
    assert not violation("engine/ops/linear.cpp", '"', "engine/kernels/gemm.hpp")
    assert not violation("db/sqlite/handle.cpp", '"', "engine/base/error.hpp")
    assert not violation("apps/loglog/main.cpp", '"', "sweeps/plan/plan.hpp")
    return []


problems = self_test() if sys.argv[1] == "--self-test" else check(pathlib.Path(sys.argv[1]))
print("\n".join(problems) or "includes point one way")
sys.exit(1 if problems else 0)
