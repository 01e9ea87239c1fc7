"""Parts of panels that need no widget, on real MRML: the editor, steps of Undo, layouts, closing of a scene."""

import importlib
import sys
import types
import unittest
from unittest import mock

import numpy as np
from scenes import AFFINE, SceneTest, slicer

from TrabecularQSMLib import scene
from TrabecularQSMLib.errors import Cancelled, InputError, counted
from TrabecularQSMLib.phantom import CompanionSettings, PhantomSettings
from TrabecularQSMLib.scene.gui import drawing, show
from TrabecularQSMLib.scene.gui.labels import inLabels
from TrabecularQSMLib.scene.gui.undo import oneUndoStep


def layout_of(description):
    """Tags of the views of a layout, as Slicer's layout node reads it."""
    node = slicer.vtkMRMLLayoutNode()
    node.AddLayoutDescription(47199, description)
    node.SetViewArrangement(47199)
    found = []

    def walk(element):
        if element.GetName() == "view":
            found.append((element.GetAttribute("class"), element.GetAttribute("singletontag")))
        for number in range(element.GetNumberOfNestedElements()):
            walk(element.GetNestedElement(number))

    walk(node.GetLayoutRootElement())
    return found


def tags(description):
    return [tag for _class, tag in layout_of(description)]


class RegionEditorTest(SceneTest):
    def setUp(self):
        super().setUp()
        self.widget = mock.Mock()
        self.editor = drawing.RegionEditor(self.widget)
        self.nodes = [slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode") for _ in range(2)]
        self.volume = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode")

    def calls(self):
        """Names of what the widget was told since this was asked last."""
        names = [call[0] for call in self.widget.mock_calls]
        self.widget.reset_mock()
        return names

    def test_it_has_the_effects_of_slicer_that_a_region_needs(self):
        self.widget.setEffectNameOrder.assert_called_once_with(drawing.EFFECTS)
        for name in ("Paint", "Draw", "Erase", "Scissors", "Islands", "Threshold", "Smoothing", "Margin"):
            self.assertIn(name, drawing.EFFECTS)

    def test_the_segmentation_comes_before_the_volume_and_the_state_before_the_scene(self):
        self.calls()
        self.editor.edit(self.nodes[0], self.volume)
        state = self.widget.setMRMLSegmentEditorNode.call_args.args[0]
        self.assertEqual(state.GetSingletonTag(), "TrabecularQSMAnalysis")
        started = self.calls()
        self.assertLess(started.index("setMRMLSegmentEditorNode"), started.index("setMRMLScene"))
        self.assertEqual(started[-2:], ["setSegmentationNode", "setSourceVolumeNode"])
        self.editor.edit(self.nodes[0], self.volume)
        self.assertEqual(self.calls(), [])
        self.editor.edit(self.nodes[1], None)
        self.widget.setSegmentationNode.assert_called_once_with(self.nodes[1])
        self.assertEqual(self.calls(), ["setSegmentationNode"])

    def test_it_lets_go_of_effect_keys_views_and_nodes(self):
        self.editor.stop()
        self.editor.edit(self.nodes[0], self.volume)
        self.calls()
        self.editor.edit(None, self.volume)
        self.widget.setActiveEffect.assert_called_once_with(None)
        self.widget.setSegmentationNode.assert_called_once_with(None)
        told = self.calls()
        self.assertIn("uninstallKeyboardShortcuts", told)
        self.assertIn("removeViewObservations", told)
        self.editor.stop()
        self.assertEqual(self.calls(), [])

    def test_each_scene_has_one_state_also_after_it_was_closed(self):
        for _ in range(2):
            self.editor.edit(self.nodes[0], self.volume)
            self.editor.stop()
        self.assertEqual(len(slicer.util.getNodesByClass("vtkMRMLSegmentEditorNode")), 1)
        slicer.mrmlScene.Clear(0)
        # As where singletons go too; a Clear(1) would take the color tables from the tests that follow.
        slicer.mrmlScene.RemoveNode(slicer.util.getNodesByClass("vtkMRMLSegmentEditorNode")[0])
        node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode")
        self.calls()
        self.editor.edit(node, None)
        (state,) = slicer.util.getNodesByClass("vtkMRMLSegmentEditorNode")
        self.widget.setMRMLSegmentEditorNode.assert_called_once_with(state)


class UndoTest(SceneTest):
    def setUp(self):
        super().setUp()
        self.addCleanup(slicer.mrmlScene.ClearUndoStack)
        self.addCleanup(slicer.mrmlScene.SetUndoFlag, slicer.mrmlScene.GetUndoFlag())
        slicer.mrmlScene.SetUndoFlag(True)

    def levels(self):
        return slicer.mrmlScene.GetNumberOfUndoLevels(), slicer.mrmlScene.GetNumberOfRedoLevels()

    def added(self):
        node = slicer.vtkMRMLTextNode()
        node.SetUndoEnabled(True)
        return slicer.mrmlScene.AddNode(node)

    def test_what_is_done_is_one_step(self):
        with oneUndoStep():
            self.added()
            self.added()
        self.assertEqual(self.levels(), (1, 0))
        slicer.mrmlScene.Undo()
        self.assertEqual(slicer.util.getNodesByClass("vtkMRMLTextNode"), [])

    def test_what_is_cancelled_or_fails_is_no_step(self):
        with oneUndoStep():
            self.added().SetText("kept")
        for error in (Cancelled, ValueError):
            with self.assertRaises(error), oneUndoStep():
                raise error
            self.assertEqual(self.levels(), (1, 0))
        (node,) = slicer.util.getNodesByClass("vtkMRMLTextNode")
        self.assertEqual(node.GetText(), "kept")

    def test_a_scene_closed_meanwhile_has_no_step_left(self):
        with self.assertRaises(Cancelled), oneUndoStep():
            slicer.mrmlScene.Clear(0)
            raise Cancelled
        self.assertEqual(self.levels(), (0, 0))

    def test_nothing_is_kept_where_undo_is_off(self):
        slicer.mrmlScene.SetUndoFlag(False)
        with self.assertRaises(Cancelled), oneUndoStep():
            raise Cancelled
        self.assertEqual(self.levels(), (0, 0))


class LayoutTest(SceneTest):
    SLICES = ["Red", "Yellow", "Green"]

    def test_slicer_understands_the_layouts_of_results(self):
        self.assertEqual(tags(show._GEOMETRY), ["1", *self.SLICES])
        for plots, table, slices, expected in (
            ([], True, True, [*self.SLICES, "TableView1"]),
            (["PlotView1"], True, True, ["Red", "PlotView1", "TableView1"]),
            (["PlotView1", "PlotView2"], False, True, ["Red", "PlotView1", "PlotView2"]),
            (["PlotView1", "PlotView2"], True, False, ["PlotView1", "PlotView2", "TableView1"]),
        ):
            self.assertEqual(tags(show.numbersLayout(plots, table, slices)), expected)

    def test_table_and_charts_are_put_into_the_views_of_their_layout(self):
        layouts = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLayoutNode")
        table = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTableNode")
        charts = [slicer.mrmlScene.AddNewNodeByClass("vtkMRMLPlotChartNode") for _ in range(2)]
        manager, numbers = mock.Mock(), []
        manager.setLayout.side_effect = numbers.append
        with mock.patch.object(slicer, "app", mock.Mock(layoutManager=lambda: manager), create=True):
            for some in (charts, charts[:1], [*charts[:1], None], []):
                show.showNumbers(table, some, False)
            show.showNumbers(None, charts, False)
        self.assertEqual(len(set(numbers)), 4)
        for number in numbers:
            self.assertTrue(layouts.IsLayoutDescription(number) and show.isForResults(number), number)
        self.assertFalse(show.isForResults(show.SLICES_LAYOUT))
        for number, chart in enumerate(charts, 1):
            view = slicer.mrmlScene.GetSingletonNode(f"PlotView{number}", "vtkMRMLPlotViewNode")
            self.assertEqual(view.GetPlotChartNodeID(), chart.GetID())
        view = slicer.mrmlScene.GetSingletonNode("TableView1", "vtkMRMLTableViewNode")
        self.assertEqual(view.GetTableNodeID(), table.GetID())


class ClosingTest(SceneTest):
    def test_no_segmentation_of_the_sample_changes_while_the_scene_closes(self):
        """Slicer's subject hierarchy logs a critical error for each that does: it has let go of their items by then."""
        settings = PhantomSettings(shape=(40, 40, 20))
        companions = CompanionSettings(bssfp_voxel_mm=(2, 2, 3), ct_voxel_mm=(3, 3, 3), structure_mm=0.5)
        scene.addCompanions(settings, companions)
        labels = np.zeros((6, 6, 6), dtype=np.uint8)
        labels[2:4, 2:4, 2:4] = 1
        scene.addSegmentation(labels, {1: "one"}, AFFINE, "another")
        nodes = slicer.util.getNodesByClass("vtkMRMLSegmentationNode")
        self.assertEqual(len(nodes), 4)
        changed = []
        segmentation = nodes[0].GetSegmentation()
        events = [segmentation.SegmentAdded, segmentation.SegmentRemoved, segmentation.SegmentModified]
        events += [segmentation.SegmentsOrderModified, slicer.vtkMRMLDisplayableNode.DisplayModifiedEvent]
        for node in nodes:
            for event in events:
                node.AddObserver(event, lambda caller, event: changed.append((caller.GetName(), event)))
        nodes[0].GetDisplayNode().SetVisibility(False)
        self.assertEqual(len(changed), 1)  # it would be noticed
        changed.clear()
        slicer.mrmlScene.Clear(0)
        self.assertEqual(changed, [])


class NumbersTest(unittest.TestCase):
    def setUp(self):
        texts = types.ModuleType("slicer.i18n")  # of the application; texts stay as they are
        texts.tr = str
        with mock.patch.dict(sys.modules, {"slicer.i18n": texts}):
            self.numbers = importlib.import_module("TrabecularQSMLib.scene.gui.numbers")

    def test_numbers_are_read_as_people_type_and_paste_them(self):
        for text in (
            "1.4 2.1",
            "1.4, 2.1",
            "1.4;2.1",
            "1.4\t2.1\n",
            "[1.4, 2.1]",
            "1.4 ms, 2.1 ms",
            "1.4 2.1ms",
            "1,4 2,1",
            "1,4; 2,1",
            "1,4, 2,1",
            "1,4 ms 2,1 ms",
        ):
            self.assertEqual(self.numbers.numbers(text, "times", "ms"), [1.4, 2.1], text)
        self.assertEqual(self.numbers.numbers("0,0,1", "numbers"), [0, 0, 1])
        self.assertEqual(self.numbers.numbers("1, 2,3, 4", "numbers"), [1, 2, 3, 4])
        self.assertEqual(self.numbers.numbers("", "numbers"), [])
        self.assertEqual(self.numbers.oneNumber("1,5", "field strength"), 1.5)

    def test_what_may_be_two_lists_is_asked_about(self):
        for text in ("1,4 2.1", "0,5 80", "1,4 2"):
            with self.assertRaisesRegex(InputError, "decimals with a point"):
                self.numbers.numbers(text, "times")
        for text in ("1.4 s", "one", "1:2", "nan 1"):
            with self.assertRaisesRegex(InputError, "numbers separated by spaces"):
                self.numbers.numbers(text, "times", "ms")
        with self.assertRaisesRegex(InputError, "whole numbers"):  # thousands or decimals?
            self.numbers.wholeNumbers("1,000 2,000", "numbers")


class WordsTest(unittest.TestCase):
    def test_an_argument_of_the_library_goes_by_the_label_of_its_parameter(self):
        labels = {"echo_times_ms": "Echo times"}
        self.assertEqual(inLabels("Check `echo_times` or `other_name`.", labels), "Check 'Echo times' or `other_name`.")
        self.assertEqual(inLabels("`snr` is 0; the snr counts.", {"snr": "SNR"}), "'SNR' is 0; the snr counts.")

    def test_one_thing_is_not_many(self):
        self.assertEqual([counted(n, "echo") for n in (0, 1, 2)], ["0 echoes", "1 echo", "2 echoes"])
        self.assertEqual(counted(1, "pair"), "1 pair")
        self.assertEqual(counted(3, "geometry", "geometries"), "3 geometries")


if __name__ == "__main__":
    unittest.main()
