#!/usr/bin/python3
"""The table of flags in docs/configuration.md, from what the programs' own --help says.

    tools/configuration_table.py build/release/bin            prints the table
    tools/configuration_table.py build/release/bin --write    puts it into docs/configuration.md
"""

import os
import re
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
DOCUMENT = os.path.join(ROOT, "docs", "configuration.md")
BEGIN, END = "<!-- flags: tools/configuration_table.py writes this table -->\n", "<!-- end of flags -->\n"
PROGRAMS = ["medidesk-all", "medidesk-admin", "medidesk-assistant", "medidesk-gateway", "medidesk-store"]
FLAG = re.compile(r"^  --(\S+) \[(\S+)\]\n      (.*?)(?: \(default (.*)\))?$", re.MULTILINE)


def flags_of(help_text):
    """{flag: (variable, meaning, default)} of one program's --help."""
    return {flag: (variable, meaning, default) for flag, variable, meaning, default in FLAG.findall(help_text)}


def render(programs):
    """The table for {program: flags}. One row for each flag; a default that differs is named with its program."""
    rows = {}
    for program, flags in programs.items():
        for flag, (variable, meaning, default) in flags.items():
            rows.setdefault(flag, []).append((program, variable, meaning, default))
    lines = ["| flag | variable | default | meaning | read by |", "|---|---|---|---|---|"]
    for flag in sorted(rows):
        uses = rows[flag]
        defaults = []
        for program, _, _, default in uses:
            if default not in [known for known, _ in defaults]:
                defaults.append((default, program))
        if len(defaults) == 1:
            shown = f"`{defaults[0][0]}`" if defaults[0][0] else ""
        else:
            shown = ", ".join(f"`{default or 'empty'}` ({program.removeprefix('medidesk-')})" for default, program in defaults)
        readers = ", ".join(program.removeprefix("medidesk-") for program, *_ in uses)
        lines.append(f"| `--{flag}` | `{uses[0][1]}` | {shown} | {uses[0][2].replace('|', '/')} | {readers} |")
    return "\n".join(lines) + "\n"


def table(folder):
    programs = {}
    for program in PROGRAMS:
        path = os.path.join(folder, program)
        if os.path.exists(path):
            environment = {"PATH": os.environ.get("PATH", "")}  # a default must not come from the caller's settings
            text = subprocess.run([path, "--help"], capture_output=True, text=True, check=True, env=environment, timeout=20).stdout
            programs[program] = flags_of(text)
    return render(programs)


def documented():
    with open(DOCUMENT, encoding="utf-8") as file:
        text = file.read()
    return text[text.index(BEGIN) + len(BEGIN):text.index(END)]


def main():
    new = table(sys.argv[1])
    if "--write" not in sys.argv:
        print(new, end="")
        return
    with open(DOCUMENT, encoding="utf-8") as file:
        text = file.read()
    with open(DOCUMENT, "w", encoding="utf-8") as file:
        file.write(text[:text.index(BEGIN) + len(BEGIN)] + new + text[text.index(END):])


if __name__ == "__main__":
    main()
