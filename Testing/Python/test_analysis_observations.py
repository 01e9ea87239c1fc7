"""Values by subject, session and region: found in tidy tables, each once, and what tables say of the subjects."""

import unittest

import numpy as np

from TrabecularQSMLib.analysis.observations import observe, one_session, repeated, variables_of
from TrabecularQSMLib.analysis.tables import Table
from TrabecularQSMLib.errors import InputError


def long_table(rows, name="cohort.csv", unit="ppm"):
    columns = ("case", "region", "quantity", "unit", "mean", "se")
    return Table(
        name, columns, tuple(dict(zip(columns, (c, r, "chi", unit, m, e), strict=True)) for c, r, m, e in rows)
    )


PEOPLE = Table(
    "participants.tsv",
    ("participant_id", "age", "sex"),
    (
        {"participant_id": "sub-01", "age": "41", "sex": "F"},
        {"participant_id": "sub-02", "age": "n/a", "sex": "M"},
    ),
)
TWICE = long_table(
    [
        ("sub-01_ses-2", "talus", "-0.4", "0.02"),
        ("sub-01_ses-10", "talus", "-0.5", ""),
        ("sub-02_ses-2", "talus", "-0.6", "0.03"),
        ("sub-02_ses-2", "mask", "0.1", "0.001"),
    ]
)


