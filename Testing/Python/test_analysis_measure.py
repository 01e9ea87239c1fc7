import csv
import io
import json
import shutil
import unittest

import numpy as np
import scans
import SimpleITK as sitk
from reading import InFolderTest
from test_analysis_placement import two_bones

from TrabecularQSMLib.analysis.measure import (
    COLUMNS,
    MASK,
    measure,
    on_excluded,
    on_sizes,
    on_support,
    reference_notes,
    referenced,
    whole_mask,
)
from TrabecularQSMLib.errors import InputError
from TrabecularQSMLib.files import nifti
from TrabecularQSMLib.files.regions import notes_on_parts_outside, read_regions
from TrabecularQSMLib.files.tables import csv_text
from TrabecularQSMLib.images import image_from
from TrabecularQSMLib.quantities import QUANTITIES
from TrabecularQSMLib.study.measure import measure_files


def maps_and_labels():
    """Two regions: 1 to 8 in voxels of label 1, ten times that in label 5."""
    labels = np.zeros((4, 5, 6), np.int32)
    labels[0, 0, :4], labels[1, 1, :4] = 1, 1
    labels[2, :2, :4] = 5
    values = np.zeros(labels.shape, np.float32)
    values[labels == 1] = np.arange(1, 9)
    values[labels == 5] = 10 * np.arange(1, 9)
    return {"chi": values, "pdff": values / 100}, labels


class SizesTest(unittest.TestCase):
    def test_the_whole_mask_is_no_region_by_which_a_unit_is_told(self):
        row = {"quantity": "chi", "n": 9, "q25": -300.0, "q75": 1.0, "mean": -90.0}
        for region, count in (("talus", 1), (MASK, 0)):
            self.assertEqual(len(on_sizes([{**row, "region": region}])), count)


