"""Trains across two hosts (network namespaces) over TCP, cuts one off, and goes on where the run was.

    two_hosts.py LOGLOG MPIRUN [--layouts tp pp] [--keep FOLDER]

For each of tp=2 and pp=2: a run that is left alone; the same run whose second host loses its link in the middle. The job
must end by itself with a message within a minute; started again, it must finish with the losses of the first run.
Exits 77, saying why, where namespaces cannot be made.
"""

import argparse
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
SUBNET = "10.213.77.0/24"
ADDRESSES = ["10.213.77.1", "10.213.77.2"]
SKIPPED = 77
LONGEST_END = 60.0  # seconds from the cut to the end of the job
CUT_AFTER = 50  # steps; between the checkpoints of steps 40 and 60


def sh(*words, check=True):
    return subprocess.run(words, check=check, capture_output=True, text=True)


class Hosts:
    """Two network namespaces with a cable between them; gone at the end, with all that runs in them."""

    def __init__(self):
        self.names = [f"loglog-{letter}-{os.getpid()}" for letter in "ab"]
        self.links = [f"ll{letter}{os.getpid()}" for letter in "ab"]

    def __enter__(self):
        try:
            for name in self.names:
                sh("ip", "netns", "add", name)
            sh("ip", "link", "add", self.links[0], "netns", self.names[0], "type", "veth",
               "peer", "name", self.links[1], "netns", self.names[1])
            for name, link, address in zip(self.names, self.links, ADDRESSES):
                sh("ip", "-n", name, "address", "add", address + "/24", "dev", link)
                sh("ip", "-n", name, "link", "set", "lo", "up")
                sh("ip", "-n", name, "link", "set", link, "up")
            sh("ip", "netns", "exec", self.names[0], "unshare", "--uts", "hostname", "probe")
        except (OSError, subprocess.CalledProcessError) as error:
            self.__exit__()
            reason = getattr(error, "stderr", None) or str(error)
            print(f"skipped: network namespaces cannot be made here: {reason.strip()}")
            sys.exit(SKIPPED)
        return self

    def __exit__(self, *_):
        for name in self.names:
            self.end_processes(name)
            sh("ip", "netns", "delete", name, check=False)

    def end_processes(self, name):
        for pid in sh("ip", "netns", "pids", name, check=False).stdout.split():
            try:
                os.kill(int(pid), signal.SIGKILL)
            except ProcessLookupError:
                pass

    def wait_until_empty(self):
        """What a lost host still runs must end there, too: nobody can reach it."""
        deadline = time.monotonic() + LONGEST_END
        while any(sh("ip", "netns", "pids", name).stdout.split() for name in self.names):
            if time.monotonic() > deadline:
                return False
            time.sleep(0.2)
        return True

    def set_link(self, state):
        sh("ip", "-n", self.names[1], "link", "set", self.links[1], state)


class Training:
    """`loglog train` with one rank on each host."""

    def __init__(self, arguments, hosts, folder, key):
        self.hosts, self.folder, self.key = hosts, folder, key
        self.hostfile = folder / "hostfile"
        self.hostfile.write_text("".join(f"{address} slots=1\n" for address in ADDRESSES))
        self.loglog, self.mpirun = arguments.loglog, arguments.mpirun

    def command(self, *program):
        mca = {
            "pml": "ob1",
            "btl": "tcp,self",  # the hosts share memory only by accident
            "btl_tcp_if_include": SUBNET,
            "oob_tcp_if_include": SUBNET,
            "plm_rsh_agent": str(HERE / "launch_agent"),
            # The kernel's own patience with a silent peer is hours.
            "oob_tcp_keepalive_time": "5",
            "oob_tcp_keepalive_intvl": "2",
            "oob_tcp_keepalive_probes": "3",
        }
        options = [word for name, value in mca.items() for word in ("--mca", name, value)]
        return ["ip", "netns", "exec", self.hosts.names[0], "unshare", "--uts", "sh", "-c",
                'hostname "$0" && exec "$@"', self.hosts.names[0],
                self.mpirun, "-n", "2", "--map-by", "node", "--bind-to", "none", "--hostfile", str(self.hostfile),
                *options, *program]

    def environment(self):
        return {
            **os.environ,
            "OMPI_ALLOW_RUN_AS_ROOT": "1",
            "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
            "OMPI_MCA_mpi_yield_when_idle": "1",
            "OMP_NUM_THREADS": "1",
            "LOGLOG_TEST_HOSTS": " ".join(f"{a}={n}" for a, n in zip(ADDRESSES, self.hosts.names)),
        }

    def start(self, registry, log):
        command = self.command(self.loglog, "train", str(HERE / "run.toml"), "--set", f"layout.{self.key}=2",
                               "--registry", str(registry))
        return subprocess.Popen(command, env=self.environment(), stdout=log, stderr=subprocess.STDOUT)

    def expect_two_hosts(self):
        result = subprocess.run(self.command("hostname"), env=self.environment(), capture_output=True, text=True, timeout=60)
        names = sorted(result.stdout.split())
        assert names == sorted(self.hosts.names), f"ranks ran on {names}, not on two hosts:\n{result.stderr}"

    def finish(self, registry, name):
        path = self.folder / f"{self.key}-{name}.log"
        with open(path, "w") as log:
            status = self.start(registry, log).wait(300)
        assert status == 0, f"{self.key}=2, {name}: exited {status}:\n{path.read_text()[-3000:]}"


