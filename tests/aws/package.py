"""Packages functions for Lambda: package.py FOLDER VERSION NAME=BINARY …

Writes FOLDER/NAME.zip with the binary, stripped, as `bootstrap`. If the package exists, its code stays, and it becomes another
version: a file with the version is added, so that every version has another hash.
"""

import pathlib
import subprocess
import sys
import tempfile
import zipfile

folder, version, *functions = sys.argv[1:]
for function in functions:
    name, binary = function.split("=", 1)
    package = pathlib.Path(folder, name + ".zip")
    is_new = not package.exists()
    # A higher level takes three times as long for a tenth of the size.
    with zipfile.ZipFile(package, "a", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        if is_new:
            with tempfile.TemporaryDirectory() as temporary:
                stripped = pathlib.Path(temporary, "bootstrap")
                subprocess.run(["strip", "-o", stripped, binary], check=True)
                archive.write(stripped, stripped.name)
        archive.writestr("VERSION-" + version, version)
