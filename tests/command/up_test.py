"""`./medidesk up` with a made-up medidesk-all: what it starts, what it refuses, and that all of it ends.

The command and its scripts are copied beside a small program that answers /readyz; the build step
alone is left out. PostgreSQL is real.
"""

import json
import os
import shutil
import signal
import socket
import stat
import subprocess
import tempfile
import time
import unittest
import urllib.request

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
DEADLINE = 60  # seconds for anything to happen

PROGRAM = """#!/usr/bin/python3
import http.server, json, os, signal, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps({"pid": os.getpid(), "arguments": sys.argv[1:],
            "environment": {name: os.environ.get(name) for name in ("DATABASE_URL", "MEDIDESK_MASTER_KEY", "FROM_FILE", "BOTH")}}).encode())
    def log_message(self, *_):
        pass
def stop(*_):
    open("stopped", "w").close()
    sys.exit(0)
signal.signal(signal.SIGTERM, stop)
http.server.HTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
"""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(condition, what):
    end = time.monotonic() + DEADLINE
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.05)
    raise AssertionError(f"not within {DEADLINE} s: {what}")


def gone(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rsplit(")", 1)[1].split()[0] == "Z"
    except FileNotFoundError:
        return True


class UpTest(unittest.TestCase):
    def setUp(self):
        # Not under TMPDIR: run as root, the account `postgres` must be able to reach it.
        self.folder = tempfile.mkdtemp(prefix="medidesk-up.", dir="/tmp")
        os.chmod(self.folder, 0o755)
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        shutil.copy(os.path.join(ROOT, "medidesk"), self.folder)
        for part in ("tools", "deploy"):
            shutil.copytree(os.path.join(ROOT, part), os.path.join(self.folder, part))
        with open(os.path.join(self.folder, "tools", "build.sh"), "w") as file:
            file.write("build() { :; }\n")
        program = os.path.join(self.folder, "build", "release", "bin", "medidesk-all")
        os.makedirs(os.path.dirname(program))
        with open(program, "w") as file:
            file.write(PROGRAM)
        os.chmod(program, 0o755)
        self.port = free_port()
        self.started = []
        self.addCleanup(self.end_all)

    def end_all(self):
        for process in self.started:
            if process.poll() is None:
                process.kill()
                process.wait()

    def up(self, **settings):
        environment = {"PATH": os.environ["PATH"], "HOME": self.folder, "PORT": str(self.port), **settings}
        self.log = open(os.path.join(self.folder, "up.log"), "w")
        self.addCleanup(self.log.close)
        process = subprocess.Popen([os.path.join(self.folder, "medidesk"), "up"], cwd=self.folder, env=environment,
                                   stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        self.started.append(process)
        return process

    def said(self):
        with open(os.path.join(self.folder, "up.log")) as file:
            return file.read()

    def path(self, *parts):
        return os.path.join(self.folder, "var", *parts)

    def wait_up(self, process):
        wait_for(lambda: "MediDesk is up" in self.said() or process.poll() is not None, "up")
        self.assertIsNone(process.poll(), self.said())
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/readyz", timeout=5) as answer:
            return json.load(answer)

    def postgres_pid(self):
        with open(self.path("postgres", "data", "postmaster.pid")) as file:
            return int(file.readline())

    def query(self, sql):
        with open(self.path("database_url")) as file:
            url = file.read().strip()
        return subprocess.run(["psql", url, "-XAtc", sql], capture_output=True, text=True, check=True).stdout.strip()

    def test_starts_a_database_and_the_program_and_ends_both_on_a_signal(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            with self.subTest(number.name):
                process = self.up()
                program = self.wait_up(process)
                database = self.postgres_pid()
                self.assertEqual(self.query("select current_user, current_setting('fsync')"), "medidesk|on")
                process.send_signal(number)
                self.assertEqual(process.wait(DEADLINE), 0, self.said())
                self.assertTrue(gone(program["pid"]) and gone(database))
                self.assertTrue(os.path.exists(os.path.join(self.folder, "stopped")), "the program was not asked to stop")

    def test_keeps_data_and_master_key_from_start_to_start(self):
        keys = []
        for number in range(2):
            process = self.up()
            keys.append(self.wait_up(process)["environment"]["MEDIDESK_MASTER_KEY"])
            self.query("create table if not exists starts (number int)")
            self.query(f"insert into starts values ({number})")
            self.assertEqual(self.query("select count(*) from starts"), str(number + 1))
            process.terminate()
            process.wait(DEADLINE)
        self.assertEqual(keys[0], keys[1])
        self.assertEqual(len(keys[0]), 44)
        self.assertEqual(stat.S_IMODE(os.stat(self.path("master_key")).st_mode), 0o600)
        self.assertEqual(stat.S_IMODE(os.stat(self.path("database_url")).st_mode), 0o600)

    def test_nothing_outlives_a_killed_command(self):
        process = self.up()
        program, database = self.wait_up(process)["pid"], self.postgres_pid()
        process.kill()
        process.wait(DEADLINE)
        wait_for(lambda: gone(program) and gone(database), "the end of both")

    def test_refuses_a_second_one_on_the_same_state(self):
        process = self.up()
        self.wait_up(process)
        second = subprocess.run([os.path.join(self.folder, "medidesk"), "up"], cwd=self.folder, stdin=subprocess.DEVNULL,
                                env={"PATH": os.environ["PATH"], "PORT": str(free_port())}, capture_output=True, text=True, timeout=DEADLINE)
        self.assertEqual(second.returncode, 1)
        self.assertIn("another ./medidesk up is running", second.stderr)
        self.assertIsNone(process.poll())

    def test_refuses_a_port_that_is_taken(self):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", self.port))
            taken.listen()
            process = self.up()
            self.assertEqual(process.wait(DEADLINE), 1)
            self.assertIn(f"port {self.port} is taken", self.said())

    def test_starts_a_database_again_that_was_killed(self):
        process = self.up()
        self.wait_up(process)
        first = self.postgres_pid()
        os.kill(first, signal.SIGKILL)
        wait_for(lambda: "starting it again" in self.said(), "the notice")

        def answers():
            try:
                return self.query("select 1") == "1" and self.postgres_pid() != first
            except (subprocess.CalledProcessError, FileNotFoundError):
                return False
        wait_for(answers, "the second server")
        process.terminate()
        self.assertEqual(process.wait(DEADLINE), 0)

    def test_ends_with_an_error_when_the_program_does(self):
        process = self.up()
        os.kill(self.wait_up(process)["pid"], signal.SIGKILL)
        self.assertEqual(process.wait(DEADLINE), 1)
        self.assertIn("ended by itself", self.said())
        self.assertFalse(os.path.exists(self.path("postgres", "data", "postmaster.pid")))

    def test_reads_env_files_and_leaves_a_given_database_alone(self):
        with open(os.path.join(self.folder, ".env"), "w") as file:
            file.write("# settings\nDATABASE_URL='postgresql://elsewhere/x'\nexport FROM_FILE=\"a b $(touch hit)\"\nBOTH=file\n")
        process = self.up(BOTH="environment")
        environment = self.wait_up(process)["environment"]
        self.assertEqual(environment["DATABASE_URL"], "postgresql://elsewhere/x")
        self.assertEqual(environment["FROM_FILE"], "a b $(touch hit)")
        self.assertEqual(environment["BOTH"], "environment")
        self.assertFalse(os.path.exists(self.path("postgres")))
        self.assertFalse(os.path.exists(os.path.join(self.folder, "hit")))

    def test_names_the_line_of_a_broken_env_file_without_showing_it(self):
        with open(os.path.join(self.folder, ".env"), "w") as file:
            file.write("GOOD=1\nsk-secret no equals sign\n")
        process = self.up()
        self.assertEqual(process.wait(DEADLINE), 1)
        self.assertIn("line 2: expected NAME=VALUE", self.said())
        self.assertNotIn("sk-secret", self.said())


if __name__ == "__main__":
    unittest.main(verbosity=2)
