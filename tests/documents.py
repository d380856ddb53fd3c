"""The code that the documentation shows, to be run."""

from __future__ import annotations

import os
import re
from pathlib import Path

DOCS = Path(__file__).parents[1] / "docs"
_BLOCK = re.compile(r"```python\n# (\S+)\n(.*?)```", re.DOTALL)


def write_files(document: str, folder: str) -> None:
    """
    Write the files that a page shows below ``folder``: blocks of Python whose first line is a comment with a name.
    Several blocks of one name are one file.
    """
    files: dict[str, list[str]] = {}
    for name, text in _BLOCK.findall((DOCS / document).read_text(encoding="utf-8")):
        files.setdefault(name, []).append(text)
    assert files, document
    for name, texts in files.items():
        with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
            file.write("\n".join(texts))
