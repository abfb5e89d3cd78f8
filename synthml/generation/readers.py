"""What a fitted synthesizer can tell of itself, read by what its object looks like; no synthesizer's library is imported.

SDV        module `sdv...`: get_info, get_parameters, get_metadata (columns and their sdtypes)
synthcity  module `synthcity...` or a plugin with fqdn(): name, type, constructor parameters, random_state, epsilon and delta
mostlyai   module `mostlyai...`: the engine's estimators (get_params), or the SDK's Generator with its tables' configurations
others     a record of their own (`record()`), scikit-learn's get_params, or the parameters of their constructor

Only constructor parameters are read, never fitted state. A parameter is a number, a switch, a short text or a short list of
these; a table or an array becomes its shape, anything else the name of its type. Paths become `(path)`: they name people, sites.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Mapping
from importlib import metadata
from pathlib import PurePath
from typing import Any

from synthml.generation.record import GenerationRecord

__all__ = ["plain_parameter", "read_synthesizer"]

_LONG_TEXT = 200
_LONG_LIST = 32
_DEEP = 4
_SEEDS = ("random_state", "seed")
_LIBRARIES = {  # start of a module's name -> distributions to look for, where their names differ
    "mostlyai.engine": ("mostlyai-engine", "mostlyai"),
    "ydata_synthetic": ("ydata-synthetic",),
    "snsynth": ("smartnoise-synth",),
    "be_great": ("be-great",),
    "sklearn": ("scikit-learn",),
}


def read_synthesizer(synthesizer: object) -> dict[str, Any]:
    """The part of a generation record that a synthesizer knows."""
    own = getattr(synthesizer, "record", None)
    if callable(own):
        made = own()
        if isinstance(made, GenerationRecord):
            return made.to_dict()
    package = type(synthesizer).__module__.partition(".")[0]
    if package == "sdv":
        return _sdv(synthesizer)
    if package == "synthcity" or (_method(synthesizer, "fqdn") and _method(synthesizer, "hyperparameter_space")):
        return _synthcity(synthesizer)
    if package == "mostlyai" and hasattr(synthesizer, "tables"):
        return _mostlyai_generator(synthesizer)
    return _any(synthesizer)


def _sdv(synthesizer: Any) -> dict[str, Any]:
    info = _called(synthesizer, "get_info") or {}
    parameters = _called(synthesizer, "get_parameters") or {}
    inner = getattr(synthesizer, "_model_kwargs", None)
    if isinstance(inner, Mapping):  # the neural synthesizers keep theirs one level down
        parameters = {**inner, **{key: value for key, value in parameters.items() if value is not None}}
    record: dict[str, Any] = {"generator": _generator(synthesizer, parameters)}
    version = info.get("fitted_sdv_version")
    if isinstance(version, str):
        record["generator"]["version"] = version
    if isinstance(info.get("last_fit_date"), str):
        record["created"] = info["last_fit_date"]
    described = _called(synthesizer, "get_metadata") or getattr(synthesizer, "metadata", None)
    columns = _sdv_columns(_called(described, "to_dict") if described is not None else None)
    if columns:
        record["dictionary"] = columns
    return record


def _sdv_columns(described: Any) -> list[dict[str, Any]]:
    """The data dictionary: one table's columns, in the form of Metadata (tables) or of the older SingleTableMetadata."""
    if not isinstance(described, Mapping):
        return []
    tables = described.get("tables")
    table = next(iter(tables.values()), {}) if isinstance(tables, Mapping) and len(tables) == 1 else described
    columns = table.get("columns")
    if not isinstance(columns, Mapping):
        return []
    key = table.get("primary_key")
    out = []
    for name, facts in columns.items():
        entry: dict[str, Any] = {"name": str(name)}
        if isinstance(facts, Mapping):
            if isinstance(facts.get("sdtype"), str):
                entry["kind"] = facts["sdtype"]
            if facts.get("pii") is True or name == key:
                entry["classification"] = "direct"
        out.append(entry)
    return out


def _synthcity(plugin: Any) -> dict[str, Any]:
    parameters = _constructor_parameters(plugin)
    generator = _generator(plugin, parameters)
    name = _called(plugin, "fqdn") or _called(plugin, "name")
    if isinstance(name, str):
        generator["plugin"] = name
    record: dict[str, Any] = {"generator": generator}
    shape = getattr(plugin, "_original_shape", None)
    if isinstance(shape, tuple) and shape and isinstance(shape[0], int):
        generator["training_rows"] = shape[0]
    return record | _privacy(parameters)


