"""Regions and masks as segments on real MRML."""

import json
import types
import unittest
from pathlib import Path
from unittest import mock

import numpy as np
from scenes import AFFINE, SHAPE, SceneTest, random_map, slicer

from TrabecularQSMLib import scene
from TrabecularQSMLib.errors import InputError
from TrabecularQSMLib.files.terminology import PRIVATE_SCHEME, REGION_CODES, TERMINOLOGY
from TrabecularQSMLib.phantom.ankle import REGION_NAMES
from TrabecularQSMLib.scene.regions import TERMINOLOGY_FILE, loadTerminology

RESOURCES = Path(__file__).resolve().parents[2] / "TrabecularQSM" / "Resources"


class SegmentationTest(SceneTest):
    def regions(self):
        labels = np.zeros(SHAPE, dtype=np.uint8)
        labels[1:3, 1:4, :2] = 1
        labels[3:, 2:, 1:] = 7
        return labels, {1: "subtalar", 7: "tuber", 9: "not there"}

    def test_regions_come_back_with_their_names_on_the_grid_of_a_volume(self):
        labels, names = self.regions()
        segmentation = scene.addSegmentation(labels, names, AFFINE, "regions")
        volume = scene.addMapVolume(random_map(), AFFINE, "chi", "ankle")
        ids = self.node_ids()
        again, found = scene.regionsFromSegmentation(segmentation, volume)
        self.assertEqual(list(found.values()), list(names.values()))
        for number, label in zip(found, names, strict=True):
            np.testing.assert_array_equal(again == number, labels == label)
        self.assertEqual(self.node_ids(), ids)

    def label_map(self, labels, affine=AFFINE):
        node = self.scene.AddNewNodeByClass("vtkMRMLLabelMapVolumeNode", "labels")
        node.SetIJKToRASMatrix(slicer.util.vtkMatrixFromArray(affine))
        slicer.util.updateVolumeFromArray(node, labels.astype(np.int16))
        return node

    def test_a_label_map_is_taken_as_its_segments_would_be(self):
        labels, _ = self.regions()
        node, volume = self.label_map(labels), scene.addMapVolume(random_map(), AFFINE, "chi", "ankle")
        found, names = scene.regionsFromSegmentation(node, volume)
        np.testing.assert_array_equal(found, np.select([labels == 1, labels == 7], [1, 2]))
        self.assertEqual(names, {1: "label 1", 2: "label 7"})
        node.CreateDefaultDisplayNodes()
        colors = self.scene.AddNewNodeByClass("vtkMRMLColorTableNode")
        colors.SetTypeToUser()
        colors.SetNumberOfColors(8)
        colors.SetColor(7, "tuber", 1, 0, 0, 1)
        node.GetDisplayNode().SetAndObserveColorNodeID(colors.GetID())
        self.assertEqual(scene.regionsFromSegmentation(node, volume)[1][2], "tuber")
        np.testing.assert_array_equal(scene.maskFromSegment(node, "7", volume), labels == 7)
        with self.assertRaisesRegex(InputError, "labels has 2 segments; .* label 1, tuber"):
            scene.maskFromSegment(node, None, volume)
        matrix = np.eye(4)
        matrix[:3, 3] = AFFINE[:3, 2]  # one voxel along k
        transform = self.scene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
        transform.SetMatrixTransformToParent(slicer.util.vtkMatrixFromArray(matrix))
        node.SetAndObserveTransformNodeID(transform.GetID())
        moved, _ = scene.regionsFromSegmentation(node, volume)
        np.testing.assert_array_equal(moved[1:] == 2, labels[:-1] == 7)

    def test_nodes_of_another_class_are_told_by_what_they_are(self):
        volume, labels = scene.addMapVolume(random_map(), AFFINE, "chi", "ankle"), self.label_map(self.regions()[0])
        segmentation = scene.addSegmentation(*self.regions(), AFFINE, "regions")
        model = self.scene.AddNewNodeByClass("vtkMRMLModelNode", "bone")
        calls = {
            "a Volume node, where regions": lambda: scene.measureNodes([volume], volume, case="a"),
            "bone, a Model node, where regions": lambda: scene.regionsFromSegmentation(model, volume),
            "There is nothing where regions": lambda: scene.maskFromSegment(None, None, volume),
            "bone, a Model node, where the CT is asked for": lambda: scene.attenuationNodes(model, labels, case="a"),
            "regions, a Segmentation node, where the image to register": lambda: scene.registerNodes(
                volume, segmentation
            ),
            "where the map is asked for; choose a volume": lambda: scene.measureNodes([segmentation], labels, case="a"),
            "where the image is asked for; choose a volume": lambda: scene.bvtvNodes(model, segmentation, case="a"),
            "where the sequence of the magnitude": lambda: scene.reconstructNodes(volume, volume),
            "nothing where the sequence": lambda: scene.acquisitionFromSequences(None, None),
        }
        for words, call in calls.items():
            with self.subTest(words), self.assertRaisesRegex(InputError, words):
                call()

    def test_regions_are_taken_to_the_grid_of_another_volume(self):
        labels, names = self.regions()
        segmentation = scene.addSegmentation(labels, names, AFFINE, "regions")
        finer = AFFINE.copy()
        finer[:3, 0] /= 2
        finer[:3, 3] -= finer[:3, 0] / 2
        volume = scene.addMapVolume(np.zeros((6, 5, 8)), finer, "chi", "fine")
        again, _ = scene.regionsFromSegmentation(segmentation, volume)
        np.testing.assert_array_equal(again == 2, np.repeat(labels == 7, 2, axis=2))

    def test_a_segment_under_a_transform_is_read_where_it_is_seen(self):
        labels, names = self.regions()
        segmentation = scene.addSegmentation(labels, names, AFFINE, "regions")
        volume = scene.addMapVolume(random_map(), AFFINE, "chi", "ankle")
        matrix = np.eye(4)
        matrix[:3, 3] = AFFINE[:3, 2]  # one voxel along k
        transform = self.scene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
        transform.SetMatrixTransformToParent(slicer.util.vtkMatrixFromArray(matrix))
        segmentation.SetAndObserveTransformNodeID(transform.GetID())
        again, _ = scene.regionsFromSegmentation(segmentation, volume)
        np.testing.assert_array_equal(again[1:] == 2, labels[:-1] == 7)
        volume.SetAndObserveTransformNodeID(transform.GetID())
        again, _ = scene.regionsFromSegmentation(segmentation, volume)
        np.testing.assert_array_equal(again == 2, labels == 7)

    def test_a_segment_drawn_as_a_surface_is_read_too(self):
        labels = np.zeros((20, 20, 20), dtype=np.uint8)
        labels[5:15, 5:15, 5:15] = 1
        segmentation = scene.addSegmentation(labels, {1: "cube"}, np.eye(4), "regions")
        segmentation.CreateClosedSurfaceRepresentation()
        segmentation.GetSegmentation().SetSourceRepresentationName("Closed surface")
        segmentation.RemoveBinaryLabelmapRepresentation()
        volume = scene.addMapVolume(np.zeros(labels.shape), np.eye(4), "chi", "ankle")
        again, _ = scene.regionsFromSegmentation(segmentation, volume)
        # The surface is smoothed, which takes the edges of the cube away.
        self.assertEqual(np.unique(again[7:13, 7:13, 7:13]).tolist(), [1])
        self.assertAlmostEqual(np.count_nonzero(again) / 1000, 1.0, delta=0.1)

    def test_overlapping_segments_and_equal_names_are_refused(self):
        labels, names = self.regions()
        volume = scene.addMapVolume(random_map(), AFFINE, "chi", "ankle")
        segmentation = scene.addSegmentation(labels, names, AFFINE, "regions")
        segmentation.GetSegmentation().GetNthSegment(1).SetName("subtalar")
        with self.assertRaisesRegex(InputError, "Two segments of regions have the name subtalar"):
            scene.regionsFromSegmentation(segmentation, volume)
        other = scene.addSegmentation(np.ones(SHAPE, dtype=np.uint8), {1: "all"}, AFFINE, "other")
        source = other.GetSegmentation()
        source.GetNthSegment(0).SetName("everything")
        segmentation.GetSegmentation().GetNthSegment(1).SetName("tuber")
        segmentation.GetSegmentation().CopySegmentFromSegmentation(source, source.GetNthSegmentID(0))
        with self.assertRaisesRegex(InputError, "tuber and everything of regions overlap"):
            scene.regionsFromSegmentation(segmentation, volume)

    def test_a_segment_is_a_mask_on_the_grid_of_a_volume(self):
        labels, names = self.regions()
        segmentation = scene.addSegmentation(labels, names, AFFINE, "regions")
        volume = scene.addMapVolume(random_map(), AFFINE, "chi", "ankle")
        tuber = segmentation.GetSegmentation().GetSegmentIdBySegmentName("tuber")
        mask = scene.maskFromSegment(segmentation, tuber, volume)
        self.assertEqual(mask.dtype, bool)
        np.testing.assert_array_equal(mask, labels == 7)
        alone = scene.addSegmentation(labels == 7, {1: "all"}, AFFINE, "alone")
        np.testing.assert_array_equal(scene.maskFromSegment(alone, None, volume), labels == 7)
        self.assertEqual(list(scene.masksFromSegmentation(alone, volume)), ["all"])

    def test_a_mask_that_is_not_there_gets_its_sentence(self):
        labels, names = self.regions()
        segmentation = scene.addSegmentation(labels, names, AFFINE, "regions")
        volume = scene.addMapVolume(random_map(), AFFINE, "chi", "ankle")
        nothing = segmentation.GetSegmentation().GetSegmentIdBySegmentName("not there")
        with self.assertRaisesRegex(InputError, "segment not there of regions has no voxel inside the scan; draw it"):
            scene.maskFromSegment(segmentation, nothing, volume)
        with self.assertRaisesRegex(InputError, "regions has 3 segments; choose .*subtalar, tuber, not there"):
            scene.maskFromSegment(segmentation, None, volume)
        with self.assertRaisesRegex(InputError, "regions has no segment with the ID Segment_99"):
            scene.maskFromSegment(segmentation, "Segment_99", volume)
        with self.assertRaisesRegex(InputError, "segment not there of regions has no voxel"):
            scene.masksFromSegmentation(segmentation, volume)
        far = AFFINE.copy()
        far[:3, 3] += 1000
        elsewhere = scene.addMapVolume(random_map(), far, "chi", "far")
        with self.assertRaisesRegex(InputError, "segment subtalar of regions has no voxel inside the scan"):
            scene.masksFromSegmentation(segmentation, elsewhere)
        empty = self.scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "empty")
        with self.assertRaisesRegex(InputError, "empty has 0 segments"):
            scene.maskFromSegment(empty, None, volume)
        with self.assertRaisesRegex(InputError, "empty has no segment; draw the regions"):
            scene.masksFromSegmentation(empty, volume)

    def test_a_label_without_name_is_refused_and_nothing_added(self):
        labels, names = self.regions()
        ids = self.node_ids()
        with self.assertRaisesRegex(InputError, "label 7"):
            scene.addSegmentation(labels, {1: names[1]}, AFFINE, "regions")
        self.assertEqual(self.node_ids(), ids)


