"""
JSON as distribution writes it: no spaces, one newline at the end.
"""

from __future__ import annotations

import json
from typing import Any


def encode(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode("ascii") + b"\n"
