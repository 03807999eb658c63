#!/usr/bin/python3
"""Writes the Grafana dashboards into helm/medidesk/files/dashboards. Run it after a change of the tables below:

    deploy/grafana/dashboards.py            writes the files
    deploy/grafana/dashboards.py --check    exit code 1 when a file is not what this writes

Each asks for its Prometheus data source when it is imported; `instance` narrows it to some of the processes."""

import json
import os
import sys

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "helm", "medidesk", "files", "dashboards")
RATE = "$__rate_interval"


def share(part, whole):
    return f"sum(rate({part}[{RATE}])) / sum(rate({whole}[{RATE}]))"


def quantile(q, histogram, by=""):
    labels = f"le, {by}" if by else "le"
    return f"histogram_quantile({q}, sum by ({labels}) (rate({histogram}_bucket[{RATE}])))"


def rate(counter, by=""):
    return (f"sum by ({by}) " if by else "sum") + f"(rate({counter}[{RATE}]))"


# title, unit, [(expression, legend)], kind
DASHBOARDS = {
    "overview": ("MediDesk: overview", [
        ("Processes up", "short", [('sum(up{job=~"medidesk.*"})', "")], "stat"),
        ("Oldest turn without a reply", "s", [("max(medidesk_store_oldest_turn_seconds)", "")], "stat"),
        ("Oldest urgent task", "s", [("max(medidesk_store_oldest_urgent_task_seconds)", "")], "stat"),
        ("Database", "bool_on_off", [("min(medidesk_store_database_up)", "")], "stat"),
        ("Messages received", "reqps", [(rate('medidesk_assistant_turns_total{outcome!="duplicate"}', "route"), "{{route}}")], "timeseries"),
        ("Answers by what made them", "reqps", [(rate("medidesk_assistant_turns_total", "outcome"), "{{outcome}}")], "timeseries"),
        ("Time to an answer", "s", [(quantile(q, "medidesk_assistant_reply_seconds"), f"p{int(q * 100)}") for q in (0.5, 0.95, 0.99)], "timeseries"),
        ("Average by stage", "s", [(f"sum by (stage) (rate(medidesk_assistant_stage_seconds_sum[{RATE}])) / sum by (stage) (rate(medidesk_assistant_stage_seconds_count[{RATE}]))", "{{stage}}")], "timeseries"),
        ("Gate verdicts", "reqps", [(rate("medidesk_assistant_gate_verdicts_total", "severity"), "{{severity}}")], "timeseries"),
        ("Open tasks", "short", [("max(medidesk_store_open_tasks)", "open")], "timeseries"),
        ("Memory", "bytes", [('medidesk_process_memory_bytes{instance=~"$instance"}', "{{instance}}")], "timeseries"),
        ("Processor", "percentunit", [(f'rate(medidesk_process_cpu_seconds_total{{instance=~"$instance"}}[{RATE}])', "{{instance}}")], "timeseries"),
        ("Uptime", "s", [('medidesk_process_uptime_seconds{instance=~"$instance"}', "{{instance}}")], "timeseries"),
        ("Time until certificates end", "s", [('min by (instance) (medidesk_process_certificate_seconds{instance=~"$instance"})', "{{instance}}")], "timeseries"),
    ]),
    "webhook": ("MediDesk: webhook and REST", [
        ("Webhook requests by code", "reqps", [(rate("medidesk_webhook_requests_total", "code"), "{{code}}")], "timeseries"),
        ("Webhook response time", "s", [(quantile(q, "medidesk_webhook_request_seconds"), f"p{int(q * 100)}") for q in (0.5, 0.95, 0.99)], "timeseries"),
        ("Error share", "percentunit", [(share('medidesk_webhook_requests_total{code=~"5.."}', "medidesk_webhook_requests_total"), "errors")], "timeseries"),
        ("Timeouts", "reqps", [(rate("medidesk_webhook_timeouts_total"), "timeouts")], "timeseries"),
        ("HTTP requests by route", "reqps", [(rate("medidesk_admin_http_requests_total", "route"), "{{route}}")], "timeseries"),
        ("HTTP response time by route, p99", "s", [(quantile(0.99, "medidesk_admin_http_request_seconds", "route"), "{{route}}")], "timeseries"),
        ("Refused by a limit", "reqps", [(rate("medidesk_admin_http_rejected_total", "limit"), "{{limit}}")], "timeseries"),
        ("Requests and connections now", "short", [("sum(medidesk_admin_http_in_flight)", "requests"), ("sum(medidesk_admin_http_connections)", "connections")], "timeseries"),
    ]),
    "claude": ("MediDesk: Claude", [
        ("Attempts by outcome", "reqps", [(rate("medidesk_assistant_claude_requests_total", "model, outcome"), "{{model}} {{outcome}}")], "timeseries"),
        ("Duration of an attempt", "s", [(quantile(0.5, "medidesk_assistant_claude_request_seconds", "model"), "{{model}} p50"), (quantile(0.99, "medidesk_assistant_claude_request_seconds", "model"), "{{model}} p99")], "timeseries"),
        ("Tokens", "short", [(rate("medidesk_assistant_claude_tokens_total", "model, kind"), "{{model}} {{kind}}")], "timeseries"),
        ("Prompt tokens read from the cache", "percentunit", [(share('medidesk_assistant_claude_tokens_total{kind="cache_read"}', 'medidesk_assistant_claude_tokens_total{kind=~"input|cache_read|cache_write"}'), "cache")], "timeseries"),
        ("Retries, fallbacks, failures", "reqps", [(rate("medidesk_assistant_claude_retries_total"), "retries"), (rate("medidesk_assistant_claude_fallbacks_total"), "fallbacks"), (rate("medidesk_assistant_claude_failures_total", "reason"), "failed: {{reason}}")], "timeseries"),
        ("Texts stopped by an output check", "reqps", [(rate("medidesk_assistant_checks_failed_total", "rule"), "{{rule}}")], "timeseries"),
    ]),
    "store": ("MediDesk: store and database", [
        ("Statements, p99 by name", "s", [(quantile(0.99, "medidesk_store_query_seconds", "query"), "{{query}}")], "timeseries"),
        ("Statements by name", "reqps", [(rate("medidesk_store_query_seconds_count", "query"), "{{query}}")], "timeseries"),
        ("Slow statements", "reqps", [(rate("medidesk_store_slow_queries_total", "query"), "{{query}}")], "timeseries"),
        ("Connections", "short", [("sum by (state) (medidesk_store_pool_connections)", "{{state}}")], "timeseries"),
        ("Refused and failed", "reqps", [(rate("medidesk_store_pool_rejected_total"), "refused"), (rate("medidesk_store_database_errors_total", "kind"), "{{kind}}")], "timeseries"),
        ("Unfinished turns", "short", [("max(medidesk_store_unfinished_turns)", "turns")], "timeseries"),
        ("Rows", "short", [("max by (table) (medidesk_store_table_rows)", "{{table}}")], "timeseries"),
        ("Replication lag", "s", [("max(medidesk_store_replication_lag_seconds)", "slowest")], "timeseries"),
        ("Audit rows that wait for their seal", "short", [("max(medidesk_store_audit_unsealed_rows)", "rows")], "timeseries"),
        ("gRPC calls by code", "reqps", [(rate("medidesk_store_rpc_requests_total", "code"), "{{code}}")], "timeseries"),
        ("gRPC calls, p99 by method", "s", [(quantile(0.99, "medidesk_store_rpc_seconds", "method"), "{{method}}")], "timeseries"),
    ]),
    "whatsapp": ("MediDesk: WhatsApp numbers", [
        ("Numbers by state", "short", [("sum by (state) (medidesk_gateway_numbers)", "{{state}}")], "timeseries"),
        ("Connected", "bool_on_off", [("max by (number) (medidesk_gateway_number_connected)", "{{number}}")], "timeseries"),
        ("Logins and disconnects", "short", [("sum by (number) (increase(medidesk_gateway_logins_total[1h]))", "{{number}} logins"), ("sum by (number) (increase(medidesk_gateway_disconnects_total[1h]))", "{{number}} disconnects")], "timeseries"),
        ("Messages received", "reqps", [(rate("medidesk_gateway_messages_received_total", "kind"), "{{kind}}")], "timeseries"),
        ("Messages sent and failed", "reqps", [(rate("medidesk_gateway_messages_sent_total"), "sent"), (rate("medidesk_gateway_messages_failed_total", "outcome"), "{{outcome}}"), (rate("medidesk_gateway_sends_refused_total"), "refused with 463")], "timeseries"),
        ("Turns by what answered them", "reqps", [(rate("medidesk_gateway_turns_total", "answer"), "{{answer}}")], "timeseries"),
        ("Time to an answer, and held back after it", "s", [(quantile(0.5, "medidesk_gateway_answer_seconds"), "answer p50"), (quantile(0.95, "medidesk_gateway_answer_seconds"), "answer p95"), (quantile(0.95, "medidesk_gateway_held_back_seconds"), "held back p95")], "timeseries"),
        ("Waiting", "short", [("sum(medidesk_gateway_stanzas_waiting)", "stanzas to be stored"), ("sum(medidesk_gateway_turns_waiting)", "turns to be answered"), ("sum(medidesk_gateway_replies_waiting)", "replies to leave")], "timeseries"),
        ("Send governor: 1 normal, 2 limited, 3 held", "short", [("max by (number) (medidesk_gateway_send_state and on (instance, number) medidesk_gateway_number_connected == 1)", "{{number}}")], "timeseries"),
        ("Heartbeats", "reqps", [(rate("medidesk_gateway_heartbeats_total", "outcome"), "{{outcome}}")], "timeseries"),
        ("Batches of writes, p99", "s", [(quantile(0.99, "medidesk_gateway_commit_seconds"), "p99")], "timeseries"),
        ("Batches by outcome", "reqps", [(rate("medidesk_gateway_commits_total", "outcome"), "{{outcome}}"), (rate("medidesk_gateway_commit_retries_total"), "retried")], "timeseries"),
        ("Leases lost", "short", [("sum(increase(medidesk_gateway_leases_lost_total[1h]))", "an hour")], "timeseries"),
    ]),
}


