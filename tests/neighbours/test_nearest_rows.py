"""The search against a brute force written from the definition, with both kernels."""

from __future__ import annotations

import subprocess
import sys
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synthml.errors import InputError
from synthml.neighbours import Scale, distances_to, kernel, nearest, search, tiled

KINDS = {"number": "numeric", "rounded": "numeric", "flat": "numeric", "empty": "numeric", "flag": "boolean",
         "day": "datetime", "label": "categorical"}  # fmt: skip
KERNELS = ("numba", "numpy")


@pytest.fixture(params=KERNELS)
def either(request, monkeypatch):
    use(request.param, monkeypatch)
    return request.param


def use(name, monkeypatch):
    if name == "numba":
        compiled = pytest.importorskip("synthml.neighbours.compiled")
        monkeypatch.setattr(search, "_solver", lambda: compiled.solve)
    else:
        monkeypatch.setattr(search, "_solver", lambda: tiled.solve)


def oracle(scale, queries, reference, k, exclude_self=False, columns=None):
    """Distances from the definition, one cell at a time in whole numbers; neighbours by sorting them all."""
    queries, reference = ({name: list(frame[name]) for name in frame} for frame in (queries, reference))
    axes = [axis for axis in scale.axes if columns is None or axis.name in columns]
    out = []
    for q in range(len(queries[axes[0].name])):
        pairs = []
        for r in range(len(reference[axes[0].name])):
            if exclude_self and q == r:
                continue
            cells = [cell(axis, queries[axis.name][q], reference[axis.name][r]) for axis in axes]
            pairs.append((sum(cells), r))
        pairs.sort()
        ties = sum(total == pairs[0][0] for total, _ in pairs)
        whole = sum(axis.unit for axis in axes)
        out.append(([total / whole for total, _ in pairs[:k]], [r for _, r in pairs[:k]], ties))
    return out


def cell(axis, a, b):
    if pd.isna(a) or pd.isna(b):
        return 0 if pd.isna(a) and pd.isna(b) else axis.unit
    if axis.width is None:
        return 0 if a == b else axis.unit
    return min(axis.unit, abs(step(axis, a) - step(axis, b)))


def step(axis, value):
    """The value on a ruler that divides the source's range in `unit` steps."""
    value = float(value.asm8.astype("datetime64[us]").astype(int) if isinstance(value, pd.Timestamp) else value)
    return round((value - axis.low) / axis.width * axis.unit)


def agrees(found, expected, k):
    for q, (distance, index, ties) in enumerate(expected):
        missing = k - len(index)
        assert found.distance[q].tolist() == distance + [np.inf] * missing
        assert found.index[q].tolist() == index + [-1] * missing
        assert found.ties[q] == ties


def mixed(rows):
    """A normalised frame of all kinds from drawn rows."""
    number, rounded, flag, day, label = (list(column) for column in zip(*rows, strict=True))
    frame = pd.DataFrame({
        "number": np.array(number, dtype=float), "rounded": np.array(rounded, dtype=float), "flat": 7.0, "empty": np.nan,
        "flag": np.array(flag, dtype=float), "day": np.array(day, dtype="datetime64[D]").astype("datetime64[us]"),
    })  # fmt: skip
    frame["label"] = pd.Series(label, dtype=object)
    return frame


NULL = st.just(np.nan)
ROW = st.tuples(
    st.one_of(NULL, st.floats(-1e6, 1e6, allow_subnormal=False)),
    st.one_of(NULL, st.integers(0, 3)),
    st.one_of(NULL, st.sampled_from([0.0, 1.0])),
    st.one_of(st.just("NaT"), st.dates(min_value=date(1900, 1, 1), max_value=date(2100, 1, 1)).map(str)),
    st.one_of(NULL, st.sampled_from("abcde")),
)
TABLE = st.lists(ROW, min_size=1, max_size=8)


@settings(max_examples=40, deadline=None)
@given(source=TABLE, other=TABLE, k=st.integers(1, 5), name=st.sampled_from(KERNELS))
def test_drawn_tables_have_the_neighbours_of_the_definition(source, other, k, name):
    """Nulls, constant and empty columns, dates, unknown labels, ties, one row, k above the number of rows."""
    with pytest.MonkeyPatch.context() as patch:
        use(name, patch)
        source, other = mixed(source), mixed(other)
        scale = Scale.of(source, KINDS)
        agrees(nearest(scale.encode(other), scale.encode(source), k=k), oracle(scale, other, source, k), k)
        agrees(nearest(scale.encode(source), scale.encode(other), k=k), oracle(scale, source, other, k), k)


