"""What the test command counts: each runner's own cases, crashes, skips, and programs that count nothing."""

import os
import sys
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tools"))
import run_tests  # noqa: E402

GOOGLE = """[==========] Running 4 tests from 2 test suites.
[ RUN      ] A.Works
[       OK ] A.Works (0 ms)
[ RUN      ] A.Fails
a_test.cc:3: Failure
[  FAILED  ] A.Fails (1 ms)
[ RUN      ] B.Waits
b_test.cc:9: Skipped
no Go here

[  SKIPPED ] B.Waits (0 ms)
[ RUN      ] All/B.Takes/0
[  FAILED  ] All/B.Takes/0, where GetParam() = 4 (2 ms)
[==========] 4 tests from 2 test suites ran. (3 ms total)
[  PASSED  ] 1 test.
[  SKIPPED ] 1 test, listed below:
[  SKIPPED ] B.Waits
[  FAILED  ] 2 tests, listed below:
[  FAILED  ] A.Fails
[  FAILED  ] All/B.Takes/0, where GetParam() = 4
"""
GOOGLE_CRASH = """[==========] Running 3 tests from 1 test suite.
[       OK ] A.Works (0 ms)
[ RUN      ] A.Crashes
"""
NODE = """✔ is right (1.2ms)
✖ is wrong (0.9ms)
﹣ needs more (0.1ms) # no network
ℹ tests 4
ℹ pass 1
ℹ fail 1
ℹ cancelled 1
ℹ skipped 1
"""
UNITTEST = """test_a (x.Y.test_a) ... ok
test_b (x.Y.test_b) ... skipped 'no history'
Ran 5 tests in 0.100s

FAILED (failures=1, errors=1, skipped=1)
"""
PLAIN = "skipped: grpcurl (no Go)\n7 passed, 2 failed, 1 skipped\n"


class CountTest(unittest.TestCase):
    def test_counts_the_cases_of_each_runner(self):
        self.assertEqual(run_tests.count_cases(GOOGLE), (1, 2, 1, ["B.Waits: no Go here"]))
        self.assertEqual(run_tests.count_cases(NODE), (1, 2, 1, ["needs more: no network"]))
        self.assertEqual(run_tests.count_cases(UNITTEST), (2, 2, 1, ["no history"]))
        self.assertEqual(run_tests.count_cases(PLAIN), (7, 2, 1, ["grpcurl (no Go)"]))
        self.assertIsNone(run_tests.count_cases("all good\n"))

    def tally(self, status, output):
        tally = run_tests.tally_of("stage/name", status, output)
        return tally.passed, tally.failed, tally.skipped

    def test_a_program_that_counts_nothing_is_one(self):
        self.assertEqual(self.tally("passed", "done\n"), (1, 0, 0))
        self.assertEqual(self.tally("failed", "done\n"), (0, 1, 0))

    def test_a_crash_is_a_failure_beside_what_passed(self):
        self.assertEqual(self.tally("failed", GOOGLE_CRASH), (1, 1, 0))

    def test_a_program_that_ran_no_case_failed(self):
        self.assertEqual(self.tally("passed", "[==========] Running 0 tests from 0 test suites.\n"), (0, 1, 0))
        self.assertEqual(self.tally("passed", "ℹ pass 0\nℹ fail 0\n"), (0, 1, 0))

    def test_a_skipped_program_says_why(self):
        tally = run_tests.tally_of("stage/name", "skipped", "skipped: Go 1.26 is not there\n")
        self.assertEqual((tally.passed, tally.failed, tally.skipped), (0, 0, 1))
        self.assertEqual(tally.skips, ["stage/name: Go 1.26 is not there"])

    def test_the_last_line_names_skips_only_when_there_are_some(self):
        tally = run_tests.Tally()
        tally.passed, tally.failed = 3, 1
        self.assertEqual(tally.line(), "3 passed, 1 failed")
        tally.skipped = 2
        self.assertEqual(tally.line(), "3 passed, 1 failed, 2 skipped")


if __name__ == "__main__":
    unittest.main(verbosity=2)
