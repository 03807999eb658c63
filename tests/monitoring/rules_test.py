"""The alert rules, by promtool: each one fires on a case that calls for it and is quiet on one that does not. And rules
and dashboards name nothing that the services do not export: docs/metrics.md lists every metric, tests/metrics holds it
to the code."""

import json
import os
import re
import subprocess
import tempfile
import unittest

import yaml

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
ALERTS = os.path.join(ROOT, "helm", "medidesk", "files", "alerts.yaml")
DASHBOARDS = os.path.join(ROOT, "helm", "medidesk", "files", "dashboards")
PROMTOOL = os.path.join(ROOT, "tools", "promtool")

TURNS = 'medidesk_assistant_turns_total{route="webhook",outcome="%s"}'
REPLY = 'medidesk_assistant_reply_seconds_bucket{route="webhook",le="%s"}'
GATEWAY_TURNS = 'medidesk_gateway_turns_total{answer="%s"}'
RECEIVED = 'medidesk_gateway_messages_received_total{number="desk",kind="%s"}'
FAILED = 'medidesk_gateway_messages_failed_total{number="desk",outcome="%s"}'
SEND_STATE = 'medidesk_gateway_send_state{number="desk",instance="%s"}'
CONNECTED = 'medidesk_gateway_number_connected{number="desk",instance="%s"}'
HELD = 'medidesk_gateway_held_back_seconds_bucket{le="%s"}'

