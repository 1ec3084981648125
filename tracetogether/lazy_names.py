"""Names of a package that are imported when they are first used."""

from collections.abc import Callable, Mapping
from importlib import import_module


def lazy_names(package: str, modules: Mapping[str, str]) -> Callable[[str], object]:
    """Return the ``__getattr__`` of a package, which imports a name's module at its first use.

    So importing the package does not wait for what fits models. Modules of the package are
    attributes too, as if the package had imported them.

    Args:
        package: the package's name.
        modules: public name -> the module that defines it, without the package's name.

    >>> lazy_names("tracetogether", {"Interval": "units"})("Interval").__name__
    'Interval'
    """

    def attribute(name: str) -> object:
        if name in modules:
            return getattr(import_module(f"{package}.{modules[name]}"), name)
        path = f"{package}.{name}"
        if not name.startswith("_"):
            try:
                return import_module(path)
            except ModuleNotFoundError as error:
                if error.name != path:
                    raise
        raise AttributeError(f"module {package!r} has no attribute {name!r}")

    return attribute
