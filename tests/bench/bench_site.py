"""The folder, database server and stand-in for Claude of one run, and everything that was started for it."""

import os
import re
import shutil
import subprocess
import tempfile

import facts
from processes import BenchError, Process

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


class Site:
    """`build`: the folder with the programs in bin/. end() is called whatever happens."""

    def __init__(self, build):
        self.build = os.path.abspath(build)
        self.server = os.environ["TEST_DATABASE_URL"]
        self.started, self.databases = [], []
        self.node = self.stub = self.stub_url = None
        self.postmaster = int(self.sql(self.server, "select split_part(pg_read_file('postmaster.pid'), e'\\n', 1)"))
        self.sample = facts.read(os.path.join(ROOT, "examples/hospital.yaml"))
        self.folder = tempfile.mkdtemp(prefix="medidesk-bench.")  # last: end() removes it

    def program(self, name):
        return os.path.join(self.build, "bin", name)

    def hospital(self, whole):
        return self.sample if whole else facts.cut(self.sample)

    def sql(self, database, text):
        command = ["psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", database, "-f", "-"]
        done = subprocess.run(command, input=text, capture_output=True, text=True, check=False, timeout=60)
        if done.returncode != 0:
            raise BenchError(f"psql failed: {done.stderr.strip()}")
        return done.stdout.strip()

    def make_database(self, name):
        database = f"bench_{os.getpid()}_{name}"
        self.sql(self.server, f"create database {database}")
        self.databases.append(database)
        return re.sub(r"^(\w+://[^/]*)/[^?]*", rf"\1/{database}", self.server)

    def start_stub(self):
        log = os.path.join(self.folder, "claude-stub.log")
        self.stub = Process("claude-stub", [self.program("claude-stub"), "--no-request_log"], log)
        self.started.append(self.stub)
        self.stub.wait_until(lambda: self.stub.log_tail().startswith("http"), 10, "its port")
        self.stub_url = self.stub.log_tail().splitlines()[0]

    def stop(self, processes):
        for process in reversed(processes):
            process.stop()
            self.started.remove(process)

    def end(self):
        self.stop(list(self.started))
        for database in self.databases:
            try:
                self.sql(self.server, f"drop database if exists {database} with (force)")
            except (BenchError, subprocess.TimeoutExpired):
                pass  # the server is gone, and the database with it
        shutil.rmtree(self.folder, ignore_errors=True)