class ObserveTest(unittest.TestCase):
    def test_cases_of_bids_are_subjects_and_sessions_and_the_mask_is_no_region(self):
        found = observe([TWICE], "chi")
        self.assertEqual(found.subjects, ("sub-01", "sub-01", "sub-02"))
        self.assertEqual(found.session_names, ["ses-2", "ses-10"])
        self.assertEqual((found.region_names, found.label, found.notes), (["talus"], "chi [ppm]", ()))
        np.testing.assert_array_equal(found.values, [-0.4, -0.5, -0.6])
        np.testing.assert_array_equal(found.errors, [0.02, np.nan, 0.03])

    def test_columns_are_named_and_wide_tables_read(self):
        rows = tuple({"who": f"p{n}", "visit": str(v), "bvtv": str(n / 10 + v)} for n in range(2) for v in (1, 2))
        found = observe([Table("t.csv", ("who", "visit", "bvtv"), rows)], "bvtv", subject="who", session="visit")
        self.assertEqual((found.subjects[1], found.sessions[1], found.regions[1]), ("p0", "2", "all"))
        self.assertEqual(found.label, "bvtv")

    def test_columns_of_other_programs_say_whose_a_value_is_and_are_told(self):
        names = {"case": "Patient ID", "region": "ROI", "session": "Visit", "mean": "Mean", "quantity": "Quantity"}
        rows = tuple(
            {"case": f"0{n}", "region": "talus", "session": v, "quantity": "chi", "unit": "ppm", "mean": f"{n}.{v}"}
            for n in range(2)
            for v in "12"
        )
        rows = tuple({names.get(key, key): cell for key, cell in row.items()} for row in rows)
        people = ({"PATIENT-ID": "00", "age": "41"}, {"PATIENT-ID": "01", "age": "50"})
        found = observe([Table("t.csv", tuple(rows[0]), rows)], "chi")
        self.assertEqual(
            (found.subjects, found.sessions, found.regions[0]), (("00", "00", "01", "01"), tuple("1212"), "talus")
        )
        self.assertEqual(len(found.notes), 3)
        self.assertEqual(found.notes[1], "The column Visit is taken for the session; `session` names another.")
        told = variables_of([Table("p.csv", tuple(people[0]), people)], ["age"], found)
        self.assertEqual(told["age"], ("41", "41", "50", "50"))

    def test_rows_without_a_value_are_left_out_and_named(self):
        found = observe([long_table([("a", "talus", "", ""), ("b", "talus", "1", "")])], "chi")
        self.assertEqual(found.subjects, ("b",))
        self.assertEqual(found.notes, ("1 row without a value of chi left out: a, talus.",))

    def test_who_lacks_a_session_is_left_out_and_named(self):
        rows = [(f"sub-{n}_ses-{s}", r, str(n + s), "") for n in range(4) for s in (1, 2) for r in ("talus", "tuber")]
        rows = [row for row in rows if row[0] != "sub-3_ses-1"]
        found, notes = repeated(observe([long_table(rows)], "chi"), ["ses-2", "ses-1"], 3)
        self.assertEqual(found["tuber"].subjects, ("sub-0", "sub-1", "sub-2"))
        np.testing.assert_array_equal(found["tuber"].values, [[2, 1], [3, 2], [4, 3]])
        self.assertEqual(notes, ["Without a value in each of ses-2, ses-1 and left out in talus, tuber: sub-3."])
        found, notes = repeated(observe([long_table(rows[:-1])], "chi"), ["ses-2"], 4)
        self.assertEqual(
            (list(found), notes[-1]), (["talus"], "tuber was left out: 3 subjects with all sessions; 4 are needed.")
        )

    def test_what_is_known_of_subjects_is_found_by_case_or_subject(self):
        found = variables_of([TWICE, PEOPLE], ["age", "sex"], observe([TWICE], "chi"))
        self.assertEqual(found, {"age": ("41", "41", None), "sex": ("F", "F", "M")})
        visits = Table("v.csv", ("case", "age"), ({"case": "sub-01_ses-10", "age": "43"},))
        found = variables_of([TWICE, PEOPLE, visits], ["age"], observe([TWICE], "chi"))
        self.assertEqual(found["age"], ("41", "43", None))

    def test_a_code_for_no_value_is_told(self):
        rows = [(f"sub-{n}", "talus", str(-0.1 * n), "") for n in range(1, 8)]
        self.assertEqual(observe([long_table(rows)], "chi").notes, ())
        rows[2] = ("sub-3", "talus", "-9999", "")
        self.assertIn("chi is far from all others in sub-3 talus (-9999)", observe([long_table(rows)], "chi").notes[0])

    def test_wrong_input_is_one_sentence(self):
        people = Table("people.csv", ("subject", "age"), ({"subject": "01", "age": "41"},))
        other = Table("other.csv", ("subject", "age"), ({"subject": "sub-01", "age": "42"},))
        values = observe([TWICE], "chi")
        for words, call in (
            ("no column or quantity ch;", lambda: observe([TWICE], "ch")),
            ("gives chi of sub-01, ses-2, talus once more", lambda: observe([TWICE, TWICE], "chi")),
            (
                "chi is in ppb and in ppm",
                lambda: observe([TWICE, long_table([("x", "r", "1", "")], unit="ppb")], "chi"),
            ),
            ("has no number for chi: it is 'high'", lambda: observe([long_table([("x", "r", "high", "")])], "chi")),
            ("is empty for chi", lambda: observe([long_table([("x", "r", "", "")])], "chi")),
            ("All rows were excluded", lambda: observe([TWICE], "chi", exclude=[{"quantity": "chi"}])),
            ("no column visit, which `session` names", lambda: observe([TWICE], "chi", session="visit")),
            ("name it by `subject`", lambda: observe([Table("t.csv", ("a", "b"), ({"a": "1", "b": "2"},))], "b")),
            ("sub-01 has the sessions ses-2, ses-10; choose one", lambda: one_session(values)),
            ("no session ses-3; there are ses-2, ses-10", lambda: one_session(values, ["ses-3"])),
            ("The session ses-2 is named twice", lambda: repeated(values, ["ses-2", "ses-2"], 1)),
            ("No region has 3 subjects", lambda: repeated(values, ["ses-2", "ses-10"], 3)),
            (
                "No table has the column height .* the columns participant_id",
                lambda: variables_of([PEOPLE], ["height"], values),
            ),
            ("says age 42 of sub-01, but another row 41", lambda: variables_of([PEOPLE, other], ["age"], values)),
            ("is of 01, but the values are of sub-01_ses-2", lambda: variables_of([people], ["age"], values)),
        ):
            with self.subTest(words), self.assertRaisesRegex(InputError, words):
                call()


if __name__ == "__main__":
    unittest.main()
