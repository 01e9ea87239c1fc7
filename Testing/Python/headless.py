"""A scene of 3D Slicer without the application, from the libraries of ``slicer-core``: for tests and the demo.

Inside the application `start` does nothing, and its own scene is used.
"""

import atexit
import shutil
import tempfile
import types
from pathlib import Path

# What the application offers as slicer.modules.<name>.logic(), as far as the library and its tests use it.
LOGICS = {
    "colors": "vtkSlicerColorLogic",
    "segmentations": "vtkSlicerSegmentationsModuleLogic",
    "sequences": "vtkSlicerSequencesLogic",
    "subjecthierarchy": "vtkSlicerSubjectHierarchyModuleLogic",
    "volumes": "vtkSlicerVolumesLogic",
}
_session = None


def start():
    """Make slicer.mrmlScene and slicer.modules, once; return the scene."""
    global _session
    import slicer
    import slicer.util

    if getattr(slicer, "mrmlScene", None) is None:
        _session = _Session(slicer)
    return slicer.mrmlScene


def clear():
    """Empty the scene but for what every scene has."""
    import slicer

    slicer.mrmlScene.Clear(0)


class _Session:
    """Keeps alive what the scene needs: it holds only weak references to its logics."""

    def __init__(self, slicer):
        home = Path(tempfile.mkdtemp(prefix="mrml-"))
        atexit.register(shutil.rmtree, home, ignore_errors=True)
        (home / "share" / "ColorFiles").mkdir(parents=True)
        # The cache is a folder that says so, otherwise it is refused.
        cache = home / "cache"
        cache.mkdir()
        (cache / ".slicer-cache").touch()

        scene = slicer.vtkMRMLScene()
        self.application = slicer.vtkSlicerApplicationLogic()
        self.application.SetHomeDirectory(str(home))
        self.application.SetShareDirectory("share")
        self.application.SetTemporaryPath(str(home))
        self.application.SetMRMLScene(scene)

        # Without these a scene is written to .mrb but cannot be read from one.
        self.remote = slicer.vtkMRMLRemoteIOLogic()
        self.remote.SetMRMLScene(scene)
        self.remote.SetMRMLApplicationLogic(self.application)
        self.remote.GetCacheManager().SetRemoteCacheDirectory(str(cache))
        self.manager = slicer.vtkDataIOManagerLogic()
        self.manager.SetMRMLApplicationLogic(self.application)
        self.manager.SetAndObserveDataIOManager(self.remote.GetDataIOManager())
        self.remote.AddDataIOToScene()

        slicer.mrmlScene = scene
        slicer.modules = types.SimpleNamespace()
        self.logics = {}
        for name, class_name in LOGICS.items():
            logic = self.logics[name] = getattr(slicer, class_name)()
            logic.SetMRMLApplicationLogic(self.application)
            logic.SetMRMLScene(scene)
            setattr(slicer.modules, name, types.SimpleNamespace(logic=lambda logic=logic: logic))
        self.logics["colors"].AddDefaultColorNodes()
