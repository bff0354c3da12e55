"""Runs the emulator of AWS until standard input ends, so that it ends with the test that has started it.

The port stands in GATEWAY_PORT. The functions that the emulator runs end with it.
"""

import os
import signal
import sys
import threading
import time

import leading_keys

leading_keys.install()

from ministack.app import main
from ministack.core import lambda_runtime

# No function of a test has a longer time-out.
LONGEST_INVOCATION = 900

kill_workers = lambda_runtime.kill_workers
retired = set()


def retire(workers):
    """Ends processes of functions: a busy one after its invocation, since Lambda lets invocations finish when it replaces the
    code of a function. The emulator would end them in the middle."""
    kill_workers([worker for worker in workers if not worker.in_use])
    for worker in workers:
        if worker.in_use:
            retired.add(worker)
            threading.Thread(target=end_when_idle, args=(worker,), daemon=True).start()


def end_when_idle(worker):
    end = time.monotonic() + LONGEST_INVOCATION
    while worker.in_use and time.monotonic() < end:
        time.sleep(0.05)
    kill_workers([worker])
    retired.discard(worker)


def end_with_input():
    sys.stdin.buffer.read()
    lambda_runtime.kill_workers = kill_workers
    kill_workers(list(retired))
    os.kill(os.getpid(), signal.SIGTERM)


lambda_runtime.kill_workers = retire
threading.Thread(target=end_with_input, daemon=True).start()
main()
