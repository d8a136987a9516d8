"""Looking at the stacks of threads while others start, end and leave garbage."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

# Where a collection may begin in sys._current_frames, its threads block each other within seconds.
PROGRAM = """
import gc, sys, threading, time
from supervisors import GenServer, Killed, unstopped

class Stuck(GenServer):
    def handle_cast(self, entered):
        entered.set()
        go.wait()

class Ring:
    def __init__(self):
        self.itself = self
    def __del__(self):
        for _ in range(50):
            pass

def starts():
    thread = threading.Thread(target=len, args=((),))
    thread.start()
    thread.join()

def again_and_again(act):
    while time.monotonic() < end:
        act()

go, entered, stuck = threading.Event(), threading.Event(), Stuck.start()
stuck.tell(entered)
entered.wait()
stuck.exit(Killed())
sys.setswitchinterval(1e-5)
gc.set_threshold(5)
end = time.monotonic() + 3
acts = [Ring, unstopped, unstopped, starts, starts]
threads = [threading.Thread(target=again_and_again, args=(act,), daemon=True) for act in acts]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(len(unstopped()), gc.isenabled())
go.set()
"""


def test_threads_are_looked_at() -> None:
    """The process does not come to a standstill, and garbage is collected afterwards."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.stdout, done.stderr, done.returncode) == ("1 True\n", "", 0)
