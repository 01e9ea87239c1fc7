import csv
import gzip
import tempfile
import unittest
from pathlib import Path

import numpy as np

from TrabecularQSMLib.analysis.oddities import far_off, spelled_alike, two_units
from TrabecularQSMLib.analysis.tables import (
    Table,
    number_in,
    pair_up,
    parse_exclusion,
)
from TrabecularQSMLib.errors import InputError
from TrabecularQSMLib.files.tables import csv_text, read_measured, read_table


def long_table(name="maps.csv", cases=("sub-01", "sub-02"), regions=("tuber", "tibia"), **quantities):
    rows = [
        {"case": case, "region": region, "quantity": quantity, "unit": unit, "mean": f"{start + i + 10 * j}"}
        for i, case in enumerate(cases)
        for j, region in enumerate(regions)
        for quantity, (unit, start) in (quantities or {"chi": ("ppm", 0.5), "pdff": ("1", 0.25)}).items()
    ]
    return Table(name, ("case", "region", "quantity", "unit", "mean"), tuple(rows))


def bvtv_table(name="bvtv.csv", order=1):
    rows = [
        {"case": case, "region": region, "bvtv": f"{0.1 * i + 0.01 * j}"}
        for i, case in enumerate(("sub-01", "sub-02"))
        for j, region in enumerate(("tuber", "tibia"))
    ][::order]
    return Table(name, ("case", "region", "bvtv"), tuple(rows))


def changed(table, row, **values):
    rows = list(table.rows)
    rows[row] = {**rows[row], **values}
    return Table(table.name, table.columns, tuple(rows))


class ReadTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = Path(folder.name) / "t.csv"

    def test_commas_tabs_and_semicolons_are_told_apart(self):
        for separator in ",\t;":
            self.path.write_text(f"\ufeffa{separator}b c\n1{separator} x \n\n", encoding="utf-8")
            self.assertEqual(read_table(self.path).rows, ({"a": "1", "b c": "x"},))

    def test_what_spreadsheets_and_programs_leave_beside_the_values(self):
        self.path.write_text("\ufeff\ufeffcase,x\n1,2\n", encoding="utf-8")  # two byte order marks
        self.assertEqual(read_table(self.path).columns, ("case", "x"))
        self.path.write_bytes(gzip.compress(b"case,x\n1,2\n"))
        with self.assertRaisesRegex(InputError, "is packed by gzip; expected a table"):
            read_table(self.path)
        self.path.write_bytes(b"case,x\n1,2\n" + bytes(20))
        with self.assertRaisesRegex(InputError, "is a text with zero bytes in it"):
            read_table(self.path)

    def test_letters_with_marks_are_read_in_one_form(self):
        self.path.write_text("case,re\u0301gion\n1,Fu\u0308\u00df\n", encoding="utf-8")
        self.assertEqual(read_table(self.path).rows, ({"case": "1", "r\u00e9gion": "F\u00fc\u00df"},))

    def test_what_is_a_number_to_python_alone_is_none(self):
        cells = ("-1.5e3", "2", "1_000", "nan?", "", None)
        np.testing.assert_array_equal([number_in(cell) for cell in cells], [-1500, 2, *[np.nan] * 4])

    def test_names_that_spreadsheets_take_for_formulas_are_written_as_text_and_come_back(self):
        names = ["=cmd|' /C calc'!A1", "+tuber", "-tuber", "@SUM(A1)", " =1", "'=x", "''-y", "'plain'", "5' -x", "-5"]
        rows = [{"region": name, "mean": -0.5, "n": -1} for name in names]
        text = csv_text(("region", "mean", "n"), rows)
        self.path.write_text(text, encoding="utf-8")
        lines = list(csv.reader(text.splitlines()))
        self.assertEqual([line[0] for line in lines[1:] if line[0].lstrip()[0] in "=+-@"], ["-5"])
        self.assertEqual({(line[1], line[2]) for line in lines[1:]}, {("-0.5", "-1")})
        self.assertEqual([row["region"] for row in read_measured(self.path)], names)
        self.assertEqual([row["region"] for row in read_table(self.path).rows], [*map(str.strip, names)])
        self.path.write_text(csv_text(("a", "=b"), [{"a": 1, "=b": 2}]))
        self.assertEqual(self.path.read_text(), "a,'=b\n1,2\n")
        self.assertEqual(read_table(self.path).columns, ("a", "=b"))

    def test_between_semicolons_a_comma_is_the_decimal_mark(self):
        self.path.write_text("a;b;c;d\n-0,5;1,5e-3;x, y;0.25\n")
        self.assertEqual(tuple(read_table(self.path).rows[0].values()), ("-0.5", "1.5e-3", "x, y", "0.25"))

    def test_the_decimal_mark_is_found_for_the_whole_file(self):
        for text, expected in {
            "x;y\n0,278;1.048\n0,3;950": ("0.278", "1048"),
            "x;y\n0.278;1,048\n0.3;950": ("0.278", "1048"),
            'x,y\n0.278,"1,048"\n0.3,950': ("0.278", "1048"),
            "x;y\n1.234.567;1.048,5": ("1234567", "1048.5"),
            "x;y\n1 048,5;12\u202f500": ("1048.5", "12500"),
            "x;y\n0.5;1'048": ("0.5", "1048"),
            "x;y\n1.048;2.113": ("1.048", "2.113"),
            "x;y\n1,048;2,113": ("1.048", "2.113"),
            "x;y\n\u22120,5;1,5E-3": ("-0.5", "1.5E-3"),
            "x;y\n0,5;01.02.2026": ("0.5", "01.02.2026"),
            "x;y\n0,5;1.048\nn/a;2.5 or so": ("0.5", "1048"),
            "case;x\n1.048;0,5": ("1.048", "0.5"),
        }.items():
            with self.subTest(text):
                self.path.write_text(text, encoding="utf-8")
                self.assertEqual(tuple(read_table(self.path).rows[0].values()), expected)

    def test_a_number_that_may_be_thousands_or_decimals_is_refused_by_its_cell(self):
        for text, words in {
            "x;y\n1.048;2\n950;3": "'1.048' in row 1, column x.* nothing in the file says which",
            'x,y\n"1,048",2': "'1,048' in row 1, column x",
            'x\ty\n"1,234"\t2': "'1,234' in row 1, column x",
            "x;y\n0,278;0.5\n0,3;1.048": "'0,278' in row 1.*'0.5' in row 1.*'1.048' in row 2, column y may be either",
        }.items():
            with self.subTest(text):
                self.path.write_text(text)
                self.assertRaisesRegex(InputError, words, read_table, self.path)

    def test_tables_in_other_encodings_are_read(self):
        for encoding in ("utf-8-sig", "utf-16", "cp1252"):
            self.path.write_bytes("Größe\ty\n0,5\t–\n".encode(encoding))
            self.assertEqual(read_table(self.path).rows, ({"Größe": "0.5", "y": "–"},))

    def test_an_empty_column_is_told_as_such(self):
        self.path.write_text("case,x,y\na,1,\nb,2,\n")
        with self.assertRaisesRegex(InputError, "The column y of t.csv is empty for y"):
            pair_up([read_table(self.path)], "x", "y")

    def test_empty_columns_behind_and_signs_that_nobody_sees_do_not_matter(self):
        self.path.write_text("case,x,,\n\u200bsub\u20111,1,,\nsub-2  left,2\n", encoding="utf-8")
        rows = read_table(self.path).rows
        self.assertEqual(rows, ({"case": "sub-1", "x": "1"}, {"case": "sub-2 left", "x": "2"}))

    def test_a_spreadsheets_line_about_its_separator_is_understood(self):
        self.path.write_text("sep=;\na;b\n1,5;x,y,z\n")
        self.assertEqual(read_table(self.path).rows, ({"a": "1.5", "b": "x,y,z"},))

    def test_tables_under_each_other_are_one_if_their_columns_are(self):
        self.path.write_text("a,b\n1,2\na,b\n3,4\n")
        self.assertEqual(read_table(self.path).rows, ({"a": "1", "b": "2"}, {"a": "3", "b": "4"}))
        self.path.write_text("a,b\n1,2\nb,a\n3,4\n")
        with self.assertRaisesRegex(InputError, "Row 2 of .* is another line of the column names, in another order"):
            read_table(self.path)

    def test_what_is_no_table_is_refused(self):
        self.assertRaisesRegex(InputError, "does not exist", read_table, self.path)
        for text, sentence in (
            ("a,a\n1,2\n", "no line of different column names: its first one has 'a' as the name of several"),
            ("Study,,\na,b,c\n1,2,3\n", "its first one has columns without a name"),
            ("a|b\n1|2\n", "its first one has 'a.b', which holds no names between commas, tabs or semicolons"),
            ("a,b\n", "no row under"),
            ("a,b\na,b\n", "no row under"),
            ('[{"a": 1, "b": 2}]', "is JSON; expected a table, so save it as CSV"),
            ("a,b\n1,2\n3\n", "Row 2 of .* has 1 cell but the row of column names 2"),
        ):
            self.path.write_text(text)
            self.assertRaisesRegex(InputError, sentence, read_table, self.path)
        self.path.write_text("a,b\n1," + 200_000 * "2" + "\n")
        self.assertRaisesRegex(InputError, "cannot be read as a table", read_table, self.path)
        self.path.write_bytes(b"PK\x03\x04\0\0")
        self.assertRaisesRegex(InputError, "Excel workbook.*save it as CSV", read_table, self.path)
        self.path.write_bytes(b"")
        self.assertRaisesRegex(InputError, "is empty", read_table, self.path)