class ArraysTest(unittest.TestCase):
    def setUp(self):
        self.maps, self.labels = maps_and_labels()
        self.names = {1: "tuber", 5: "talus"}

    def row(self, region="tuber", quantity="chi"):
        rows = measure(self.maps, self.labels, self.names, case="sub-01")
        return next(row for row in rows if (row["region"], row["quantity"]) == (region, quantity))

    def test_statistics_are_those_of_the_region(self):
        expected = {
            "case": "sub-01", "region": "tuber", "quantity": "chi", "unit": "ppm", "n": 8, "mean": 4.5, "sd": 6**0.5,
            "median": 4.5, "q25": 2.75, "q75": 6.25, "min": 1, "max": 8, "excluded": 0, "se": None,
        }  # fmt: skip
        row = self.row()
        self.assertEqual(tuple(row), COLUMNS)
        for column, value in expected.items():
            (self.assertAlmostEqual if isinstance(value, float) else self.assertEqual)(row[column], value)
        self.assertAlmostEqual(self.row("talus")["mean"], 45)
        self.assertEqual(self.row("talus", "pdff")["unit"], "1")

    def test_voxels_in_which_a_rate_is_not_determined_are_left_out(self):
        self.maps["r2star_water"] = self.maps["chi"].copy()
        self.maps["r2star_water"][0, 0, :2] = 0
        row = self.row(quantity="r2star_water")
        self.assertEqual([row[key] for key in ("n", "min", "excluded")], [6, 3, 2])
        self.maps["pdff"][0, 0, 0] = 0  # a fraction may be zero
        self.assertEqual(self.row(quantity="pdff")["n"], 8)

    def test_unreliable_and_not_finite_voxels_are_counted_as_excluded(self):
        self.maps["reliability"] = np.ones(self.labels.shape, np.float32)
        self.maps["reliability"][0, 0, 0] = 0
        self.maps["pdff"][0, 0, 1] = np.nan
        self.assertEqual([self.row()[key] for key in ("n", "min", "excluded")], [7, 2, 1])
        self.assertEqual([self.row(quantity="pdff")[key] for key in ("n", "excluded")], [6, 2])

    def test_a_region_that_lies_mostly_where_no_map_is_reliable_is_told(self):
        for kept, told in ((5, False), (3, True)):
            self.maps["reliability"] = np.where(self.maps["chi"] <= kept, 1.0, 0.0)
            rows = measure(self.maps, self.labels, {1: "tuber"}, case="sub-01")
            self.assertEqual("of the region tuber hold no reliable value" in " ".join(on_excluded(rows)), told)

    def test_susceptibility_counts_only_inside_the_mask_and_fat_fraction_everywhere(self):
        self.maps["mask"] = np.zeros(self.labels.shape, np.float32)
        self.maps["mask"][0] = 1
        self.assertEqual([self.row()[key] for key in ("n", "mean", "excluded")], [4, 2.5, 4])
        self.assertEqual([self.row(quantity="pdff")[key] for key in ("n", "excluded")], [8, 0])
        self.assertEqual([self.row("talus")[key] for key in ("n", "mean", "sd", "excluded")], [0, None, None, 8])

    def test_the_error_of_a_mean_is_that_of_independent_noise(self):
        rng = np.random.default_rng(0)
        truth, sigma = self.maps["pdff"], rng.uniform(0.01, 0.05, self.labels.shape).astype(np.float32)
        means = []
        for _ in range(4000):
            self.maps["pdff"] = truth + sigma * rng.standard_normal(self.labels.shape)
            means.append(self.maps["pdff"][self.labels == 1].mean())
        self.maps = {"pdff": truth, "sigma_pdff": sigma}
        # A standard deviation of 4,000 draws is known to 1.1 %.
        self.assertAlmostEqual(self.row(quantity="pdff")["se"] / np.std(means), 1, delta=0.04)
        self.maps["reliability"] = (self.labels != 1).astype(np.float32)
        self.assertIsNone(self.row(quantity="pdff")["se"])

    def test_the_error_of_chi_is_larger_as_neighbors_share_noise_and_unknown_if_nothing_tells_how(self):
        self.maps["sigma_chi"] = np.full(self.labels.shape, 0.2, np.float32)
        self.assertIsNone(self.row()["se"])
        shared = {"Voxels": [1.0, 4.0, 16.0], "VarianceRatio": [1.0, 2.0, 8.0]}
        for voxels, ratio in ((8, 4), (4, 2), (1, 1)):
            self.labels[self.labels == 1] = 0
            self.labels.flat[:voxels] = 1
            row = measure(self.maps, self.labels, {1: "tuber"}, case="x", chi_noise=shared)[0]
            self.assertAlmostEqual(row["se"], 0.2 * (ratio / voxels) ** 0.5, places=6)
        row = whole_mask({**self.maps, "mask": np.ones(self.labels.shape)}, case="x", chi_noise=shared)[0]
        self.assertEqual((row["region"], row["n"]), ("mask", self.labels.size))
        self.assertAlmostEqual(row["se"], 0.2 * (8 / self.labels.size) ** 0.5, places=6)

    def test_draws_of_the_noise_of_a_region_count_as_two_of_five(self):
        self.maps["sigma_chi"] = np.full(self.labels.shape, 0.2, np.float32)
        shared = {"Voxels": [1.0], "VarianceRatio": [4.0]}
        balls = measure(self.maps, self.labels, {1: "tuber"}, case="x", chi_noise=shared)[0]["se"]
        for number, mean in ((1, 0.3), (2, -0.4)):
            self.maps[f"noise_chi_{number}"] = np.where(self.labels == 1, mean, 9).astype(np.float32)
        rows = measure(self.maps, self.labels, {1: "tuber"}, case="x", chi_noise=shared)
        self.assertEqual([row["quantity"] for row in rows], ["chi", "pdff"])
        self.assertAlmostEqual(rows[0]["se"], ((3 * balls**2 + 0.25) / 5) ** 0.5, places=6)
        self.assertIsNone(measure(self.maps, self.labels, {1: "tuber"}, case="x")[0]["se"])

    def test_a_region_as_reference_is_taken_off_chi_alone_and_its_place_is_told(self):
        self.maps["mask"] = (self.labels > 0).astype(np.float32)
        rows = measure(self.maps, self.labels, self.names, case="x") + whole_mask(self.maps, case="x")
        found = {(row["region"], row["quantity"]): row for row in referenced(rows, "tuber")}
        self.assertAlmostEqual(found["talus", "chi"]["mean"], 40.5)
        self.assertAlmostEqual(found["talus", "chi"]["max"], 75.5)
        self.assertAlmostEqual(found["talus", "chi"]["sd"], self.row("talus")["sd"])
        self.assertAlmostEqual(found["tuber", "chi"]["mean"], 0)
        self.assertAlmostEqual(found["mask", "chi"]["mean"], 20.25)
        self.assertAlmostEqual(found["talus", "pdff"]["mean"], 0.45, places=6)
        note = "x: χ is relative to tuber, whose χ in the map is 4.500 ± 2.449 ppm; 24.750 ± 26.837 ppm over the mask."
        self.assertEqual(reference_notes(rows, "tuber"), [note])
        said = ["x: χ is as the map has it, 24.750 ± 26.837 ppm over the mask (mean ± SD)."]
        self.assertEqual(reference_notes(rows, None), said)
        with self.assertRaisesRegex(InputError, "x has no χ in the region 'heel'"):
            referenced(rows, "heel")

    def test_one_voxel_has_no_standard_deviation(self):
        self.labels[self.labels == 5] = 0
        self.labels[3, 3, 3] = 5
        self.assertEqual([self.row("talus")[key] for key in ("n", "mean", "sd")], [1, 0, None])

    def test_mask_and_reliability_are_not_quantities_of_a_region(self):
        self.maps["mask"] = self.maps["reliability"] = np.ones(self.labels.shape, np.float32)
        rows = measure(self.maps, self.labels, self.names, case="x")
        self.assertEqual({row["quantity"] for row in rows}, {"chi", "pdff"})

    def test_no_region_an_empty_one_and_regions_outside_are_refused(self):
        with self.assertRaisesRegex(InputError, "holds no region"):
            measure(self.maps, self.labels, {}, case="x")
        with self.assertRaisesRegex(InputError, "'cavum' .label 3. is empty"):
            measure(self.maps, self.labels, {3: "cavum"}, case="x")
        self.maps["reliability"] = np.zeros(self.labels.shape, np.float32)
        with self.assertRaisesRegex(InputError, "outside .* of x "):
            measure(self.maps, self.labels, self.names, case="x")
        with self.assertRaisesRegex(InputError, "give one grid"):
            measure(self.maps, self.labels[:2], self.names, case="x")