# alert: (series that make it fire, when it is looked at, labels of the alert, series that leave it quiet).
# Series are one value a minute, in promtool's notation.
CASES = {
    "MediDeskSilent": ({TURNS % "model": "0+10x1440 14400x60"}, "1480m", {}, {TURNS % "model": "0+10x1500"}),
    "MediDeskEmergencyUnacknowledged": ({"medidesk_store_oldest_urgent_task_seconds": "0+60x20"}, "10m", {},
                                        {"medidesk_store_oldest_urgent_task_seconds": "0 60 120 180 0x20"}),
    "MediDeskEmergencyUnstored": ({"medidesk_assistant_unstored_emergencies_total": "0 0 1x20"}, "5m", {},
                                  {"medidesk_assistant_unstored_emergencies_total": "3x20"}),
    "MediDeskTurnWaits": ({"medidesk_store_oldest_turn_seconds": "0+60x20"}, "10m", {}, {"medidesk_store_oldest_turn_seconds": "30x20"}),
    "MediDeskRepliesSlow": ({REPLY % "10": "0+1x40", REPLY % "25": "0+10x40", REPLY % "+Inf": "0+10x40",
                             'medidesk_assistant_reply_seconds_count{route="webhook"}': "0+10x40"}, "30m", {},
                            {REPLY % "2.5": "0+10x40", REPLY % "10": "0+10x40", REPLY % "+Inf": "0+10x40",
                             'medidesk_assistant_reply_seconds_count{route="webhook"}': "0+10x40"}),
    "MediDeskApologies": ({TURNS % "apology": "0+1x60", TURNS % "model": "0+9x60"}, "45m", {},
                          {TURNS % "apology": "0 1x60", TURNS % "model": "0+9x60", TURNS % "duplicate": "0+90x60"}),
    "MediDeskNumberDisconnected": ({'medidesk_gateway_number_connected{number="desk",instance="a"}': "1 0x20"}, "15m", {"number": "desk"},
                                   {'medidesk_gateway_number_connected{number="desk",instance="a"}': "1 0 0 0 1x20"}),
    "MediDeskNumberLoggedOut": ({'medidesk_gateway_numbers{state="needs_link"}': "0 1x20"}, "10m", {},
                                {'medidesk_gateway_numbers{state="needs_link"}': "0x20", 'medidesk_gateway_numbers{state="connected"}': "1x20"}),
    "MediDeskNumberStopped": ({'medidesk_gateway_numbers{state="replaced"}': "0 1x20"}, "10m", {"state": "replaced"},
                              {'medidesk_gateway_numbers{state="reconnecting"}': "1x20"}),
    "MediDeskNumberFlapping": ({'medidesk_gateway_logins_total{number="desk"}': "0+1x90"}, "80m", {"number": "desk"},
                               {'medidesk_gateway_logins_total{number="desk"}': "0+0.2x90"}),
    "MediDeskLeaseLost": ({"medidesk_gateway_leases_lost_total": "0 0 1x20"}, "5m", {}, {"medidesk_gateway_leases_lost_total": "1x20"}),
    "MediDeskHeartbeatsFail": ({'medidesk_gateway_heartbeats_total{instance="a",outcome="failed"}': "0+12x20",
                                'medidesk_gateway_heartbeats_total{instance="a",outcome="ok"}': "9x20"}, "10m", {"instance": "a"},
                               {'medidesk_gateway_heartbeats_total{instance="a",outcome="failed"}': "0+1x20",
                                'medidesk_gateway_heartbeats_total{instance="a",outcome="ok"}': "0+11x20"}),
    "MediDeskStanzasUnstored": ({'medidesk_gateway_stanzas_waiting{instance="a"}': "0 80x20"}, "10m", {"instance": "a"},
                                {'medidesk_gateway_stanzas_waiting{instance="a"}': "0 80 0 80 0 80 0 80 0 80 0 80"}),
    "MediDeskGatewayApologies": ({GATEWAY_TURNS % "apology": "0+1x60", GATEWAY_TURNS % "assistant": "0+9x60"}, "45m", {},
                                 {GATEWAY_TURNS % "apology": "0 1x60", GATEWAY_TURNS % "assistant": "0+9x60"}),
    "MediDeskMessagesUnreadable": ({RECEIVED % "undecryptable": "0+1x60", RECEIVED % "text": "0+5x60"}, "45m", {"number": "desk"},
                                   {RECEIVED % "undecryptable": "0+1x60", RECEIVED % "text": "0+50x60"}),
    "MediDeskMessagesUnconfirmed": ({FAILED % "unknown": "0+1x20"}, "10m", {"number": "desk"},
                                    {FAILED % "unknown": "0 1x20", FAILED % "discarded": "0+5x20"}),
    "MediDeskMessagesFail": ({'medidesk_gateway_sends_refused_total{number="desk"}': "0+1x20"}, "10m", {"number": "desk"},
                             {FAILED % "failed": "0 1x20", FAILED % "discarded": "0+5x20"}),
    # A gateway that gave the number up still shows what it last saw.
    "MediDeskSendingHeld": ({SEND_STATE % "a": "1 3x20", CONNECTED % "a": "1x20", SEND_STATE % "b": "1x20", CONNECTED % "b": "0x20"}, "5m", {"number": "desk"},
                            {SEND_STATE % "a": "1 3x20", CONNECTED % "a": "0x20", SEND_STATE % "b": "1x20", CONNECTED % "b": "1x20"}),
    "MediDeskSendingLimited": ({SEND_STATE % "a": "1 2x40", CONNECTED % "a": "1x40"}, "30m", {"number": "desk"},
                               {SEND_STATE % "a": "1 2 2 2 1x40", CONNECTED % "a": "1x40"}),
    "MediDeskRepliesHeldBack": ({HELD % "34": "0+1x60", HELD % "60": "0+5x60", HELD % "+Inf": "0+5x60", "medidesk_gateway_held_back_seconds_count": "0+5x60"}, "40m", {},
                                {HELD % "3": "0+5x60", HELD % "34": "0+5x60", HELD % "+Inf": "0+5x60", "medidesk_gateway_held_back_seconds_count": "0+5x60"}),
    "MediDeskWebhookErrors": ({'medidesk_webhook_requests_total{code="200"}': "0+90x20", 'medidesk_webhook_requests_total{code="503"}': "0+10x20"}, "10m", {},
                              {'medidesk_webhook_requests_total{code="200"}': "0+99x20", 'medidesk_webhook_requests_total{code="503"}': "0+1x20",
                               'medidesk_webhook_requests_total{code="429"}': "0+50x20"}),
    "MediDeskWebhookTimeouts": ({"medidesk_webhook_timeouts_total": "0+1x20"}, "15m", {}, {"medidesk_webhook_timeouts_total": "0 0 1x20"}),
    "MediDeskOverloaded": ({'medidesk_admin_http_rejected_total{limit="in_flight"}': "0+1x20"}, "15m", {},
                           {'medidesk_admin_http_rejected_total{limit="phone"}': "0+9x20", 'medidesk_admin_http_rejected_total{limit="in_flight"}': "4x20"}),
    "MediDeskClaudeFailing": ({'medidesk_assistant_claude_failures_total{reason="timeout"}': "0+3x30", TURNS % "facts": "0+3x30", TURNS % "model": "0+3x30"}, "20m", {},
                              {'medidesk_assistant_claude_failures_total{reason="timeout"}': "0+1x30", TURNS % "model": "0+90x30"}),
    "MediDeskClaudeFallback": ({"medidesk_assistant_claude_fallbacks_total": "0+1x40"}, "35m", {}, {"medidesk_assistant_claude_fallbacks_total": "0+0.1x40"}),
    "MediDeskDatabaseDown": ({'medidesk_store_database_up{instance="a"}': "1 0x20", 'medidesk_store_database_up{instance="b"}': "1x20"}, "5m", {},
                             {'medidesk_store_database_up{instance="a"}': "1x20"}),
    "MediDeskPoolExhausted": ({"medidesk_store_pool_rejected_total": "0 5x20"}, "3m", {}, {"medidesk_store_pool_rejected_total": "5x20"}),
    "MediDeskPoolBusy": ({'medidesk_store_pool_connections{state="waiting"}': "9x20"}, "10m", {},
                         {'medidesk_store_pool_connections{state="waiting"}': "9 0 9 0 9 0 9 0 9 0 9 0 9"}),
    "MediDeskSlowQueries": ({'medidesk_store_slow_queries_total{query="accept"}': "0+2x30"}, "20m", {"query": "accept"},
                            {'medidesk_store_slow_queries_total{query="accept"}': "0+1x30"}),
    "MediDeskReplicaBehind": ({"medidesk_store_replication_lag_seconds": "90x20"}, "10m", {}, {"medidesk_store_replication_lag_seconds": "0 90 0x20"}),
    "MediDeskReplicaMissing": ({"medidesk_store_replicas": "2 2 1x30"}, "20m", {}, {"medidesk_store_replicas": "2x30"}),
    "MediDeskAuditUnsealed": ({"medidesk_store_audit_unsealed_rows": "20000x30"}, "20m", {}, {"medidesk_store_audit_unsealed_rows": "200x30"}),
    "MediDeskDown": ({'up{job="medidesk",instance="a"}': "1 0x20"}, "5m", {"job": "medidesk", "instance": "a"},
                     {'up{job="medidesk",instance="a"}': "1 0 1x20", 'up{job="node",instance="a"}': "0x20"}),
    "MediDeskRestarts": ({'medidesk_process_uptime_seconds{instance="a"}': "0 60 0 60 0 60 0 60 0 60"}, "9m", {"instance": "a"},
                         {'medidesk_process_uptime_seconds{instance="a"}': "900 960 0+60x20"}),
    "MediDeskCertificateEnds": ({'medidesk_process_certificate_seconds{instance="a"}': "864000x5"}, "2m", {"instance": "a"},
                                {'medidesk_process_certificate_seconds{instance="a"}': "2592000x5"}),
    "MediDeskCertificateEndsNow": ({'medidesk_process_certificate_seconds{instance="a"}': "3600x5"}, "2m", {"instance": "a"},
                                   {'medidesk_process_certificate_seconds{instance="a"}': "864000x5"}),
}


