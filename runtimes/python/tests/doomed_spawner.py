"""A spawner that says the processes of a parent, of a spare and of an instance, and waits to be
killed."""

import ctypes
import json
import os
import shutil
import signal
import subprocess
import sys
import time

from spawner import PR_SET_CHILD_SUBREAPER, PR_SET_PDEATHSIG, Parent, channel
from support import Site, pass_on

libc = ctypes.CDLL(None)
libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def prepare():
    """As the spawner prepares a parent."""
    pass_on(theirs.fileno())
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


ours, theirs = channel()
process = subprocess.Popen(
    [sys.executable, sys.argv[1], "parent"], close_fds=False, preexec_fn=prepare,
    stdout=subprocess.DEVNULL,
    env={"PATH": os.environ["PATH"], "STOKER_HANDLER": "main", "PYTHONDONTWRITEBYTECODE": "1",
         "STOKER_SPAWNER_PID": str(os.getpid())})
theirs.close()
site = Site()
site.setUp()
parent = Parent(site, ours)
parent.said()
spare, assigned = parent.fork(), parent.fork()
spare.said()
assigned.said()
assigned.assign().get()
# Now, for nobody cleans up behind a process that is killed.
shutil.rmtree(site.directory)
print(json.dumps([process.pid, spare.pid, assigned.pid]), flush=True)
time.sleep(600)
