"""The contracts under protos/: buf's style, compatibility with what was landed before, and a sensitivity
mark on every field. Each check is also shown something bad, which it must refuse.

Compatibility: WIRE_JSON against the parent of the last commit that touched protos/ (against that
commit itself while protos/ has changes that are not committed). Skipped where git has no history.
"""

import json
import os
import re
import shutil
import subprocess
import tempfile
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUF = os.path.join(ROOT, "tools", "buf")
MARK = "[medidesk.options.v1.sensitivity]"
MARKS = {"SENSITIVITY_PUBLIC", "SENSITIVITY_PHI", "SENSITIVITY_SECRET"}

GOOD_PROTO = """syntax = "proto3";

package medidesk.probe.v1;

import "medidesk/options/v1/options.proto";

// A probe.
message Probe {
  // Its id.
  string id = 1 [(medidesk.options.v1.sensitivity) = SENSITIVITY_PUBLIC];
}
"""


def run(*command, cwd=ROOT):
    return subprocess.run(command, cwd=cwd, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def git(*arguments):
    """git's answer; None where it has none (no repository, no such commit)."""
    # The checkout may belong to another user than root, who runs the tests in CI.
    answer = subprocess.run(["git", "-c", f"safe.directory={ROOT}", *arguments], cwd=ROOT, capture_output=True, text=True)
    return answer.stdout.strip() if answer.returncode == 0 else None


class Workspace:
    """buf.yaml and options.proto beside one more file, in a temporary folder."""

    def __init__(self, text):
        self.folder = tempfile.TemporaryDirectory()
        shutil.copy(os.path.join(ROOT, "buf.yaml"), self.folder.name)
        for path, content in (("medidesk/options/v1/options.proto", None), ("medidesk/probe/v1/probe.proto", text)):
            target = os.path.join(self.folder.name, "protos", path)
            os.makedirs(os.path.dirname(target))
            if content is None:
                shutil.copy(os.path.join(ROOT, "protos", path), target)
            else:
                with open(target, "w", encoding="utf-8") as file:
                    file.write(content)

    def __enter__(self):
        return self.folder.name

    def __exit__(self, *_):
        self.folder.cleanup()


def fields_of(folder):
    """(full name, mark or None) of every field and extension that our packages define."""
    with tempfile.TemporaryDirectory() as scratch:
        path = os.path.join(scratch, "contracts.json")
        built = run(BUF, "build", folder, "--as-file-descriptor-set", "-o", path)
        if built.returncode != 0:
            raise AssertionError(built.stdout)
        with open(path, encoding="utf-8") as file:
            files = json.load(file)["file"]

    def walk(message, name):
        if message.get("options", {}).get("mapEntry"):
            return  # the map's own field carries the mark
        for field in message.get("field", []):
            yield f"{name}.{field['name']}", field.get("options", {}).get(MARK)
        for inner in message.get("nestedType", []):
            yield from walk(inner, f"{name}.{inner['name']}")

    for file in files:
        if file.get("package", "").startswith("medidesk."):
            for message in file.get("messageType", []):
                yield from walk(message, f"{file['package']}.{message['name']}")


def unmarked(folder):
    return [name for name, mark in fields_of(folder) if mark not in MARKS]


class ContractsTest(unittest.TestCase):
    def test_buf_lint_accepts_the_contracts(self):
        answer = run(BUF, "lint")
        self.assertEqual(answer.returncode, 0, answer.stdout)

    def test_buf_lint_refuses_a_field_without_comment(self):
        with Workspace(GOOD_PROTO) as folder:
            self.assertEqual(run(BUF, "lint", folder).returncode, 0)
        with Workspace(GOOD_PROTO.replace("  // Its id.\n", "")) as folder:
            answer = run(BUF, "lint", folder)
            self.assertNotEqual(answer.returncode, 0)
            self.assertIn("comment", answer.stdout)

    def test_the_contracts_stay_compatible(self):
        last = git("log", "-1", "--format=%H", "--", "protos")
        changed = git("status", "--porcelain", "--", "protos")
        base = last if changed else git("rev-parse", "--verify", "--quiet", f"{last}^") if last else None
        if not base or not git("ls-tree", base, "protos/medidesk/"):
            self.skipTest("no history to compare the contracts with")
        with tempfile.TemporaryDirectory() as folder:
            archive = os.path.join(folder, "protos.tar")
            self.assertIsNotNone(git("archive", "--output", archive, base, "protos"))
            self.assertEqual(run("tar", "-xf", archive, cwd=folder).returncode, 0)
            shutil.copy(os.path.join(ROOT, "buf.yaml"), folder)
            answer = run(BUF, "breaking", "--against", folder)
            self.assertEqual(answer.returncode, 0, f"against {base}:\n{answer.stdout}")

    def test_buf_breaking_refuses_another_field_number(self):
        with Workspace(GOOD_PROTO) as before, Workspace(GOOD_PROTO.replace("id = 1", "id = 2")) as after:
            self.assertEqual(run(BUF, "breaking", before, "--against", before).returncode, 0)
            self.assertNotEqual(run(BUF, "breaking", after, "--against", before).returncode, 0)

    def test_every_field_carries_a_sensitivity_mark(self):
        self.assertGreater(len(list(fields_of(ROOT))), 100)
        self.assertEqual(unmarked(ROOT), [])

    def test_a_field_without_a_mark_is_seen(self):
        without = GOOD_PROTO.replace(" [(medidesk.options.v1.sensitivity) = SENSITIVITY_PUBLIC]", "")
        unspecified = GOOD_PROTO.replace("SENSITIVITY_PUBLIC", "SENSITIVITY_UNSPECIFIED")
        for text in (without, unspecified):
            with Workspace(text) as folder:
                self.assertEqual(unmarked(folder), ["medidesk.probe.v1.Probe.id"])

    def test_what_names_a_patient_or_a_key_is_not_public(self):
        telling = re.compile(r"\.(phone|email|patient_name|text|password|secret)$")
        of_the_hospital = re.compile(r"\.(Hospital|Department)\.")
        self.assertEqual([name for name, mark in fields_of(ROOT) if telling.search(name) and mark == "SENSITIVITY_PUBLIC"
                          and not of_the_hospital.search(name)], [])

    def test_every_contract_is_generated(self):
        listed = ""
        for place in ("", "whatsapp"):
            with open(os.path.join(ROOT, "protos", place, "CMakeLists.txt"), encoding="utf-8") as file:
                listed += file.read()
        for folder, _, files in os.walk(os.path.join(ROOT, "protos")):
            for name in files:
                if name.endswith(".proto"):
                    path = os.path.relpath(os.path.join(folder, name), os.path.join(ROOT, "protos"))
                    self.assertIn(path.removeprefix("whatsapp/"), listed, "no CMakeLists.txt in protos names it")


if __name__ == "__main__":
    unittest.main(verbosity=2)
