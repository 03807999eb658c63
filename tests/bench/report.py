"""From rounds to figures: medians, the targets, and whether the baseline was itself."""

import statistics

from machine import REFERENCE_LOOP_MS, REFERENCE_RPS

LOAD_FIGURES = ("rps", "p50_ms", "p90_ms", "p99_ms", "max_ms")
TOLERANCE = 0.85  # of the reference; a baseline below is not the baseline
QUIET = 0.1  # share of the machine's CPU that others may use beside a measurement


def median_of(values):
    return round(statistics.median(values), 4)


def cpu_per_request(rounds):
    """CPU microseconds a request of everything that took part, from the sums over all rounds."""
    requests = sum(one["load"]["requests"] for one in rounds)
    names = {name for one in rounds for name in one["cpu_seconds"]}
    sums = {name: sum(one["cpu_seconds"].get(name, 0) for one in rounds) for name in names}
    return {name: round(seconds * 1e6 / requests, 1) for name, seconds in sorted(sums.items())} if requests else {}


def summary(rounds):
    """The rounds of one side with one number of callers."""
    result = {name: median_of([one["load"][name] for one in rounds]) for name in LOAD_FIGURES}
    result["requests"] = sum(one["load"]["requests"] for one in rounds)
    result["errors"] = sum(one["load"]["errors"] for one in rounds)
    result["first_error"] = next((one["load"]["first_error"] for one in rounds if one["load"]["first_error"]), "")
    result["cpu_us_per_request"] = cpu_per_request(rounds)
    result["rps_of_rounds"] = [one["load"]["rps"] for one in rounds]
    result["p50_ms_of_rounds"] = [one["load"]["p50_ms"] for one in rounds]
    result["p99_ms_of_rounds"] = [one["load"]["p99_ms"] for one in rounds]
    result["others_cpu_share"] = median_of([one["others_cpu_share"] for one in rounds])
    memory = [one["pss_mib"] for one in rounds if one["pss_mib"]]
    if memory:
        result["pss_mib"] = {name: median_of([one[name] for one in memory]) for name in memory[0]}
    return result


def targets(original, system, name="medidesk_all"):
    """`original` and `system` (called `name`): {"callers_1": summary, "callers_16": summary}."""
    one_before, one_after = original["callers_1"], system["callers_1"]
    many_before, many_after = original["callers_16"], system["callers_16"]

    def target(what, bound, before, after, at_least=False):
        ratio = after / before if before else 0.0
        met = ratio >= bound if at_least else ratio <= bound
        return {"name": what, "original": before, name: after, "ratio": round(ratio, 3),
                "wanted": f"ratio at {'least' if at_least else 'most'} {bound}", "met": met}

    return [
        target("requests a second with 16 callers", 2.0, many_before["rps"], many_after["rps"], at_least=True),
        target("p50 with one caller, ms", 1.0, one_before["p50_ms"], one_after["p50_ms"]),
        target("p99 with 16 callers, ms", 0.5, many_before["p99_ms"], many_after["p99_ms"]),
        target("memory (Pss summed), MiB", 0.6, many_before["pss_mib"]["total"], many_after["pss_mib"]["total"]),
    ]


def baseline_verdict(rps, loop_ms, others_cpu_share):
    """Whether the baseline ran as fast as it does: else what is measured against it says nothing."""
    wanted = REFERENCE_RPS * TOLERANCE
    slower = loop_ms / REFERENCE_LOOP_MS if loop_ms and REFERENCE_LOOP_MS else None
    verdict = {"rps": rps, "reference_rps": REFERENCE_RPS, "at_least": wanted,
               "machine_slower_than_reference": round(slower, 3) if slower else None,
               "others_cpu_share": others_cpu_share}
    if rps >= wanted:
        return {**verdict, "valid": True, "why": "the baseline is at most 15 % below its reference"}
    if slower and rps * slower >= wanted:
        why = "the baseline is slower than its reference, and so is the machine's CPU"
        return {**verdict, "valid": True, "why": why}
    why = "the baseline is more than 15 % below its reference, and the CPU alone does not explain it"
    if others_cpu_share > QUIET:
        why = "the baseline is more than 15 % below its reference: other programs used the CPU; repeat it alone"
    return {**verdict, "valid": False, "why": why}
