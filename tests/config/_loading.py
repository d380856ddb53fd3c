"""A base for test cases which load configurations."""

from collections.abc import Mapping

from twisted.trial.unittest import SynchronousTestCase

from dregistry.config import ConfigError, Configuration, Loaded, load

MINIMAL = "version: 0.1\nstorage: inmemory\n"


class LoadingTestCase(SynchronousTestCase):
    """Loads text, and says what came of it."""

    def load(self, text: str, environ: Mapping[str, str] | None = None) -> Loaded:
        return load(text, source="test.yml", environ=environ or {})

    def config(self, text: str, environ: Mapping[str, str] | None = None) -> Configuration:
        """The configuration of ``text``, which must have neither faults nor warnings."""
        loaded = self.load(text, environ)
        self.assertEqual([str(warning) for warning in loaded.warnings], [])
        return loaded.config

    def warnings(self, text: str, environ: Mapping[str, str] | None = None) -> dict[str, str]:
        """The warnings by path."""
        return {warning.path: warning.message for warning in self.load(text, environ).warnings}

    def faults(self, text: str, environ: Mapping[str, str] | None = None) -> dict[str, str]:
        """The faults by path, of which there must be some."""
        error = self.assertRaises(ConfigError, self.load, text, environ)
        for line in str(error).splitlines()[1:]:
            self.assertTrue(line.startswith("  ") and ": " in line, line)
        return {problem.path: problem.message for problem in error.problems}
