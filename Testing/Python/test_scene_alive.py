"""What long computations let the application do meanwhile."""

import contextlib
import importlib
import sys
import threading
import time
import types
import unittest
from unittest import mock

import numpy as np
from scenes import SceneTest, slicer

from TrabecularQSMLib import scene
from TrabecularQSMLib.errors import Cancelled, InputError
from TrabecularQSMLib.phantom import CompanionSettings, PhantomSettings, make_companions, make_phantom
from TrabecularQSMLib.progress import report
from TrabecularQSMLib.scene.alive import EVERY_S, keepAlive, timeLeft
from TrabecularQSMLib.settings import preset
from TrabecularQSMLib.simulation.settings import SimulationSettings


class AliveTest(unittest.TestCase):
    def test_progress_is_called_by_this_thread_while_another_one_is_silent(self):
        enough, seen, threads = threading.Event(), [], set()

        def progress(fraction, message):
            seen.append((fraction, message))
            threads.add(threading.current_thread())
            if len(seen) == 4:
                enough.set()

        def work(told):
            report(told, 0.25, "Computing")
            self.assertTrue(enough.wait(60))  # one long step that reports nothing
            report(told, 1.0, "Done")
            return "result"

        self.assertEqual(keepAlive(work, progress), "result")
        self.assertEqual(seen[:4], [(0.25, "Computing")] * 4)
        self.assertEqual(seen[-1], (1.0, "Done"))
        self.assertEqual(threads, {threading.current_thread()})

    def test_no_report_is_lost_and_errors_come_out(self):
        seen = []

        def work(told):
            for number in range(100):
                report(told, number / 100, "step")
            raise InputError("The region is empty.")

        with self.assertRaisesRegex(InputError, "region is empty"):
            keepAlive(work, lambda fraction, message: seen.append(fraction))
        self.assertEqual(seen, [number / 100 for number in range(100)])
        self.assertEqual(keepAlive(lambda told: told, None), None)

    def test_cancel_passes_at_once_and_ends_the_computation_at_its_next_report(self):
        cancelled, ended = threading.Event(), threading.Event()

        def work(told):
            report(told, 0.5, "Computing")
            self.assertTrue(cancelled.wait(60))
            try:
                report(told, 0.6, "Computing")
            except Cancelled:
                ended.set()
                raise

        def progress(fraction, message):
            raise Cancelled

        with self.assertRaises(Cancelled):
            keepAlive(work, progress)
        cancelled.set()
        self.assertTrue(ended.wait(60))

    def test_what_takes_long_says_how_long(self):
        self.assertEqual(timeLeft(0.5, 1.0), "")
        self.assertEqual(timeLeft(0.5, 20.0), "")
        self.assertEqual(timeLeft(0.001, 20.0), "")
        self.assertEqual(timeLeft(0.25, 20.0), ", about 60 s left")
        self.assertEqual(timeLeft(0.1, 40.0), ", about 6 min left")


class QuittingTest(SceneTest):
    def test_a_run_whose_panel_is_taken_apart_ends_without_touching_its_widgets(self):
        texts = types.ModuleType("slicer.i18n")
        texts.tr = texts.translate = str
        with mock.patch.dict(sys.modules, {"slicer.i18n": texts}):
            run = importlib.import_module("TrabecularQSMLib.scene.gui.run")
        touched, steps = [], []

        class Panel(run.RunMixin):
            ui = mock.MagicMock()

            def refresh(self):
                self.touch()

            def touch(self):
                if self.gone:
                    touched.append("a widget that was deleted")

        panel = Panel()
        type(panel.ui.progressBar).value = mock.PropertyMock(side_effect=lambda *value: panel.touch())
        type(panel.ui.statusLabel).text = mock.PropertyMock(side_effect=lambda *value: panel.touch())

        def quitting():
            panel.gone = True  # as cleanup() does, while events pass

        def work(progress):
            for number in range(3):
                steps.append(number)
                progress(number / 3, "Computing")

        application = mock.Mock(processEvents=quitting)
        display = mock.Mock(side_effect=lambda *arguments, **options: contextlib.nullcontext())
        with (
            mock.patch.object(slicer, "app", application, create=True),
            mock.patch.multiple(slicer.util, tryWithErrorDisplay=display, showStatusMessage=mock.Mock()),
        ):
            self.assertIsNone(panel.run(work, "It failed.", str))
        self.assertEqual((steps, touched, panel.running), ([0], [], False))


class LongestSilenceTest(SceneTest):
    def silence(self, work):
        """Longest time in seconds between two reports of some work on nodes."""
        times = [time.monotonic()]
        work(lambda fraction, message: times.append(time.monotonic()))
        times.append(time.monotonic())
        return max(after - before for before, after in zip(times, times[1:], strict=False))

    def test_a_geometry_is_never_silent_for_half_a_second(self):
        settings = SimulationSettings(size=64)  # a box of 192³ voxels, more than a second's work
        found = self.silence(lambda told: scene.configurationNodes(settings, number=50, radius=8, progress=told))
        self.assertLess(found, 2.5 * EVERY_S)
        self.assertIsNotNone(slicer.mrmlScene.GetFirstNodeByName("geometry χ [ppm]"))


class StepTest(SceneTest):
    """What makes nodes lets events pass between them: each has panels and views that follow it."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.phantom = make_phantom(PhantomSettings(shape=(40, 40, 28), seed=3))
        cls.companions = make_companions(
            cls.phantom, CompanionSettings(bssfp_voxel_mm=(4, 4, 4), ct_voxel_mm=(4, 4, 4), structure_mm=0.5)
        )

    def works(self):
        """What makes many nodes, by name: functions of a progress callback."""
        acquisition = self.phantom.acquisition
        maps = {name: np.ones(acquisition.shape, np.float32) for name in ("chi", "r2star", "pdff")}
        result = types.SimpleNamespace(maps=maps, settings=preset(), notes=())
        return {
            "companions": lambda told: scene.addCompanionNodes(self.phantom, self.companions, "ankle", told),
            "scan": lambda told: scene.browsed(scene.addEchoSequences(acquisition, "ankle", told), told),
            "maps": lambda told: scene.addMapVolumes(result, acquisition.affine, "ankle", progress=told),
        }

    def test_no_more_than_one_node_with_its_helpers_is_made_at_a_time(self):
        for name, work in self.works().items():
            with self.subTest(name):
                counts = [slicer.mrmlScene.GetNumberOfNodes()]
                work(lambda *_, counts=counts: counts.append(slicer.mrmlScene.GetNumberOfNodes()))
                counts.append(slicer.mrmlScene.GetNumberOfNodes())
                self.assertGreater(counts[-1] - counts[0], 5)
                # A volume with its display and its table of colors, or a volume that shows a sequence.
                self.assertLessEqual(np.diff(counts).max(), 3)

    def test_cancel_at_any_step_leaves_the_scene_as_it_was(self):
        for name, work in self.works().items():
            reports = []
            work(lambda *said, reports=reports: reports.append(said))
            slicer.mrmlScene.Clear(0)
            slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)  # is made when asked for
            before = slicer.mrmlScene.GetNumberOfNodes()
            for at in range(len(reports)):
                with self.subTest(name, at=at, said=reports[at]):
                    steps = iter(range(len(reports)))

                    def stop(fraction, message, steps=steps, at=at):
                        if next(steps) == at:
                            raise Cancelled

                    with self.assertRaises(Cancelled):
                        work(stop)
                    self.assertEqual(slicer.mrmlScene.GetNumberOfNodes(), before)


if __name__ == "__main__":
    unittest.main()
