"""The tree keeps to the compile arrows, and the check that says so can say no."""

import os
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import layering  # noqa: E402

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

# A small tree without a fault; each case below adds one file to it.
CLEAN = {
    "base/status.h": "#pragma once\n#include <string>\n",
    "base/rpc/serve.h": '#include <grpcpp/grpcpp.h>\n#include "base/status.h"\nstruct R : public grpc::ServerUnaryReactor {};\n',
    "base/rpc/testing/echo.proto": "",
    "base/rpc/testing/echo_service.h": '#include "base/rpc/testing/echo.grpc.pb.h"\n',
    "safety/gate.h": '#include "base/status.h"\n',
    "gateway/wa/frame.h": '#include "base/status.h"\n#include "whatsapp/wa.pb.h"\n#include <chrono>\n',
    "gateway/wa/frame_test.cc": '#include <fstream>\n#include <gtest/gtest.h>\n#include "gateway/wa/frame.h"\n',
    "gateway/bot/turns.h": '#include "safety/gate.h"\n',
    "store/pool.h": '#include <pqxx/pqxx>\n#include "base/rpc/serve.h"\n#include "medidesk/store/v1/a.pb.h"\n',
    "store/testing/fake.h": '#include "store/pool.h"\n',
    "store/pool_test.cc": '#include "store/testing/fake.h"\n',
    "assistant/claude/client.cc": 'const char* kHeader = "anthropic-version";\n#include <boost/asio.hpp>\n',
    "assistant/service/reply.cc": '#include "assistant/claude/client.h"\n#include "safety/gate.h"\n',
    "assistant/claude/client.h": "#pragma once\n",
    "admin/server.cc": "// as steady_clock::now() says\n#include <boost/beast.hpp>\n",
    "cli/token_command.cc": '#include "base/rpc/serve.h"\n#include "medidesk/store/v1/a.pb.h"\n',
    "allinone/main.cc": '#include "store/pool.h"\n#include "safety/gate.h"\n',
    "tests/e2e/all_test.cc": '#include <pqxx/pqxx>\n#include "store/testing/fake.h"\n#include "assistant/claude/client.h"\n',
}

# One fault each: (file, text, a part of the complaint).
FAULTS = [
    ("base/a.h", '#include "safety/gate.h"\n', "base must not include safety/gate.h"),
    ("base/b.h", "#include <grpcpp/grpcpp.h>\n", "base must not know gRPC"),
    ("base/c.h", '#include "base/rpc/serve.h"\n', "base must not include base/rpc/serve.h"),
    ("base/d.h", "#include <google/protobuf/message.h>\n", "base must not know protobuf"),
    ("base/e.h", "#include <gtest/gtest.h>\n", "test library"),
    ("base/rpc/a.h", '#include "store/pool.h"\n', "base/rpc must not include store/pool.h"),
    ("base/rpc/b.h", '#include "base/rpc/testing/echo.pb.h"\n', "production code must not include base/rpc/testing/echo.proto"),
    ("safety/a.h", '#include "medidesk/store/v1/a.pb.h"\n', "safety must not include medidesk/store/v1/a.pb.h"),
    ("safety/b.h", "#include <grpc/grpc.h>\n", "safety must not know gRPC"),
    ("gateway/wa/a.h", "#include <boost/asio.hpp>\n", "must not know Asio"),
    ("gateway/wa/b.h", "#include <grpcpp/grpcpp.h>\n", "must not know gRPC"),
    ("gateway/wa/c.cc", "auto t = std::chrono::steady_clock::now();\n", "a clock"),
    ("gateway/wa/d.cc", "RAND_bytes(out, 32);\n", "randomness"),
    ("gateway/wa/e.cc", "#include <fstream>\n", "a file"),
    ("gateway/wa/f.h", '#include "gateway/bot/turns.h"\n', "gateway/wa must not include gateway/bot/turns.h"),
    ("gateway/wa/g.h", '#include "safety/gate.h"\n', "gateway/wa must not include safety/gate.h"),
    ("gateway/net/a.h", '#include "gateway/bot/turns.h"\n', "gateway/net must not include"),
    ("gateway/service/a.h", '#include "store/pool.h"\n', "gateway/service must not include store/pool.h"),
    ("assistant/a.h", '#include "store/pool.h"\n', "assistant must not include store/pool.h"),
    ("assistant/context/a.cc", 'Add("anthropic-version", "2023-06-01");\n', "the model API"),
    ("assistant/b.h", "#include <pqxx/pqxx>\n", "must not know libpqxx"),
    ("assistant/c_test.cc", '#include "store/testing/fake.h"\n', "assistant must not include store/testing/fake.h"),
    ("cli/a.h", '#include "store/pool.h"\n', "cli must not include store/pool.h"),
    ("cli/b.h", "#include <pqxx/pqxx>\n", "must not know libpqxx"),
    ("store/a.h", '#include "store/testing/fake.h"\n', "production code must not include store/testing/fake.h"),
    ("store/b.h", '#include "safety/gate.h"\n', "store must not include safety/gate.h"),
    ("store/c.h", "#include <spdlog/spdlog.h>\n", "must not know spdlog"),
    ("store/d.cc", "class Writer : public grpc::ServerWriteReactor<Row> {};\n", "a gRPC reactor"),
    ("admin/a.h", '#include "assistant/claude/client.h"\n', "admin must not include assistant/claude/client.h"),
    ("admin/b.h", '#include "server.h"\n', "no file of the repository"),
    ("allinone/a.cc", '#include "tests/e2e/all_test.cc"\n', "production code must not include tests/e2e/all_test.cc"),
    ("billing/a.h", "#include <string>\n", "belongs to no layer"),
]


def write(root, files):
    for path, text in files.items():
        os.makedirs(os.path.dirname(os.path.join(root, path)), exist_ok=True)
        with open(os.path.join(root, path), "w", encoding="utf-8") as file:
            file.write(text)


class LayeringTest(unittest.TestCase):
    def test_the_tree_keeps_to_the_arrows(self):
        problems = layering.check(ROOT)
        self.assertEqual(problems, [], "\n" + "\n".join(problems))

    def test_the_tree_is_really_read(self):
        self.assertIn("base/status.h", list(layering.sources(ROOT)))

    def test_a_clean_tree_has_no_problem(self):
        with tempfile.TemporaryDirectory() as root:
            write(root, CLEAN)
            self.assertEqual(layering.check(root), [])

    def test_each_fault_is_seen_alone(self):
        for path, text, complaint in FAULTS:
            with self.subTest(path), tempfile.TemporaryDirectory() as root:
                write(root, {**CLEAN, path: text})
                problems = layering.check(root)
                self.assertEqual(len(problems), 1, problems)
                self.assertTrue(problems[0].startswith(path + ":"), problems)
                self.assertIn(complaint, problems[0])


if __name__ == "__main__":
    unittest.main()
