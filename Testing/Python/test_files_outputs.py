import errno
import hashlib
import json
import os
import shutil
import subprocess
import sys
import unittest
from dataclasses import replace
from pathlib import Path
from unittest import mock

import numpy as np
import scans
import SimpleITK as sitk
from reading import InFolderTest

from TrabecularQSMLib import __version__
from TrabecularQSMLib.errors import Cancelled, InputError
from TrabecularQSMLib.files import nifti, read_acquisition, writing
from TrabecularQSMLib.files.maps import find_maps, planned_maps, write_reconstruction
from TrabecularQSMLib.files.phantom import refuse_filled, write_phantom
from TrabecularQSMLib.files.writing import input_hashes, write_files
from TrabecularQSMLib.phantom import Phantom, PhantomSettings
from TrabecularQSMLib.pipeline import Reconstruction
from TrabecularQSMLib.quantities import ADDED_MAPS, QUANTITIES, WITHOUT_PHASE
from TrabecularQSMLib.settings import preset

ANAT = Path("sub-01", "ses-b", "anat")


def reconstruction(names=("chi", "pdff", "mask"), notes=("something changed",)):
    rng = np.random.default_rng(5)
    maps = {name: rng.standard_normal((4, 5, 6)).astype(np.float32) for name in names}
    return Reconstruction(maps, preset("paper"), notes)


def tree(folder):
    """All files below a folder with their bytes, hidden ones as well."""
    return {path.relative_to(folder): path.read_bytes() for path in Path(folder).rglob("*") if path.is_file()}


class OutputsTest(InFolderTest):
    def setUp(self):
        super().setUp()
        scans.write_bids(self.folder / "in", name="sub-01_ses-b")
        self.scan = read_acquisition(self.folder / "in")
        self.output = self.folder / "some" / "out"


