"""`medidesk-cli doctor` on a healthy installation, and on ones with a fault planted: each is found, alone
where that can be, and the finding names its cure. Usage: doctor_test.py FOLDER_OF_THE_PROGRAMS, under
tests/with-postgres."""

import base64
import contextlib
import http.server
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import urllib.error
import urllib.parse
import urllib.request
import uuid

sys.dont_write_bytecode = True
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
DEADLINE = 60  # seconds for anything to happen
SECRETS = ["sk-ant-doctor-test-secret", "doctor-webhook-secret"]
BIN = None  # set by main


def program(name):
    return os.path.join(BIN, name)


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


def psql(url, statement):
    command = '. tools/postgres.sh; exec "$(postgres_programs)/psql" -X -q -v ON_ERROR_STOP=1 -d "$1" -c "$2"'
    subprocess.run(["bash", "-c", ". tools/common.sh; " + command, "-", url, statement], cwd=ROOT, check=True, timeout=DEADLINE)


def database(name):
    return urllib.parse.urlsplit(os.environ["TEST_DATABASE_URL"])._replace(path="/" + name).geturl()


def make_database():
    name = "doctor_" + uuid.uuid4().hex[:12]
    psql(os.environ["TEST_DATABASE_URL"], f"create database {name}")
    return database(name)


@contextlib.contextmanager
def serve(handler):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


class Installation(unittest.TestCase):
    """A database with the schema and facts, a stand-in for Claude, an open port for WhatsApp's."""

    @classmethod
    def setUpClass(cls):
        cls.cleanup = contextlib.ExitStack()
        try:
            cls.set_up()
        except BaseException:
            cls.cleanup.close()
            raise

    @classmethod
    def tearDownClass(cls):
        cls.cleanup.close()

    @classmethod
    def set_up(cls):
        cls.folder = tempfile.mkdtemp(prefix="medidesk-doctor.")
        cls.cleanup.callback(shutil.rmtree, cls.folder, ignore_errors=True)
        cls.database = make_database()
        cls.claude = cls.start_claude()
        whatsapp = socket.create_server(("127.0.0.1", 0), backlog=64)
        cls.cleanup.callback(whatsapp.close)
        cls.ports = {name: free_port() for name in ("PORT", "GATEWAY", "ASSISTANT", "STORE")}
        cls.settings = {
            "DATABASE_URL": cls.database, "ANTHROPIC_API_KEY": SECRETS[0], "ANTHROPIC_BASE_URL": cls.claude,
            "WHATSAPP_URL": f"ws://127.0.0.1:{whatsapp.getsockname()[1]}/ws/chat", "MEDIDESK_VAR": cls.folder,
            "MEDIDESK_TIMEZONE": "Asia/Kolkata", "WEBHOOK_KEY": SECRETS[1], "PORT": str(cls.ports["PORT"]),
            "MEDIDESK_MASTER_KEY": base64.b64encode(bytes(range(32))).decode(),
            **{f"{name}_ADDRESS": f"127.0.0.1:{cls.ports[name]}" for name in ("GATEWAY", "ASSISTANT", "STORE")}}
        cls.start("medidesk-all", {**cls.settings, "MEDIDESK_HOSPITAL_FILE": os.path.join(ROOT, "examples/hospital.yaml")})
        wait_for(lambda: cls.get("/readyz") == 200, "medidesk-all to be ready")
        cls.certificates = cls.make_certificates("good")

    @classmethod
    def start(cls, name, environment, *arguments):
        log = open(os.path.join(cls.folder, name + ".log"), "w+")
        child = subprocess.Popen([program(name), *arguments], env={"PATH": os.environ["PATH"], **environment}, stdout=log, stderr=log, cwd=ROOT)

        def stop():
            child.terminate()
            try:
                child.wait(20)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
            log.close()
        cls.cleanup.callback(stop)
        return log

    @classmethod
    def start_claude(cls):
        log = cls.start("claude-stub", {}, "--port=0", "--facts")

        def address():
            with open(log.name) as file:
                return re.search(r"http://\S+", file.read())
        return wait_for(address, "the stand-in for Claude")[0]

    @classmethod
    def get(cls, path):
        try:
            return urllib.request.urlopen(f"http://127.0.0.1:{cls.ports['PORT']}{path}", timeout=5).status
        except (urllib.error.URLError, OSError):
            return None

    @classmethod
    def make_certificates(cls, name, *arguments):
        folder = os.path.join(cls.folder, name)
        subprocess.run([program("medidesk-cli"), "certs", folder, *arguments], check=True, capture_output=True, timeout=DEADLINE)
        return folder

    def tls(self, folder=None, key=None):
        folder = folder or self.certificates
        return {"TLS_CA": f"{folder}/ca.pem", "TLS_CERT": f"{folder}/store.pem", "TLS_KEY": key or f"{folder}/store.key"}

    def doctor(self, settings=None, env_file=None, arguments=(), code=None):
        path = os.path.join(self.folder, "env-" + uuid.uuid4().hex)
        if env_file is not None:
            with open(path, "w") as file:
                os.fchmod(file.fileno(), 0o600)
                file.write(env_file)
        environment = {"PATH": os.environ["PATH"], **self.settings, **(settings or {})}
        run = subprocess.run([program("medidesk-cli"), "doctor", "--json", "--env", path, *arguments], capture_output=True, text=True,
                             env=environment, timeout=DEADLINE)
        for secret in SECRETS:
            self.assertNotIn(secret, run.stdout + run.stderr)
        report = json.loads(run.stdout)
        self.assertEqual(run.returncode, 1 if report["errors"] else 0, report)
        if code is not None:
            self.assertEqual(run.returncode, code, run.stdout)
        return report

    def assert_finds(self, what, cure, level="error", alone=True, **how):
        """One finding of that level beside the healthy installation's, with both texts."""
        report = self.doctor(**how)
        found = [one for one in report["findings"] if re.search(what, one["what"])]
        self.assertEqual(len(found), 1, report)
        self.assertEqual(found[0]["level"], level, report)
        self.assertRegex(found[0]["cure"], cure)
        if alone:
            others = [one for one in report["findings"] if one["level"] == "error" and one is not found[0]]
            self.assertEqual(others, [])


