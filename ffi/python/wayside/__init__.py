"""Wayside for Python: a tablet that records offline and syncs when there is signal. See docs/integrating.md."""

import atexit

from .bindings.wayside import *
from .bindings.wayside import _UniffiLib, _uniffi_check_api_checksums, end_background

# The generator leaves this check out. Without it stale bindings call the library with the wrong arguments.
_uniffi_check_api_checksums(_UniffiLib)

# Python kills, as it ends, any thread that comes back to it from a library, and a library of Rust aborts the program
# when that happens. So what runs in the background ends first.
atexit.register(end_background)
