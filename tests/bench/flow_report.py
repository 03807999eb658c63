"""What the rounds of the WhatsApp flow amount to, and how the sides compare."""

import statistics

FIGURES = ("per_second", "p50_ms", "p90_ms", "p99_ms", "max_ms")


def summary(rounds):
    """Medians of the rounds; CPU of each process divided by all round trips, and its share of what was used."""
    trips = sum(one["round_trips"] for one in rounds) or 1
    cpu = {name: sum(one["cpu_seconds_of"][name] for one in rounds) for name in rounds[0]["cpu_seconds_of"]}
    total = sum(cpu.values()) or 1.0
    return {**{name: statistics.median(one[name] for one in rounds) for name in FIGURES},
            "round_trips": sum(one["round_trips"] for one in rounds),
            "answered_again": sum(one["repeated"] for one in rounds),
            "errors": sum(one["errors"] for one in rounds),
            "first_error": next((one["first_error"] for one in rounds if one["first_error"]), ""),
            "cpu_ms_per_round_trip": {name: round(1000 * used / trips, 3) for name, used in cpu.items()},
            "share_of_cpu_used": {name: round(used / total, 3) for name, used in cpu.items()},
            "others_cpu_share": round(max(one["others_cpu_share"] for one in rounds), 3)}


def targets(sides):
    """How the sides compare; a figure that was not measured is left out."""
    original, whole, services = (sides.get(name) for name in ("original", "medidesk_all", "medidesk_services"))
    wanted = []

    def add(what, before, after, bound, at_least=False):
        ratio = after / before if before else 0.0
        wanted.append({"name": what, "original": before, "medidesk": after, "ratio": round(ratio, 3),
                       "wanted": f"ratio at {'least' if at_least else 'most'} {bound}",
                       "met": ratio >= bound if at_least else ratio <= bound})

    if original and whole:
        add("round trips a second, 20 patients", original["closed_20"]["per_second"], whole["closed_20"]["per_second"],
            8, at_least=True)
        add("p50 with one patient, ms", original["closed_1"]["p50_ms"], whole["closed_1"]["p50_ms"], 0.5)
        add("p99 at 50 messages a second, first contacts included, ms", original["rate_50"]["p99_ms"],
            whole["rate_50"]["p99_ms"], 0.25)
        add("memory (Pss summed), MiB", original["pss_mib"]["total"], whole["pss_mib"]["total"], 0.2)
    if original and services:
        add("CPU of the gateway beside the bot's, ms a round trip",
            original["closed_20"]["cpu_ms_per_round_trip"]["bot"],
            services["closed_20"]["cpu_ms_per_round_trip"]["medidesk-gateway"], 0.1)
    return wanted