class TerminologyTest(SceneTest):
    """The file that the module loads, and the codes that the phantom's segments are given."""

    @classmethod
    def setUpClass(cls):
        cls.path = RESOURCES / TERMINOLOGY_FILE
        cls.content = json.loads(cls.path.read_text(encoding="utf-8"))

    def categories(self):
        return self.content["SegmentationCodes"]["Category"]

    def load(self):
        """Load the file as the module does when the application has started, into a logic of its own."""
        logic = slicer.vtkSlicerTerminologiesModuleLogic()
        module = types.SimpleNamespace(logic=lambda: logic)
        with mock.patch.object(slicer, "modules", types.SimpleNamespace(terminologies=module)):
            return logic, loadTerminology(self.path)

    def test_the_file_has_what_slicer_asks_for(self):
        self.assertEqual(self.content["SegmentationCategoryTypeContextName"], TERMINOLOGY)
        self.assertTrue(self.content["@schema"].endswith("/segment-context-schema.json#"))
        seen = []
        for category in self.categories():
            for kind in category["Type"]:
                for entry in (category, kind, *kind.get("Modifier", ())):
                    for key in ("CodeMeaning", "CodingSchemeDesignator", "CodeValue"):
                        self.assertTrue(entry[key])
                    self.assertLessEqual(len(entry["CodeValue"]), 16)  # DICOM's limits of a short string,
                    self.assertLessEqual(len(entry["CodeMeaning"]), 64)  # and of a long one
                    self.assertIn(entry["CodingSchemeDesignator"], ("SCT", PRIVATE_SCHEME))
                    if entry["CodingSchemeDesignator"] == "SCT":
                        self.assertTrue(valid_snomed(entry["CodeValue"]), entry)
                color = kind["recommendedDisplayRGBValue"]
                self.assertEqual((len(color), [c for c in color if not 0 <= c <= 255]), (3, []))
                seen.append((kind["CodeValue"], tuple(color)))
        for column in zip(*seen, strict=True):
            self.assertEqual(len(set(column)), len(seen))
        self.assertTrue(valid_snomed("80144004"))
        self.assertFalse(valid_snomed("80144005"))

    def test_slicer_reads_every_type_with_its_sides_and_color(self):
        logic, name = self.load()
        self.assertEqual(name, TERMINOLOGY)
        self.assertTrue(logic.IsTerminologyContextLoaded(name))
        self.assertEqual(logic.GetNumberOfCategoriesInTerminology(name), len(self.categories()))
        for n, expected in enumerate(self.categories()):
            category = slicer.vtkSlicerTerminologyCategory()
            self.assertTrue(logic.GetNthCategoryInTerminology(name, n, category))
            self.assertEqual(logic.GetNumberOfTypesInTerminologyCategory(name, category), len(expected["Type"]))
            for m, kind in enumerate(expected["Type"]):
                found = slicer.vtkSlicerTerminologyType()
                self.assertTrue(logic.GetNthTypeInTerminologyCategory(name, category, m, found))
                self.assertEqual(found.GetCodeValue(), kind["CodeValue"])
                self.assertEqual(list(found.GetRecommendedDisplayRGBValue()), kind["recommendedDisplayRGBValue"])
                count = logic.GetNumberOfTypeModifiersInTerminologyType(name, category, found)
                self.assertEqual(count, len(kind.get("Modifier", ())))

    def test_slicer_finds_the_codes_of_the_phantoms_regions(self):
        logic, name = self.load()
        names = dict(enumerate(dict.fromkeys([*REGION_NAMES.values(), *REGION_CODES]), start=1))
        regions = np.array([[[*names]]], dtype=np.uint8)
        node = scene.addSegmentation(regions, names, AFFINE, "regions", codes=REGION_CODES)
        with_code = []
        for number, region in enumerate(names.values()):
            tag = node.GetSegmentation().GetNthSegment(number).GetTerminology()
            if region not in REGION_CODES:
                self.assertFalse(tag.startswith(TERMINOLOGY))
                continue
            with_code.append(region)
            given, found = slicer.vtkSlicerTerminologyEntry(), slicer.vtkSlicerTerminologyEntry()
            self.assertTrue(logic.DeserializeTerminologyEntry(tag, given))
            self.assertEqual(given.GetTerminologyContextName(), name)
            self.assertTrue(logic.FindTypeInTerminologyBy3dSlicerLabel(name, region, found), region)
            for part in ("Category", "Type"):
                self.assertEqual(coded(given, part), coded(found, part))
            sides = {("SCT", "24028007", "Right"), ("SCT", "7771000", "Left")}
            has_sides = logic.GetNumberOfTypeModifiersInTerminologyType(
                name, found.GetCategoryObject(), found.GetTypeObject()
            )
            self.assertIn(coded(given, "TypeModifier"), sides if has_sides else {("", "", "")}, region)
        self.assertEqual(sorted(with_code), sorted(REGION_CODES))

    def test_without_the_module_terminologies_nothing_is_loaded(self):
        for modules in (
            types.SimpleNamespace(),
            types.SimpleNamespace(terminologies=types.SimpleNamespace(logic=lambda: None)),
        ):
            with mock.patch.object(slicer, "modules", modules):
                self.assertEqual(loadTerminology(self.path), "")


def coded(entry, part):
    """Scheme, value and meaning of a part of a terminology entry."""
    code = getattr(entry, f"Get{part}Object")()
    return tuple(getattr(code, f"Get{name}")() or "" for name in ("CodingSchemeDesignator", "CodeValue", "CodeMeaning"))


def valid_snomed(code):
    """Whether the last digit of a SNOMED CT identifier is the check digit of the others (Verhoeff)."""
    # Products in the dihedral group of ten elements, and powers of the permutation of Verhoeff's scheme.
    check, permutation = 0, list(range(10))
    for digit in map(int, reversed(code)):
        other = permutation[digit]
        if check < 5:
            check = (check + other) % 5 if other < 5 else (check + other) % 5 + 5
        else:
            check = (check - other) % 5 + 5 if other < 5 else (check - other) % 5
        permutation = [permutation[i] for i in (1, 5, 7, 6, 2, 8, 3, 0, 9, 4)]
    return check == 0


if __name__ == "__main__":
    unittest.main()
