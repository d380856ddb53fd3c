"""
Plugins on a path of their own, and packages that they belong to.
"""

from __future__ import annotations

import os
import sys
from importlib import invalidate_caches
from typing import Any

import twisted.plugins
from dregistry.storage import API_VERSION

from .storage.support import temporary_directory

DRIVER = """
from attrs import frozen
from twisted.plugin import IPlugin
from zope.interface import implementer
from dregistry.storage import IStorageDriverFactory
from dregistry.storage.memory import MemoryDriver

@frozen
class Options:
    size: int = 7

@implementer(IPlugin, IStorageDriverFactory)
class Factory:
    name = {name!r}
    help = "for a test"
    api_version = {version}
    options = Options
    shared = True
    def max_threads(self, options): return 1
    def build(self, options, context): return MemoryDriver()

{more}
factory = Factory()
"""


class PluginFolder:
    """
    A directory that is on the path of modules, as ``site-packages`` is, as long as a test lasts.

    :ivar path: of the directory.
    """

    def __init__(self, case: Any) -> None:
        self.path = temporary_directory(case)
        self.plugins = os.path.join(self.path, "twisted", "plugins")
        os.makedirs(self.plugins)
        for path, folder in ((twisted.plugins.__path__, self.plugins), (sys.path, self.path)):
            path.append(folder)
            case.addCleanup(path.remove, folder)
        case.addCleanup(self._forget, set(sys.modules))

    def _forget(self, before: set[str]) -> None:
        for name in set(sys.modules) - before:
            if (getattr(sys.modules[name], "__file__", None) or "").startswith(self.path + os.sep):
                del sys.modules[name]

    def driver(self, module: str, name: str, version: int = API_VERSION, more: str = "") -> None:
        """A plugin module with the factory of a storage driver; ``more`` is run before that is made."""
        self.module(module, DRIVER.format(name=name, version=version, more=more))

    def module(self, module: str, text: str) -> None:
        with open(os.path.join(self.plugins, f"{module}.py"), "w", encoding="utf-8") as file:
            file.write(text)
        invalidate_caches()

    def package(self, name: str, version: str, *modules: str, **files: str) -> None:
        """
        What pip leaves of a package that installed these plugin modules.

        :param files: more of that, by name; ``_`` stands for a dot.
        """
        folder = os.path.join(self.path, f"{name}-{version}.dist-info")
        os.mkdir(folder)
        record = "".join(f"twisted/plugins/{module}.py,sha256=x,1\n" for module in modules)
        metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        for file, text in {"METADATA": metadata, "RECORD": record, **files}.items():
            with open(os.path.join(folder, file.replace("_json", ".json")), "w", encoding="utf-8") as written:
                written.write(text)
        invalidate_caches()
