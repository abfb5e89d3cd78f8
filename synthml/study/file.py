"""The study file: schema, tables, generation record, model and settings of one study, in YAML.

Reading it touches no table and imports no model: `study()` reads and checks the tables, `build_estimator()` imports and builds
the estimator. Paths are relative to the file. A study file names code to import: treat one from a stranger as you would a script.
"""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from synthml.documents import YamlDocument, read_yaml
from synthml.errors import InputError, Problem, StudyError
from synthml.generation import GenerationRecord
from synthml.settings import MeasureSettings
from synthml.study.schema import ROLES, Schema, nearest_word
from synthml.study.study import Study

__all__ = ["Built", "StudyFile"]

_PARTS = ("schema", "tables", "generation", "model", "generator", "measure", "tracking", "seed")
_DRAWS = "draws"
_TRACKING = ("experiment", "registered_model")
_MODEL = ("estimator", "params")
_GENERATOR = ("synthesizer", "params")
_MAXIMUM_SEED = 2**32 - 1
_EXPONENT = re.compile(r"[+-]?[0-9]+[eE][+-]?[0-9]+")


class _FileError(InputError):
    """What `read_yaml` raises; told as a StudyError like everything else that is wrong with a study."""


@dataclass(frozen=True)
class Built:
    """An estimator or a synthesizer by its import path, `package.module.Class`, and the parameters it is built with.

    where: the part of the study file that names it, for messages.
    """

    path: str
    params: Mapping[str, Any] = field(default_factory=dict)
    where: str = "model.estimator"

    def build(self, **more: Any) -> Any:
        """Import the class and build it; `more` goes over the parameters. Raises StudyError with what is missing."""
        target = _imported(self.path, self.where)
        if not callable(target):
            told = f"'{self.path}' is a {type(target).__name__}, which cannot be called"
            raise _problem(self.where, told, "Name a class or a function.")
        params = {**self.params, **more}
        try:
            return target(**params)
        except (TypeError, ValueError) as error:
            unknown = _unknown_parameters(target, params)
            remedy = f"It has no parameter {', '.join(unknown)}." if unknown else f"Check {self.where.partition('.')[0]}.params."
            raise _problem(self.where, f"'{self.path}' does not accept its parameters ({error})", remedy) from error


@dataclass(frozen=True)
class StudyFile:
    """A study file that was read. tables: role -> path; settings: how to measure; model None: nothing is to be trained.

    drawn: further tables that the same generator made, for policies that decide on the worst draw. generator: what made the
    synthetic table, for what has to make more of them (sweeps, shadow models).
    """

    path: Path
    schema: Schema
    tables: Mapping[str, Path]
    generation: GenerationRecord | None = None
    model: Built | None = None
    generator: Built | None = None
    settings: MeasureSettings = field(default_factory=MeasureSettings)
    experiment: str | None = None
    registered_model: str | None = None
    seed: int = 0
    drawn: tuple[Path, ...] = ()

    @classmethod
    def load(cls, path: str | Path) -> StudyFile:
        """Read a study file. Raises StudyError with every problem, each with its line."""
        return _Reader(Path(path)).read()

    def study(self, *, digest_key: bytes | None = None) -> Study:
        """Read and check the tables. Raises StudyError."""
        return Study(self.schema, **self.tables, generation=self.generation, digest_key=digest_key)

    def draws(self, *, digest_key: bytes | None = None) -> tuple[Study, ...]:
        """The study once more with each further draw. Raises StudyError."""
        return tuple(
            Study(self.schema, **{**self.tables, "synthetic": path}, generation=self.generation, digest_key=digest_key)
            for path in self.drawn
        )

    def build_estimator(self) -> Any:
        """Import and build the model's estimator; None when the file names no model. Raises StudyError."""
        return None if self.model is None else self.model.build()

    def build_synthesizer(self) -> Any:
        """Import and build the generator; None when the file names none. Raises StudyError."""
        return None if self.generator is None else self.generator.build()


