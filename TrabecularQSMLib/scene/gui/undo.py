"""Steps of Slicer's Undo."""

import contextlib

import slicer


@contextlib.contextmanager
def oneUndoStep():
    """Make what is done one step of Undo, where it is on; it reaches the nodes for which Slicer has it enabled.

    What raises, such as a run that is cancelled, leaves no step: Undo would seem to do nothing.
    """
    mrmlScene, saved = slicer.mrmlScene, 0
    if mrmlScene.GetUndoFlag():
        mrmlScene.SaveStateForUndo()
        saved = mrmlScene.GetNumberOfUndoLevels()
    try:
        yield
    except BaseException:
        # Closing the scene, where that was the reason, has cleared all steps.
        if saved and mrmlScene.GetNumberOfUndoLevels() == saved:
            # There is no other way to forget the newest step. Nodes are as they were: nothing changes.
            mrmlScene.Undo()
            mrmlScene.ClearRedoStack()
        raise