class ReconstructionTest(OutputsTest):
    def test_maps_have_their_names_the_geometry_of_the_input_and_float32_values(self):
        result = reconstruction(tuple(QUANTITIES))
        written = write_reconstruction(self.output, self.scan, result)
        for name, quantity in QUANTITIES.items():
            path = self.output / ANAT / f"sub-01_ses-b_{quantity.suffix}.nii.gz"
            self.assertIn(path, written)
            array, affine = nifti.read_image(path)
            self.assertEqual(array.dtype, np.float32)
            np.testing.assert_array_equal(array, result.maps[name])
            np.testing.assert_allclose(affine, scans.AFFINE, atol=1e-5)
        self.assertEqual(set(written), {self.output / file for file in tree(self.output)})
        self.assertEqual(list(find_maps(self.output)), ["sub-01_ses-b"])
        self.assertEqual(list(find_maps(self.output)["sub-01_ses-b"]), list(QUANTITIES))

    def test_itk_itself_reads_the_same_geometry(self):
        write_reconstruction(self.output, self.scan, reconstruction())
        image = sitk.ReadImage(str(self.output / ANAT / "sub-01_ses-b_Chimap.nii.gz"))
        corner = np.array(image.TransformIndexToPhysicalPoint((5, 4, 3))) * (-1, -1, 1)
        np.testing.assert_allclose(corner, (scans.AFFINE @ [5, 4, 3, 1])[:3], atol=1e-4)

    def test_the_sidecar_tells_unit_settings_version_notes_and_hashes(self):
        mask = self.folder / "mask.nii"
        mask.write_bytes(b"abc")
        result = replace(reconstruction(), found=("readout",), fit_residual=0.031254)
        write_reconstruction(self.output, self.scan, result, mask_file=mask)
        sidecar = json.loads((self.output / ANAT / "sub-01_ses-b_PDFFmap.json").read_text())
        self.assertEqual(sidecar["Units"], "1")
        self.assertEqual(sidecar["Settings"], preset("paper").as_dict())
        self.assertEqual(sidecar["Software"], {"Name": "TrabecularQSM", "Version": __version__})
        image = self.output / ANAT / "sub-01_ses-b_PDFFmap.nii.gz"
        self.assertEqual(sidecar["Digest"]["sha256"], hashlib.sha256(image.read_bytes()).hexdigest())
        self.assertEqual(sidecar["Notes"], ["something changed"])
        self.assertEqual((sidecar["FoundFromData"], sidecar["FitResidual"]), (["readout"], 0.03125))
        self.assertEqual(len(sidecar["InputFiles"]), 17)
        # SHA-256 of "abc" as FIPS 180-2 prints it.
        abc = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        self.assertEqual(sidecar["InputFiles"]["mask.nii"], abc)
        self.assertIn("sub-01_ses-b_echo-1_part-mag_MEGRE.nii", sidecar["InputFiles"])

    def test_records_tell_what_was_done_to_which_files_by_which_software(self):
        write_reconstruction(self.output, self.scan, reconstruction())
        sidecar = json.loads((self.output / ANAT / "sub-01_ses-b_PDFFmap.json").read_text())
        records = {}
        for path in (self.output / "prov").iterdir():
            self.assertRegex(path.name, r"^prov-sub01\+sesb_(act|ent|soft|env)\.json$")
            records |= json.loads(path.read_text())
        (activity,) = records["Activities"]
        self.assertEqual(activity["Id"], sidecar["GeneratedBy"])
        self.assertIn(f"--settings {ANAT.as_posix()}/", activity["Command"])
        known = {one["Id"]: one for kind in ("ProvEntities", "Software", "Environments") for one in records[kind]}
        self.assertEqual({*activity["Used"], *activity["AssociatedWith"]}, set(known))
        self.assertEqual(
            {known[one]["Digest"]["sha256"] for one in sidecar["Sources"]},
            {digest.removeprefix("sha256:") for digest in sidecar["InputFiles"].values()},
        )
        self.assertEqual({one["Label"]: one["Version"] for one in records["Software"]}["numpy"], np.__version__)

    def test_inputs_in_several_folders_are_named_with_them(self):
        inner = self.folder / "a" / "b"
        inner.mkdir(parents=True)
        for path in (self.folder / "a" / "MEGRE.json", inner / "MEGRE.json"):
            path.write_text("{}")
        hashes = input_hashes([self.folder / "a" / "MEGRE.json", inner / "MEGRE.json"])
        self.assertEqual(list(hashes), ["MEGRE.json", "b/MEGRE.json"])

    def test_the_same_input_gives_the_same_bytes_and_only_the_log_tells_runs_apart(self):
        other = self.folder / "other"
        write_reconstruction(self.output, self.scan, reconstruction(), run={"Started": "now"})
        with mock.patch("time.time", return_value=1e9):
            write_reconstruction(other, self.scan, reconstruction(), run={"Started": "later"})
        first, second = tree(self.output), tree(other)
        log = Path("logs", "run.json")
        self.assertEqual(json.loads(first.pop(log)), {"sub-01_ses-b": {"Started": "now"}})
        self.assertEqual(json.loads(second.pop(log)), {"sub-01_ses-b": {"Started": "later"}})
        self.assertEqual(first, second)
        self.assertFalse(any(str(self.folder).encode() in content for content in first.values()))

    def test_a_second_scan_joins_the_first_in_one_folder(self):
        scans.write_bids(self.folder / "two", name="sub-02_run-1")
        second = read_acquisition(self.folder / "two")
        write_reconstruction(self.output, self.scan, reconstruction(), run={})
        write_reconstruction(self.output, second, reconstruction(), run={})
        self.assertEqual(list(find_maps(self.output)), ["sub-01_ses-b", "sub-02_run-1"])
        self.assertEqual(
            set(json.loads((self.output / "logs" / "run.json").read_text())), {"sub-01_ses-b", "sub-02_run-1"}
        )

    def test_existing_results_are_refused_and_with_overwrite_replaced_as_a_whole(self):
        write_reconstruction(self.output, self.scan, reconstruction())
        before = tree(self.output)
        with self.assertRaisesRegex(InputError, "already holds .*Chimap.nii.gz.*`overwrite`"):
            write_reconstruction(self.output, self.scan, reconstruction(("r2star", "chi")))
        self.assertEqual(tree(self.output), before)
        write_reconstruction(self.output, self.scan, reconstruction(("r2star",)), overwrite=True)
        self.assertEqual(list(find_maps(self.output)["sub-01_ses-b"]), ["r2star"])
        self.assertEqual(len(list((self.output / ANAT).iterdir())), 2)

    def test_planned_maps_leave_out_what_later_stages_give(self):
        usual = set(QUANTITIES).difference(*ADDED_MAPS.values())
        self.assertEqual(set(planned_maps(preset())), usual)
        self.assertEqual(usual - set(planned_maps(preset(stop_after="background"))), {"chi"})
        fieldmap = planned_maps(preset(stop_after="fieldmap"))
        self.assertEqual(usual - set(fieldmap), {"chi", "total_field", "local_field"})

    def test_planned_maps_are_those_that_settings_add_and_the_scan_allows(self):
        usual = set(QUANTITIES).difference(*ADDED_MAPS.values())
        for name, added in ADDED_MAPS.items():
            self.assertEqual(set(planned_maps(preset(**{name: "yes"}))), usual | set(added))
        both = preset(magnitude_maps="yes", separate_rates="yes", chi_sigma="yes")
        self.assertEqual(set(planned_maps(both)), set(QUANTITIES))
        uneven = scans.acquisition(echo_times=(0.001, 0.002, 0.003, 0.0045))
        self.assertEqual(set(QUANTITIES) - set(planned_maps(both, uneven)), {"r2star_arlo", "sigma_r2star_arlo"})
        alone = scans.acquisition(has_phase=False)
        names = planned_maps(preset(magnitude_maps="yes"), alone)
        self.assertEqual(set(names), {*WITHOUT_PHASE, *ADDED_MAPS["magnitude_maps"]})


