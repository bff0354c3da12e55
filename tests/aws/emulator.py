"""Runs the emulator of AWS until standard input ends, so that it ends with the test that has started it.

The port stands in GATEWAY_PORT. The functions that the emulator runs end with it.
"""

import os
import signal
import sys
import threading

import leading_keys

leading_keys.install()

from ministack.app import main


def end_with_input():
    sys.stdin.buffer.read()
    os.kill(os.getpid(), signal.SIGTERM)


threading.Thread(target=end_with_input, daemon=True).start()
main()