def _mostlyai_generator(generator: Any) -> dict[str, Any]:
    """The SDK's Generator: one configuration per source table."""
    tables = [table for table in generator.tables or () if getattr(table, "name", None)]
    parameters: dict[str, Any] = {}
    privacy: dict[str, Any] = {}
    for table in tables:
        chosen = getattr(table, "tabular_model_configuration", None) or getattr(table, "language_model_configuration", None)
        if chosen is None:
            continue
        dumped = chosen.model_dump(mode="json", exclude_none=True) if _method(chosen, "model_dump") else dict(vars(chosen))
        private = dumped.get("differential_privacy") or dumped.get("differentialPrivacy")
        if isinstance(private, Mapping):
            privacy = _privacy(private)
        parameters[table.name] = dumped
    record: dict[str, Any] = {
        "generator": _generator(generator, parameters if len(tables) > 1 else next(iter(parameters.values()), {}))
    }
    rows = [table.total_rows for table in tables if isinstance(getattr(table, "total_rows", None), int)]
    if rows:
        record["generator"]["training_rows"] = sum(rows)
    seed = getattr(generator, "random_state", None)
    if isinstance(seed, int):
        record["generator"]["seeds"] = seed
    if isinstance(getattr(generator, "id", None), str):
        record["generator"]["id"] = generator.id
    return record | privacy


def _any(synthesizer: Any) -> dict[str, Any]:
    if _method(synthesizer, "get_params"):
        try:
            parameters = synthesizer.get_params(deep=False)
        except TypeError:
            parameters = synthesizer.get_params()
    else:
        parameters = _constructor_parameters(synthesizer)
    if not isinstance(parameters, Mapping):
        parameters = {}
    private = parameters.get("differential_privacy")
    return {"generator": _generator(synthesizer, parameters)} | _privacy(
        {**parameters, **(private if isinstance(private, Mapping) else {})}
    )


def _generator(synthesizer: object, parameters: Mapping[str, Any]) -> dict[str, Any]:
    kind = type(synthesizer)
    out: dict[str, Any] = {"name": f"{kind.__module__}.{kind.__qualname__}"}
    library, version = _library(kind.__module__)
    if library is not None:
        out["library"] = library
    if version is not None:
        out["version"] = version
    out["parameters"] = {str(name): plain_parameter(value) for name, value in parameters.items()}
    seeds = {
        name: value
        for name, value in parameters.items()
        if name in _SEEDS and isinstance(value, int) and not isinstance(value, bool)
    }
    if seeds:
        out["seeds"] = next(iter(seeds.values())) if len(seeds) == 1 else seeds
    return out


def _library(module: str) -> tuple[str | None, str | None]:
    package = module.partition(".")[0]
    if package in ("__main__", "builtins"):
        return None, None
    known = (names for start, names in _LIBRARIES.items() if f"{module}.".startswith(f"{start}."))
    names = next(known, (package, package.replace("_", "-")))
    for name in names:
        try:
            return name, metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return names[0], None


def _privacy(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """A declared budget, under the names that the libraries give it."""
    names = {"epsilon": ("epsilon", "max_epsilon", "maxEpsilon", "dp_epsilon"), "delta": ("delta", "dp_delta")}
    out: dict[str, Any] = {}
    if parameters.get("dp_enabled") is False:
        return out
    for field, spelled in names.items():
        for name in spelled:
            value = parameters.get(name)
            if isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value):
                out.setdefault(field, value)
    return {"privacy": out} if "epsilon" in out else {}


def _constructor_parameters(obj: Any) -> dict[str, Any]:
    """Attributes that bear the names of the constructor's parameters; fitted state never does."""
    try:
        signature = inspect.signature(type(obj).__init__)
    except (TypeError, ValueError):
        return {}
    names = {
        name
        for kind in type(obj).__mro__
        if "__init__" in vars(kind)
        for name in (inspect.signature(vars(kind)["__init__"]).parameters if kind is not object else ())
    } | set(signature.parameters)
    held = getattr(obj, "__dict__", {})
    out = {}
    for name in sorted(names - {"self", "args", "kwargs"}):
        for attribute in (name, f"_{name}"):
            if attribute in held:
                out[name] = held[attribute]
                break
    return out


def plain_parameter(value: Any, depth: int = 0) -> Any:
    """A parameter as JSON that carries no data: see the module's text."""
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, str):
        return value if len(value) <= _LONG_TEXT else f"(text of {len(value)} characters)"
    if isinstance(value, PurePath):
        return "(path)"
    shape = getattr(value, "shape", None)
    if isinstance(shape, tuple):
        if not shape and callable(getattr(value, "item", None)):  # a NumPy scalar
            return plain_parameter(value.item(), depth)
        return {"type": type(value).__name__, "shape": [size if isinstance(size, int) else str(size) for size in shape]}
    if isinstance(value, Mapping):
        if depth >= _DEEP or len(value) > _LONG_LIST:
            return {"type": type(value).__name__, "size": len(value)}
        return {str(key): plain_parameter(item, depth + 1) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        if depth >= _DEEP or len(value) > _LONG_LIST:
            return {"type": type(value).__name__, "size": len(value)}
        items = [plain_parameter(item, depth + 1) for item in value]
        return sorted(items, key=repr) if isinstance(value, (set, frozenset)) else items
    if isinstance(value, type) or callable(value):
        name = getattr(value, "__qualname__", type(value).__qualname__)
        return f"{getattr(value, '__module__', '')}.{name}".lstrip(".")
    return {"type": f"{type(value).__module__}.{type(value).__qualname__}"}


def _method(obj: object, name: str) -> bool:
    return callable(getattr(obj, name, None))


def _called(obj: Any, name: str) -> Any:
    method = getattr(obj, name, None)
    return method() if callable(method) else None
