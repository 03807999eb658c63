#!/usr/bin/python3
"""Runs the project's tests and says how they went: one line per test, failing output, a summary.

Stages: the release build's tests; then, unless --quick, the unit tests under the address and
undefined-behaviour sanitizers, the targets without gRPC under the thread sanitizer, and each fuzz
target for a share of --fuzz-seconds. The last line is `N passed, N failed[, N skipped]`: the sum of
what the test programs counted themselves (GoogleTest, node, unittest, or a line of that same form), one for
a program that counts nothing. Exit code 0 only when something ran and nothing failed.
"""

import argparse
import json
import os
import re
import selectors
import shutil
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ElementTree

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
SHOWN_OUTPUT_LINES = 150  # of a failing test
TERMINAL = sys.stdout.isatty()


class Tally:
    def __init__(self):
        self.passed = self.failed = self.skipped = 0
        self.failures = []  # names
        self.skips = []  # "name: reason"

    def add(self, other):
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped
        self.failures += other.failures
        self.skips += other.skips

    def line(self):
        text = f"{self.passed} passed, {self.failed} failed"
        return text + (f", {self.skipped} skipped" if self.skipped else "")


def count_cases(output):
    """(passed, failed, skipped, reasons) that a test program reported itself, or None."""
    def last(pattern):
        found = re.findall(pattern, output, re.MULTILINE)
        return int(found[-1]) if found else None

    if re.search(r"^\[==========\]", output, re.MULTILINE):  # GoogleTest; per case, so that a crash counts right
        passed = len(re.findall(r"^\[       OK \] ", output, re.MULTILINE))
        failed = len(re.findall(r"^\[  FAILED  \] \S+ \(\d+ ms\)$|^\[  FAILED  \] .*, where .* \(\d+ ms\)$", output, re.MULTILINE))
        names = re.findall(r"^\[  SKIPPED \] (\S+) \(\d+ ms\)$", output, re.MULTILINE)
        reasons = re.findall(r"^.*: Skipped\n(.+)$", output, re.MULTILINE)
        return passed, failed, len(names), [
            f"{name}: {reasons[index] if index < len(reasons) else 'no reason given'}" for index, name in enumerate(names)]
    passed = last(r"^(?:#|\u2139) pass (\d+)$")  # node --test
    if passed is not None:
        reasons = re.findall(r"^\s*(?:ok \d+ - |\ufe63 )(.+?)(?: \([\d.]+ms\))? # (?:SKIP ?)?(.*)$", output, re.MULTILINE)
        return (passed, (last(r"^(?:#|\u2139) fail (\d+)$") or 0) + (last(r"^(?:#|\u2139) cancelled (\d+)$") or 0),
                last(r"^(?:#|\u2139) skipped (\d+)$") or 0, [f"{name}: {reason}" for name, reason in reasons])
    if re.search(r"^Ran \d+ tests? in [\d.]+s$", output, re.MULTILINE):  # Python's unittest
        counts = {key: last(rf"^(?:OK|FAILED) \(.*\b{key}=(\d+)") or 0 for key in ("failures", "errors", "skipped")}
        failed = counts["failures"] + counts["errors"]
        passed = max(0, last(r"^Ran (\d+) tests? in") - failed - counts["skipped"])
        return passed, failed, counts["skipped"], re.findall(r"^.* skipped '(.+)'$", output, re.MULTILINE)
    found = re.findall(r"^(\d+) passed, (\d+) failed(?:, (\d+) skipped)?$", output, re.MULTILINE)
    if found:
        passed, failed, skipped = found[-1]
        return int(passed), int(failed), int(skipped or 0), re.findall(r"^skipped: (.+)$", output, re.MULTILINE)
    return None


