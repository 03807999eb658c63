"""check-metrics takes a good page and refuses bad ones: promtool is there and is really asked."""

import http.server
import os
import subprocess
import threading
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
GOOD = """# HELP medidesk_turns_total Turns by outcome.
# TYPE medidesk_turns_total counter
medidesk_turns_total{outcome="answered"} 3
"""
PAGES = {"/good": GOOD, "/empty": "", "/broken": GOOD + "medidesk turns 1\n", "/unhelped": "\n".join(GOOD.split("\n")[1:])}


class Pages(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        page = PAGES.get(self.path)
        self.send_response(200 if page is not None else 404)
        self.end_headers()
        self.wfile.write((page or "").encode())

    def log_message(self, *_):
        pass


class CheckMetricsTest(unittest.TestCase):
    def setUp(self):
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Pages)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def tearDown(self):
        self.server.shutdown()
        self.server.server_close()

    def check(self, path):
        answer = subprocess.run([os.path.join(HERE, "check-metrics"), f"http://127.0.0.1:{self.server.server_port}{path}"],
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        return answer.returncode, answer.stdout

    def test_takes_a_good_page(self):
        self.assertEqual(self.check("/good"), (0, ""))

    def test_refuses_what_is_no_metrics_page(self):
        for path in ("/empty", "/broken", "/missing"):
            with self.subTest(path):
                self.assertNotEqual(self.check(path)[0], 0)

    def test_refuses_a_metric_without_help(self):
        code, output = self.check("/unhelped")
        self.assertNotEqual(code, 0)
        self.assertIn("no help text", output)


if __name__ == "__main__":
    unittest.main(verbosity=2)
