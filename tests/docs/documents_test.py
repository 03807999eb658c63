"""The documents tell the truth that a program can check: links lead somewhere, and the table of flags is
the programs' own. Usage: documents_test.py FOLDER_OF_THE_PROGRAMS"""

import os
import re
import subprocess
import sys
import unittest

sys.dont_write_bytecode = True
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tools"))
import configuration_table  # noqa: E402

PROGRAMS = None  # set by main
HEADINGS = 42  # of the original's document

HELP = """medidesk-x: does x

Flags (environment twin in brackets):
  --pool_size [POOL_SIZE]
      database connections (default 8)
  --model [MEDIDESK_MODEL]
      id of the model (as the vendor writes it)
  --hospital_file [HOSPITAL_FILE]
      YAML file
"""


def documents():
    for folder, names, files in os.walk(ROOT):
        names[:] = [name for name in names if name not in ("build", "var", "node_modules") and not name.startswith(".")]
        for name in files:
            if name.endswith(".md"):
                yield os.path.join(folder, name)


def broken_links(path):
    with open(path, encoding="utf-8") as file:
        text = re.sub(r"```.*?```", "", file.read(), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if not re.match(r"[a-z]+:|#", target):
            if not os.path.exists(os.path.join(os.path.dirname(path), target.split("#")[0])):
                yield f"{os.path.relpath(path, ROOT)}: {target}"


class DocumentsTest(unittest.TestCase):
    def test_links_between_files_lead_somewhere(self):
        found = list(documents())
        self.assertIn(os.path.join(ROOT, "README.md"), found)
        self.assertEqual([link for path in found for link in broken_links(path)], [])

    def test_the_command_knows_what_the_readme_names(self):
        with open(os.path.join(ROOT, "README.md"), encoding="utf-8") as file:
            named = set(re.findall(r"\./medidesk ([a-z]+)", file.read()))
        usage = subprocess.run([os.path.join(ROOT, "medidesk"), "help"], capture_output=True, text=True, check=True).stdout
        self.assertEqual(named, set(re.findall(r"\./medidesk ([a-z]+)", usage)))

    def test_every_flag_is_documented_as_the_programs_have_it(self):
        table = configuration_table.table(PROGRAMS)
        self.assertIn("`--database_url`", table)
        self.assertEqual(configuration_table.documented(), table,
                         "renew it: tools/configuration_table.py build/release/bin --write")

    def test_every_heading_of_the_originals_document_has_its_place(self):
        with open(os.path.join(ROOT, "tests", "docs", "original_headings.txt"), encoding="utf-8") as file:
            headings = file.read().splitlines()
        self.assertEqual(len(headings), HEADINGS)
        with open(os.path.join(ROOT, "docs", "go-live.md"), encoding="utf-8") as file:
            rows = dict(re.findall(r"^\| (.+?) \| (.+) \|$", file.read(), flags=re.MULTILINE))
        self.assertEqual([heading for heading in headings if not rows.get(heading, "").strip()], [])

    def test_help_is_read_whole(self):
        self.assertEqual(configuration_table.flags_of(HELP), {
            "pool_size": ("POOL_SIZE", "database connections", "8"),
            "model": ("MEDIDESK_MODEL", "id of the model (as the vendor writes it)", ""),
            "hospital_file": ("HOSPITAL_FILE", "YAML file", "")})


if __name__ == "__main__":
    PROGRAMS = sys.argv.pop(1)
    unittest.main(verbosity=2)
