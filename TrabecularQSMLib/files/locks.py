"""Locks on files, which are gone with the process that holds them, however it ends."""

import os

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None
    import msvcrt

# Windows lets nobody move, replace or remove a file that is open.
OPEN_FILES_STAY = fcntl is None
# Windows locks bytes and keeps others from reading them; nothing is ever written so far behind the start.
_FAR = 1 << 30


def lock(file) -> bool:
    """Lock an open file for this process, until it is closed, and tell whether no other process has.

    A file system without locks lets everybody have it.
    """
    if fcntl is not None:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError:
            pass
        return True
    here = os.lseek(file.fileno(), 0, os.SEEK_CUR)
    try:
        os.lseek(file.fileno(), _FAR, os.SEEK_SET)
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
    except OSError:
        return False
    finally:
        os.lseek(file.fileno(), here, os.SEEK_SET)
    return True
