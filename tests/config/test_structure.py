"""Structuring into classes other than the configuration's, as backends have them."""

from attrs import field, frozen, validators
from cattrs import ClassValidationError, StructureHandlerNotFoundError
from twisted.trial.unittest import SynchronousTestCase

from dregistry.config._structure import Faults, structure
from dregistry.config._tree import parse


@frozen
class Inner:
    """A section below."""

    size: int


@frozen
class Options:
    """The options of a backend."""

    bucket: str
    inner: Inner
    ratio: float = 1.0
    other: int | str = 0


@frozen
class Strict:
    """A class that rejects values on its own."""

    size: int = 1

    def __attrs_post_init__(self) -> None:
        if self.size < 1:
            raise RuntimeError("not here")


@frozen
class Validated:
    """A class with validators, as attrs has them."""

    size: int = field(default=1, validator=validators.lt(10))
    inner: Strict = Strict()

    @size.validator
    def _check(self, _: object, value: int) -> None:
        if value == 5:
            raise ValueError("5 is taken")


class StructureTests(SynchronousTestCase):
    """:func:`structure`."""

    def structure(self, text: str, model: type = Options) -> object:
        tree, _ = parse(text)
        assert isinstance(tree, dict)
        return structure(tree, model)

    def test_numbers(self) -> None:
        for written, value in {"2": 2.0, "0.5": 0.5}.items():
            options = self.structure(f"bucket: a\ninner: {{size: 1}}\nratio: {written}")
            self.assertEqual(options, Options("a", Inner(1), value))
        huge = f"bucket: a\ninner: {{size: 1}}\nratio: {10**400}"
        ((path, _),) = self.assertRaises(Faults, self.structure, huge).items
        self.assertEqual(path, ("ratio",))

    def test_validators(self) -> None:
        for size, message in {5: "5 is taken", 10: "'size' must be < 10: 10"}.items():
            faults = self.assertRaises(Faults, self.structure, f"size: {size}", Validated)
            self.assertEqual(list(faults.items), [((), message)])

    def test_required_keys(self) -> None:
        faults = self.assertRaises(Faults, self.structure, "inner: {}\nratio: true")
        self.assertEqual(
            sorted(faults.items),
            [
                (("bucket",), "missing, and it has no default"),
                (("inner", "size"), "missing, and it has no default"),
                (("ratio",), "expected a number, not 'true'"),
            ],
        )

    def test_defects_are_not_taken_for_faults(self) -> None:
        """What a class does wrong on its own is no fault of the file."""
        self.assertRaises(ClassValidationError, self.structure, "size: 0", Strict)
        self.assertRaises(StructureHandlerNotFoundError, self.structure, "bucket: a\ninner: {size: 1}\nother: 5")
