"""What answers on WhatsApp: the original's bot and function, MediDesk in one process and in four; and who asks it."""

import json
import os
import select
import subprocess
import time
import urllib.request

from processes import HERTZ, KEPT, BenchError, Process, free_port, stat_ticks
from sides import ORIGINAL, AllInOne, Original, Services

# One answer to one message, at once: what the original does. Shipped: 1.2 s, on, on.
BARE = {"BURST_QUIET": "0ms", "SEND_GOVERNOR": "false", "TYPING": "false", "SEND_GAP_MIN": "0ms", "SEND_GAP_MAX": "0ms"}


def whole_log(process):
    with open(process.log, encoding="utf-8", errors="replace") as file:
        return file.read()


def qr_in(process):
    return next((line[3:] for line in whole_log(process).splitlines() if line.startswith("qr ")), None)


class Simulator:
    def __init__(self, bench):
        log = os.path.join(bench.folder, "whatsapp-sim.log")
        self.process = Process("whatsapp-sim", [bench.program("whatsapp-sim"), "--no-record_stanzas"], log)
        bench.started.append(self.process)
        self.process.wait_until(lambda: whole_log(self.process).endswith("}\n"), 10, "its ports")
        about = json.loads(whole_log(self.process).splitlines()[0])
        self.control, self.url, self.root_key = about["control_url"], about["ws_url"], about["root_key"]

    def post(self, path, body):
        request = urllib.request.Request(self.control + path, data=json.dumps(body).encode(), method="POST")
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)


class OnWhatsApp:
    """Mixed into a side of sides.py. link() gives it a number; `address` is where patients write to."""

    address = None

    def start_linked(self, sim):
        self.sim = sim
        self.start()
        phone = sim.post("/phones", {"platform": "smba", "business_name": "City Hospital"})
        self.link(lambda qr: sim.post("/scan", {"phone": phone["phone"], "qr": qr}))
        self.address = f"{phone['lid']}@lid"

    def link(self, scan):
        raise NotImplementedError


class OriginalOnWhatsApp(OnWhatsApp, Original):
    """The bot on Baileys beside the function."""

    def link(self, scan):
        self.processes[0].name = "function"
        settings = {"WEBHOOK_URL": self.url, "AUTH_FOLDER": os.path.join(self.bench.folder, "auth_info"),
                    "PORT": str(free_port()), "WHATSAPP_URL": self.sim.url, "WHATSAPP_ROOT_KEY": self.sim.root_key}
        bot = self.add("bot", [self.bench.node, os.path.join(ORIGINAL, "bot.mjs")], settings)
        bot.wait_until(lambda: qr_in(bot), 30, "a QR code")
        scan(qr_in(bot))
        bot.wait_until(lambda: "\nopen" in whole_log(bot), 30, "its login")


class MedideskOnWhatsApp(OnWhatsApp):
    settings = BARE

    def environment(self, **more):
        self.ports = {name: more[name] for name in ("GATEWAY_ADDRESS", "STORE_ADDRESS")}
        var = os.path.join(self.bench.folder, f"var-{self.name}-{self.port}")
        os.makedirs(var, exist_ok=True)
        return super().environment(**{**more, **self.settings, "MEDIDESK_VAR": var, "WHATSAPP_URL": self.sim.url,
                                      "WHATSAPP_ROOT_KEY": self.sim.root_key})

    def link(self, scan):
        command = [self.bench.program("medidesk-cli"), f"--gateway_address={self.ports['GATEWAY_ADDRESS']}", "link",
                   "front-desk", "--plain"]
        log = os.path.join(self.bench.folder, f"{self.name}-link-{self.port}.log")
        end = time.monotonic() + 60
        while True:  # the gateway's server comes up a moment after the rest
            cli = Process("medidesk-cli", command, log, {"STORE_ADDRESS": self.ports["STORE_ADDRESS"]})
            self.bench.started.append(cli)
            try:
                cli.wait_until(lambda: qr_in(cli), 20, "a QR code")
                scan(qr_in(cli))
                if cli.child.wait(30) != 0:
                    raise BenchError(f"the link failed: {cli.log_tail()}")
                return
            except (BenchError, subprocess.TimeoutExpired) as error:
                if qr_in(cli) or time.monotonic() > end:
                    raise BenchError(str(error)) from error
                time.sleep(0.5)
            finally:
                self.bench.stop([cli])


class AllInOneOnWhatsApp(MedideskOnWhatsApp, AllInOne):
    """One process."""


class ServicesOnWhatsApp(MedideskOnWhatsApp, Services):
    """The four services of a larger hospital."""


class AllInOneAsShipped(AllInOneOnWhatsApp):
    """With burst waiting, the governor and typing as they are for a hospital."""

    name = "medidesk_all_as_shipped"
    settings = {}


class Patients:
    """wa_patients, linked; measure() makes it write."""

    def __init__(self, bench, sim, side, count):
        self.name = "wa_patients"
        self.log = os.path.join(bench.folder, f"patients-{side.name}.log")
        command = ["setpriv", "--pdeathsig", "KILL", bench.program("wa_patients"), f"--sim={sim.control}",
                   f"--to={side.address}", f"--patients={count}"]
        kept = {key: os.environ[key] for key in KEPT if key in os.environ}
        with open(self.log, "ab") as errors:
            self.child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors,
                                          env=kept, start_new_session=True)
        bench.started.append(self)
        self.rest = b""
        self.read(180, "to link all patients")

    def measure(self, **wanted):
        self.child.stdin.write(json.dumps(wanted).encode() + b"\n")
        self.child.stdin.flush()
        return self.read(wanted["seconds"] + 60, "to measure")

    def read(self, seconds, what):
        end = time.monotonic() + seconds
        while b"\n" not in self.rest:
            ready, _, _ = select.select([self.child.stdout], [], [], max(0.0, end - time.monotonic()))
            data = os.read(self.child.stdout.fileno(), 65536) if ready else None
            if not data:
                with open(self.log, encoding="utf-8", errors="replace") as file:
                    said = file.read()[-1000:].strip()
                raise BenchError(f"wa_patients took over {seconds:.0f} s {what}" if data is None
                                 else f"wa_patients ended before it came {what}: {said}")
            self.rest += data
        line, self.rest = self.rest.split(b"\n", 1)
        return json.loads(line)

    def cpu_seconds(self):
        return stat_ticks(self.child.pid)[0] / HERTZ

    def stop(self):
        self.child.stdin.close()
        try:
            self.child.wait(10)
        except subprocess.TimeoutExpired:
            self.child.kill()
        self.child.wait()
