"""The hospital whose facts both sides answer from, each in its own tables."""

import json

import yaml

# What the baseline's reference figure was measured with. A second comparison takes the whole sample hospital.
FEW = {"faqs": 12, "departments": 6, "doctors": 12}


def read(path):
    with open(path, encoding="utf-8") as file:
        return yaml.safe_load(file)


def cut(hospital):
    """The same hospital with few facts: the first of each kind, doctors of the departments that stay."""
    departments = hospital["departments"][:FEW["departments"]]
    kept = {department["key"] for department in departments}
    doctors = [doctor for doctor in hospital["doctors"] if doctor["department"] in kept][:FEW["doctors"]]
    return {**hospital, "faqs": hospital["faqs"][:FEW["faqs"]], "departments": departments, "doctors": doctors}


def write(hospital, path):
    with open(path, "w", encoding="utf-8") as file:
        yaml.safe_dump(hospital, file, allow_unicode=True, sort_keys=False)


def count(hospital):
    return {kind: len(hospital[kind]) for kind in FEW}


def original_sql(hospital):
    """Statements that fill the tables of original/schema.sql with the columns its context has."""
    faqs = [{"question": one["question"], "answer": one["answer"]} for one in hospital["faqs"]]
    departments = [{"id": one["key"], "name": one["name"], "location": one.get("location"), "phone": one.get("phone"),
                    "hours": one.get("hours")} for one in hospital["departments"]]
    doctors = [{"department_id": one["department"], "name": one["name"],
                "hours": "; ".join(shift["when"] for shift in one.get("roster", []))} for one in hospital["doctors"]]
    tables = (("faqs", faqs), ("departments", departments), ("doctors", doctors))
    return "".join(f"insert into {table} select * from json_populate_recordset(null::{table}, {quoted(rows)});\n"
                   for table, rows in tables) + "analyze;\n"


def quoted(rows):
    return "'" + json.dumps(rows, ensure_ascii=False).replace("'", "''") + "'"
