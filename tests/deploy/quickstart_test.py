"""Runs the commands of docs/quickstart.md, each as it stands there, beside a real `./medidesk up`; and holds the documents for
operators to what they promise. Usage: quickstart_test.py FOLDER_OF_THE_PROGRAMS

The command and its scripts are copied to a folder of their own with the programs that were built; the build step alone is left
out, and ports are free ones instead of 8080 and 7001 to 7003."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PROGRAMS = None  # set by main
# The headings of the original's document.
ORIGINAL = """Overview; High-Level Architecture; Message Flow Example; Scenario: Patient asks "What are your visiting hours?"; Database Schema; Tables Used;
Integration Points; 1. Baileys ↔ WhatsApp; 2. Baileys Bot ↔ Supabase Edge Function; 3. Edge Function ↔ Anthropic API; 4. Edge Function ↔ Supabase Database;
Security Layers; Layer 1: WhatsApp Authentication; Layer 2: Bot Server; Layer 3: Edge Function; Layer 4: Database; Scalability Considerations; Current Limitations;
Configuration; Environment Variables; Monitoring Points; 1. Bot Health; 2. Message Processing; 3. Webhook Performance; 4. Database; Failure Modes & Recovery;
Bot Crashes; WhatsApp Disconnection; Webhook Timeout; Database Unavailable; Auth Session Expired; Update & Deployment Strategy; Bot Updates; Zero-Downtime Updates;
Key Files & Their Roles; Design Decisions; Why Baileys?; Why Edge Functions?; Why Separate Bot & Function?; Future Enhancements; Planned Features; Potential Integrations"""


def read(*path):
    with open(os.path.join(ROOT, *path), encoding="utf-8") as file:
        return file.read()


def commands():
    """(command, what it prints) of the quickstart's sh blocks, in order."""
    for block in re.findall(r"```sh\n(.*?)```", read("docs", "quickstart.md"), re.DOTALL):
        for line in block.strip().split("\n"):
            command, _, expected = line.partition("   # ") if "   # " in line else (line, "", "")
            yield command.strip(), expected.strip()


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class QuickstartTest(unittest.TestCase):
    def setUp(self):
        # Not under TMPDIR: run as root, the account `postgres` must be able to reach it.
        self.folder = tempfile.mkdtemp(prefix="medidesk-quickstart.", dir="/tmp")
        os.chmod(self.folder, 0o755)
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        shutil.copy(os.path.join(ROOT, "medidesk"), self.folder)
        for part in ("tools", "deploy", "examples"):
            shutil.copytree(os.path.join(ROOT, part), os.path.join(self.folder, part), ignore=shutil.ignore_patterns("node_modules"))
        with open(os.path.join(self.folder, "tools", "build.sh"), "w", encoding="utf-8") as file:
            file.write("build() { :; }\nbuild_programs() { :; }\n")
        programs = os.path.join(self.folder, "build", "release", "bin")
        os.makedirs(programs)
        for name in os.listdir(PROGRAMS):
            os.symlink(os.path.join(PROGRAMS, name), os.path.join(programs, name))
        self.port = free_port()
        with open(os.path.join(self.folder, ".env"), "w", encoding="utf-8") as file:
            file.write(f"PORT={self.port}\n")
            for service in ("GATEWAY", "ASSISTANT", "STORE"):
                file.write(f"{service}_ADDRESS=127.0.0.1:{free_port()}\n")
        self.environment = {"PATH": os.environ["PATH"], "HOME": self.folder}

    def start(self, command):
        self.log = open(os.path.join(self.folder, "up.log"), "w+", encoding="utf-8")
        self.addCleanup(self.log.close)
        process = subprocess.Popen(command, shell=True, executable="/bin/bash", cwd=self.folder, env=self.environment, start_new_session=True,
                                   stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        self.addCleanup(self.end, process)
        end = time.monotonic() + 120
        while "MediDesk is up" not in self.said():
            self.assertIsNone(process.poll(), self.said())
            self.assertLess(time.monotonic(), end, self.said())
            time.sleep(0.1)
        return process

    def said(self):
        with open(os.path.join(self.folder, "up.log"), encoding="utf-8") as file:
            return file.read()

    def end(self, process):
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGINT)
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()

    def test_the_commands_do_what_they_say(self):
        listed = list(commands())
        self.assertEqual(listed[0][0], "./medidesk up")
        self.assertGreater(len(listed), 12)
        up = self.start("exec ./medidesk up")
        for command, expected in listed[1:]:
            with self.subTest(command):
                done = subprocess.run(command.replace(":8080", f":{self.port}"), shell=True, executable="/bin/bash", cwd=self.folder, env=self.environment,
                                      stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=120, check=False)
                self.assertEqual(done.returncode, 0, done.stdout)
                self.assertIn(expected, done.stdout)
        os.killpg(up.pid, signal.SIGINT)
        self.assertEqual(up.wait(60), 0, self.said())


class OperatorsDocumentsTest(unittest.TestCase):
    def test_every_heading_of_the_original_has_its_place(self):
        table = read("docs", "go-live.md").split("heading by heading")[1]
        rows = dict(re.findall(r"^\| (.+?) \| (.+) \|$", table, re.MULTILINE))
        for heading in re.split(r";\s+", ORIGINAL):
            self.assertIn(heading, rows)
            self.assertTrue(rows[heading].strip())

    def test_every_alert_names_a_page_that_names_it(self):
        for alert, runbook in re.findall(r"- alert: (\w+)\n.*?runbook: (\S+)", read("helm", "medidesk", "files", "alerts.yaml"), re.DOTALL):
            text = read(*runbook.split("/"))
            self.assertTrue(alert in text or alert.replace("Missing", "") in text or "`..." + alert.removeprefix("MediDeskReplica") in text, f"{runbook} does not name {alert}")

    def test_every_page_of_operations_is_listed(self):
        listed = read("docs", "operations", "README.md")
        for name in sorted(os.listdir(os.path.join(ROOT, "docs", "operations"))):
            if name != "README.md":
                self.assertIn(f"({name})", listed)

    def test_commands_in_the_documents_exist(self):
        known = set(re.findall(r"\./medidesk ([a-z]+)", subprocess.run([os.path.join(ROOT, "medidesk"), "help"], capture_output=True, text=True, check=True).stdout))
        for name in ["quickstart.md", "install.md", "go-live.md", "troubleshooting.md", "migrate-from-baileys.md", *(f"operations/{page}" for page in os.listdir(os.path.join(ROOT, "docs", "operations")))]:
            for command in re.findall(r"`{0,3}\./medidesk ([a-z]+)", read("docs", name)):
                self.assertIn(command, known, name)

    def test_settings_in_the_documents_exist(self):
        known = set(re.findall(r"`([A-Z][A-Z0-9_]+)`", read("docs", "configuration.md"))) | {"DATABASE_URL", "MIGRATE_DATABASE_URL", "WEBHOOK_URL"}  # the last is the old bot's
        for page in os.listdir(os.path.join(ROOT, "docs", "operations")):
            for name in re.findall(r"`([A-Z][A-Z0-9]+_[A-Z0-9_]+)`", read("docs", "operations", page)):
                self.assertIn(name, known, page)


if __name__ == "__main__":
    PROGRAMS = os.path.abspath(sys.argv.pop(1))
    unittest.main(verbosity=2)
