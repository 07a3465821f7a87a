"""Every source file is formatted as .clang-format says: `format_check.py ROOT CLANG_FORMAT`."""

import pathlib
import subprocess
import sys

root, clang_format = pathlib.Path(sys.argv[1]), sys.argv[2]
folders = ["engine", "distributed", "db", "experiments", "sweeps", "analysis", "apps", "tests", "bench"]
files = [str(p) for f in folders for p in sorted((root / f).rglob("*")) if p.suffix in {".hpp", ".cpp", ".cu", ".cuh"}]
result = subprocess.run([clang_format, "--dry-run", "--Werror", *files], cwd=root, capture_output=True, text=True)
print(result.stderr[-4000:] or f"{len(files)} files are formatted")
sys.exit(1 if result.returncode or not files else 0)
