"""Wayside for Python: a tablet that records offline and syncs when there is signal. See docs/integrating.md."""

import atexit

from .bindings import *
from .bindings import end_background

# Python kills, as it ends, any thread that comes back to it from a library, and a library of Rust aborts the program
# when that happens. So what runs in the background ends first.
atexit.register(end_background)
