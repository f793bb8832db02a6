"""A token in memory, and until when it may be used: a value without a clock of its own.

    obtained ───────── half of its life, or 45 min ───────── 5 min left ── 30 s left ── expires
             used, not renewed │ used, and renewed ahead │ renewed first │ not used

Both clocks must agree: wall time may jump back, and monotonic time stands still while a machine
sleeps.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from graphrelay.oauth.answers import Granted
from graphrelay.oauth.authorization import AccessToken

MARGIN = timedelta(minutes=5)
"""A token with less left is renewed before it is used: a message may take minutes to upload."""
LAST_USE = timedelta(seconds=30)
"""With this much left a token is still used if a new one cannot be got."""
RENEWED_EVERY = timedelta(minutes=45)
"""A token that lasts for a day is still renewed this often: a withdrawn consent is noticed, the
refresh token stays in use, and nearly all of the day is left for when Entra cannot be reached."""


@dataclass(frozen=True, slots=True)
class CachedToken:
    """An access token, and when it expires by both clocks."""

    access: AccessToken
    granted: Granted
    ends_at: datetime
    ends_monotonic: timedelta

    @classmethod
    def of(cls, access: AccessToken, now: datetime, monotonic: timedelta) -> "CachedToken":
        return cls(
            access, granted_of(access), access.expires_at, monotonic + (access.expires_at - now)
        )

    def lasts(self, spare: timedelta, now: datetime, monotonic: timedelta) -> bool:
        """Whether more than `spare` is left of it, by both clocks."""
        return monotonic + spare < self.ends_monotonic and now + spare < self.ends_at

    def is_due(self, now: datetime, monotonic: timedelta) -> bool:
        """Whether it is time to get a new one."""
        used = min(self.access.life / 2, RENEWED_EVERY)
        return not self.lasts(self.access.life - used, now, monotonic)


def granted_of(access: AccessToken) -> Granted:
    """The part that senders of mail see."""
    return Granted(access_token=access.text, expires_at=access.expires_at, scopes=access.scopes)
