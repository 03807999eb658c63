"""Patients of the demo on WhatsApp: the stand-in for WhatsApp's servers, the hospital's number linked to it, and devices
of patients that write to that number, end-to-end encrypted. Used by demo.py.
"""

import json
import os
import queue
import re
import signal
import subprocess
import threading
import time
import urllib.parse
import urllib.request

CONNECTED = 6        # the state of a device that can send
LIMIT = 60           # seconds that anything may take
SILENCE = 8          # seconds without an answer: longer than any burst wait, typing and pacing of the gateway
REST = 2             # seconds without a further part: the answer is whole


class Failed(Exception):
    """Something of the demo's surroundings does not work."""


def read_json(url, body=None):
    request = urllib.request.Request(url, None if body is None else json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)


class Lines:
    """A child and what it prints, line by line. It ends with us."""

    def __init__(self, command, environment=None):
        self.child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                      stderr=subprocess.DEVNULL, text=True, env=environment,
                                      start_new_session=True)  # a Ctrl-C at the terminal is ours
        self.lines = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.child.stdout:
            self.lines.put(line)
        self.lines.put(None)

    def next(self, seconds):
        """The next line; None after so many seconds, or at the end."""
        try:
            return self.lines.get(timeout=max(seconds, 0))
        except queue.Empty:
            return None

    def write(self, command):
        self.child.stdin.write(json.dumps(command) + "\n")
        self.child.stdin.flush()

    def stop(self):
        self.child.send_signal(signal.SIGTERM)
        try:
            self.child.wait(5)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()


class Clinic:
    """The hospital's number, linked as a person links it: a QR code of MediDesk's, scanned with the phone."""

    def __init__(self, programs, about, stores, gateway, http):
        self.programs, self.http = programs, http
        self.url, self.control, self.root_key = about["ws_url"], about["control_url"], about["root_key"]
        environment = {"PATH": os.environ.get("PATH", ""), "STORE_ADDRESS": stores, "GATEWAY_ADDRESS": gateway}
        phone = read_json(self.control + "/phones", {"platform": "smba", "business_name": "Demo Hospital"})
        link = Lines([os.path.join(programs, "medidesk-cli"), "link", "front-desk", "--plain"], environment)
        end = time.monotonic() + LIMIT
        while (line := link.next(end - time.monotonic())) is not None:
            if found := re.match(r"qr (\S+)", line):
                read_json(self.control + "/scan", {"phone": phone["phone"], "qr": found[1]})
        try:
            if link.child.wait(5) != 0:
                raise Failed("the hospital's number could not be linked")
        except subprocess.TimeoutExpired:
            link.stop()
            raise Failed("the hospital's number was not linked in time") from None
        self.address = phone["lid"] + "@lid"

    def status_of(self, phone):
        """As the webhook names it: active, archived or human_takeover."""
        found = read_json(f"{self.http}/v1/conversations?{urllib.parse.urlencode({'phone': '+' + phone})}")
        conversations = found.get("conversations", [])
        return conversations[0]["status"].removeprefix("CONVERSATION_STATUS_").lower() if conversations else "active"


class Patient:
    """A patient's phone with one more device, whose chat with the hospital is the one that is shown."""

    def __init__(self, clinic, name):
        self.clinic = clinic
        self.phone = read_json(clinic.control + "/phones", {"name": name})["phone"]
        self.device = Lines([os.path.join(clinic.programs, "echo-clinic"), clinic.url, clinic.root_key])
        self.device.write({"echo": False})
        end = time.monotonic() + LIMIT
        linked = False
        while time.monotonic() < end:
            line = self.device.next(end - time.monotonic())
            if line is None:
                break
            told = json.loads(line)
            if "qr" in told and not linked:
                linked = True
                read_json(clinic.control + "/scan", {"phone": self.phone, "qr": told["qr"]})
            if told.get("state") == CONNECTED:
                return
        self.stop()
        raise Failed("a patient's device was not linked in time")

    def say(self, text):
        """(answer as of the webhook, milliseconds until its first part); response None when nothing came."""
        start = time.monotonic()
        self.device.write({"send": {"chat": self.clinic.address, "text": text}})
        parts, first = [], None
        end = start + LIMIT / 2
        while (left := end - time.monotonic()) > 0:
            line = self.device.next(left)
            if line is None:
                break
            told = json.loads(line)
            if told.get("outcome", {}).get("kind") == 0:  # the hospital's side has it: now it answers, or stays silent
                end = time.monotonic() + SILENCE
            inbound = told.get("inbound")
            if inbound and not inbound["from_me"] and inbound["text"]:
                first = first or time.monotonic()
                parts.append(inbound["text"])
                end = time.monotonic() + REST
        answer = {"response": "\n\n".join(parts) or None, "status": self.clinic.status_of(self.phone)}
        return answer, ((first or time.monotonic()) - start) * 1000

    def stop(self):
        self.device.stop()