@settings(max_examples=40, deadline=None)
@given(rows=st.lists(ROW, min_size=2, max_size=6), times=st.integers(1, 3), k=st.integers(1, 4), name=st.sampled_from(KERNELS))
def test_a_row_never_meets_itself_but_meets_its_duplicates(rows, times, k, name):
    """exclude_self on tables whose rows stand once, twice, thrice."""
    with pytest.MonkeyPatch.context() as patch:
        use(name, patch)
        table = mixed(rows * times)
        scale = Scale.of(table, KINDS)
        encoded = scale.encode(table)
        found = nearest(encoded, encoded, k=k, exclude_self=True)
        agrees(found, oracle(scale, table, table, k, exclude_self=True), k)
        if times > 1:
            assert not found.distance[:, 0].any()


@pytest.mark.parametrize("column", list(KINDS))
def test_one_column_alone(either, column):
    """Each kind of column as the whole distance."""
    rng = np.random.default_rng(3)
    source, other = drawn(rng, 40), drawn(rng, 30)
    scale = Scale.of(source, KINDS)
    found = nearest(scale.encode(other).columns([column]), scale.encode(source).columns([column]), k=3)
    agrees(found, oracle(scale, other, source, 3, columns=[column]), 3)


def drawn(rng, n, levels=5):
    """n rows of all kinds, with nulls and many ties."""
    letters = [np.nan, *"abcdefgh"[:levels]]
    return mixed([
        (rng.choice([np.nan, rng.normal(), 0.5]), rng.integers(4), rng.choice([np.nan, 0.0, 1.0]),
         f"2020-01-{rng.integers(1, 29):02d}", letters[rng.integers(levels)])
        for _ in range(n)
    ])  # fmt: skip


def test_a_column_of_more_than_255_labels_and_more_than_eight_columns_of_labels(either):
    """Neither width nor number of columns of labels is limited."""
    rng = np.random.default_rng(5)

    def table(n):
        frame = pd.DataFrame({f"c{i}": rng.choice(list("abcd"), n).astype(object) for i in range(12)})
        frame["many"] = np.array([f"code {code}" for code in rng.integers(0, 40_000, n)], dtype=object)
        return frame

    source, other = table(150), table(15)
    other.loc[:9, "many"] = source.loc[:9, "many"].to_numpy()
    scale = Scale.of(source, dict.fromkeys(source, "categorical"))
    agrees(nearest(scale.encode(other), scale.encode(source), k=2), oracle(scale, other, source, 2), 2)


def test_labels_unknown_to_the_source_are_equal_only_to_themselves(either):
    """Two tables meet labels that the source lacks, each in its own order."""
    scale = Scale.of(pd.DataFrame({"c": pd.Series(["a", "b"], dtype=object)}), {"c": "categorical"})
    left = scale.encode(pd.DataFrame({"c": pd.Series(["x", "y", "a", "z"], dtype=object)}))
    right = scale.encode(pd.DataFrame({"c": pd.Series(["y", "x", "q", "a"], dtype=object)}))
    found = nearest(left, right, k=1)
    assert found.index[:, 0].tolist() == [1, 0, 3, 0]
    assert found.distance[:, 0].tolist() == [0, 0, 0, 1]
    assert found.ties.tolist() == [1, 1, 1, 4]


def test_numbers_far_from_the_source_and_infinite_ones(either):
    """Beyond the source's range distances go on, up to one range; infinities lie at the ends."""
    scale = Scale.of(pd.DataFrame({"x": np.linspace(0.0, 1.0, 101)}), {"x": "numeric"})
    far = scale.encode(pd.DataFrame({"x": [50.0, 50.49, 80.0, np.inf, -np.inf, np.nan]}))
    found = nearest(far, far, k=1, exclude_self=True)
    assert found.index[:, 0].tolist() == [1, 0, 0, 0, 0, 0]
    np.testing.assert_allclose(found.distance[:, 0], [0.5, 0.5, 1, 1, 1, 1], atol=1e-6)