def journal(registry):
    """Lines of the one run in a registry; the last may be cut short."""
    lines = []
    for path in registry.glob("runs/*/journal.jsonl"):
        for line in path.read_text().splitlines():
            try:
                lines.append(json.loads(line))
            except json.JSONDecodeError:
                pass
    return lines


def steps_done(registry):
    return max((line["step"] for line in journal(registry) if line["event"] == "step"), default=0)


def losses(registry):
    """Of every step, as the last process to train it saw it."""
    return {line["step"]: line["loss"] for line in journal(registry) if line["event"] == "step"}


def cut_off(training, registry):
    """Cuts the second host off in the middle; returns how long the job took to end, and what it said."""
    path = training.folder / f"{training.key}-cut.log"
    with open(path, "w") as log:
        process = training.start(registry, log)
        deadline = time.monotonic() + 120
        while steps_done(registry) < CUT_AFTER:
            assert process.poll() is None, f"ended before the cut:\n{path.read_text()[-3000:]}"
            assert time.monotonic() < deadline, f"{steps_done(registry)} steps in two minutes"
            time.sleep(0.02)
        training.hosts.set_link("down")
        begin = time.monotonic()
        try:
            status = process.wait(LONGEST_END)
        except subprocess.TimeoutExpired:
            sys.exit(f"{training.key}=2: a minute after the cut the job still runs; it said:\n{path.read_text()[-3000:]}")
    seconds = time.monotonic() - begin
    assert status != 0, "a job that lost a host ended as if nothing had happened"
    return seconds, path.read_text()


def check(arguments, hosts, folder, key):
    training = Training(arguments, hosts, folder, key)
    training.expect_two_hosts()
    training.finish(folder / f"{key}-alone", "alone")

    registry = folder / f"{key}-cut"
    seconds, message = cut_off(training, registry)
    stopped_at = steps_done(registry)
    print(f"{key}=2: {seconds:.1f} s after the link went down at step {stopped_at} the job ended; its last words:")
    print("    " + "\n    ".join(message.strip().splitlines()[-12:]))
    assert message.strip(), "the job ended without a word"
    assert hosts.wait_until_empty(), f"{key}=2: a minute later the lost host still runs the job"
    hosts.set_link("up")

    training.finish(registry, "resumed")
    resumed = [line["step"] for line in journal(registry) if line["event"] == "resumed"]
    assert resumed and 0 < resumed[-1] <= stopped_at, f"resumed at {resumed}, cut at step {stopped_at}"
    expected, found = losses(folder / f"{key}-alone"), losses(registry)
    different = [step for step in expected if expected[step] != found.get(step)]
    assert not different, f"{key}=2: {len(different)} losses differ, first at step {different[0]}"
    print(f"{key}=2: resumed after step {resumed[-1]}; all {len(found)} losses are those of an undisturbed run")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("loglog", type=os.path.abspath)
    parser.add_argument("mpirun")
    parser.add_argument("--layouts", nargs="+", default=["tp", "pp"], choices=["tp", "pp", "dp"])
    parser.add_argument("--keep", help="work here and leave the files")
    arguments = parser.parse_args()
    arguments.mpirun = shutil.which(arguments.mpirun) or arguments.mpirun
    if shutil.which("ip") is None or shutil.which("unshare") is None:
        print("skipped: needs ip (iproute2) and unshare (util-linux)")
        sys.exit(SKIPPED)
    if os.geteuid() != 0:
        print("skipped: making network namespaces needs root")
        sys.exit(SKIPPED)

    folder = pathlib.Path(arguments.keep or tempfile.mkdtemp(prefix="loglog-two-hosts-"))
    folder.mkdir(parents=True, exist_ok=True)
    with Hosts() as hosts:
        for key in arguments.layouts:
            check(arguments, hosts, folder, key)
    if not arguments.keep:
        shutil.rmtree(folder)


main()
