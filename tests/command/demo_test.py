"""The demo's checks can tell a right answer from a wrong one."""

import os
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tools"))
import demo  # noqa: E402

HOSPITAL = """
hospital: {emergency_number: "112", insurers: ["Kaveri Mediclaim (cashless)"]}
visiting_hours: [{key: icu, hours: "daily 14:00-16:00, 18:30-20:00"}]
departments: [{key: skin, name: Dermatology, hours: "Mon-Sat 10:00-17:00"}]
doctors:
  - {key: a, name: Ana Weekday, department: skin, roster: [{when: "Mon-Fri 10:00-14:00"}]}
  - {key: b, name: Bea Saturday, department: skin, roster: [{when: "Mon, Wed, Sat 14:00-17:00"}]}
  - {key: c, name: Cy Elsewhere, department: bones, roster: [{when: "Sat 09:00-12:00"}]}
"""


class DemoTest(unittest.TestCase):
    def setUp(self):
        with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
            file.write(HOSPITAL)
            file.flush()
            self.hospital = demo.Hospital(file.name)

    def test_finds_who_works_on_a_day(self):
        self.assertEqual(self.hospital.doctors_on("skin", "Sat"), ["Bea Saturday"])
        self.assertEqual(self.hospital.doctors_on("skin", "Wed"), ["Ana Weekday", "Bea Saturday"])
        self.assertTrue(demo.works_on("Fri-Mon 10:00-12:00", "Sun"))
        self.assertFalse(demo.works_on("Fri-Mon 10:00-12:00", "Wed"))

    def test_knows_a_time_in_both_ways_to_write_it(self):
        for text in ("14:00-16:00", "from 2 PM on", "2:00 p.m.", "2pm"):
            self.assertTrue(demo.mentions(text, "14:00"), text)
        for text in ("2 AM", "12 pm", "14:30", "at 2"):
            self.assertFalse(demo.mentions(text, "14:00"), text)
        self.assertFalse(demo.mentions("6 pm", "18:30"))

    def test_wants_every_stored_time(self):
        check = demo.holds_times(lambda hospital: hospital.visiting_times("icu"))
        self.assertIsNone(check({"response": "2 PM to 4 PM and 6:30 PM to 8 PM"}, self.hospital))
        self.assertIn("18:30", check({"response": "14:00 to 16:00, then until 20:00"}, self.hospital))
        self.assertIsNotNone(check({"response": None}, self.hospital))

    def test_wants_a_stored_name(self):
        check = demo.names_one_of(lambda hospital: hospital.doctors_on("skin", "Sat"))
        self.assertIsNone(check({"response": "Dr. Bea Saturday, from 14:00"}, self.hospital))
        self.assertIsNotNone(check({"response": "Dr. Ana Weekday"}, self.hospital))

    def test_refuses_a_claimed_booking(self):
        self.assertIsNone(demo.claims_no_booking({"response": "The front desk books appointments: 10:00-17:00."}, self.hospital))
        self.assertIsNotNone(demo.claims_no_booking({"response": "Your appointment is confirmed."}, self.hospital))
        self.assertIsNotNone(demo.claims_no_booking({"response": ""}, self.hospital))

    def test_wants_silence_in_a_takeover_and_the_number_in_an_emergency(self):
        self.assertIsNone(demo.stays_silent({"response": None, "status": "human_takeover"}, self.hospital))
        self.assertIsNotNone(demo.stays_silent({"response": "Hi", "status": "human_takeover"}, self.hospital))
        self.assertIsNotNone(demo.stays_silent({"response": None, "status": "active"}, self.hospital))
        self.assertIsNone(demo.sends_the_emergency_text({"response": "Call 112 now."}, self.hospital))
        self.assertIsNotNone(demo.sends_the_emergency_text({"response": "Call us."}, self.hospital))


if __name__ == "__main__":
    unittest.main(verbosity=2)