def test_tables_without_rows(either):
    """An empty reference has no neighbour to give, empty queries ask for none."""
    frame = drawn(np.random.default_rng(0), 3)
    scale = Scale.of(frame, KINDS)
    rows = scale.encode(frame)
    none = nearest(rows, rows.rows([]), k=2)
    assert none.distance.tolist() == [[np.inf, np.inf]] * 3
    assert none.index.tolist() == [[-1, -1]] * 3
    assert none.ties.tolist() == [0, 0, 0]
    assert nearest(rows.rows([]), rows, k=2).distance.shape == (0, 2)
    alone = nearest(rows.rows([0]), rows.rows([0]), k=1, exclude_self=True)
    assert alone.index.tolist() == [[-1]]
    assert alone.ties.tolist() == [0]


def test_order_of_rows_and_columns_changes_no_figure(either):
    """Rows shuffled on both sides, columns reversed: the same distances and ties, and indices that follow."""
    rng = np.random.default_rng(7)
    source, other = drawn(rng, 300), drawn(rng, 200)
    scale = Scale.of(source, KINDS)
    plain = nearest(scale.encode(other), scale.encode(source), k=3)
    there, here = rng.permutation(300), rng.permutation(200)
    back = Scale.of(source, KINDS, list(KINDS)[::-1])
    shuffled = nearest(back.encode(other.iloc[here]), back.encode(source).rows(there), k=3)
    assert np.array_equal(shuffled.distance, plain.distance[here])
    assert np.array_equal(shuffled.ties, plain.ties[here])
    once = np.flatnonzero(plain.ties[here] == 1)
    assert len(once) > 0
    assert np.array_equal(there[shuffled.index[once, 0]], plain.index[here][once, 0])


@pytest.mark.parametrize(("n", "m", "k", "measured", "labels"), [
    (3000, 2000, 2, 10, 8), (2000, 1500, 50, 3, 1), (1500, 2500, 10, 18, 0), (4000, 3000, 3, 0, 14), (1000, 1000, 5, 1, 0),
])  # fmt: skip
def test_both_kernels_give_equal_results(n, m, k, measured, labels, monkeypatch):
    """Not close: equal, at sizes where many blocks are passed by, with skewed numbers, coarse numbers and nulls."""

    def table(rng, rows):
        frame = pd.DataFrame(index=range(rows))
        for i in range(measured):
            values = rng.lognormal(sigma=1 + i % 3, size=rows)
            frame[f"x{i}"] = np.where(rng.random(rows) < 0.1, np.nan, values.round(1) if i % 2 else values)
        for i in range(labels):
            frame[f"c{i}"] = rng.choice([str(level) for level in range(2 + 3 * i)], rows).astype(object)
        return frame

    source, other = table(np.random.default_rng(1), n), table(np.random.default_rng(2), m)
    kinds = {name: "numeric" if name[0] == "x" else "categorical" for name in source}
    weights = {name: 1 + place / 3 for place, name in enumerate(source)}
    scale = Scale.of(source, kinds, weights=weights)
    S, Y = scale.encode(source), scale.encode(other)
    answers = []
    for name in KERNELS:
        use(name, monkeypatch)
        answers.append((nearest(Y, S, k=k), nearest(S, S, k=k, exclude_self=True)))
    for compiled, plain in zip(*answers, strict=True):
        assert np.array_equal(compiled.distance, plain.distance)
        assert np.array_equal(compiled.index, plain.index)
        assert np.array_equal(compiled.ties, plain.ties)


def test_more_columns_than_sums_of_16_bits_hold(either):
    """With 3,000 columns steps are coarser, sums still fit and the nearest is found."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.random((60, 3000)), columns=[f"x{i}" for i in range(3000)])
    scale = Scale.of(frame, dict.fromkeys(frame, "numeric"))
    rows = scale.encode(frame)
    assert sum(axis.unit for axis in scale.axes) < 2**31
    found = nearest(rows, rows, k=2)
    assert found.index[:, 0].tolist() == list(range(60))
    every = np.tile(np.arange(60), (60, 1))
    assert np.array_equal(found.distance, np.sort(distances_to(rows, rows, every), axis=1)[:, :2])


@pytest.mark.slow
def test_memory_follows_the_rows_and_not_their_product():
    """20,000 against 20,000 rows: their distances alone would fill 1,600 MB; the search adds less than 100 MB."""
    program = """
