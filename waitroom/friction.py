"""What an operator may set against programs that join in a crowd; by default nothing is asked of anyone."""

from pydantic import BaseModel, ConfigDict, Field


class FrictionSettings(BaseModel):
    """What a room asks of whoever joins, and how many may join from one network.

    Attributes:
        work: tries of ALTCHA's proof of work that a browser makes on average before it may join; 0 asks for none.
        wait_seconds: how long a browser without JavaScript waits instead, one after another in a network.
        joins_per_minute: most joins from one network (one IPv4 address, or an IPv6 /56) through one gate; None: any.
        joins_burst: joins from one network that may follow each other at once.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    work: int = Field(default=0, ge=0, le=1_000_000)
    wait_seconds: float = Field(default=30, ge=1, le=600)
    joins_per_minute: float | None = Field(default=None, ge=0.1, le=1_000_000)
    joins_burst: int = Field(default=20, ge=1, le=100_000)

    @property
    def asks(self) -> bool:
        """Whether anything is asked at all."""
        return self.work > 0 or self.joins_per_minute is not None


NO_FRICTION = FrictionSettings()
"""What a room asks by default: nothing."""
