"""Registration by BRAINS, whose program is a stand-in here, on real MRML."""

import types
import unittest
from unittest import mock

import numpy as np
from scenes import slicer
from two_images import (
    FIXED_AFFINE,
    FIXED_SHAPE,
    TRUTH,
    TwoImagesTest,
    rigid,
)

from TrabecularQSMLib import scene
from TrabecularQSMLib.analysis.agreement import largest_displacement
from TrabecularQSMLib.analysis.registration import find_start
from TrabecularQSMLib.errors import Cancelled, InputError
from TrabecularQSMLib.scene import brains
from TrabecularQSMLib.scene.registration import qualityOf

# Names of BRAINSFit's arguments, from BRAINSFit/BRAINSFit.xml of github.com/BRAINSia/BRAINSTools.
BRAINSFIT_ARGUMENTS = """
    fixedVolume movingVolume samplingPercentage splineGridSize linearTransform bsplineTransform outputVolume
    initialTransform initializeTransformMode useRigid useScaleVersor3D useScaleSkewVersor3D useAffine useBSpline useSyN
    useComposite maskProcessingMode fixedBinaryVolume movingBinaryVolume outputFixedVolumeROI outputMovingVolumeROI
    useROIBSpline histogramMatch medianFilterSize removeIntensityOutliers fixedVolume2 movingVolume2
    outputVolumePixelType backgroundFillValue scaleOutputValues interpolationMode numberOfIterations maximumStepLength
    minimumStepLength relaxationFactor translationScale reproportionScale skewScale maxBSplineDisplacement
    fixedVolumeTimeIndex movingVolumeTimeIndex numberOfHistogramBins numberOfMatchPoints costMetric
    maskInferiorCutOffFromCenter ROIAutoDilateSize ROIAutoClosingSize numberOfSamples strippedOutputTransform
    transformType outputTransform initializeRegistrationByCurrentGenericTransform writeOutputTransformInFloat
    failureExitCode writeTransformOnFailure numberOfThreads debugLevel costFunctionConvergenceFactor
    projectedGradientTolerance maximumNumberOfEvaluations maximumNumberOfCorrections UseDebugImageViewer
    PromptAfterImageSend metricSamplingStrategy logFileReport printVersionInfo
""".split()
BRAINSFIT_CHOICES = {
    "initializeTransformMode": ["Off", "useMomentsAlign", "useCenterOfHeadAlign", "useGeometryAlign"],
    "maskProcessingMode": ["NOMASK", "ROIAUTO", "ROI"],
}


