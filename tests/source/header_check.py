"""Every header compiles alone: `header_check.py ROOT COMPILER [FLAGS...]`."""

import concurrent.futures
import os
import pathlib
import subprocess
import sys

root, compiler, flags = pathlib.Path(sys.argv[1]), sys.argv[2], sys.argv[3:]
folders = ["engine", "distributed", "db", "experiments", "sweeps", "analysis", "apps", "tests"]
# A -inl header is included once per instruction set by a .cpp that sets it up; alone it means nothing.
headers = [h for f in folders for h in sorted((root / f).rglob("*.hpp")) if not h.stem.endswith("-inl")]
mpi = subprocess.run(["pkg-config", "--cflags", "ompi-c"], capture_output=True, text=True, check=True).stdout.split()


def compiles(header):
    command = [compiler, "-std=c++20", "-fsyntax-only", "-x", "c++", f"-I{root}", *mpi, *flags, "-include", str(header), os.devnull]
    return header, subprocess.run(command, capture_output=True, text=True)


failed = 0
with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
    for header, result in pool.map(compiles, headers):
        if result.returncode != 0:
            failed += 1
            print(f"{header.relative_to(root)} does not compile alone:\n{result.stderr}")
print(f"{len(headers) - failed} of {len(headers)} headers compile alone")
sys.exit(1 if failed or not headers else 0)