def rules():
    with open(ALERTS, encoding="utf-8") as file:
        return {rule["alert"]: rule for group in yaml.safe_load(file)["groups"] for rule in group["rules"]}


def documented():
    """Every metric of docs/metrics.md, a general name spelt out for each service."""
    with open(os.path.join(ROOT, "docs", "metrics.md"), encoding="utf-8") as file:
        table = file.read().split("## Every metric")[1].split("\n## ")[0]
    names = {}
    for name, kind, labels in re.findall(r"^\| `([^`]+)`[^|]*\| (\w+) \|([^|]*)\|", table, re.MULTILINE):
        for service in ("assistant", "gateway", "store") if "<service>" in name else ("",):
            names[name.replace("<service>", service)] = (kind, set(re.findall(r"`(\w+)`", labels)))
    return names


def series_of(names):
    """{series: labels it may be asked by}; a histogram comes as three."""
    given = {"instance", "job", "service"}
    all_series = {"up": given}
    for name, (kind, labels) in names.items():
        for suffix in ("_bucket", "_sum", "_count") if kind == "histogram" else ("",):
            all_series[name + suffix] = labels | given | ({"le"} if suffix == "_bucket" else set())
    return all_series


def selectors(expression):
    """(metric, labels in its selector) of each in a PromQL expression."""
    for name, selector in re.findall(r"\b(medidesk_\w+|up)\b(?:\{([^}]*)\})?", expression):
        yield name, set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", selector or ""))


