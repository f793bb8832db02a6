"""What every table of config.toml has in common."""

from pydantic import BaseModel, ConfigDict
from pydantic_core import PydanticCustomError


class Table(BaseModel):
    """A TOML table. Unknown keys are mistakes."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def wrong(*mistakes: tuple[str, str]) -> PydanticCustomError:
    """Mistakes (key, what is wrong) that depend on several keys of a table."""
    return PydanticCustomError("together", "mistakes in a table", {"mistakes": mistakes})
