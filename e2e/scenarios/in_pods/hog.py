"""Takes a container's memory in small pieces, so that the kernel ends the largest process in it.

Argument: MiB in all.
"""

import os
import sys
import time

PIECE = 4 * 2**20
for _ in range(int(sys.argv[1]) * 2**20 // PIECE):
    if os.fork() == 0:
        held = bytearray(b"x" * PIECE)
        time.sleep(60)
        os._exit(len(held) and 0)
    time.sleep(0.02)
time.sleep(60)
