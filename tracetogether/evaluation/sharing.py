"""Which scenes of a recording share a place, people or phones, as its columns tell.

An estimator that was fitted on a phone knows its offset, and one that was fitted in a room knows
the room. Scenes that share either are one group: a group is left out as a whole.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from tracetogether.evaluation.folds import connected_groups
from tracetogether.evaluation.layout import RecordingLayout
from tracetogether.labels import UNKNOWN, Labels
from tracetogether.units import Ints

_FOLDER: Final = "[folder]"
_SERIES: Final = "[series]"
_PATHS: Final = ("file", "path", "filename", "file_name", "folder")
_PLACES: Final = (
    *("place", "home", "house", "room", "site", "venue", "location"),
    *("setup", "setting", "session", "experiment"),
)
_PHONES: Final = (
    *("phone", "device", "rx", "tx", "receiver", "transmitter"),
    *("rx_model", "tx_model", "receiver_model", "transmitter_model"),
)
_FEWEST_GROUPS: Final = 5  # where those of one end's phones alone are used


@dataclass(frozen=True, slots=True)
class Sharing:
    """The groups of a recording's scenes, and by what they were found.

    Attributes:
        groups: (scenes,) the number of each scene's group.
        by: columns of which scenes that share a value are one group.
        still_shared: columns that would connect all scenes, or nearly all, and were not used: what
            they name may be both in the scenes fitted on and in the scored ones.
        names_phones: whether a column names people or phones.
    """

    groups: Ints
    by: tuple[str, ...]
    still_shared: tuple[str, ...] = ()
    names_phones: bool = True


@dataclass(frozen=True, slots=True)
class _Candidate:
    """Columns that tell scenes of one kind, such as phones.

    ``columns``: name -> (n,) values. The same value in two of them is one and the same.
    """

    columns: Mapping[str, Labels]

    def joint(self) -> Labels:
        """Return all columns, one after the other, as one column."""
        return Labels.concat(list(self.columns.values()))


def column_of(text: str, layout: RecordingLayout) -> str:
    """Return the column that scenes are connected by: a field's own, or one of that name."""
    name = text.removesuffix(_FOLDER).removesuffix(_SERIES).strip()
    return layout.sources[name].column if name in layout.sources else name


def possible_columns(layout: RecordingLayout) -> tuple[str, ...]:
    """Return columns that tell places, people or phones, if a recording has them."""
    of_fields = (
        layout.sources[field].column
        for field in ("observer", "peer", "observer_model", "peer_model")
        if layout.sources[field].constant is None
    )
    paths = (f"{name}{_SERIES}" for name in _PATHS)
    others = layout.sources["distance"].column, layout.sources["scene"].column
    names = dict.fromkeys((*paths, *_PLACES, *of_fields, *_PHONES))
    return tuple(name for name in names if name not in others)


def named_sharing(scene: Ints, columns: Mapping[str, Labels]) -> Sharing:
    """Return the groups of scenes that share a value in any of some columns.

    Args:
        scene: (n,) the number of the scene of each row.
        columns: what a user named, such as ``file[folder]`` -> (n,) values of the column.
    """
    values = [of_place(text, column) for text, column in columns.items()]
    return Sharing(connected_groups(scene, values), tuple(columns))


def found_sharing(scene: Ints, columns: Mapping[str, Labels], layout: RecordingLayout) -> Sharing:
    """Return the groups of scenes that share a place, people or phones, as far as columns tell.

    Places come first, then people, then phone models. What would connect all scenes is not used:
    if both ends' phones do, those of one end are, where that leaves at least five groups.

    Args:
        scene: (n,) the number of the scene of each row.
        columns: of ``possible_columns``, those that the recording has -> (n,) values.
        layout: where the recording's fields are.
    """
    sources = {field: source.column for field, source in layout.sources.items()}
    models = {sources["observer_model"], sources["peer_model"]}
    people = {sources["observer"], sources["peer"]} - models
    models |= set(_PHONES) - people
    filled = {
        text: of_place(text, _plain(column) if text in models else column)
        for text, column in columns.items()
    }
    filled = {text: column for text, column in filled.items() if np.any(column.codes != UNKNOWN)}
    for text in [text for text in filled if text.endswith(_SERIES)]:
        if not connected_groups(scene, [filled[text]]).any():  # numbers tell these folders apart
            del filled[text]
            folder = text.removesuffix(_SERIES) + _FOLDER
            filled = {folder: of_place(folder, columns[text]), **filled}
    candidates = [
        *(_Candidate({text: filled[text]}) for text in filled if text not in people | models),
        *(
            _Candidate({text: column for text, column in filled.items() if text in kind})
            for kind in (people, models)
        ),
    ]
    used: list[tuple[Ints, Labels]] = []
    by, still_shared = [], []

    def count_with(rows: Ints, column: Labels) -> int:
        return len(np.unique(_groups(scene, [*used, (rows, column)])))

    for candidate in candidates:
        if not candidate.columns:
            continue
        rows = np.tile(scene, len(candidate.columns))
        if count_with(rows, candidate.joint()) > 1:
            used.append((rows, candidate.joint()))
            by += list(candidate.columns)
            continue
        counts = {text: count_with(scene, column) for text, column in candidate.columns.items()}
        best = max(counts, key=lambda text: counts[text])
        if len(counts) > 1 and counts[best] >= _FEWEST_GROUPS:
            used.append((scene, candidate.columns[best]))
            by.append(best)
            del counts[best]
        still_shared += list(counts)
    return Sharing(
        _groups(scene, used), tuple(by), tuple(still_shared), bool(set(filled) & (people | models))
    )


def _groups(scene: Ints, columns: Sequence[tuple[Ints, Labels]]) -> Ints:
    """Return the groups by columns, each with the scenes of its own rows."""
    rows = np.concatenate([scene, *(at for at, _ in columns)])
    lengths = [len(scene), *(len(at) for at, _ in columns)]
    padded = []
    for number, (_, column) in enumerate(columns, 1):
        codes = np.full(len(rows), UNKNOWN, np.int32)
        start = sum(lengths[:number])
        codes[start : start + lengths[number]] = column.codes
        padded.append(Labels(codes, column.names))
    return connected_groups(rows, padded)


def of_place(text: str, values: Labels) -> Labels:
    """Return the values of a column as they are, or the folders or series of its paths."""
    if not text.endswith((_FOLDER, _SERIES)):
        return values
    folders = [name.replace("\\", "/").rpartition("/")[0] for name in values.names]
    if text.endswith(_SERIES):
        folders = [name.rstrip("0123456789").rstrip("-_ ") or name for name in folders]
    return _renamed(values, [name or None for name in folders])


def _plain(models: Labels) -> Labels:
    """Return phone models without case and spaces: "iPhone 8" and "iPhone8" are one."""
    return _renamed(models, ["".join(name.lower().split()) or None for name in models.names])


def _renamed(values: Labels, names: Sequence[str | None]) -> Labels:
    """Return the values under other names, of which several may be the same."""
    of_name = Labels.encode(names)
    codes = np.append(of_name.codes, UNKNOWN)[values.codes]  # code -1 picks the last
    return Labels(codes.astype(np.int32), of_name.names)