class DoctorTest(Installation):
    def test_a_healthy_installation_has_no_error(self):
        report = self.doctor(settings=self.tls(), env_file="# nothing\n", code=0)
        fine = {one["check"] for one in report["findings"] if one["level"] == "ok"}
        self.assertLessEqual({"configuration", "master key", "timezone", "database", "schema", "role", "hospital", "clock", "claude",
                              "certificates", "ports", "disk", "whatsapp"}, fine, report)
        self.assertEqual(sum("MediDesk runs there" in one["what"] for one in report["findings"]), 4, report)
        # The texts that ship are approved by nobody.
        self.assertEqual([one["check"] for one in report["findings"] if one["level"] == "warning"], ["emergency texts"], report)
        self.assertIn("approved_by", next(one["cure"] for one in report["findings"] if one["check"] == "emergency texts"))

    def test_speaks_to_people_in_two_lines_a_finding_and_a_summary(self):
        run = subprocess.run([program("medidesk-cli"), "doctor", "--env", "/nonexistent"], capture_output=True, text=True,
                             env={**self.settings, "MEDIDESK_TIMEZONE": "Mars/Base"}, timeout=DEADLINE)
        self.assertEqual(run.returncode, 1)
        self.assertRegex(run.stdout, r"error +timezone: MEDIDESK_TIMEZONE is no time zone\n +do: write an IANA name")
        self.assertRegex(run.stdout.splitlines()[-1], r"^errors: 1, warnings: \d+, ok: \d+, skipped: \d+$")

    # --- configuration
    def test_finds_a_line_of_env_that_is_no_setting(self):
        self.assert_finds(r"line 2: not NAME=VALUE", "NAME=VALUE", env_file=f"PORT=1\n{SECRETS[0]}\n")

    def test_finds_an_unknown_variable_and_the_nearest_name(self):
        self.assert_finds("MEDIDESK_MASTERKEY in .env is no setting", "did you mean MEDIDESK_MASTER_KEY", level="warning",
                          env_file="MEDIDESK_MASTERKEY=x\nSOMEBODY_ELSES=1\n")

    def test_finds_a_bad_master_key(self):
        self.assert_finds("not 32 bytes in base64", "head -c 32 /dev/urandom", settings={"MEDIDESK_MASTER_KEY": "c2hvcnQ="})

    def test_finds_a_webhook_without_key_beyond_this_machine(self):
        self.assert_finds("the webhook has no key", "set WEBHOOK_KEY", settings={"HTTP_ADDRESS": "0.0.0.0", "WEBHOOK_KEY": "", "PORT": "0"})

    def test_finds_a_malformed_setting_of_a_program(self):
        self.assert_finds("POOL_SIZE: expected a whole number", "docs/configuration.md", settings={"POOL_SIZE": "many"})

    # --- database
    def test_finds_a_database_that_is_down(self):
        self.assert_finds("nothing listens at the database's address", "start PostgreSQL",
                          settings={"DATABASE_URL": f"postgresql://postgres@127.0.0.1:{free_port()}/x"})

    def test_finds_a_wrong_database_password(self):
        address = urllib.parse.urlsplit(self.database)
        wrong = address._replace(netloc=f"postgres:{SECRETS[0]}@127.0.0.1:{address.port}").geturl()
        self.assert_finds("refuses the password", "DATABASE_URL", settings={"DATABASE_URL": wrong})

    def test_finds_a_missing_schema(self):
        self.assert_finds("no schema of MediDesk", "start MediDesk once", settings={"DATABASE_URL": make_database()})

    def test_finds_a_schema_that_is_behind(self):
        old = make_database()
        psql(old, "create schema medidesk; create table medidesk.migrations (name text); create table public.hospital_settings "
                  "(timezone text, emergency_number text)")
        self.assert_finds("older than this program: 0000_original_rows is missing", "start this release once", settings={"DATABASE_URL": old})

    def test_says_when_the_store_works_as_the_tables_owner(self):
        name = "doctor_" + uuid.uuid4().hex[:12]
        psql(os.environ["TEST_DATABASE_URL"], f"create role {name} login password 'x'")
        self.addCleanup(psql, os.environ["TEST_DATABASE_URL"], f"drop role {name}")
        owned = make_database()
        self.addCleanup(psql, owned, f"drop owned by {name}")
        psql(owned, f"create table public.conversations (id int); alter table public.conversations owner to {name}")
        address = urllib.parse.urlsplit(owned)
        self.assert_finds("works as the tables' owner", "grant", level="warning", alone=False,
                          settings={"DATABASE_URL": address._replace(netloc=f"{name}:x@127.0.0.1:{address.port}").geturl()})

    def test_finds_fsync_off(self):
        command = ["tests/with-postgres", "bash", "-c", f'DATABASE_URL="$TEST_DATABASE_URL" exec "{program("medidesk-store")}" --check']
        environment = {"PATH": os.environ["PATH"], "POSTGRES_SETTINGS": "fsync=off synchronous_commit=off"}
        run = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=DEADLINE, check=True)
        findings = [json.loads(line) for line in run.stdout.splitlines()]
        for setting in ("fsync", "synchronous_commit"):
            found = [one for one in findings if one["what"].startswith(setting + " is off")]
            self.assertEqual([one["level"] for one in found], ["error"], findings)
            self.assertIn(f"set {setting} = on", found[0]["cure"])

    # --- Claude
    def test_finds_a_key_that_claude_refuses(self):
        self.assert_finds("refuses the key", "ANTHROPIC_API_KEY", settings={"ANTHROPIC_API_KEY": "invalid"})

    def test_finds_an_unknown_model(self):
        self.assert_finds("does not know the model claude-nobody", "set MEDIDESK_MODEL", settings={"MEDIDESK_MODEL": "claude-nobody"})

    def test_finds_a_retired_model(self):
        self.assert_finds("claude-sonnet-4-20250514 was retired on 2026-06-15", "claude-haiku-5-5",
                          settings={"MEDIDESK_MODEL": "claude-sonnet-4-20250514"})

    def test_finds_that_claude_cannot_be_reached(self):
        self.assert_finds("the Claude API cannot be reached", "ANTHROPIC_BASE_URL",
                          settings={"ANTHROPIC_BASE_URL": f"http://127.0.0.1:{free_port()}"})

    def test_finds_a_clock_that_is_wrong(self):
        class Yesterday(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(401)
                self.send_header("content-length", "0")
                self.end_headers()

            def date_time_string(self, timestamp=None):
                return super().date_time_string(time.time() - 86_400)

            def log_message(self, *_):
                pass
        with serve(Yesterday) as address:
            self.assert_finds("our clock and the Claude API's are 8640[0-9] s apart", "time server", level="warning", alone=False,
                              settings={"ANTHROPIC_BASE_URL": address})

    # --- certificates
    def test_finds_the_key_of_another_certificate(self):
        self.assert_finds("does not belong to the certificate", "medidesk certs", settings=self.tls(key=f"{self.certificates}/admin.key"))

    def test_finds_an_expired_certificate(self):
        folder = os.path.join(self.folder, "expired")
        shutil.copytree(self.certificates, folder)
        extensions = os.path.join(folder, "extensions")
        with open(extensions, "w") as file:
            file.write("subjectAltName=DNS:store\n")
        for command in (f"req -new -key {folder}/store.key -subj /CN=store -out {folder}/request",
                        f"x509 -req -in {folder}/request -CA {folder}/ca.pem -CAkey {folder}/ca.key -set_serial 7 -days -1 "
                        f"-extfile {extensions} -out {folder}/store.pem"):
            subprocess.run(["openssl", *command.split()], check=True, capture_output=True, timeout=DEADLINE)
        self.assert_finds("TLS_CERT has expired", "make new ones", settings=self.tls(folder))

    def test_warns_of_a_certificate_that_expires_soon(self):
        soon = self.make_certificates("soon", "--days", "10")
        self.assert_finds("TLS_CERT expires in (9|10) days", "make new ones", level="warning", settings=self.tls(soon))

    def test_finds_a_certificate_of_another_authority(self):
        other = self.make_certificates("other")
        self.assert_finds("not signed by the authority", "CA that signed it", settings={**self.tls(), "TLS_CA": f"{other}/ca.pem"})

    # --- the machine and the network
    def test_finds_a_port_that_somebody_else_has(self):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            self.assert_finds(rf"port {port} \(PORT\) is taken by python3", "set PORT to a free one", settings={"PORT": str(port)})

    def test_finds_a_closed_whatsapp_endpoint(self):
        port = free_port()
        self.assert_finds("WhatsApp cannot be reached: nothing listens there", f"reach 127.0.0.1:{port}",
                          settings={"WHATSAPP_URL": f"wss://127.0.0.1:{port}/ws/chat"})

    # --- the webhook of any deployment
    def webhook(self, path="/functions/v1/whatsapp-webhook"):
        return f"http://127.0.0.1:{self.ports['PORT']}{path}"

    def test_asks_a_webhook_the_four_questions(self):
        report = self.doctor(arguments=["--webhook", self.webhook(), "--key", SECRETS[1]], code=0)
        self.assertEqual([one["level"] for one in report["findings"]], ["ok"] * 4, report)

    def test_finds_a_wrong_webhook_key(self):
        self.assert_finds("401: the key is missing or wrong", "--key", arguments=["--webhook", self.webhook(), "--key", "wrong"])

    def test_finds_a_webhook_at_another_address(self):
        self.assert_finds("404: it is not at this address", "/functions/v1/whatsapp-webhook", arguments=["--webhook", self.webhook("/nowhere")])

    def test_finds_a_webhook_that_answers_emptily(self):
        class Empty(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                self.rfile.read(int(self.headers["content-length"]))
                body = b'{"success": true, "response": ""}'
                self.send_response(200)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass
        with serve(Empty) as address:
            self.assert_finds("question 1: the webhook answers with an empty response", "logs", arguments=["--webhook", address])

    def test_gives_up_on_a_webhook_that_says_nothing(self):
        with socket.create_server(("127.0.0.1", 0)) as silent:
            self.assert_finds("takes more than 5 s", "run doctor there",
                              arguments=["--webhook", f"http://127.0.0.1:{silent.getsockname()[1]}/"])


if __name__ == "__main__":
    BIN = sys.argv.pop(1)
    unittest.main(verbosity=2)
