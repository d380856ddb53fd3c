"""Strings of a backend's own section."""

from collections.abc import Mapping

from attrs import frozen

from dregistry.config import ConfigError, read_options

from ._loading import LoadingTestCase


@frozen
class Options:
    """The options of a backend."""

    accesskey: str = ""
    secretkey: str = ""
    chunksize: int = 5
    secure: bool = True


class OptionsTests(LoadingTestCase):
    """:func:`read_options`."""

    def options(self, section: str, environ: Mapping[str, str] | None = None) -> Options:
        config = self.config(f"version: 0.1\nstorage: {{s3: {section}}}", environ or {})
        options, _ = read_options(config.storage.parameters, Options, "storage.s3", "config.yml")
        return options

    def test_strings_keep_their_text(self) -> None:
        """A key made of digits is no number."""
        for text in ("0123", "0x1F", "1e5", "1_000", "yes", "2001-01-01", "1.50"):
            self.assertEqual(self.options(f"{{accesskey: {text}}}").accesskey, text)
        self.assertEqual(self.options("{chunksize: 0x10, secure: no}"), Options(chunksize=16, secure=False))

    def test_strings_of_the_environment_keep_their_text(self) -> None:
        environ = {"REGISTRY_STORAGE_S3_ACCESSKEY": "0123", "REGISTRY_STORAGE_S3_SECRETKEY": "0b11"}
        options = self.options("{accesskey: replaced, chunksize: 7}", environ)
        self.assertEqual(options, Options("0123", "0b11", 7))
        options = self.options("{}", {"REGISTRY_STORAGE_S3": "{secretkey: 0777}"})
        self.assertEqual(options.secretkey, "0777")

    def test_other_mappings(self) -> None:
        """Of a program that builds a backend itself."""
        options, _ = read_options({"accesskey": "0123", "chunksize": 6}, Options, "storage.s3", "")
        self.assertEqual(options, Options("0123", chunksize=6))

    def test_faults(self) -> None:
        error = self.assertRaises(ConfigError, self.options, "{chunksize: many, secure: 2}")
        self.assertEqual({problem.path for problem in error.problems}, {"storage.s3.chunksize", "storage.s3.secure"})

    def test_unknown_keys(self) -> None:
        config = self.config("version: 0.1\nstorage: {s3: {chunksise: 6}}")
        _, warnings = read_options(config.storage.parameters, Options, "storage.s3", "config.yml")
        [warning] = warnings
        self.assertEqual(warning.path, "storage.s3.chunksise")
        self.assertIn("chunksize", warning.message)
