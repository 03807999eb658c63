#!/usr/bin/python3
"""Plays a patient's conversation and holds the answers to the hospital's file.

Each line of the script is a patient, what they write, and a check of the answer; what the check
expects is read from the hospital's file. With --once it goes through the webhook, and the exit code is 0
only when every check held; with --whatsapp it is a chat on WhatsApp, printed as it happens, and one
goes on typing as a patient until Ctrl-D or Ctrl-C.
"""

import argparse
import json
import os
import re
import sys
import textwrap
import time
import urllib.error
import urllib.request
import uuid

import yaml

import demo_whatsapp

DAYS = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]
COLOURS = sys.stdout.isatty() and "NO_COLOR" not in os.environ


def colour(code, text):
    return f"\x1b[{code}m{text}\x1b[0m" if COLOURS else text


class Hospital:
    """The facts that the checks look for."""

    def __init__(self, path):
        with open(path, encoding="utf-8") as file:
            self.file = yaml.safe_load(file)

    def emergency_number(self):
        return str(self.file["hospital"]["emergency_number"])

    def visiting_times(self, key):
        row = next(row for row in self.file["visiting_hours"] if row["key"] == key)
        return re.findall(r"\d\d:\d\d", row["hours"])

    def department_times(self, key):
        row = next(row for row in self.file["departments"] if row["key"] == key)
        return re.findall(r"\d\d:\d\d", row["hours"])

    def doctors_on(self, department, day):
        return [doctor["name"] for doctor in self.file["doctors"] if doctor["department"] == department
                and any(works_on(shift["when"], day) for shift in doctor.get("roster", []))]

    def doctors_and_departments(self):
        return [row["name"] for row in self.file["doctors"] + self.file["departments"]]

    def insurers(self):
        return [re.sub(r" \(.*", "", name) for name in self.file["hospital"]["insurers"]]


def works_on(when, day):
    """True when a roster line such as `Mon, Wed-Fri 14:00-17:00; Sat 09:00-12:00` names the day."""
    for part in when.split(";"):
        for first, last in re.findall(r"\b([A-Z][a-z]{2})(?:-([A-Z][a-z]{2}))?\b", part):
            if first in DAYS:
                start, end = DAYS.index(first), DAYS.index(last) if last in DAYS else DAYS.index(first)
                if DAYS.index(day) in [(start + step) % 7 for step in range((end - start) % 7 + 1)]:
                    return True
    return "daily" in when.lower() or "24/7" in when


# --- checks: (answer, hospital) -> what is wrong, or None ---

def says_something(answer, _):
    return None if answer.get("response") else "no answer"


def mentions(text, clock):
    """True when the text holds 14:00 or a way to write it in twelve hours."""
    hour, minute = int(clock[:2]), clock[3:]
    short = (hour - 1) % 12 + 1
    half = "a" if hour < 12 else "p"
    tail = rf"(:{minute})" + ("?" if minute == "00" else "")
    return bool(re.search(rf"\b{re.escape(clock)}\b|(?<!\d){short}{tail}\s*{half}\.?m", text, re.IGNORECASE))


def holds_times(times_of):
    def check(answer, hospital):
        missing = [clock for clock in times_of(hospital) if not mentions(answer.get("response") or "", clock)]
        return f"the stored times {', '.join(missing)} are not in it" if missing else None
    return check


def names_one_of(names_of):
    def check(answer, hospital):
        names = names_of(hospital)
        text = (answer.get("response") or "").lower()
        return None if any(name.lower() in text for name in names) else f"it names none of: {', '.join(names[:5])}"
    return check


def both(first, second):
    return lambda answer, hospital: first(answer, hospital) or second(answer, hospital)


def claims_no_booking(answer, hospital):
    claimed = re.search(r"\b(is|are|have|has been|been|i've|we've) (now )?(booked|confirmed|scheduled|reserved)\b",
                        answer.get("response") or "", re.IGNORECASE)
    return f"it claims an action: {claimed[0]!r}" if claimed else says_something(answer, hospital)


def hands_over(answer, hospital):
    if answer.get("status") != "human_takeover":
        return f"status is {answer.get('status')!r}, not human_takeover"
    return says_something(answer, hospital)


def stays_silent(answer, _):
    if answer.get("response") is not None:
        return "the bot spoke although a person has taken over"
    return None if answer.get("status") == "human_takeover" else "status is not human_takeover"


def sends_the_emergency_text(answer, hospital):
    if hospital.emergency_number() not in (answer.get("response") or ""):
        return f"the emergency number {hospital.emergency_number()} is not in it"
    return None


ANA, RAVI = ("Ana", "+15550100001"), ("Ravi", "+15550100002")
SCRIPT = [
    (ANA, "Hello", says_something),
    (ANA, "What are the visiting hours in the ICU?", holds_times(lambda hospital: hospital.visiting_times("icu"))),
    (ANA, "And the visiting hours of the general ward?", holds_times(lambda hospital: hospital.visiting_times("general-ward"))),
    (ANA, "Which dermatology doctor consults on Sat? It is a skin allergy.", names_one_of(lambda hospital: hospital.doctors_on("dermatology", "Sat"))),
    (ANA, "When can I see a heart doctor in Cardiology?",
     both(names_one_of(lambda _: ["Cardiology"]), holds_times(lambda hospital: hospital.department_times("cardiology")))),
    (ANA, "Which health insurance companies do you work with?", names_one_of(Hospital.insurers)),
    (ANA, "I need to speak with a doctor", names_one_of(Hospital.doctors_and_departments)),
    (ANA, "I need to book an appointment", claims_no_booking),
    (ANA, "I want to talk to a real person please", hands_over),
    (ANA, "Are you still there?", stays_silent),
    (RAVI, "my chest feels tight and my left arm is numb", sends_the_emergency_text),
]


