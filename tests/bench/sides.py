"""What is measured against each other: the function that MediDesk replaces, and MediDesk in one process and in four."""

import base64
import os
import subprocess

import facts
from processes import BenchError, Process, accepts, answers_200, free_port

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
ORIGINAL = os.path.join(ROOT, "tests/bench/original")
WEBHOOK = "/functions/v1/whatsapp-webhook"
MODEL = "claude-haiku-5-5"
API_KEY = "bench"
# Callers on one machine with a handful of phones are no attack here.
NO_LIMITS = ["--webhook_rate_phone=0", "--webhook_rate_key=0", "--webhook_rate_address=0"]


class Side:
    """Processes that together answer the webhook, and a database of their own."""

    name = ""
    whole_hospital = False

    def __init__(self, bench):
        self.bench = bench
        self.processes = []
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}{WEBHOOK}"

    def start(self):
        raise NotImplementedError

    def missing(self):
        """The first program that is not built, or None."""
        return next((name for name in self.programs() if not os.path.exists(self.bench.program(name))), None)

    def programs(self):
        return []

    def add(self, name, command, environment):
        process = Process(name, command, os.path.join(self.bench.folder, f"{self.name}-{name}.log"), environment)
        self.bench.started.append(process)
        self.processes.append(process)
        return process

    def hospital_flag(self):
        path = os.path.join(self.bench.folder, f"{self.name}-hospital.yaml")
        facts.write(self.bench.hospital(self.whole_hospital), path)
        return f"--hospital_file={path}"

    def environment(self, **more):
        return {"ANTHROPIC_API_KEY": API_KEY, "ANTHROPIC_BASE_URL": self.bench.stub_url, "MEDIDESK_MODEL": MODEL,
                "PORT": str(self.port), **more}


class Original(Side):
    name = "original"

    def start(self):
        database = self.bench.make_database(self.name)
        with open(os.path.join(ORIGINAL, "schema.sql"), encoding="utf-8") as schema:
            self.bench.sql(database, schema.read() + facts.original_sql(self.bench.hospital(self.whole_hospital)))
        command = [self.bench.node, os.path.join(ORIGINAL, "server.js")]
        server = self.add("node", command, self.environment(DATABASE_URL=database))
        server.wait_until(lambda: accepts(self.port), 30, "its port")


class AllInOne(Side):
    name = "medidesk_all"

    def programs(self):
        return ["medidesk-all"]

    def start(self):
        database = self.bench.make_database(self.name)
        settings = self.environment(DATABASE_URL=database, MEDIDESK_VAR=self.bench.folder,
                                    MEDIDESK_MASTER_KEY=master_key(), **addresses())
        command = [self.bench.program("medidesk-all"), self.hospital_flag(), *NO_LIMITS]
        server = self.add("medidesk-all", command, settings)
        server.wait_until(lambda: answers_200(f"http://127.0.0.1:{self.port}/readyz"), 60, "ready")


class Services(Side):
    """The four processes of a larger hospital, on one machine, over loopback."""

    name = "medidesk_services"

    def programs(self):
        return ["medidesk-store", "medidesk-assistant", "medidesk-gateway", "medidesk-admin"]

    def start(self):
        database = self.bench.make_database(self.name)
        common = self.environment(MEDIDESK_VAR=self.bench.folder, MEDIDESK_MASTER_KEY=master_key(), **addresses())
        for program in self.programs():
            settings, flags = dict(common), []
            if program == "medidesk-store":
                settings["DATABASE_URL"], flags = database, [self.hospital_flag()]
            if program == "medidesk-admin":
                flags = list(NO_LIMITS)
            else:
                flags.append(f"--metrics_address=127.0.0.1:{free_port()}")
            self.add(program, [self.bench.program(program), *flags], settings)
        self.processes[-1].wait_until(lambda: answers_200(f"http://127.0.0.1:{self.port}/readyz"), 60, "ready")


class OriginalWithSample(Original):
    """With the facts of the whole sample hospital."""

    name = "original_sample"
    whole_hospital = True


class AllInOneWithSample(AllInOne):
    name = "medidesk_all_sample"
    whole_hospital = True


def addresses():
    return {f"{service}_ADDRESS": f"127.0.0.1:{free_port()}" for service in ("STORE", "ASSISTANT", "GATEWAY")}


def master_key():
    return base64.b64encode(os.urandom(32)).decode()


def use_node():
    """The Node that runs the baseline, with the baseline's packages installed."""
    script = '. "$1/tools/common.sh"; . "$1/tools/node.sh"; use_node && npm_install "$2" && command -v node'
    command = ["bash", "-c", script, "bash", ROOT, ORIGINAL]
    found = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if found.returncode != 0:
        raise BenchError("the baseline's Node.js or its packages could not be set up; the reason is above")
    return found.stdout.strip()
