"""Kills a sweep with SIGKILL at random moments until it is done; its curves must equal an undisturbed run's bit for bit.

    kill_and_resume.py LOGLOG MPIRUN [--kills 10] [--seed 1] [--keep FOLDER]

Also: no run is lost or doubled, and `runs rebuild` gives the same registry from the folders alone.
"""

import argparse
import json
import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
# What a run may differ in from another of the same spec: when and where it ran, and how fast.
VOLATILE = {"seconds", "tokens_per_second", "share_of_peak", "created_at", "finished_at", "host", "peak_memory_bytes"}
ENVIRONMENT = {
    **os.environ,
    "OMPI_ALLOW_RUN_AS_ROOT": "1",
    "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
    "OMPI_MCA_rmaps_base_oversubscribe": "1",
}


def start(arguments, registry, log):
    command = [arguments.mpirun, "-n", "2", "--bind-to", "none", arguments.loglog, "sweep", "run",
               str(HERE / "sweep.toml"), "--registry", str(registry)]
    # Its own session, so that one signal reaches mpirun and every rank.
    return subprocess.Popen(command, env=ENVIRONMENT, stdout=log, stderr=log, start_new_session=True)


def ask(arguments, *words):
    result = subprocess.run([arguments.loglog, *words], env=ENVIRONMENT, capture_output=True, text=True)
    if result.returncode:
        sys.exit(f"{' '.join(words)} exited {result.returncode}:\n{result.stderr}")
    return result.stdout


def members(session):
    """Processes of a session that still run."""
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except (FileNotFoundError, ProcessLookupError):
                continue
            if int(fields[3]) == session and fields[0] not in "ZX":
                yield int(entry.name)


def kill_session(process):
    """SIGKILL to every process of the session: mpirun puts ranks into process groups of their own, and may be starting
    one while others are killed."""
    while alive := list(members(process.pid)):
        for pid in alive:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        time.sleep(0.01)
    process.wait()


def stable(value):
    if isinstance(value, dict):
        return {key: stable(item) for key, item in value.items() if key not in VOLATILE}
    return [stable(item) for item in value] if isinstance(value, list) else value


def runs(arguments, registry):
    listed = json.loads(ask(arguments, "runs", "list", "--registry", str(registry), "--json"))
    ids = [run["id"] for run in listed]
    assert len(ids) == len(set(ids)), f"a run is listed twice: {ids}"
    return {run["id"]: run for run in listed}


def curves(arguments, registry, folder):
    out = folder / "curves.json"
    ask(arguments, "runs", "export", "--curves", "--format", "json", "--out", str(out), "--registry", str(registry))
    # By id: they are listed by time of creation, which kills change.
    return {run["id"]: stable(run) for run in json.loads(out.read_text())}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("loglog")
    parser.add_argument("mpirun")
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", help="work here and leave the files")
    arguments = parser.parse_args()
    folder = pathlib.Path(arguments.keep or tempfile.mkdtemp(prefix="loglog-faults-"))
    folder.mkdir(parents=True, exist_ok=True)
    moments = random.Random(arguments.seed)

    with open(folder / "undisturbed.log", "w") as log:
        begin = time.monotonic()
        status = start(arguments, folder / "undisturbed", log).wait()
        duration = time.monotonic() - begin
    assert status == 0, f"the undisturbed sweep exited {status}; see {folder}/undisturbed.log"

    kills = 0
    with open(folder / "killed.log", "w") as log:
        while kills < arguments.kills:
            process = start(arguments, folder / "killed", log)
            # Short lives on average, so that ten kills fall inside one sweep's worth of work.
            lifetime = moments.uniform(0.05, 1.8 * duration / arguments.kills)
            try:
                status = process.wait(lifetime)
                assert status == 0, f"a resumed sweep exited {status}; see {folder}/killed.log"
                print(f"the sweep finished after {kills} kills; starting over to make them {arguments.kills}")
                shutil.rmtree(folder / "killed")
            except subprocess.TimeoutExpired:
                kill_session(process)
                kills += 1
        status = start(arguments, folder / "killed", log).wait()
    assert status == 0, f"the last resumption exited {status}; see {folder}/killed.log"

    expected, found = runs(arguments, folder / "undisturbed"), runs(arguments, folder / "killed")
    assert expected.keys() == found.keys(), f"lost {expected.keys() - found.keys()}, new {found.keys() - expected.keys()}"
    for run_id, run in expected.items():
        assert stable(run) == stable(found[run_id]), f"run {run_id} differs:\n{run}\n{found[run_id]}"
    assert curves(arguments, folder / "undisturbed", folder) == curves(arguments, folder / "killed", folder), "curves differ"

    ask(arguments, "runs", "rebuild", "--registry", str(folder / "killed"))
    rebuilt = runs(arguments, folder / "killed")
    assert rebuilt == found, "runs rebuild gives another registry"
    print(f"{len(found)} runs, {kills} kills: curves and registry are the same bit for bit")
    if not arguments.keep:
        shutil.rmtree(folder)


main()
