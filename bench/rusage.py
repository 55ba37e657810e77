"""Runs a command and writes what it used: `python -I -S rusage.py RESULT.json COMMAND...`.

A program of its own, and a small one, because Linux counts into a process's peak memory what its parent had between
fork and exec: started from the benchmark itself, every command would seem to need the benchmark's memory.
"""

import json
import os
import sys
import time

result, command = sys.argv[1], sys.argv[2:]
started = time.monotonic()
pid = os.posix_spawn(command[0], command, os.environ)
_, status, usage = os.wait4(pid, 0)
wall = time.monotonic() - started
with open(result, "w") as out:
    json.dump({
        "exit": os.waitstatus_to_exitcode(status),
        "wall_s": wall,
        "user_s": usage.ru_utime,
        "system_s": usage.ru_stime,
        "max_rss_mb": usage.ru_maxrss / 1024,
    }, out)