class PairTest(unittest.TestCase):
    def test_a_quantity_joins_a_column_of_another_table_whatever_the_order(self):
        found = pair_up([long_table(), bvtv_table(order=-1)], "bvtv", "chi")
        self.assertEqual(found.subjects, ("sub-02", "sub-02", "sub-01", "sub-01"))
        self.assertEqual(found.groups, ("tibia", "tuber", "tibia", "tuber"))
        np.testing.assert_allclose(found.x, [0.11, 0.1, 0.01, 0.0])
        np.testing.assert_allclose(found.y, [11.5, 1.5, 10.5, 0.5])
        self.assertEqual((found.x_label, found.y_label), ("bvtv", "chi [ppm]"))

    def test_two_quantities_of_one_long_table_join(self):
        found = pair_up([long_table()], "chi", "pdff")
        np.testing.assert_allclose(found.x - found.y, 0.25)
        self.assertEqual(found.y_label, "pdff")

    def test_the_rows_of_a_wide_table_are_the_pairs(self):
        table = Table(
            "w", ("subject", "label", "a", "b"), tuple({"subject": 1.0, "label": n, "a": n, "b": -n} for n in (1, 3))
        )
        found = pair_up([table], "a", "b")
        self.assertEqual((found.x.tolist(), found.y.tolist()), ([1, 3], [-1, -3]))
        self.assertEqual((found.subjects, found.groups), (("1", "1"), ("1", "3")))

    def test_each_case_may_have_a_table_of_its_own(self):
        tables = [long_table("one", ("sub-01",)), long_table("two", ("sub-02",)), bvtv_table()]
        self.assertEqual(len(pair_up(tables, "bvtv", "chi").x), 4)

    def test_rows_are_excluded_by_any_column(self):
        tables = [long_table(), bvtv_table()]
        self.assertEqual(pair_up(tables, "bvtv", "chi", exclude=[{"region": "tibia"}]).groups, ("tuber", "tuber"))
        with self.assertRaisesRegex(InputError, "no table|No table has a column areas"):
            pair_up(tables, "bvtv", "chi", exclude=[{"areas": "tibia"}])
        with self.assertRaisesRegex(InputError, "All rows were excluded"):
            pair_up(tables, "bvtv", "chi", exclude=[{"region": "tibia"}, {"region": "tuber"}])

    def test_one_row_is_excluded_by_several_columns_and_what_is_not_there_is_told(self):
        tables = [long_table(), bvtv_table()]
        row = parse_exclusion("case=sub-02 and region = tibia")
        self.assertEqual(row, {"case": "sub-02", "region": "tibia"})
        found = pair_up(tables, "bvtv", "chi", exclude=[row])
        pairs = list(zip(found.subjects, found.groups, strict=True))
        self.assertEqual(pairs, [("sub-01", "tuber"), ("sub-01", "tibia"), ("sub-02", "tuber")])
        with self.assertRaisesRegex(InputError, "no row with case=sub-2 to exclude; check how it is spelled"):
            pair_up(tables, "bvtv", "chi", exclude=[{"case": "sub-2"}])
        for text in ("case", "=1", "case=1 and region"):
            self.assertRaisesRegex(InputError, "give COLUMN=VALUE", parse_exclusion, text)

    def test_rows_of_one_table_are_told_apart_by_all_that_says_whose_and_of_what_they_are(self):
        rows = [{"a": str(n), "b": str(n), "part": str(n)} for n in range(6)]
        for whose, what, options in (
            ("subject", "region", {}),
            ("case", "label", {}),
            ("patient", "region", {"subject": "patient"}),
            ("case", "region", {"group": "part"}),
        ):
            table = Table("w", (whose, what, "a", "b", "part"), tuple(
                {whose: "one", what: "r" if "group" in options else f"r{n}", **row} for n, row in enumerate(rows)
            ))  # fmt: skip
            self.assertEqual(len(pair_up([table], "a", "b", **options).x), 6, (whose, what))
        # Without a column of regions, several rows of a subject are no mistake.
        table = Table("w", ("case", "a", "b"), tuple({"case": "one", **row} for row in rows))
        self.assertEqual(pair_up([table], "a", "b").subjects, ("one",) * 6)

    def test_one_value_of_each_case_joins_all_its_regions(self):
        ages = Table("ages", ("case", "age"), ({"case": "sub-01", "age": "30"}, {"case": "sub-02", "age": "40"}))
        found = pair_up([long_table(), ages], "age", "chi")
        self.assertEqual(found.x.tolist(), [30, 30, 40, 40])
        self.assertEqual(found.groups, ("tuber", "tibia") * 2)
        np.testing.assert_array_equal(pair_up([long_table(), ages], "chi", "age").y, found.x)
        twice = Table("ages", ages.columns, (*ages.rows, ages.rows[0]))
        with self.assertRaisesRegex(InputError, "Row 3 of ages gives age of sub-01 once more"):
            pair_up([long_table(), twice], "age", "chi")

    def test_a_name_that_several_tables_have_is_that_of_the_table_named(self):
        true = Table("true.csv", ("case", "region", "bvtv"), tuple({**row, "bvtv": "1"} for row in bvtv_table().rows))
        with self.assertRaisesRegex(
            InputError, "once more .first in row 1 of true.csv.; .* say which table by bvtv:bvtv"
        ):
            pair_up([true, bvtv_table()], "bvtv", "bvtv")
        for name in ("true:bvtv", "true.csv:bvtv"):
            found = pair_up([true, bvtv_table()], name, "bvtv:bvtv")
            self.assertEqual((found.x.tolist(), found.y.tolist()), ([1, 1, 1, 1], [0.0, 0.01, 0.1, 0.11]))
        with self.assertRaisesRegex(InputError, "no column or quantity chi; there are case, region, bvtv"):
            pair_up([true, bvtv_table()], "true:chi", "bvtv:bvtv")

    def test_sessions_are_of_one_subject_unless_told_otherwise(self):
        rows = tuple({"case": f"sub-1_ses-{n}", "region": "r", "a": str(n), "b": str(n)} for n in range(3))
        table = Table("w", ("case", "region", "a", "b"), rows)
        self.assertEqual(pair_up([table], "a", "b").subjects, ("sub-1",) * 3)
        self.assertEqual(pair_up([table], "a", "b", subject="case").subjects[2], "sub-1_ses-2")

    def test_an_unmatched_row_is_named_on_either_side(self):
        tables = [long_table(cases=("sub-01",)), bvtv_table()]
        with self.assertRaisesRegex(InputError, "Row 3 of bvtv.csv gives bvtv of sub-02, tuber, but no row gives chi"):
            pair_up(tables, "bvtv", "chi")
        with self.assertRaisesRegex(InputError, "gives bvtv of sub-02, tuber, but no row gives chi"):
            pair_up(tables, "chi", "bvtv")
        tables = [long_table(cases=("sub-1", "sub-2")), bvtv_table()]
        with self.assertRaisesRegex(InputError, "of bvtv alone: sub-01, tuber; .* and others; spelled otherwise"):
            pair_up(tables, "chi", "bvtv")

    def test_one_quantity_twice_or_in_two_units_is_told(self):
        with self.assertRaisesRegex(InputError, "x and y are both chi; name two"):
            pair_up([long_table()], "chi", "chi")
        tables = [changed(long_table(), 0, unit="ppb"), bvtv_table()]
        with self.assertRaisesRegex(InputError, "chi is in ppb and in ppm; bring the tables to one unit"):
            pair_up(tables, "bvtv", "chi")

    def test_values_far_from_their_group_and_names_that_differ_in_spelling_are_found(self):
        values, groups = np.array([1.0, 2, 3, -999, 500, 501, 502, 503]), ["a"] * 4 + ["b"] * 4
        self.assertEqual(far_off(values, groups), [3])
        self.assertEqual(far_off([1.0, 1.1, 1000.0]), [])  # of three values none tells which one is wrong
        self.assertEqual(far_off(np.full(9, 5.0)), [])
        # Zero for no value, but not where others come near it or lie as far apart, or are counts.
        for values, told in (
            ([0, 0.11, 0.2, 0, 0.15, 0.3], [0, 3]),
            ([0, 0.001, 0.2, 0.3, 0.1], []),
            ([0, 2, 3, 1, 2], []),
            ([0, 2.3, 2.4, 3.0, 2.7], [0]),
            ([0, 0.1, 0.2, 0.4, 0.5, 0.6, 0.7, 0.8], []),
        ):
            self.assertEqual(far_off(np.array(values, float)), told)
        self.assertEqual(spelled_alike(["Talus", "tuber", "talus ", "talus 2"]), [("Talus", "talus ")])

    def test_fractions_and_percent_in_one_column_are_found(self):
        self.assertIn("2 values lie from 0.1 to 0.2 and 3 from 12 to 30", two_units(np.array([12, 0.1, 30, 0.2, 15])))
        for plain in ([0.1, 0.2, 0.3, 0.9], [0.5, 2, 40, 80], [-0.1, 0.2, 30, 40], [0.1, 0.2, 400, 500], [0.1, 20]):
            self.assertIsNone(two_units(np.array(plain)), plain)
        # A tissue almost without fat, and marrow.
        percent = np.array([0.4, 0.7, 0.6, 85, 90, 88])
        self.assertIsNotNone(two_units(percent))
        self.assertIsNone(two_units(percent, ["muscle"] * 3 + ["marrow"] * 3))
        self.assertIsNotNone(two_units(percent, ["muscle", "marrow"] * 3))

    def test_a_duplicate_row_is_named(self):
        with self.assertRaisesRegex(InputError, r"Row 1 of again gives chi of sub-01, tuber once more .*row 1 of maps"):
            pair_up([long_table(), long_table("again"), bvtv_table()], "bvtv", "chi")
        twice = Table("w", ("case", "region", "a", "b"), ({"case": "1", "region": "r", "a": "1", "b": "2"},) * 2)
        with self.assertRaisesRegex(InputError, "once more"):
            pair_up([twice], "a", "b")

    def test_means_and_sums_under_a_table_are_no_rows_of_it(self):
        rows = [{"case": f"sub-{n}", "region": "tuber", "a": str(n), "b": str(n * n)} for n in range(4)]
        for name, column in (("Mean", "case"), ("SD", "case"), ("Mittelwert:", "case"), ("average", "region")):
            table = Table("w", ("case", "region", "a", "b"), (*rows, rows[1] | {column: name}))
            with self.subTest(name), self.assertRaisesRegex(InputError, f"Row 5 of w has {name} for its {column}"):
                pair_up([table], "a", "b")
            self.assertEqual(len(pair_up([table], "a", "b", exclude=[{column: name}]).x), 4)
        # Initials of people are no means.
        names = ("MW", "SD", "JK", "AB")
        people = tuple(row | {"case": name} for row, name in zip(rows, names, strict=True))
        self.assertEqual(len(pair_up([Table("w", ("case", "region", "a", "b"), people)], "a", "b").x), 4)
        with self.assertRaisesRegex(InputError, "has Mean for its case"):
            pair_up(
                [Table("w", ("case", "region", "a", "b"), (*people, rows[1] | {"case": "Mean"}))],
                "a",
                "b",
                exclude=[{"case": "MW"}, {"case": "SD"}],
            )
        total = Table("w", ("case", "region", "a", "b"), tuple(row | {"region": "total"} for row in rows))
        self.assertEqual(len(pair_up([total], "a", "b").x), 4)

    def test_whose_a_row_is_is_asked_for_and_told_where_no_column_says_it(self):
        rows = ({"case": "1", "region": "r", "a": "1", "b": "2"}, {"case": "", "region": "s", "a": "1", "b": "2"})
        with self.assertRaisesRegex(InputError, "Row 2 of w has nothing in the column case, as under a merged cell"):
            pair_up([Table("w", tuple(rows[0]), rows)], "a", "b")
        for column, told in (("participant_id", 0), ("Case", 0), ("Participant ID", 0), ("ID", 1), ("Nr", 1)):
            rows = ({column: "1", "a": "1", "b": "2"}, {column: "2", "a": "3", "b": "4"})
            self.assertEqual(len(pair_up([Table("w", tuple(rows[0]), rows)], "a", "b").notes), told, column)

    def test_what_rows_are_of_is_found_in_capitals_and_under_the_names_of_other_programs(self):
        expected = pair_up([long_table(), bvtv_table()], "bvtv", "chi")
        for case, region, told in (
            ("Case", "Region", ""),
            ("SUBJECT", "Label", ""),
            ("Participant-ID", "region", ""),
            ("PatientID", "ROI", "The column ROI is taken for the region; `group` names another. The column PatientID"),
            ("subject_id", "Segment", "The column subject_id is taken for the subject; `subject` names another."),
        ):
            names = {"case": case, "region": region}
            rows = tuple({names.get(key, key): cell for key, cell in row.items()} for row in bvtv_table().rows)
            pairs = pair_up([long_table(), Table("other", tuple(rows[0]), rows)], "bvtv", "chi")
            with self.subTest(case):
                np.testing.assert_array_equal(pairs.x, expected.x)
                np.testing.assert_array_equal(pairs.y, expected.y)
                self.assertEqual((pairs.subjects, pairs.groups), (expected.subjects, expected.groups))
                self.assertIn(told, " ".join(pairs.notes))
        rows = tuple({"ID": str(n), "PID": "12"[n % 2], "a": str(n), "b": str(n**2)} for n in range(4))
        pairs = pair_up([Table("w", tuple(rows[0]), rows)], "a", "b")
        self.assertEqual(set(pairs.subjects), {"1", "2"})
        self.assertIn("The column PID, not ID, is taken for the subject; `subject` names another.", pairs.notes)
        # A name that the table has itself is that, whatever else looks like it.
        rows = tuple({**row, "Case": "x", "ID": "7", "roi": "z"} for row in bvtv_table().rows)
        pairs = pair_up([long_table(), Table("other", tuple(rows[0]), rows)], "bvtv", "chi")
        self.assertEqual((pairs.subjects, pairs.notes), (expected.subjects, ()))

    def test_a_table_that_says_not_whose_its_rows_are_is_told_so_where_regions_repeat(self):
        rows = tuple({("Nr" if key == "case" else key): cell for key, cell in row.items()} for row in bvtv_table().rows)
        with self.assertRaisesRegex(
            InputError, "once more .* or give the column that says whose a row is the name case"
        ):
            pair_up([long_table(), Table("w", tuple(rows[0]), rows)], "bvtv", "chi")

    def test_what_is_no_number_is_named(self):
        again, alone = "measure it again", "write the number alone, with a point"
        for value, found in (
            ("", f"empty; {again}"), ("nan", f"'nan'; {again}"), ("high", f"'high'; {again}"), (None, "empty"),
            ("10.06 %", f"'10.06 %'; {alone}"), ("0.1 ± 0.01", alone), ("<0.2", alone),
        ):  # fmt: skip
            tables = [changed(long_table(), 0, mean=value), bvtv_table()]
            with self.assertRaisesRegex(
                InputError, rf"Row 1 of maps.csv \(sub-01, tuber\) has no number for chi.*{found}"
            ):
                pair_up(tables, "bvtv", "chi")

    def test_unknown_names_and_tables_without_a_common_column_are_told(self):
        with self.assertRaisesRegex(InputError, "no column or quantity R2; there are chi, pdff, case, region, bvtv"):
            pair_up([long_table(), bvtv_table()], "bvtv", "R2")
        # "mean" alone does not say of which quantity.
        self.assertRaisesRegex(InputError, "no column or quantity mean", pair_up, [long_table()], "chi", "mean")
        other = Table("o", ("b", "d"), ({"b": "1", "d": "2"},))
        with self.assertRaisesRegex(InputError, "different tables without a common column"):
            pair_up([long_table(), other], "chi", "b")
        with self.assertRaisesRegex(InputError, "no column side; there are"):
            pair_up([long_table(), bvtv_table()], "bvtv", "chi", group="side")


class DecimalMarkTest(unittest.TestCase):
    def test_where_decimals_are_commas_points_are_thousands(self):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "t.csv"
            path.write_text("a;b\n0,278;1.048\n0,3;950\n0,3;12.500.000\n0,3;-1.048,5\n")
            self.assertEqual([row["b"] for row in read_table(path).rows], ["1048", "950", "12500000", "-1048.5"])
            path.write_text("a;b\n0.278;1.048\n")
            self.assertEqual(read_table(path).rows[0]["b"], "1.048")


if __name__ == "__main__":
    unittest.main()