def post(url, phone, text, message_id):
    """(answer, milliseconds); an answer that is no success is a dict with `error`."""
    body = json.dumps({"phone": phone, "message": text, "messageId": message_id,
                       "timestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())}).encode()
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
    start = time.monotonic()
    try:
        with urllib.request.urlopen(request, timeout=30) as response:
            answer = json.load(response)
    except urllib.error.HTTPError as error:
        answer = {"error": f"HTTP {error.code}: {error.read(300).decode('utf-8', 'replace')}"}
    except (OSError, ValueError) as error:
        answer = {"error": str(error)}
    return answer, (time.monotonic() - start) * 1000


def bubble(who, text, code, indent):
    label = f"{who + ':':<10}"
    for paragraph in text.split("\n"):
        for line in textwrap.wrap(paragraph, 88 - indent) or [""]:
            print(" " * indent + colour(code, label) + line)
            label = " " * 10


def show(name, text, answer, milliseconds):
    bubble(name, text, "36", 0)
    if "error" in answer:
        bubble("MediDesk", f"({answer['error']})", "31", 4)
    elif answer.get("response") is None:
        bubble("MediDesk", "(silent: the conversation is with a person)", "33", 4)
    else:
        bubble("MediDesk", answer["response"], "32", 4)
    print(colour("2", f"{'':14}{milliseconds:.0f} ms" + (f", {answer['status']}" if answer.get("status", "active") != "active" else "")), flush=True)


def play(url, hospital):
    """The script; the list of what was wrong."""
    run = uuid.uuid4().hex[:8]
    wrong = []
    previous = None
    for number, ((name, phone), text, check) in enumerate(SCRIPT):
        answer, milliseconds = post(url, phone, text, f"demo-{run}-{number}")
        show(name, text, answer, milliseconds)
        problem = answer.get("error") or check(answer, hospital)
        if problem:
            wrong.append(f"{text!r}: {problem}")
            print(colour("31", f"{'':14}wrong: {problem}"))
        previous = (phone, text, f"demo-{run}-{number}", answer)
    phone, text, message_id, first = previous
    again, _ = post(url, phone, text, message_id)
    if again.get("response") != first.get("response") or not again.get("duplicate"):
        wrong.append("the same messageId again did not bring the same answer")
    print()
    return wrong


def play_on_whatsapp(clinic, hospital):
    """The script as chats of linked phones; the list of what was wrong."""
    patients, wrong = {}, []
    try:
        for (name, _), text, check in SCRIPT:
            if name not in patients:
                patients[name] = demo_whatsapp.Patient(clinic, name)
            answer, milliseconds = patients[name].say(text)
            show(name, text, answer, milliseconds)
            if problem := check(answer, hospital):
                wrong.append(f"{text!r}: {problem}")
                print(colour("31", f"{'':14}wrong: {problem}"))
    finally:
        for patient in patients.values():
            patient.stop()
    print()
    return wrong


def chat(clinic):
    """Reads lines as a new patient until the end of input."""
    patient = demo_whatsapp.Patient(clinic, "You")
    try:
        type_as(patient)
    finally:
        patient.stop()


def type_as(patient):
    print(f"Now you are a patient (+{patient.phone}). Write a message; Ctrl-D or Ctrl-C ends the demo.\n")
    while True:
        try:
            text = input(colour("36", "You:      ") if sys.stdin.isatty() else "").strip()
        except EOFError:
            print()
            return
        if text:
            answer, milliseconds = patient.say(text)
            if COLOURS:
                sys.stdout.write("\x1b[A\x1b[2K")
            show("You", text, answer, milliseconds)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--url", required=True, help="of MediDesk")
    parser.add_argument("--hospital", required=True)
    how = parser.add_mutually_exclusive_group(required=True)
    how.add_argument("--once", action="store_true")
    how.add_argument("--whatsapp", help="what whatsapp-sim said of itself, in a file")
    parser.add_argument("--programs", help="the folder of the programs")
    parser.add_argument("--store")
    parser.add_argument("--gateway")
    options = parser.parse_args()
    hospital = Hospital(options.hospital)
    if options.once:
        wrong, checks = play(options.url + "/functions/v1/whatsapp-webhook", hospital), len(SCRIPT) + 1
    else:
        with open(options.whatsapp, encoding="utf-8") as file:
            about = json.loads(file.readline())
        clinic = demo_whatsapp.Clinic(options.programs, about, options.store, options.gateway, options.url)
        wrong, checks = play_on_whatsapp(clinic, hospital), len(SCRIPT)
    for line in wrong:
        print(f"wrong: {line}")
    print(f"{checks} checks of the conversation, {len(wrong)} wrong", flush=True)
    if not options.once:
        chat(clinic)
    return 1 if wrong else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        print()
        sys.exit(0)
    except demo_whatsapp.Failed as error:
        sys.exit(f"medidesk: {error}")
