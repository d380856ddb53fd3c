"""What this version cannot do yet, and what it says when a file asks for it.

Both tables shrink as the features come: delete a line and the section is served. A pattern is a path in which
``*`` stands for any key or index.
"""

from collections.abc import Callable, Iterator

from attrs import frozen

from dregistry.config._problem import Path
from dregistry.config._tree import Scalar, Tree, is_null


def _given(tree: Tree) -> bool:
    """Whether there is any value at all."""
    if isinstance(tree, Scalar):
        return tree.value is not None and tree.text != ""
    return any(_given(child) for child in (tree.values() if isinstance(tree, dict) else tree))


def _named(tree: Tree) -> bool:
    """Whether there is a value, or a key even without one."""
    return bool(tree) if isinstance(tree, (dict, list)) else _given(tree)


def _true(tree: Tree) -> bool:
    return isinstance(tree, Scalar) and (tree.value is True or tree.value in ("y", "Y"))


def _active(tree: Tree) -> bool:
    """Whether an entry is not switched off by ``disabled: true``."""
    return not (isinstance(tree, dict) and _true(tree.get("disabled", [])))


def _present(tree: Tree) -> bool:
    return not is_null(tree)


def _is(*words: str) -> Callable[[Tree], bool]:
    return lambda tree: isinstance(tree, Scalar) and tree.text.lower() in words


@frozen
class Rule:
    """What to say of a value at a path.

    :ivar pattern: the path, dotted.
    :ivar applies: whether the value found there is meant.
    :ivar message: what to say.
    """

    pattern: str
    applies: Callable[[Tree], bool]
    message: str


def _refusal(what: str, why: str) -> str:
    return f"{what} not supported by this version, and starting without {why}; remove it to start"


_LETS_ENCRYPT = _refusal(
    "Let's Encrypt is",
    "it would be unsafe: there would be no certificate (have a client of ACME write http.tls.certificate and key)",
)
_MIDDLEWARE = _refusal("middleware of this kind is", "it would be different: what it adds or guards would be missing")
_PROXY = _refusal("a pull-through cache is", "it would be different: nothing would come from the upstream")

REFUSED = (
    Rule("proxy.remoteurl", _given, _PROXY),
    Rule("proxy.upstreams", _named, _PROXY),
    Rule("http.tls.letsencrypt", _given, _LETS_ENCRYPT),
    Rule(
        "http.h2c.enabled",
        _true,
        _refusal("HTTP/2 without TLS is", "it would be different: clients that speak only h2c would fail"),
    ),
    Rule("middleware.registry.*", _active, _MIDDLEWARE),
    Rule("middleware.repository.*", _active, _MIDDLEWARE),
)
"""Sections that change what is served or to whom: a file that uses one is not started."""

_NO_EFFECT = "has no effect in this version: "

WARNED = (
    Rule("log.hooks.*", _active, _NO_EFFECT + "no mail is sent"),
    Rule("reporting", _given, _NO_EFFECT + "errors are only logged"),
    Rule("http.tls.minimumtls", _is("tls1.0", "tls1.1"), "has no effect: tls1.2 is the least that is spoken"),
    Rule("compatibility.schema1.enabled", _true, "has no effect: schema 1 manifests are not supported"),
    Rule("validation.enabled", _present, "deprecated, has no effect; see validation.disabled"),
)
"""Sections that are accepted, and of which nothing comes."""


def apply_rules(tree: Tree, rules: tuple[Rule, ...]) -> Iterator[tuple[Path, str]]:
    """Say what the rules have to say of a file's tree, whether or not the rest of it is sound."""
    for rule in rules:
        for path, value in _select(tree, rule.pattern.split("."), ()):
            if rule.applies(value):
                yield path, rule.message


def _select(tree: Tree, steps: list[str], path: Path) -> Iterator[tuple[Path, Tree]]:
    if not steps:
        yield path, tree
    elif isinstance(tree, dict):
        for name in tree if steps[0] == "*" else [steps[0]]:
            if name in tree:
                yield from _select(tree[name], steps[1:], (*path, name))
    elif isinstance(tree, list) and steps[0] == "*":
        for index, child in enumerate(tree):
            yield from _select(child, steps[1:], (*path, index))
