"""The watchdog ends a job of three ranks that is stuck, and names the rank: `watchdog_test.py VICTIM MPIEXEC [FLAGS...]`."""

import subprocess
import sys
import time

victim, mpiexec = sys.argv[1], sys.argv[2:]


def run(behaviour, rank):
    begin = time.monotonic()
    result = subprocess.run([*mpiexec, victim, behaviour, str(rank)], capture_output=True, text=True, timeout=50)
    return result.returncode, result.stderr, time.monotonic() - begin


def expect(behaviour, rank, texts, seconds=20):
    status, output, took = run(behaviour, rank)
    context = f"{behaviour} of rank {rank}: status {status} after {took:.1f} s\n{output}"
    assert status != 0, context
    assert took < seconds, context
    for text in texts:
        assert text in output, f"no '{text}' in\n{context}"
    print(f"{behaviour} of rank {rank}: ended after {took:.1f} s")


waits = "in all-reduce of 4000 bytes in the data group, operation 3"
expect("stop", 1, ["stuck at rank 1 (no sign of life", "rank 2 (", "dp 2): waiting for", waits])
expect("sleep", 1, ["stuck at rank 1 (computing", "dp 1): computing for", waits])
expect("stop", 0, ["rank 0 has not been heard of for"])
expect("throw", 1, ["an error ends the job"])

for behaviour in ("pause", "nothing"):
    status, output, took = run(behaviour, 1)
    assert status == 0, f"{behaviour}: status {status}\n{output}"
    assert "stuck" not in output, output
    print(f"{behaviour}: ended in order after {took:.1f} s")
