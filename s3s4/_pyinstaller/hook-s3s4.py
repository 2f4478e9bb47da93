"""For PyInstaller: the variants are imported by names that no statement tells it.

What `s3s4.plot` draws with comes along where the application imports it: it would bring pandas and
SciPy, and with them whatever array library is installed, into every application.
"""

from s3s4._cpu.variant import MODULES

hiddenimports = [*MODULES.values()]
excludedimports = ["matplotlib"]
