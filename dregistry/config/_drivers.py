"""Sections which name a backend, brought from the file's form to the model's."""

from dregistry.config._field import DriverSection
from dregistry.config._problem import Path
from dregistry.config._shape import is_driver_section, keys_of, nearest, section_class
from dregistry.config._tree import NULL, Scalar, Tree, describe, is_null

Fault = tuple[Path, str]


def name_drivers(tree: dict[str, Tree], model: type) -> tuple[dict[str, Tree], list[Fault]]:
    """Turn ``storage: {filesystem: {...}, delete: {...}}`` into the keys driver, parameters and delete.

    :return: the tree in the model's form, and the faults: no driver where one is required, more than one,
        options that are no mapping. After a fault the driver is ``""``.
    """
    faults: list[Fault] = []
    result = dict(tree)
    for name, key in keys_of(model).items():
        section = section_class(key.type)
        if section is not None and is_driver_section(section) and issubclass(section, DriverSection):
            result[name] = _name_driver(tree.get(name, NULL), section, (name,), faults)
    return result, faults


def _name_driver(tree: Tree, section: type[DriverSection], path: Path, faults: list[Fault]) -> Tree:
    if isinstance(tree, Scalar):
        tree = {} if is_null(tree) or not tree.text else {tree.text: NULL}
    if not isinstance(tree, dict):
        faults.append((path, f"must be the name of a driver or a mapping, not {describe(tree)}"))
        return NULL
    keys = keys_of(section)
    named = {name: options for name, options in tree.items() if name not in keys}
    rest: dict[str, Tree] = {name: value for name, value in tree.items() if name in keys}
    if len(named) > 1:
        faults.append((path, _several(path, named, section)))
        return rest
    if not named:
        if section.required:
            faults.append((path, f"no {path[0]} driver is named; name exactly one, such as filesystem"))
        return rest
    ((driver, options),) = named.items()
    if not isinstance(options, dict) and not is_null(options):
        message = f"must be a mapping of the driver's options, not {describe(options)}"
        faults.append(((*path, driver), message))
        return rest
    return {**rest, "driver": Scalar(driver, driver), "parameters": options}


def _several(path: Path, named: dict[str, Tree], section: type[DriverSection]) -> str:
    message = (
        f"multiple {path[0]} drivers specified in configuration or environment: {', '.join(sorted(named))};"
        " name exactly one"
    )
    if "controllers" in keys_of(section):
        message += f", or list them under {path[0]}.controllers"
    meant = {name: nearest(name, keys_of(section)) for name in named}
    hints = [f"{name} is no driver but meant as {near}" for name, near in meant.items() if near is not None]
    return message + "".join(f" (perhaps {hint})" for hint in hints)