def tally_of(name, status, output):
    """What one ctest entry adds. `status` is ctest's word: passed, failed or skipped."""
    tally = Tally()
    cases = count_cases(output)
    if status == "skipped":
        reasons = re.findall(r"^skipped: (.+)$", output, re.MULTILINE)
        tally.skipped = 1
        tally.skips.append(f"{name}: {reasons[-1] if reasons else 'the program asked to be skipped'}")
        return tally
    if cases:
        tally.passed, tally.failed, tally.skipped = cases[0], cases[1], cases[2]
        tally.skips += [f"{name}: {reason}" for reason in cases[3]]
        if cases[0] + cases[1] + cases[2] == 0:
            status = "failed"  # a test program without a test
    elif status == "passed":
        tally.passed = 1
    if status == "failed":
        tally.failed = max(tally.failed, 1)
        tally.failures.append(name)
    return tally


class Progress:
    """A line per finished test; on a terminal also one that says what is running."""

    def __init__(self):
        self.running = {}
        self.shown = False

    def clear(self):
        if self.shown:
            sys.stdout.write("\r\x1b[K")
            self.shown = False

    def line(self, text):
        self.clear()
        print(text, flush=True)

    def tick(self):
        if TERMINAL and self.running:
            now = time.monotonic()
            width = shutil.get_terminal_size().columns - 1
            names = ", ".join(f"{name} {now - start:.0f}s" for name, start in self.running.items())
            sys.stdout.write("\r\x1b[K" + f"  running: {names}"[:width])
            sys.stdout.flush()
            self.shown = True


RESULT = re.compile(r"^\s*(\d+)/(\d+) Test\s+#\d+: (\S+) [ .]*(\*\*\*)?\s*(.*?)\s+([\d.]+) sec")
START = re.compile(r"^\s*Start\s+\d+: (\S+)")


def lines_of(stream, tick):
    """Lines as they come; `tick` once a second while none does."""
    selector = selectors.DefaultSelector()
    selector.register(stream, selectors.EVENT_READ)
    rest = b""
    while True:
        if not selector.select(timeout=1):
            tick()
            continue
        block = os.read(stream.fileno(), 65536)
        if not block:
            break
        *whole, rest = (rest + block).split(b"\n")
        for line in whole:
            yield line.decode("utf-8", "replace")
    if rest:
        yield rest.decode("utf-8", "replace")


def run_ctest(stage, folder, arguments, environment=None):
    """Runs ctest in a build folder; a Tally."""
    progress = Progress()
    tally = Tally()
    with tempfile.TemporaryDirectory() as scratch:
        report = os.path.join(scratch, "report.xml")
        command = ["ctest", "--test-dir", folder, "--parallel", str(os.cpu_count() or 1), "--output-junit", report,
                   "--test-output-size-passed", "4000000", "--test-output-size-failed", "4000000", "--no-tests=ignore", *arguments]
        ctest = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                 env={**os.environ, **(environment or {})})
        unread = []
        for line in lines_of(ctest.stdout, progress.tick):
            if found := START.match(line):
                progress.running[found[1]] = time.monotonic()
                progress.tick()
            elif found := RESULT.match(line):
                number, total, name, bad, word, seconds = found.groups()
                progress.running.pop(name, None)
                mark = "ok  " if not bad else "skip" if word == "Skipped" else "FAIL"
                progress.line(f"[{number:>3}/{total}] {mark} {stage}/{name} {float(seconds):.1f}s"
                              + (f" ({word.lower()})" if mark == "FAIL" and word != "Failed" else ""))
            else:
                unread.append(line)
        code = ctest.wait()
        progress.clear()
        if not os.path.exists(report):
            print("\n".join(unread[-30:]))
            tally.failed, tally.failures = 1, [f"{stage}/ctest (exit code {code})"]
            return tally
        for case in ElementTree.parse(report).getroot().iter("testcase"):
            name = f"{stage}/{case.get('name')}"
            output = case.findtext("system-out") or ""
            state = case.get("status")
            skipped = state in ("notrun", "disabled") and case.find("skipped") is not None and \
                "SKIP" in (case.find("skipped").get("message") or "").upper()
            status = "passed" if state == "run" else "skipped" if skipped else "failed"
            added = tally_of(name, status, output)
            if added.failures:
                shown = output.rstrip("\n").split("\n")
                print(f"\n--- {name} failed" + (f"; the last {SHOWN_OUTPUT_LINES} of {len(shown)} lines" if len(shown) > SHOWN_OUTPUT_LINES else ""))
                print("\n".join(shown[-SHOWN_OUTPUT_LINES:]))
                print(f"--- end of {name}\n", flush=True)
            tally.add(added)
    return tally


