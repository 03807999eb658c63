"""What the benchmarks say of figures it was given."""

import unittest

import flow_report
import machine
import report


def one_round(rps, p50=1.0, p99=2.0, requests=100, cpu=0.1, pss=None, errors=0):
    load = {"rps": rps, "p50_ms": p50, "p90_ms": p50, "p99_ms": p99, "max_ms": p99, "requests": requests,
            "errors": errors, "first_error": "status 503" if errors else ""}
    return {"load": load, "cpu_seconds": {"node": cpu}, "others_cpu_share": 0.0,
            "pss_mib": {"node": pss, "total": pss} if pss else {}}


def side(rps, p50, p99, pss):
    return {"callers_1": report.summary([one_round(rps / 4, p50, p99)]),
            "callers_16": report.summary([one_round(rps, p50, p99, pss=pss)])}


class Summary(unittest.TestCase):
    def test_takes_the_median_of_the_rounds_and_the_sum_of_the_errors(self):
        figures = report.summary([one_round(10), one_round(1000, errors=2), one_round(30)])
        self.assertEqual(figures["rps"], 30)
        self.assertEqual(figures["errors"], 2)
        self.assertEqual(figures["first_error"], "status 503")

    def test_divides_cpu_by_all_requests(self):
        figures = report.summary([one_round(1, requests=100, cpu=0.1), one_round(1, requests=300, cpu=0.1)])
        self.assertEqual(figures["cpu_us_per_request"], {"node": 500.0})


class Targets(unittest.TestCase):
    def met(self, *system):
        return [target["met"] for target in report.targets(side(1000, 2.0, 40.0, 70.0), side(*system))]

    def test_are_met_at_their_bounds(self):
        self.assertEqual(self.met(2000, 2.0, 20.0, 42.0), [True] * 4)

    def test_are_missed_beyond_them_one_by_one(self):
        self.assertEqual(self.met(1999, 2.0, 20.0, 42.0), [False, True, True, True])
        self.assertEqual(self.met(2000, 2.1, 20.0, 42.0), [True, False, True, True])
        self.assertEqual(self.met(2000, 2.0, 20.1, 42.0), [True, True, False, True])
        self.assertEqual(self.met(2000, 2.0, 20.0, 42.1), [True, True, True, False])


def flow_round(per_second, p50=1.0, p99=2.0, trips=100, errors=0, **cpu):
    return {"per_second": per_second, "p50_ms": p50, "p90_ms": p50, "p99_ms": p99, "max_ms": p99, "round_trips": trips,
            "repeated": 0, "errors": errors, "first_error": "lost" if errors else "", "cpu_seconds_of": cpu,
            "others_cpu_share": 0.0}


def flow_side(per_second, p50, p99, pss, **cpu):
    figures = flow_report.summary([flow_round(per_second, p50, p99, **cpu)])
    return {"closed_20": figures, "closed_1": figures, "rate_50": figures, "pss_mib": {"total": pss}}


class FlowSummary(unittest.TestCase):
    def test_takes_medians_and_divides_cpu_by_all_round_trips(self):
        rounds = [flow_round(10, bot=0.1, sim=0.0), flow_round(30, trips=300, errors=2, bot=0.1, sim=0.2)]
        figures = flow_report.summary(rounds)
        self.assertEqual(figures["per_second"], 20)
        self.assertEqual((figures["errors"], figures["first_error"]), (2, "lost"))
        self.assertEqual(figures["cpu_ms_per_round_trip"], {"bot": 0.5, "sim": 0.5})
        self.assertEqual(figures["share_of_cpu_used"], {"bot": 0.5, "sim": 0.5})


class FlowTargets(unittest.TestCase):
    def met(self, per_second, p50, p99, pss, gateway):
        sides = {"original": flow_side(100, 10.0, 100.0, 200.0, bot=1.0),
                 "medidesk_all": flow_side(per_second, p50, p99, pss, all=1.0),
                 "medidesk_services": flow_side(1, 1.0, 1.0, 1.0, **{"medidesk-gateway": gateway})}
        return [target["met"] for target in flow_report.targets(sides)]

    def test_are_met_at_their_bounds(self):
        self.assertEqual(self.met(800, 5.0, 25.0, 40.0, 0.1), [True] * 5)

    def test_are_missed_beyond_them_one_by_one(self):
        self.assertEqual(self.met(799, 5.0, 25.0, 40.0, 0.1), [False, True, True, True, True])
        self.assertEqual(self.met(800, 5.1, 25.0, 40.0, 0.1), [True, False, True, True, True])
        self.assertEqual(self.met(800, 5.0, 25.1, 40.0, 0.1), [True, True, False, True, True])
        self.assertEqual(self.met(800, 5.0, 25.0, 40.1, 0.1), [True, True, True, False, True])
        self.assertEqual(self.met(800, 5.0, 25.0, 40.0, 0.11), [True, True, True, True, False])

    def test_leave_out_what_was_not_measured(self):
        self.assertEqual(flow_report.targets({"medidesk_all": flow_side(1, 1.0, 1.0, 1.0, all=1.0)}), [])


class Baseline(unittest.TestCase):
    def test_counts_when_it_is_at_most_15_percent_slow(self):
        self.assertTrue(report.baseline_verdict(1403, machine.REFERENCE_LOOP_MS, 0.0)["valid"])
        self.assertFalse(report.baseline_verdict(1402, machine.REFERENCE_LOOP_MS, 0.0)["valid"])

    def test_counts_on_a_machine_that_is_as_much_slower(self):
        self.assertTrue(report.baseline_verdict(900, machine.REFERENCE_LOOP_MS * 1.6, 0.0)["valid"])
        self.assertFalse(report.baseline_verdict(900, machine.REFERENCE_LOOP_MS * 1.5, 0.0)["valid"])

    def test_says_when_others_used_the_machine(self):
        verdict = report.baseline_verdict(900, machine.REFERENCE_LOOP_MS, 0.4)
        self.assertFalse(verdict["valid"])
        self.assertIn("other programs", verdict["why"])


if __name__ == "__main__":
    unittest.main()