import resource, sys
import numpy as np, pandas as pd
from synthml.neighbours import Scale, nearest, search, tiled
if sys.argv[1] == "numpy":
    search._solver = lambda: tiled.solve
rng = np.random.default_rng(0)
frame = pd.DataFrame({f"x{i}": rng.normal(size=20_000) for i in range(3)})
rows = Scale.of(frame, dict.fromkeys(frame, "numeric")).encode(frame)
nearest(rows.rows(np.arange(300)), rows.rows(np.arange(300)))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
nearest(rows, rows, k=2, exclude_self=True)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""
    for name in KERNELS:
        done = subprocess.run([sys.executable, "-c", program, name], capture_output=True, text=True, check=True)
        assert int(done.stdout) < 100, name


def test_massive_ties_cost_nothing(either):
    """200,000 rows of eight different contents: every tie is counted, positions come lowest first."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.integers(0, 2, (200_000, 3)).astype(float), columns=list("abc"))
    rows = Scale.of(frame, dict.fromkeys(frame, "boolean")).encode(frame)
    found = nearest(rows, rows, k=10, exclude_self=True)
    content = frame.to_numpy() @ [1, 2, 4]
    sizes = np.bincount(content.astype(int))
    assert not found.distance.any()
    assert np.array_equal(found.ties, sizes[content.astype(int)] - 1)
    lowest = np.flatnonzero(content == content[0])
    assert found.index[0].tolist() == lowest[1:11].tolist()
    assert found.index[lowest[20]].tolist() == lowest[:10].tolist()


def test_without_numba_the_search_goes_on_in_numpy(monkeypatch):
    """A missing extra changes the method's name and nothing else."""
    program = """
import sys
sys.modules["numba"] = None
import numpy as np, pandas as pd
from synthml.neighbours import Scale, kernel, nearest
rows = Scale.of(pd.DataFrame({"x": [0.0, 1.0, 3.0]}), {"x": "numeric"}).encode(pd.DataFrame({"x": [0.0, 1.0, 3.0]}))
print(kernel(), nearest(rows, rows, k=1, exclude_self=True).index[:, 0].tolist())
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "gower, exact (numpy) [1, 0, 1]"


@pytest.mark.slow
def test_a_cache_that_cannot_be_written_is_no_error(tmp_path):
    """numba is told to keep its compiled code where no directory can be made: it compiles anew, without a word."""
    pytest.importorskip("numba")
    (tmp_path / "file").write_text("")
    program = """
import pandas as pd
from synthml.neighbours import Scale, kernel, nearest
frame = pd.DataFrame({"x": [0.0, 1.0, 3.0]})
rows = Scale.of(frame, {"x": "numeric"}).encode(frame)
print(kernel(), nearest(rows, rows, k=1, exclude_self=True).index[:, 0].tolist())
"""
    environment = {"NUMBA_CACHE_DIR": str(tmp_path / "file" / "below"), "PATH": str(Path(sys.executable).parent)}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, env=environment)
    assert done.stderr == ""
    assert done.stdout.strip() == "gower, exact (numba) [1, 0, 1]"


def test_the_package_loads_without_numba_until_it_searches():
    """Importing the package is light."""
    program = "import sys, synthml.neighbours; print('numba' in sys.modules, 'sklearn' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False False"


def test_what_cannot_be_searched_is_refused():
    """Other scales, other columns, k of 0, exclude_self of two tables."""
    source, other = drawn(np.random.default_rng(0), 5), drawn(np.random.default_rng(1), 5)
    scale, foreign = Scale.of(source, KINDS), Scale.of(other, KINDS)
    rows = scale.encode(source)
    for wrong in (
        lambda: nearest(rows, foreign.encode(source)),
        lambda: nearest(rows, rows.columns(["number"])),
        lambda: nearest(rows, rows, k=0),
        lambda: nearest(rows, scale.encode(other), exclude_self=True),
        lambda: rows.columns(["nowhere"]),
        lambda: rows.columns([]),
        lambda: scale.encode(source.drop(columns="day")),
        lambda: Scale.of(source, KINDS, ["nowhere"]),
        lambda: Scale.of(source, KINDS, []),
        lambda: Scale.of(source, KINDS, weights={"number": 0.0}),
    ):
        with pytest.raises(InputError):
            wrong()
    assert kernel().startswith("gower, exact (")
