"""What runs left in the scene, scans loaded with progress, and the layout for maps, on real MRML."""

import tempfile
import unittest
from pathlib import Path

import numpy as np
from scenes import SceneTest, cancel_at, slicer

from TrabecularQSMLib import scene
from TrabecularQSMLib.errors import Cancelled, InputError
from TrabecularQSMLib.files.phantom import write_phantom
from TrabecularQSMLib.phantom import PhantomSettings, make_phantom
from TrabecularQSMLib.pipeline import Reconstruction
from TrabecularQSMLib.scene.load import datasetsIn
from TrabecularQSMLib.scene.results import nameAmongAlike
from TrabecularQSMLib.settings import Settings

SHAPE = (4, 5, 6)


def result(notes=(), **maps):
    maps = {name: np.full(SHAPE, value, np.float32) for name, value in maps.items()}
    return Reconstruction(maps, Settings(), tuple(notes))


class RunsTest(SceneTest):
    def add(self, name, **maps):
        return scene.addMapVolumes(result(**maps), np.diag([2.0, 2.0, 3.0, 1.0]), name)

    def test_the_runs_of_the_scene_are_listed_with_units_windows_and_notes(self):
        self.assertEqual(scene.runsInScene(), [])
        self.add("first", mip=2.0, chi=0.1)
        nodes = self.add("second", notes=["Look.", "Listen."], pdff=0.5, mask=1.0, reliability=0.75, chi=0.0)
        latest, first = scene.runsInScene()
        self.assertEqual((latest.name, first.name), ("second maps", "first maps"))
        self.assertEqual(latest.nodes, nodes)
        self.assertEqual(latest.notes, ["Look.", "Listen."])
        self.assertEqual(first.notes, [])
        rows = [(row.title, row.unit, row.window) for row in latest.maps[:2]]
        self.assertEqual(rows, [("Susceptibility", "ppm", (-1.0, 1.0)), ("Fat fraction", "", (0.0, 1.0))])
        self.assertEqual([row.quantity for row in first.maps], ["chi", "mip"])
        self.assertEqual(scene.medianReliability(latest), 0.75)
        self.assertIsNone(scene.medianReliability(first))

    def test_other_volumes_and_deleted_maps_are_no_results(self):
        scene.addMapVolume(np.ones(SHAPE), np.eye(4), "chi", "lonely")
        nodes = self.add("run", chi=0.1, r2star=20.0)
        slicer.mrmlScene.RemoveNode(nodes["chi"])
        (run,) = scene.runsInScene()
        self.assertEqual([row.title for row in run.maps], ["R2*"])
        slicer.mrmlScene.RemoveNode(nodes["r2star"])
        self.assertEqual(scene.runsInScene(), [])

    def test_scans_that_are_called_alike_are_told_apart_in_a_saved_scene_too(self):
        nodes = [slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSequenceNode", "x") for _ in range(3)]
        nodes[1].SetName("magnitude")
        nodes[2].SetName("magnitude")
        self.assertEqual([*map(nameAmongAlike, nodes)], ["x", "magnitude", "magnitude (2)"])
        with tempfile.TemporaryDirectory() as folder:
            slicer.mrmlScene.SetURL(f"{folder}/scene.mrml")
            slicer.mrmlScene.Commit()
            slicer.mrmlScene.Clear(0)
            slicer.mrmlScene.Connect()
        nodes = slicer.util.getNodesByClass("vtkMRMLSequenceNode")
        self.assertEqual([*map(nameAmongAlike, nodes)], ["x", "magnitude", "magnitude (2)"])
        slicer.mrmlScene.RemoveNode(nodes[2])
        self.assertEqual([nameAmongAlike(nodes[2]), nameAmongAlike(None)], ["magnitude", None])

    def test_results_and_what_shows_sequences_are_no_echoes(self):
        echo = scene.addMapVolume(np.ones(SHAPE), np.eye(4), "mip", "echo")
        nodes = self.add("run", chi=0.1)
        sequences = scene.addEchoSequences(PHANTOM.acquisition, "scan")
        browser = scene.addEchoBrowser(*sequences)
        found = scene.volumesThatAreNoEchoes()
        self.assertNotIn(echo.GetID(), found)
        expected = [nodes["chi"], *(browser.GetProxyNode(one) for one in sequences)]
        self.assertEqual(sorted(found), sorted(node.GetID() for node in expected))


class LoadTest(SceneTest):
    def setUp(self):
        super().setUp()
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def test_loading_tells_its_progress_and_can_be_cancelled(self):
        write_phantom(self.folder, PHANTOM)
        told = []
        scene.loadScan(self.folder, progress=lambda fraction, message: told.append((fraction, message)))
        fractions = [fraction for fraction, _ in told]
        self.assertEqual(fractions, sorted(fractions))
        self.assertTrue(told[0][1].startswith("Reading"))
        self.assertIn("Adding echo 9 of 9 of sub-01 phase", [message for _, message in told])
        before = self.node_ids()
        for limit in (0.0, 0.8):
            self.assertRaises(Cancelled, scene.loadScan, self.folder, progress=cancel_at(limit))
        self.assertEqual(self.node_ids(), before)

    def test_the_notes_of_a_scan_stay_with_it(self):
        import scipy.io

        acquisition = PHANTOM.acquisition
        struct = {"signal": acquisition.echoes.transpose(3, 2, 1, 0), "TE_s": acquisition.echo_times}
        struct |= {"fieldStrength_T": 3.0, "centerFreq_Hz": acquisition.imaging_frequency}
        scipy.io.savemat(self.folder / "scan.mat", {"ImDataParams": struct})
        with self.assertRaisesRegex(InputError, "stores no voxel size"):
            scene.loadScan(self.folder / "scan.mat")
        magnitude, _phase = scene.loadScan(self.folder / "scan.mat", voxelSize=(3, 3, 4))
        self.assertIn("orientation", " ".join(scene.notesOf(magnitude)))
        self.assertEqual(magnitude.GetNthDataNode(0).GetSpacing(), (3.0, 3.0, 4.0))

    def test_several_datasets_are_listed(self):
        for name in ("a", "b"):
            write_phantom(self.folder / name, PHANTOM)
        self.assertEqual(datasetsIn(self.folder), ["a", "b"])
        self.assertEqual(datasetsIn(self.folder / "a"), ["."])
        with self.assertRaisesRegex(InputError, "2 datasets .a, b.; choose the folder of one of them"):
            scene.loadScan(self.folder)
        self.assertEqual(scene.loadScan(self.folder / "b")[0].GetName(), "sub-01 magnitude")


class LayoutTest(SceneTest):
    def test_slicer_understands_the_layout_for_maps(self):
        try:
            from TrabecularQSMLib.scene.gui import show
        except ImportError as error:
            self.skipTest(str(error))
        node = slicer.vtkMRMLLayoutNode()
        node.AddLayoutDescription(show.SLICES_LAYOUT, show._SLICES)
        node.SetViewArrangement(show.SLICES_LAYOUT)
        root, views = node.GetLayoutRootElement(), []

        def walk(element):
            if element.GetName() == "view":
                views.append(element.GetAttribute("singletontag"))
            for number in range(element.GetNumberOfNestedElements()):
                walk(element.GetNestedElement(number))

        walk(root)
        self.assertEqual(views, ["Red", "Yellow", "Green"])


PHANTOM = make_phantom(PhantomSettings(shape=(24, 24, 12), seed=2))


if __name__ == "__main__":
    unittest.main()