def build(preset, *targets):
    script = f'. "{ROOT}/tools/common.sh" && . "{ROOT}/tools/build.sh" && build "$@"'
    return subprocess.run(["bash", "-c", script, "build", preset, *targets], stdin=subprocess.DEVNULL).returncode == 0


def tests_in(folder, *arguments):
    listing = subprocess.run(["ctest", "--test-dir", folder, "--show-only=json-v1", *arguments], capture_output=True, check=True)
    return [test["name"] for test in json.loads(listing.stdout)["tests"]]


def sanitizer_stage(preset, selection, environment):
    print(f"\n== {preset}", flush=True)
    if not build(preset, "medidesk_unit_tests"):
        tally = Tally()
        tally.failed, tally.failures = 1, [f"{preset}/build"]
        return tally
    return run_ctest(preset, os.path.join(ROOT, "build", preset), selection, environment)


def fuzz_stage(seconds, selection):
    tally = Tally()
    if not shutil.which("clang++-14"):
        tally.skipped, tally.skips = 1, ["fuzz: clang++-14 is not there"]
        return tally
    print("\n== fuzz", flush=True)
    folder = os.path.join(ROOT, "build", "fuzz")
    # The time of each target is fixed when CMake runs; the targets are known only after it has.
    for share in (1, None):
        if share is None:
            share = max(1, seconds * (os.cpu_count() or 1) // max(1, len(tests_in(folder, "-L", "fuzz"))))
        configured = subprocess.run(["cmake", "--preset", "fuzz"], cwd=ROOT, capture_output=True, text=True,
                                    env={**os.environ, "MEDIDESK_FUZZ_SECONDS": str(share)})
        if configured.returncode != 0:
            print(configured.stderr[-4000:])
            tally.failed, tally.failures = 1, ["fuzz/configure"]
            return tally
    targets = tests_in(folder, "-L", "fuzz")
    if not targets:
        return tally
    if not build("fuzz", *targets):
        tally.failed, tally.failures = 1, ["fuzz/build"]
        return tally
    return run_ctest("fuzz", folder, ["-L", "fuzz", *selection])


def main():
    parser = argparse.ArgumentParser(prog="./medidesk test", description="Builds and runs every test.")
    parser.add_argument("--quick", action="store_true", help="the release build's tests only")
    parser.add_argument("--fuzz-seconds", type=int, default=10, metavar="N", help="seconds for all fuzz targets together (10)")
    parser.add_argument("filter", nargs="?", help="a regular expression on test names")
    options = parser.parse_args()
    selection = ["-R", options.filter] if options.filter else []
    if "TEST_DATABASE_URL" not in os.environ:
        parser.error("TEST_DATABASE_URL is not set: run this through tests/with-postgres")

    start = time.monotonic()
    print("\n== release", flush=True)
    total = run_ctest("release", os.path.join(ROOT, "build", "release"), selection)
    if not options.quick:
        total.add(sanitizer_stage("asan", ["-L", "unit", *selection], {"UBSAN_OPTIONS": "print_stacktrace=1"}))
        total.add(sanitizer_stage("tsan", ["-L", "unit", *selection], {"TSAN_OPTIONS": "halt_on_error=1"}))
        total.add(fuzz_stage(options.fuzz_seconds, selection))

    print(f"\n{time.monotonic() - start:.0f} s")
    for skip in total.skips:
        print(f"skipped: {skip}")
    for failure in total.failures:
        print(f"failed: {failure}")
    if total.passed + total.failed == 0:
        print("no test ran" + (": no name matches the filter" if options.filter else ""))
        sys.exit(1)
    print(total.line(), flush=True)
    sys.exit(1 if total.failed else 0)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