class _Reader:
    """Reads one file, collecting problems with their lines."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.problems: list[Problem] = []
        try:
            self.document: YamlDocument = read_yaml(path, _FileError)
        except _FileError as error:
            raise StudyError([Problem("study file", str(error), "See the example study file in the documentation.")]) from error

    def wrong(self, location: tuple[str | int, ...], what: str, remedy: str) -> None:
        where = ".".join(str(step) for step in location) or "study"
        self.problems.append(Problem(f"{self.document.at(location)}: {where}", what, remedy))

    def read(self) -> StudyFile:
        data = self.document.data
        if not isinstance(data, Mapping):
            self.wrong((), "is not a map", "Write `schema:`, `tables:` and so on, each on a line of its own.")
            raise StudyError(self.problems)
        self.unknown((), data, _PARTS)
        schema = self.schema(data)
        tables, drawn = self.tables(data), self.drawn(data)
        generation = self.generation(data)
        model = self.built(data, "model", _MODEL, "xgboost.XGBClassifier")
        generator = self.built(data, "generator", _GENERATOR, "synthml.CartSynthesizer")
        settings = self.settings(data)
        tracking = self.part(data, "tracking", _TRACKING)
        for name, value in tracking.items():
            if not isinstance(value, str) or not value:
                self.wrong(("tracking", name), "is not a name", "Write it as text.")
        seed = data.get("seed", 0)
        if not isinstance(seed, int) or isinstance(seed, bool) or not 0 <= seed <= _MAXIMUM_SEED:
            self.wrong(("seed",), "is not a whole number from 0 to 2^32 - 1", "Write `seed: 7`.")
        if self.problems or schema is None:
            raise StudyError(self.problems)
        return StudyFile(
            path=self.path,
            schema=schema,
            tables=tables,
            generation=generation,
            model=model,
            generator=generator,
            settings=settings,
            experiment=tracking.get("experiment"),
            registered_model=tracking.get("registered_model"),
            seed=seed,
            drawn=drawn,
        )

    def unknown(self, location: tuple[str, ...], data: Mapping[Any, Any], known: tuple[str, ...]) -> None:
        for key in data:
            if key not in known:
                self.wrong((*location, key), "is unknown here", nearest_word(str(key), known))

    def part(self, data: Mapping[str, Any], name: str, known: tuple[str, ...]) -> dict[str, Any]:
        """A map of the file, or an empty one; null values are left out."""
        value = data.get(name)
        if value is None:
            return {}
        if not isinstance(value, Mapping):
            self.wrong((name,), f"is a {type(value).__name__}, not a map", f"Write `{name}: {{{known[0]}: ...}}`.")
            return {}
        self.unknown((name,), value, known)
        return {key: item for key, item in value.items() if item is not None and key in known}

    def schema(self, data: Mapping[str, Any]) -> Schema | None:
        if data.get("schema") is None:
            self.wrong((), "has no schema", "Write at least `schema: {target: ...}`.")
            return None
        try:
            return Schema.from_dict(data["schema"])
        except StudyError as error:
            for problem in error.problems:
                location = tuple(problem.where.split("."))
                self.problems.append(Problem(f"{self.document.at(location)}: {problem.where}", problem.what, problem.remedy))
        return None

    def tables(self, data: Mapping[str, Any]) -> dict[str, Path]:
        given = {role: value for role, value in self.part(data, "tables", (*ROLES, _DRAWS)).items() if role != _DRAWS}
        if not given and not self.problems:
            self.wrong(("tables",), "names no table", "Write `tables: {synthetic: synthetic.parquet, holdout: real_test.csv}`.")
        paths = {}
        for role, value in given.items():
            if not isinstance(value, str):
                self.wrong(("tables", role), f"is a {type(value).__name__}, not the path of a file", "Write the path as text.")
                continue
            paths[role] = self.path.parent / value
        return paths

    def drawn(self, data: Mapping[str, Any]) -> tuple[Path, ...]:
        tables = data.get("tables")
        if not isinstance(tables, Mapping) or tables.get(_DRAWS) is None:
            return ()
        given = tables[_DRAWS]
        files = isinstance(given, list) and all(isinstance(one, str) for one in given)
        if not files or "synthetic" not in tables:
            told = "is not a list of files beside tables.synthetic"
            self.wrong(("tables", _DRAWS), told, "Write `draws: [second.parquet]`: further tables of the same generator.")
            return ()
        return tuple(self.path.parent / one for one in given)

    def generation(self, data: Mapping[str, Any]) -> GenerationRecord | None:
        given = data.get("generation")
        if given is None:
            return None
        document = None
        if isinstance(given, str):
            try:
                document = read_yaml(self.path.parent / given, _FileError)
            except _FileError as error:
                self.wrong(("generation",), str(error), "Name a YAML file with the generation record, or write it inline.")
                return None
            given = document.data
        if not isinstance(given, Mapping):
            self.wrong(
                ("generation",), "is neither a file nor a map", "Write `generation: generation.yaml`, or the record inline."
            )
            return None
        try:
            return GenerationRecord.from_dict(given)
        except StudyError as error:
            for problem in error.problems:
                steps = tuple(int(step) if step.isdigit() else step for step in problem.where.split("."))
                place = self.document.at(steps) if document is None else document.at(steps[1:])
                self.problems.append(Problem(f"{place}: {problem.where}", problem.what, problem.remedy))
        return None

    def built(self, data: Mapping[str, Any], part: str, keys: tuple[str, ...], example: str) -> Built | None:
        given = self.part(data, part, keys)
        if not given:
            return None
        path, params = given.get(keys[0]), given.get("params", {})
        if not isinstance(path, str) or "." not in path:
            self.wrong((part, keys[0]), "is not an import path", f"Write it in full, such as {example}.")
            return None
        if not isinstance(params, Mapping) or not all(isinstance(key, str) for key in params):
            self.wrong((part, "params"), "is not a map of parameters", "Write `params: {name: value}`.")
            return None
        return Built(path, {key: _number(value) for key, value in params.items()}, f"{part}.{keys[0]}")

    def settings(self, data: Mapping[str, Any]) -> MeasureSettings:
        given = self.part(data, "measure", tuple(f.name for f in fields(MeasureSettings)))
        try:
            return MeasureSettings(**given)
        except (InputError, TypeError, ValueError) as error:
            self.wrong(("measure",), str(error), "Leave it out to use the default.")
        return MeasureSettings()


def _number(value: Any) -> Any:
    """`learning_rate: 1e-3` is a number to everybody but YAML 1.1, which wants a point before the e."""
    if isinstance(value, str) and _EXPONENT.fullmatch(value):
        return float(value)
    return value


def _problem(where: str, what: str, remedy: str) -> StudyError:
    return StudyError([Problem(where, what, remedy)])


def _imported(path: str, where: str) -> Any:
    """The object at a dotted path: the longest prefix that is a module, then attributes."""
    steps = path.split(".")
    for cut in range(len(steps) - 1, 0, -1):
        name = ".".join(steps[:cut])
        try:
            found: Any = importlib.import_module(name)
        except ModuleNotFoundError as error:
            if error.name is not None and (name == error.name or name.startswith(error.name + ".")):
                continue
            raise _problem(where, f"importing '{name}' needs '{error.name}', which is not installed", "Install it.") from error
        except (ImportError, SyntaxError) as error:
            raise _problem(
                where, f"'{name}' cannot be imported ({error})", "Mend the module, or check the installation."
            ) from error
        for i, step in enumerate(steps[cut:]):
            if not hasattr(found, step):
                public = [word for word in dir(found) if not word.startswith("_")]
                near = nearest_word(step, public) if len(public) < 20 else _near(step, public)
                raise _problem(where, f"'{'.'.join(steps[: cut + i])}' has no '{step}'", near)
            found = getattr(found, step)
        return found
    raise _problem(where, f"there is no module '{steps[0]}'", f"Install it (pip install {steps[0]}), or correct the path.")


def _near(word: str, words: list[str]) -> str:
    told = nearest_word(word, words)
    return told if told.startswith("Did") else "Check its spelling."


def _unknown_parameters(target: Any, params: Mapping[str, Any]) -> list[str]:
    try:
        signature = inspect.signature(target).parameters
    except (TypeError, ValueError):
        return []
    if any(p.kind is p.VAR_KEYWORD for p in signature.values()):
        return []
    return [name for name in params if name not in signature]
