"""The sidecar's own program in a process whose Python gets into trouble when a test says so.

`STUCK_FOLDER/hold` holds a number of seconds for which a thread keeps the GIL; `STUCK_FOLDER/raise`
raises an exception in the thread of every duty; their keepers run nothing that could raise one.
"""

from __future__ import annotations

import ctypes
import os
import runpy
import threading
from pathlib import Path

LOOK_EVERY_S = 0.02


def watch(folder: Path) -> None:
    """Do what the files say, once each."""
    pause = threading.Event()
    while not pause.wait(LOOK_EVERY_S):
        hold, fail = folder / "hold", folder / "raise"
        if hold.exists():
            seconds = int(hold.read_text())
            hold.rename(folder / "held")
            ctypes.PyDLL(None).sleep(seconds)  # PyDLL keeps the GIL
        if fail.exists():
            fail.rename(folder / "raised")
            others = {threading.main_thread().ident, threading.get_ident()}
            for thread in threading.enumerate():
                if thread.ident not in others and not thread.name.startswith("keep-"):
                    ctypes.pythonapi.PyThreadState_SetAsyncExc(
                        ctypes.c_ulong(thread.ident or 0), ctypes.py_object(RuntimeError)
                    )


threading.Thread(target=watch, args=(Path(os.environ["STUCK_FOLDER"]),), daemon=True).start()
runpy.run_module("pointsman_sidecar", run_name="__main__", alter_sys=True)