def panel(number, title, unit, targets, kind):
    stat = kind == "stat"
    width, height = (6, 4) if stat else (12, 8)
    return {
        "id": number, "type": kind, "title": title, "datasource": {"type": "prometheus", "uid": "${datasource}"},
        "gridPos": {"w": width, "h": height, "x": 0, "y": 0},
        "fieldConfig": {"defaults": {"unit": unit, "min": 0}, "overrides": []},
        "options": {"reduceOptions": {"calcs": ["lastNotNull"]}} if stat else {"legend": {"showLegend": True, "placement": "bottom"}},
        "targets": [{"refId": chr(65 + i), "expr": expr, "legendFormat": legend or "__auto", "datasource": {"type": "prometheus", "uid": "${datasource}"}} for i, (expr, legend) in enumerate(targets)],
    }


def dashboard(name, title, rows):
    panels, x, y, line = [], 0, 0, 0
    for number, row in enumerate(rows, 1):
        one = panel(number, *row)
        place = one["gridPos"]
        if x + place["w"] > 24 or (line and place["h"] != line):
            x, y = 0, y + line
        place["x"], place["y"], line = x, y, place["h"]
        x += place["w"]
        panels.append(one)
    return {
        "uid": f"medidesk-{name}", "title": title, "tags": ["medidesk"], "timezone": "browser", "editable": True,
        "schemaVersion": 38, "version": 1, "refresh": "30s", "time": {"from": "now-6h", "to": "now"},
        "templating": {"list": [
            {"name": "datasource", "type": "datasource", "query": "prometheus", "label": "Data source"},
            {"name": "instance", "type": "query", "label": "Process", "datasource": {"type": "prometheus", "uid": "${datasource}"},
             "query": "label_values(medidesk_process_uptime_seconds, instance)", "refresh": 2, "multi": True, "includeAll": True,
             "current": {"text": "All", "value": "$__all"}}]},
        "panels": panels,
    }


def main():
    check, wrong = "--check" in sys.argv[1:], []
    os.makedirs(FOLDER, exist_ok=True)
    for name, (title, rows) in DASHBOARDS.items():
        path, text = os.path.join(FOLDER, f"{name}.json"), json.dumps(dashboard(name, title, rows), indent=1) + "\n"
        if check:
            if not os.path.exists(path) or open(path, encoding="utf-8").read() != text:
                wrong.append(name)
        else:
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)
    if wrong:
        sys.exit(f"not as deploy/grafana/dashboards.py writes them: {', '.join(wrong)}")


if __name__ == "__main__":
    main()
