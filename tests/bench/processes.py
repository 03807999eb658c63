"""Processes that the benchmark starts: each is ended by its pid, and dies with us even after kill -9."""

import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request

HERTZ = os.sysconf("SC_CLK_TCK")
# Nothing of the caller's settings may reach what is measured.
KEPT = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "TZ")


class BenchError(Exception):
    """Ends the benchmark; the text says what to do."""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def stat_ticks(pid):
    """(user + system, the same of ended and reaped children, parent's pid); zeros when the process is gone."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            fields = file.read().rsplit(")", 1)[1].split()
    except OSError:
        return 0, 0, 0
    return int(fields[11]) + int(fields[12]), int(fields[13]) + int(fields[14]), int(fields[1])


def tree_cpu_seconds(pid):
    """CPU seconds of a process and its children, the ended ones included: PostgreSQL and its backends."""
    own, reaped, _ = stat_ticks(pid)
    total = own + reaped
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            ticks, _, parent = stat_ticks(entry)
            if parent == pid:
                total += ticks
    return total / HERTZ


class Process:
    def __init__(self, name, command, log, environment=None):
        self.name = name
        kept = {key: os.environ[key] for key in KEPT if key in os.environ}
        self.log = log
        with open(log, "ab") as output:
            self.child = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", *command], stdin=subprocess.DEVNULL,
                                          stdout=output, stderr=output, start_new_session=True,
                                          env={**kept, "REPLIES_AN_HOUR": "0", "LOOP_GUARD": "false", **(environment or {})})
        self.pid = self.child.pid

    def alive(self):
        return self.child.poll() is None

    def cpu_seconds(self):
        return stat_ticks(self.pid)[0] / HERTZ

    def pss_mib(self):
        """Resident memory, what is shared counted by its share."""
        with open(f"/proc/{self.pid}/smaps_rollup", encoding="utf-8") as lines:
            return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024

    def log_tail(self):
        with open(self.log, encoding="utf-8", errors="replace") as file:
            return "".join(file.readlines()[-8:]).strip()

    def wait_until(self, ready, seconds, what):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if not self.alive():
                raise BenchError(f"{self.name} ended with code {self.child.returncode}; "
                                 f"its last lines:\n{self.log_tail()}")
            if ready():
                return
            time.sleep(0.05)
        raise BenchError(f"{self.name} did not get {what} in {seconds} s; its last lines:\n{self.log_tail()}")

    def stop(self):
        if self.alive():
            self.child.send_signal(signal.SIGTERM)
            try:
                self.child.wait(15)
            except subprocess.TimeoutExpired:
                self.child.kill()
        self.child.wait()


def accepts(port):
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def answers_200(url):
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:
            return answer.status == 200
    except (urllib.error.URLError, OSError):
        return False