def run_promtool(tests):
    document = {"rule_files": [ALERTS], "evaluation_interval": "1m", "tests": tests}
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "tests.yaml")
        with open(path, "w", encoding="utf-8") as file:
            yaml.safe_dump(document, file)
        done = subprocess.run([PROMTOOL, "test", "rules", path], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    return done.returncode, done.stdout


def case(alert, series, at, expected):
    return {"interval": "1m", "input_series": [{"series": name, "values": values} for name, values in series.items()],
            "alert_rule_test": [{"eval_time": at, "alertname": alert, "exp_alerts": expected}]}


class RulesTest(unittest.TestCase):
    def expected(self, rule, labels):
        annotations = {key: re.sub(r"\{\{ \$labels\.(\w+) \}\}", lambda match: labels[match[1]], text)
                       for key, text in rule["annotations"].items()}
        return [{"exp_labels": {**rule["labels"], **labels}, "exp_annotations": annotations}]

    def test_every_rule_has_its_cases(self):
        self.assertEqual(sorted(CASES), sorted(rules()))

    def test_rules_fire_when_they_should_and_not_otherwise(self):
        for alert, rule in rules().items():
            fires, at, labels, quiet = CASES[alert]
            for name, tests in (("fires", [case(alert, fires, at, self.expected(rule, labels))]), ("is quiet", [case(alert, quiet, at, [])])):
                with self.subTest(f"{alert} {name}"):
                    code, output = run_promtool(tests)
                    self.assertEqual(code, 0, output)

    def test_promtool_is_really_asked(self):
        code, output = run_promtool([case("MediDeskDown", {'up{job="medidesk",instance="a"}': "1x20"}, "5m", self.expected(rules()["MediDeskDown"], {"job": "medidesk", "instance": "a"}))])
        self.assertNotEqual(code, 0, output)

    def test_each_has_a_severity_a_summary_and_a_runbook_that_is_there(self):
        for alert, rule in rules().items():
            with self.subTest(alert):
                self.assertIn(rule["labels"]["severity"], ("page", "warn"))
                self.assertTrue(rule["annotations"]["summary"])
                self.assertTrue(os.path.exists(os.path.join(ROOT, rule["annotations"]["runbook"])), rule["annotations"]["runbook"])


class NamesTest(unittest.TestCase):
    def check(self, where, expression):
        known = series_of(documented())
        found = list(selectors(expression))
        self.assertTrue(found, f"{where}: no metric in {expression}")
        for name, labels in found:
            self.assertIn(name, known, f"{where}: no service exports {name}")
            self.assertLessEqual(labels, known[name], f"{where}: {name} has not these labels")

    def test_rules_name_metrics_that_exist(self):
        for alert, rule in rules().items():
            self.check(alert, rule["expr"])

    def test_cases_name_metrics_that_exist(self):
        for alert, (fires, _, _, quiet) in CASES.items():
            for series in (*fires, *quiet):
                self.check(alert, series)

    def test_panels_name_metrics_that_exist(self):
        boards = sorted(os.listdir(DASHBOARDS))
        self.assertGreater(len(boards), 3)
        for name in boards:
            with open(os.path.join(DASHBOARDS, name), encoding="utf-8") as file:
                board = json.load(file)
            self.assertTrue(board["uid"] and board["title"])
            ids = [panel["id"] for panel in board["panels"]]
            self.assertEqual(len(ids), len(set(ids)))
            taken = set()
            for panel in board["panels"]:
                place = panel["gridPos"]
                cells = {(x, y) for x in range(place["x"], place["x"] + place["w"]) for y in range(place["y"], place["y"] + place["h"])}
                self.assertFalse(cells & taken, f"{name}: {panel['title']} lies on another panel")
                self.assertLessEqual(place["x"] + place["w"], 24)
                taken |= cells
                for target in panel["targets"]:
                    self.check(f"{name}, {panel['title']}", target["expr"])

    def test_panels_are_promql(self):
        """promtool reads each expression as that of a recording rule."""
        groups = []
        for name in sorted(os.listdir(DASHBOARDS)):
            with open(os.path.join(DASHBOARDS, name), encoding="utf-8") as file:
                board = json.load(file)
            expressions = [target["expr"] for panel in board["panels"] for target in panel["targets"]]
            groups.append({"name": name, "rules": [{"record": f"panel:{i}", "expr": expr.replace("$__rate_interval", "5m").replace("$instance", ".*")}
                                                   for i, expr in enumerate(expressions)]})
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "panels.yaml")
            with open(path, "w", encoding="utf-8") as file:
                yaml.safe_dump({"groups": groups}, file)
            done = subprocess.run([PROMTOOL, "check", "rules", path], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stdout)

    def test_dashboards_are_as_their_writer_writes_them(self):
        done = subprocess.run([os.path.join(ROOT, "deploy", "grafana", "dashboards.py"), "--check"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stdout)

    def test_a_name_that_no_service_exports_is_seen(self):
        with self.assertRaises(AssertionError):
            self.check("a rule", "sum(rate(medidesk_messages_lost_total[5m])) > 0")
        with self.assertRaises(AssertionError):
            self.check("a rule", 'medidesk_store_open_tasks{phone="1"}')


if __name__ == "__main__":
    unittest.main(verbosity=2)
