"""The sample file: it loads, and it shows every key that works."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from dregistry.config import Configuration, load_file
from dregistry.config._refuse import REFUSED, WARNED
from dregistry.config._shape import is_driver_section, item_type, keys_of, section_class
from dregistry.config._tree import Tree, parse
from tests.config._loading import LoadingTestCase

SAMPLE = Path(__file__).parents[2] / "etc" / "dregistry.yml"

WITHOUT_EFFECT = {
    "compatibility",
    "http.h2c",
    "http.http2",
    "http.tls.letsencrypt",
    "log.hooks",
    "loglevel",
    "middleware.registry",
    "middleware.repository",
    "proxy",
    "redis.connmaxidletime",
    "redis.connmaxlifetime",
    "redis.contexttimeoutenabled",
    "redis.disableidentity",
    "redis.identitysuffix",
    "redis.mastername",
    "redis.maxactiveconns",
    "redis.maxidleconns",
    "redis.maxredirects",
    "redis.maxretries",
    "redis.maxretrybackoff",
    "redis.minidleconns",
    "redis.minretrybackoff",
    "redis.pool",
    "redis.poolfifo",
    "redis.poolsize",
    "redis.pooltimeout",
    "redis.protocol",
    "redis.readonly",
    "redis.routebylatency",
    "redis.routerandomly",
    "redis.sentinelpassword",
    "redis.sentinelusername",
    "redis.tls.clientcas",
    "redis.unstableresp3",
    "reporting",
    "storage.cache.layerinfo",
    "validation.enabled",
}
"""Keys that this version does nothing with, beside those of the tables; old names of keys."""


IN_PLACE_OF_OTHERS = {"auth.controllers"}
"""Keys that may not stand beside what the sample shows."""


def working_keys(type_: Any, path: str = "") -> Iterator[str]:
    """The paths of the model's single values, those left out that do nothing."""
    if path in WITHOUT_EFFECT | IN_PLACE_OF_OTHERS:
        return
    section = section_class(item_type(type_) or type_)
    if section is None:
        yield path
        return
    for name, key in keys_of(section).items():
        yield from working_keys(key.type, f"{path}.{name}".strip("."))


def shown_keys(tree: Tree, path: str = "") -> Iterator[str]:
    """The paths of all keys of a file, indexes left out."""
    yield path
    if isinstance(tree, list):
        for child in tree:
            yield from shown_keys(child, path)
    elif isinstance(tree, dict):
        for name, child in tree.items():
            yield from shown_keys(child, f"{path}.{name}".strip("."))


class SampleTests(LoadingTestCase):
    """``etc/dregistry.yml``."""

    def test_as_it_is(self) -> None:
        loaded = load_file(str(SAMPLE), {})
        self.assertEqual(loaded.warnings, ())
        storage = loaded.config.storage
        self.assertEqual((storage.driver, storage.parameters), ("filesystem", {"rootdirectory": "/var/lib/registry"}))
        self.assertEqual(loaded.config.http.addr, "localhost:5000")
        self.assertFalse(storage.delete.enabled)

    def test_with_every_key(self) -> None:
        text = re.sub(r"^#(?! \S|$)", "", SAMPLE.read_text(encoding="utf-8"), flags=re.MULTILINE)
        config = self.config(text)
        self.assertTrue(config.storage.delete.enabled)
        tree, _ = parse(text)
        shown = set(shown_keys(tree))
        self.assertEqual([path for path in working_keys(Configuration) if path not in shown], [])

    def test_list_of_what_does_nothing_is_right(self) -> None:
        for path in WITHOUT_EFFECT | IN_PLACE_OF_OTHERS:
            type_: Any = Configuration
            for step in path.split("."):
                section = section_class(type_)
                assert section is not None
                type_ = keys_of(section)[step].type
        self.assertTrue(is_driver_section(type(Configuration().auth)))
        self.assertTrue(REFUSED and WARNED)
