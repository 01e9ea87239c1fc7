"""What the modules' own tests share."""

import slicer


class ModuleTestMixin:
    """For test classes that come before ScriptedLoadableModuleTest; Reload and Test calls their runTest()."""

    def setUp(self) -> None:
        """Start with an empty scene."""
        slicer.mrmlScene.Clear()

    def runTest(self) -> None:
        """Run all tests."""
        for name in (name for name in dir(self) if name.startswith("test_")):
            self.setUp()
            getattr(self, name)()
