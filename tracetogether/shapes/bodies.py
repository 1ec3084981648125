"""What all shapes share: strict bodies, answers read from attributes, and common fields."""

import datetime as dt
from collections.abc import Mapping
from typing import Annotated, Any, Final, Self

from pydantic import AliasPath, BaseModel, BeforeValidator, ConfigDict, Field, field_validator

USER_ID: Final = "QUJDREVGR0hJSktMTU5PUFFSU1RV"
_EPOCH: Final = dt.date(1970, 1, 1).toordinal()


class RequestBody(BaseModel):
    """A body that is sent here: no unknown field, no other type, no NUL in a text."""

    model_config = ConfigDict(extra="forbid", strict=True)

    @field_validator("*")
    @classmethod
    def _no_nul(cls, value: object) -> object:
        texts = value if isinstance(value, list) else [value]
        if any(isinstance(text, str) and "\0" in text for text in texts):
            msg = "a text can't hold a NUL character: remove it"
            raise ValueError(msg)
        return value


class AnswerBody(BaseModel):
    """An answer, whose fields are the attributes of an object of the domain."""

    model_config = ConfigDict(from_attributes=True, validate_by_name=True)

    @classmethod
    def of(cls, shown: Any) -> Self:  # noqa: ANN401 - whatever has the attributes
        """Return the answer that shows an object."""
        return cls.model_validate(shown)

    def json_value(self, *leave_out: str) -> Any:  # noqa: ANN401 - whatever JSON holds
        """Return what ``json.dumps`` takes, without the fields named."""
        return self.model_dump(mode="json", exclude=set(leave_out))


def path(dotted: str, **about: Any) -> Any:  # noqa: ANN401 - as pydantic's Field
    """Return a field that is read at a path of attributes, such as ``minutes.low``."""
    return Field(validation_alias=AliasPath(*dotted.split(".")), **about)


def date_text(day: object) -> object:
    """Return a day's number as YYYY-MM-DD; anything else as it is."""
    return dt.date.fromordinal(_EPOCH + day).isoformat() if isinstance(day, int) else day


def _by_value(counts: object) -> object:
    if not isinstance(counts, Mapping):
        return counts
    return {getattr(key, "word", getattr(key, "value", key)): n for key, n in counts.items()}


DayText = Annotated[str, BeforeValidator(date_text)]
"""A date, read from a day's number."""
CountsByName = Annotated[dict[str, int], BeforeValidator(_by_value)]
"""Counts by the value of an Enum, or by the word of a priority."""
Version = Annotated[
    int | None,
    Field(
        ge=0,
        le=2**53,
        description="As you read it: 409 `stale` if somebody has changed it since. Without it, "
        "nothing that another operator wrote is replaced.",
    ),
]