class BrainsTest(TwoImagesTest):
    """BRAINS itself is a program of the application; what it is told, and what becomes of its result, is seen here."""

    def register(self, result=None, **options):
        calls = []

        def command(parameters, progress):
            calls.append({name: value for name, value in parameters.items()})
            transform, moving = parameters["linearTransform"], parameters["movingVolume"]
            start = parameters.get("initialTransform")
            if start is not None:
                matrix = slicer.util.vtkMatrixFromArray(np.eye(4))
                start.GetMatrixTransformToParent(matrix)
                calls[-1]["start"] = slicer.util.arrayFromVTKMatrix(matrix)
            if "fixedBinaryVolume" in parameters:
                calls[-1]["mask"] = slicer.util.arrayFromVolume(parameters["fixedBinaryVolume"]).copy()
            # As Slicer does with the transform that the program writes.
            transform.SetMatrixTransformToParent(slicer.util.vtkMatrixFromArray(np.linalg.inv(TRUTH)))
            moving.SetAndObserveTransformNodeID(transform.GetID())
            if result is not None:
                raise result

        def run(*arguments):
            return brains.runBrains(*arguments, command=command)

        return scene.registerNodes(self.fixed, self.moving, useBrains=True, run=run, **options), calls

    def test_its_arguments_are_those_of_its_description(self):
        self.without_search()
        mask = scene.addSegmentation(np.ones(FIXED_SHAPE, np.uint8), {1: "all"}, FIXED_AFFINE, "all")
        for start in ("geometry", "moments", "current"):
            _, (call,) = self.register(start=start, mask=mask)
            seen = {name: call.pop(name) for name in ("start", "mask") if name in call}
            self.assertLessEqual(set(call), set(BRAINSFIT_ARGUMENTS))
            self.assertEqual(call["initializeTransformMode"], "Off")
            for name, choices in BRAINSFIT_CHOICES.items():
                self.assertIn(call[name], choices)
            self.assertEqual((call["fixedVolume"], call["movingVolume"]), (self.fixed, self.moving))
            self.assertIs(call["useRigid"], True)
            self.assertIn("initialTransform", call)
            np.testing.assert_array_equal(seen["mask"], 1)

    def test_it_compares_as_many_voxels_as_this_library(self):
        self.without_search()
        half = np.zeros(FIXED_SHAPE, np.uint8)
        half[:15] = 1
        mask = scene.addSegmentation(half, {1: "half"}, FIXED_AFFINE, "half")
        voxels = half.size
        for samples, inside, share in ((voxels // 4, None, 0.25), (voxels // 4, mask, 0.5), (voxels * 2, None, 1.0)):
            with mock.patch.object(brains, "SAMPLES", samples):
                _, (call,) = self.register(mask=inside)
            self.assertEqual(call["samplingPercentage"], share)

    def test_it_starts_from_the_transform_set_by_hand(self):
        self.without_search()
        near = rigid((1, 2, 3), (4, 5, 6))
        self.moving.SetAndObserveTransformNodeID(self.transform(near).GetID())
        _, (call,) = self.register(start="current")
        np.testing.assert_allclose(call["start"], near, atol=1e-9)

    def test_it_starts_from_this_library_s_search_and_not_from_its_own(self):
        points = np.random.default_rng(1).uniform(-25, 25, size=(50, 3))
        distances = {}
        for start in ("geometry", "moments"):
            self.moving.SetAndObserveTransformNodeID(None)
            _, (call,) = self.register(start=start)
            distances[start] = largest_displacement(np.linalg.inv(call["start"]), TRUTH, points)
        self.assertLess(distances["geometry"], 4)  # of 2 mm voxels two, before BRAINS has turned anything
        images = [
            (array, scene.affineFromVolume(node))
            for array, node in zip(self.arrays, (self.fixed, self.moving), strict=True)
        ]
        expected = find_start(*images[0], *images[1], start="moments")
        np.testing.assert_allclose(np.linalg.inv(call["start"]), expected, atol=1e-6)

    def test_its_result_is_judged_as_that_of_this_library(self):
        self.without_search()
        own = qualityOf(scene.registerNodes(self.fixed, self.moving))
        self.moving.SetAndObserveTransformNodeID(None)
        transform, _ = self.register()
        found = qualityOf(transform)
        self.assertAlmostEqual(found["quality"], own["quality"], delta=0.05)
        self.assertAlmostEqual(found["overlap"], own["overlap"], delta=0.05)
        self.assertNotIn("warning", {**own, **found})
        # As it came out in the application: 26 mm off, and nothing of its own says so.
        for off, start in ((26, "current"), (8, "geometry")):
            self.moving.SetAndObserveTransformNodeID(None)
            run = mock.Mock(return_value=rigid((0, 0, 0), (off, 0, 0)) @ TRUTH)
            transform = scene.registerNodes(self.fixed, self.moving, useBrains=True, run=run, start=start)
            self.assertIn("The registration failed: quality 0.", qualityOf(transform)["warning"])
            self.assertIn("The registration failed", transform.GetDescription())

    def test_its_result_is_above_the_moving_volume_and_nothing_else_is_left(self):
        self.without_search()
        ids = self.node_ids()
        transform, _ = self.register()
        self.assertLess(self.error_mm(), 1e-9)
        self.assertIs(self.moving.GetParentTransformNode(), transform)
        self.assertEqual(self.node_ids(), sorted([*ids, transform.GetID()]))
        self.assertEqual(qualityOf(transform)["program"], "BRAINSFit")

    def test_its_failure_leaves_the_scene_as_it_was(self):
        self.without_search()
        above = self.transform(np.eye(4))
        self.moving.SetAndObserveTransformNodeID(above.GetID())
        ids = self.node_ids()
        for error in (RuntimeError, Cancelled):
            with self.assertRaises(error):
                self.register(result=error())
            self.assertIs(self.moving.GetParentTransformNode(), above)
        self.assertEqual(self.node_ids(), ids)

    def test_a_scene_that_was_closed_meanwhile_is_not_touched(self):
        def command(parameters, progress):
            self.scene.Clear(0)
            # Nodes of the next scene get the same IDs.
            nodes.extend(self.scene.AddNewNodeByClass("vtkMRMLLinearTransformNode") for _ in range(4))
            raise Cancelled

        nodes = []
        with self.assertRaises(Cancelled):
            brains.runBrains(self.fixed, self.moving, np.eye(4), np.ones(FIXED_SHAPE), command=command)
        for node in nodes:
            self.assertIs(self.scene.GetNodeByID(node.GetID()), node)

    def test_a_slicer_without_brains_is_said(self):
        with (
            mock.patch.object(slicer, "modules", types.SimpleNamespace()),
            self.assertRaisesRegex(InputError, r"General Registration \(BRAINS\) is not in this Slicer"),
        ):
            scene.registerNodes(self.fixed, self.moving, useBrains=True)

    def run_program(self, end, progress=None):
        """Register with a program that is busy until events pass, and then ends as told; return its node."""
        program = slicer.vtkMRMLCommandLineModuleNode()
        program.SetName("BRAINSFit")
        program = self.scene.AddNode(program)
        program.SetStatus(program.Running)

        def start(module, node, parameters):
            result = slicer.util.vtkMatrixFromArray(np.linalg.inv(TRUTH))
            parameters["linearTransform"].SetMatrixTransformToParent(result)
            return program

        def passEvents():
            # What was asked to stop does, whatever it would have come to.
            stopping = program.GetStatus() == program.Cancelling
            program.SetOutputText("no overlap" if end == "CompletedWithErrors" else "")
            program.SetStatus(program.Cancelled if stopping else getattr(program, end))

        application = {"app": mock.Mock(), "cli": mock.Mock(run=start), "modules": mock.Mock()}
        application["app"].processEvents = passEvents
        with mock.patch.multiple(slicer, create=True, **application):
            try:
                scene.registerNodes(self.fixed, self.moving, useBrains=True, progress=progress)
            finally:
                self.assertFalse(program.IsBusy())
                self.assertIsNone(self.scene.GetFirstNodeByName("BRAINSFit"))
        return program

    def test_the_program_is_waited_for_with_its_progress(self):
        self.without_search()
        seen = []
        program = self.run_program("Completed", lambda fraction, message: seen.append(message))
        last = ["General Registration (BRAINS)", "Comparing the images", "Registered"]
        self.assertEqual([one for one in dict.fromkeys(seen) if one in last], last)
        self.assertLess(self.error_mm(), 1e-9)
        self.assertEqual(program.GetStatus(), program.Completed)

    def test_its_error_is_told(self):
        self.without_search()
        for end, said in (("CompletedWithErrors", "no overlap"), ("Idle", "it did not start")):
            with self.assertRaisesRegex(RuntimeError, rf"General Registration \(BRAINS\) failed: {said}"):
                self.run_program(end)
            self.assertIsNone(self.moving.GetParentTransformNode())

    def test_it_can_be_cancelled(self):
        self.without_search()

        def cancel(fraction, message):
            if "BRAINS" in message:
                raise Cancelled

        for end, progress in (("Completed", cancel), ("Cancelled", None)):
            with self.assertRaises(Cancelled):
                self.run_program(end, progress)
            self.assertIsNone(self.moving.GetParentTransformNode())


if __name__ == "__main__":
    unittest.main()