class NothingHalfWrittenTest(OutputsTest):
    def assert_nothing_changes(self, error, **options):
        for there in ({}, {Path("sub-01/notes.txt"): "kept"}):
            if there:
                write_files({self.output / file: text for file, text in there.items()})
            with self.assertRaises(error) as caught:
                write_reconstruction(self.output, self.scan, reconstruction(), **options)
            if there:
                self.assertEqual(tree(self.output), {Path("sub-01/notes.txt"): b"kept"})
            else:
                self.assertFalse((self.folder / "some").exists())
        return str(caught.exception)

    def test_a_full_disk_is_one_sentence_and_leaves_nothing(self):
        write = nifti.write_image
        calls = []

        def full(path, *arguments):
            calls.append(path)
            if len(calls) % 2 == 0:
                raise OSError(errno.ENOSPC, "No space left on device")
            write(path, *arguments)

        with mock.patch.object(writing, "write_image", full):
            self.assertIn("no space left", self.assert_nothing_changes(InputError))

    def test_a_file_that_itk_cuts_short_without_a_word_is_noticed(self):
        # So it behaves when the disk is full.
        def short(image, path, **_):
            Path(path).write_bytes(bytes(352) + sitk.GetArrayFromImage(image).tobytes()[:100])

        with mock.patch.object(nifti.sitk, "WriteImage", short):
            self.assertIn("no space left", self.assert_nothing_changes(InputError))

    def test_an_exception_or_cancelling_while_writing_leaves_nothing(self):
        for error in (Cancelled, KeyboardInterrupt, ZeroDivisionError):
            with self.subTest(error.__name__):
                progress = mock.Mock(side_effect=[None, None, error(), None, None, error()])
                shutil.rmtree(self.folder / "some", ignore_errors=True)
                self.assert_nothing_changes(error, progress=progress)

    def test_hidden_folders_of_killed_runs_are_swept_and_those_at_work_are_not(self):
        output = self.folder / "maps"
        script = (
            "import sys, os; from pathlib import Path; from TrabecularQSMLib.files.writing import staged\n"
            "with staged(Path(sys.argv[1])) as staging:\n"
            "    (staging / 'half.nii').write_text('half')\n"
            "    print('ready', flush=True); sys.stdin.read(); os._exit(9)"
        )
        command = [sys.executable, "-c", script, str(output)]
        environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])}
        with subprocess.Popen(command, stdin=-1, stdout=-1, env=environment, text=True) as other:
            self.assertEqual(other.stdout.readline(), "ready\n")
            (hidden,) = output.glob(".writing-*")
            os.utime(hidden, (0, 0))
            write_files({output / "a.txt": "a"})
            self.assertTrue(hidden.exists())
            other.communicate("")
        (output / ".writing-unlocked").mkdir()  # killed before it was locked
        os.utime(output / ".writing-unlocked", (0, 0))
        write_files({output / "b.txt": "b"})
        self.assertEqual(sorted(path.name for path in output.iterdir()), ["a.txt", "b.txt"])

    def test_a_place_that_cannot_be_written_is_one_sentence(self):
        file = self.folder / "file"
        file.write_text("x")
        with self.assertRaisesRegex(InputError, "is a file; give a folder"):
            write_reconstruction(file, self.scan, reconstruction())
        with self.assertRaisesRegex(InputError, "cannot be written .*Not a directory"):
            write_reconstruction(file / "out", self.scan, reconstruction())
        self.assertEqual(file.read_text(), "x")