class FilesTest(InFolderTest):
    def setUp(self):
        super().setUp()
        self.maps, self.labels = maps_and_labels()
        self.regions = self.folder / "regions.nii.gz"
        nifti.write_image(self.regions, self.labels.astype(np.uint8), scans.AFFINE)
        self.write("sub-01")

    def write(self, case):
        for name, array in self.maps.items():
            path = self.folder / "maps" / "anat" / f"{case}_{QUANTITIES[name].suffix}.nii.gz"
            path.parent.mkdir(parents=True, exist_ok=True)
            nifti.write_image(path, array, scans.AFFINE)

    def measure(self, regions=None, **options):
        return measure_files(self.folder / "maps", regions or self.regions, **options)[0]

    def test_every_session_is_a_case_and_the_table_is_plain_and_reproducible(self):
        self.write("sub-01_ses-1_acq-hr")
        rows = self.measure()
        self.assertEqual([row["case"] for row in rows], 4 * ["sub-01"] + 4 * ["sub-01_ses-1"])
        text = csv_text(COLUMNS, rows)
        self.assertEqual(text.split("\n")[0], "case,region,quantity,unit,n,mean,sd,median,q25,q75,min,max,excluded,se")
        self.assertEqual(text.split("\n")[1], "sub-01,label 1,chi,ppm,8,4.5,2.44949,4.5,2.75,6.25,1,8,0,")
        self.assertNotIn("\r", text)
        self.assertEqual(len(list(csv.DictReader(io.StringIO(text)))), 8)

    def test_scans_that_share_subject_and_session_go_by_their_whole_name(self):
        self.write("sub-01_run-2")
        self.assertEqual({row["case"] for row in self.measure()}, {"sub-01", "sub-01_run-2"})
        with self.assertRaisesRegex(InputError, r"2 scans \(sub-01, sub-01_run-2\), which cannot all be the case me"):
            self.measure(case="me")

    def test_the_case_can_be_given(self):
        self.assertEqual({row["case"] for row in self.measure(case="patient 7")}, {"patient 7"})

    def test_the_regions_of_one_subject_are_not_measured_in_another(self):
        self.write("sub-02")
        with self.assertRaisesRegex(InputError, "holds maps of sub-01, sub-02, but regions are of one subject"):
            self.measure()

    def test_names_come_from_the_table_beside_the_labels(self):
        self.regions.with_name("regions.tsv").write_text("index\tname\tcolor\n0\tnothing\t#0\n5\ttalus\t#1\n")
        self.assertEqual(read_regions(self.regions)[2], {1: "label 1", 5: "talus"})
        self.regions.with_name("regions.tsv").write_text("number,label\n1,x\n")
        with self.assertRaisesRegex(InputError, "columns index and name"):
            self.measure()

    def test_names_come_from_the_header_of_a_segmentation_of_slicer(self):
        path = self.folder / "ankle.seg.nrrd"
        image = image_from(self.labels.astype(np.uint8), scans.AFFINE)
        for number, (label, name) in enumerate({1: "tuber", 5: "talus"}.items()):
            image.SetMetaData(f"Segment{number}_Name", name)
            image.SetMetaData(f"Segment{number}_LabelValue", str(label))
        sitk.WriteImage(image, str(path))
        self.assertEqual({row["region"] for row in self.measure(path)}, {"tuber", "talus"})

    def test_a_region_that_lies_partly_outside_of_the_maps_is_told(self):
        moved = scans.AFFINE.copy()
        moved[:3, 3] += 2 * moved[:3, 0]
        path = self.folder / "moved.nii.gz"
        nifti.write_image(path, np.where(np.indices(self.labels.shape)[2] > 1, 1, 0).astype(np.uint8), moved)
        rows, (note, _) = measure_files(self.folder / "maps", path)  # the other one says that the map is zero there
        self.assertEqual(rows[0]["n"] + rows[0]["excluded"], 4 * 5 * 2)
        self.assertRegex(note, "50 % of the region label 1 lie outside of sub-01_")

    def test_small_regions_that_lie_within_coarse_maps_are_not_told_to_be_cut_off(self):
        fine, coarse = np.diag([0.5, 0.5, 0.5, 1]), np.eye(4)
        places = np.stack(np.indices((48, 24, 24)), axis=-1)
        random = np.random.default_rng(0)
        for _ in range(40):
            ball = np.linalg.norm(places / 2 - random.uniform(4, 7, 3), axis=-1) < 1.8
            self.assertEqual(notes_on_parts_outside(ball, fine, {1: "x"}, "map", ball[::2, ::2, ::2], coarse), [])
        ball = np.linalg.norm(places / 2 - (12, 6, 6), axis=-1) < 4
        (note,) = notes_on_parts_outside(ball, fine, {1: "x"}, "map", ball[:24:2, ::2, ::2], coarse)
        self.assertRegex(note, r"^\d\d % of the region x lie outside of map")

    def test_maps_in_another_unit_are_told_and_refused_where_their_sidecar_says_it(self):
        self.maps = {"chi": self.maps["chi"] / 100, "pdff": self.maps["pdff"], "r2star": 2 * self.maps["chi"]}
        self.write("sub-01")
        self.assertEqual(measure_files(self.folder / "maps", self.regions)[1], [])
        for name, factor, words, unit in (
            ("chi", 1000, "Susceptibility reaches 625 in the regions, too much for ppm", "ppb"),
            ("chi", 1e-6, "too little for ppm, which the table says", "SI"),
            ("chi", 0, "Susceptibility is 0 in all regions", None),
            ("pdff", 100, "too much for a fraction", "percent"),
            ("r2star", 1e-3, "too little for 1/s", "1/ms"),
        ):
            right = self.maps[name]
            self.maps[name] = right * np.float32(factor)
            self.write("sub-01")
            with self.subTest(name, unit=unit):
                self.assertIn(words, " ".join(measure_files(self.folder / "maps", self.regions)[1]))
                side = self.folder / "maps" / "anat" / f"sub-01_{QUANTITIES[name].suffix}.json"
                side.write_text(json.dumps({"Units": unit}))
                if unit:
                    rows, notes = measure_files(self.folder / "maps", self.regions)
                    self.assertNotIn(name, {row["quantity"] for row in rows})
                    self.assertIn(f"{side.stem}.nii.gz says the unit {unit}; expected", " ".join(notes))
                side.unlink()
            self.maps[name] = right

    def test_a_table_of_names_that_is_of_other_labels_and_a_region_called_mask_are_told(self):
        self.write("sub-01")
        path = self.folder / "other_dseg.nii.gz"
        nifti.write_image(path, (1000 * self.labels).astype(np.int16), scans.AFFINE)
        path.with_name("other_dseg.tsv").write_text("index\tname\n1\ttalus\n")
        with self.assertRaisesRegex(InputError, r"'talus' \(label 1\) is empty in .*\(which holds 1000"):
            self.measure(path)
        nifti.write_image(path, self.labels.astype(np.int16), scans.AFFINE)
        path.with_name("other_dseg.tsv").write_text("index\tname\n1\tmask\n")
        notes = measure_files(self.folder / "maps", path)[1]
        self.assertIn("A region is called mask", notes[0])

    def test_maps_of_other_software_below_the_folder_stop_nothing_and_are_told(self):
        self.maps = {"chi": self.maps["chi"] / 100, "pdff": self.maps["pdff"]}
        self.write("sub-01")
        right, folder = self.measure(), self.folder / "maps" / "anat"
        for path in folder.glob("*.nii.gz"):
            side = {"GeneratedBy": [{"Name": "TrabecularQSM"}], "Units": "ppm" if "Chimap" in path.name else "1"}
            path.with_name(path.name.replace(".nii.gz", ".json")).write_text(json.dumps(side))
        other, grid = self.folder / "maps" / "other", (scans.AFFINE, 2 * scans.AFFINE)
        other.mkdir()
        for name, affine, side in (
            ("sub-01_Chimap", grid[0], {"Units": "ppm"}),  # the same map once more
            ("sub-01_Chimap", grid[0], {"Units": "ppb"}),
            ("sub-01_R2starmap", grid[0], {"Units": "ms"}),
            ("sub-01_R2starmap", grid[1], {}),
            ("sub-01_R2starmap", None, {}),  # cut short
            ("sub-02_Chimap", grid[0], {"Units": "ppb"}),
        ):
            path = other / f"{name}.nii.gz"
            nifti.write_image(path, self.maps["chi"], grid[0] if affine is None else affine)
            if affine is None:
                path.write_bytes(path.read_bytes()[:100])
            path.with_name(f"{name}.json").write_text(json.dumps(side))
            with self.subTest(name, side=side):
                rows, notes = measure_files(self.folder / "maps", self.regions)
                self.assertEqual(rows, right)
                self.assertRegex(" ".join(notes), rf"{name}.nii.gz.* was left out")
            path.unlink()
            path.with_name(f"{name}.json").unlink()
        for path in folder.glob("*pdff*"):
            path.unlink()
        for path in folder.glob("*.json"):
            path.write_text(json.dumps({"Units": "ppb" if "Chimap" in path.name else "percent"}))
        with self.assertRaisesRegex(InputError, "says the unit ppb; expected ppm"):
            self.measure()

    def test_a_map_that_was_turned_against_its_mask_is_told(self):
        mask = np.zeros(self.labels.shape, np.float32)
        mask[:, :3, :5] = 1
        chi = 0.1 * mask + 0.01 * mask * np.arange(6, dtype=np.float32)
        for turned, told in (
            (chi, False),
            (np.flip(chi, 1), True),
            (chi + 0.1, False),
            (chi * (np.arange(6) > 1), False),
        ):
            self.maps = {"chi": np.ascontiguousarray(turned, np.float32), "mask": mask}
            self.write("sub-01")
            notes = " ".join(measure_files(self.folder / "maps", self.regions, only=["label 1"])[1])
            self.assertEqual("as many voxels as its mask, but 67% lie elsewhere" in notes, told)

    def test_a_map_that_lacks_a_few_voxels_of_its_mask_and_has_a_few_others_is_not_turned(self):
        mask = np.zeros((10, 10, 20), np.float32)
        mask[:5] = 1
        for elsewhere, told in ((30, 0), (60, 1)):  # of 1,000
            chi = np.roll(mask.ravel(), elsewhere).reshape(mask.shape)
            self.assertEqual(len(on_support({"chi": chi, "mask": mask})), told)

    def test_regions_that_were_transposed_are_told(self):
        shutil.rmtree(self.folder / "maps")
        fraction, labels = two_bones()
        self.maps = {"chi": fraction / 10, "pdff": fraction}
        self.write("sub-01")
        for turned, told in ((labels, 0), (labels.transpose(0, 2, 1), 1)):
            nifti.write_image(self.regions, np.ascontiguousarray(turned, np.uint8), scans.AFFINE)
            notes = measure_files(self.folder / "maps", self.regions)[1]
            self.assertEqual(["stored in another orientation" in note for note in notes], told * [True])

    def test_regions_on_another_grid_are_brought_to_that_of_the_maps(self):
        expected = csv_text(COLUMNS, self.measure())
        # Voxels of a third, and a field of view that holds the regions only, as Slicer saves it.
        fine = np.kron(self.labels[:3, :2, :4], np.ones((3, 3, 3), np.int32))
        shrunk = scans.AFFINE @ np.diag([1 / 3, 1 / 3, 1 / 3, 1])
        shrunk[:3, 3] -= scans.AFFINE[:3, :3] @ np.full(3, 1 / 3)
        flipped = scans.AFFINE @ np.diag([-1, 1, 1, 1])
        flipped[:3, 3] += 5 * scans.AFFINE[:3, 0]
        for labels, affine in ((fine, shrunk), (self.labels[:, :, ::-1], flipped), (self.labels[:3], scans.AFFINE)):
            nifti.write_image(self.regions, labels.astype(np.uint8), affine)
            self.assertEqual(csv_text(COLUMNS, self.measure()), expected)

    def test_a_region_without_a_voxel_on_the_grid_of_the_maps_is_refused(self):
        moved = scans.AFFINE.copy()
        moved[:3, 3] += 2 * scans.AFFINE[:3, 2]  # two slices up: the third, with label 5, leaves the maps
        nifti.write_image(self.regions, self.labels.astype(np.uint8), moved)
        with self.assertRaisesRegex(InputError, "'label 5' .label 5. of .*regions.nii.gz has no voxel on .* sub-01_"):
            self.measure()
        self.assertEqual({row["region"] for row in self.measure(only=["label 1"])}, {"label 1"})

    def test_maps_on_two_grids_are_refused(self):
        nifti.write_image(self.folder / "maps" / "anat" / "sub-01_PDFFmap.nii.gz", self.maps["pdff"][:3], scans.AFFINE)
        with self.assertRaisesRegex(InputError, "sub-01_PDFFmap.nii.gz is not on the grid of sub-01_Chimap"):
            self.measure()

    def test_only_the_regions_asked_for_are_measured(self):
        self.regions.with_name("regions.tsv").write_text("index\tname\n1\ttuber\n5\ttalus\n7\tcavum\n")
        self.assertEqual({row["region"] for row in self.measure(only=["talus"])}, {"talus"})
        with self.assertRaisesRegex(InputError, "no region 'knee'; it has tuber, talus, cavum"):
            self.measure(only=["talus", "knee"])

    def test_regions_of_several_layers_are_read_and_must_not_overlap(self):
        layers = np.zeros((3, 3, 4, 2), np.uint8)
        layers[0, :2, :, 0], layers[1, 1:, :, 1], layers[2, 0, :, 0] = 1, 1, 2
        segments = {"tuber": (0, 1), "talus": (1, 1), "cavum": (0, 2)}
        path = self.folder / "ankle.seg.nrrd"

        def write():
            image = image_from(np.zeros(layers.shape[:3], np.uint8), scans.AFFINE)
            vector = sitk.GetImageFromArray(layers, isVector=True)
            vector.CopyInformation(image)
            for number, (name, (layer, value)) in enumerate(segments.items()):
                for key, text in (("Name", name), ("Layer", layer), ("LabelValue", value)):
                    vector.SetMetaData(f"Segment{number}_{key}", str(text))
            sitk.WriteImage(vector, str(path))

        write()
        labels, affine, names = read_regions(path)
        self.assertEqual(names, {1: "tuber", 2: "talus", 3: "cavum"})
        np.testing.assert_allclose(affine, scans.AFFINE, atol=1e-9)
        self.assertEqual([np.count_nonzero(labels == label) for label in names], [8, 8, 4])
        np.testing.assert_array_equal(labels[0, :2], 1)
        layers[0, 0, :, 1] = 1
        write()
        around = self.folder / "around.nii.gz"
        values = np.pad(np.full((2, 2, 2), 2), 1, constant_values=1)
        nifti.write_image(around, values.astype(np.float32), scans.AFFINE)
        with self.assertRaisesRegex(InputError, "'label 1' .* fills all corners: it is the background"):
            read_regions(around)
        self.assertEqual(read_regions(around, only=["label 2"])[2], {2: "label 2"})
        with self.assertRaisesRegex(InputError, "'tuber' and 'talus' of .*ankle.seg.nrrd overlap in 4 voxels"):
            read_regions(path)
        self.assertEqual(read_regions(path, only=["talus", "cavum"])[2], {2: "talus", 3: "cavum"})
        for layer, value in ((2, 1), ("first", 1), (0, "-"), (0, "1.5")):
            segments["talus"] = (layer, value)
            write()
            with self.assertRaisesRegex(InputError, f"segment talus that its layer is {layer} and its label {value}"):
                read_regions(path)
        segments.clear()
        write()
        with self.assertRaisesRegex(InputError, "2 values in each voxel and names no segments"):
            read_regions(path)

    def test_what_is_no_label_map_is_refused(self):
        nifti.write_image(self.regions, self.labels + np.float32(0.5), scans.AFFINE)
        with self.assertRaisesRegex(InputError, "whole numbers"):
            self.measure()
        nifti.write_image(self.regions, self.labels * np.uint32(2**30), scans.AFFINE)
        with self.assertRaisesRegex(InputError, "labels beyond 2147483647"):
            self.measure()
        nifti.write_image(self.regions, 0 * self.labels, scans.AFFINE)
        with self.assertRaisesRegex(InputError, "holds no region"):
            self.measure()
        self.regions.with_name("regions.tsv").write_text("index\tname\n1\ttuber\n")
        with self.assertRaisesRegex(InputError, "'tuber' .label 1. is empty"):
            self.measure()
        self.regions.with_name("regions.tsv").write_text("index\tname\n1\ttuber\n2\ttuber\n")
        with self.assertRaisesRegex(InputError, "same name"):
            self.measure()

    def test_a_folder_without_maps_is_refused(self):
        shutil.rmtree(self.folder / "maps" / "anat")
        with self.assertRaisesRegex(InputError, "holds no map"):
            self.measure()
        with self.assertRaisesRegex(InputError, "not a folder"):
            measure_files(self.folder / "none", self.regions)


if __name__ == "__main__":
    unittest.main()