class PhantomTest(OutputsTest):
    def phantom(self):
        rng = np.random.default_rng(7)
        names = (
            "chi",
            "pdff",
            "field_hz",
            "local_field",
            "total_field",
            "bvtv",
            "r2star",
            "water",
            "fat",
            "signal",
            "cortex",
        )
        truth = {name: rng.standard_normal((4, 5, 6)).astype(np.float32) for name in names}
        regions = rng.integers(0, 3, (4, 5, 6)).astype(np.uint8)
        return Phantom(
            scans.acquisition(), truth, regions, {1: "tuber", 2: "skin fat", 3: "too small"}, PhantomSettings()
        )

    def test_it_is_a_dataset_that_the_reader_reads_back(self):
        write_phantom(self.output, self.phantom())
        scan = read_acquisition(self.output)
        np.testing.assert_allclose(scan.acquisition.echoes, scans.echoes(), rtol=0, atol=1e-3)
        np.testing.assert_allclose(scan.acquisition.echo_times, scans.ECHO_TIMES)
        self.assertAlmostEqual(scan.acquisition.imaging_frequency, scans.acquisition().imaging_frequency, delta=1e-3)
        self.assertEqual(scan.acquisition.notes, ())
        description = json.loads((self.output / "dataset_description.json").read_text())
        self.assertEqual(description["DatasetType"], "raw")

    def test_truth_has_the_names_of_results_and_regions_with_names(self):
        phantom = self.phantom()
        write_phantom(self.output, phantom)
        truth = self.output / "derivatives" / "truth"
        maps = find_maps(truth)["sub-01"]
        self.assertEqual(set(maps), set(phantom.truth))
        self.assertEqual(maps["chi"], truth / "sub-01" / "anat" / "sub-01_Chimap.nii.gz")
        self.assertEqual(maps["bvtv"].name, "sub-01_desc-bvtv_map.nii.gz")
        for name, path in maps.items():
            np.testing.assert_array_equal(nifti.read_image(path)[0], phantom.truth[name])
        labels, affine = nifti.read_image(truth / "sub-01" / "anat" / "sub-01_dseg.nii.gz")
        np.testing.assert_array_equal(labels, phantom.regions)
        np.testing.assert_allclose(affine, scans.AFFINE, atol=1e-5)
        table = (truth / "sub-01" / "anat" / "sub-01_dseg.tsv").read_text()
        self.assertEqual(table, "index\tname\n1\ttuber\n2\tskin fat\n")

    def test_maps_are_found_whatever_the_way_to_their_folder(self):
        write_phantom(self.output, self.phantom())
        hidden = self.output.parent / ".hidden" / "scan"
        shutil.copytree(self.output, hidden)
        for folder in (self.output / ".." / self.output.name, hidden):
            self.assertEqual(list(find_maps(folder)), ["sub-01"], folder)
        truth, other, told = self.output / "derivatives" / "truth", self.output / "derivatives" / "other", []
        find_maps(truth, told)
        self.assertEqual(told, [])
        find_maps(self.output, told)
        self.assertRegex(
            " ".join(told), r"^Maps below .* are those of truth in derivatives, where reconstruct puts none; check"
        )
        of_derivatives = []
        find_maps(truth.parent, of_derivatives)
        self.assertRegex(" ".join(of_derivatives), "those of truth in derivatives")
        study = self.output.parent / "study" / "maps"
        shutil.copytree(truth, study)
        find_maps(study.parent, nothing := [])
        self.assertEqual(nothing, [])
        # What is left out lies nowhere that matters.
        shutil.copytree(truth, other, ignore=lambda _, names: [name for name in names if name.endswith(".json")])
        notes = []
        find_maps(self.output, notes)
        self.assertEqual(notes[-1:], told)
        shutil.rmtree(other)
        shutil.copytree(self.output, hidden / ".thumbnails")
        self.assertEqual(list(find_maps(hidden)), ["sub-01"])

    def test_a_simulated_subject_does_not_join_a_real_dataset(self):
        write_files({self.output / "dataset_description.json": "{}"})
        with self.assertRaisesRegex(InputError, "exists already and holds no phantom"):
            refuse_filled(self.output, "02")

    def test_a_folder_that_holds_something_is_refused(self):
        write_files({self.output / "a.txt": "a"})
        with self.assertRaisesRegex(InputError, "exists already"):
            write_phantom(self.output, self.phantom())
        self.assertEqual(tree(self.output), {Path("a.txt"): b"a"})


if __name__ == "__main__":
    unittest.main()
