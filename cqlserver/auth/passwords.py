"""Passwords are kept as bcrypt hashes, as Cassandra's (jBCrypt) has them.

A hash takes 50-100 ms to make or to check, by design: that is an errand, beside the loop. What was checked once is
remembered, as a digest with a key of this process's own, so that the second login of the same client costs nothing.
"""

import hashlib
import re
from base64 import b64encode
from typing import Final

from storage.environment.environment import Rng, Workers
from storage.environment.errands import Errand

COST: Final = 10
PASSWORD_BYTES_MAX: Final = 72
"""What is behind them does not count for bcrypt."""
CHECKED_MAX: Final = 1_000
_HASH = re.compile(r"\$2a?\$(\d\d)\$[./A-Za-z0-9]{22}.*", re.DOTALL)
_STANDARD: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_BCRYPT: Final = b"./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"


def is_hash(text: str) -> bool:
    """Whether jBCrypt takes it for a hash."""
    found = _HASH.fullmatch(text)
    return found is not None and 4 <= int(found[1]) <= 31


class Passwords:
    def __init__(self, workers: Workers, rng: Rng) -> None:
        self._workers, self._rng = workers, rng
        self._key = rng.bytes(32)
        self._checked: dict[bytes, None] = {}

    def hashed(self, password: str) -> Errand[str]:
        salt = b64encode(self._rng.bytes(16)).rstrip(b"=").translate(bytes.maketrans(_STANDARD, _BCRYPT))
        return self._workers.errand(lambda: _hashed(password, b"$2a$%02d$%s" % (COST, salt)))

    def is_known(self, password: str, salted_hash: str) -> bool:
        """Whether this password was found right for this hash before."""
        digest = self._digest(password, salted_hash)
        if digest not in self._checked:
            return False
        self._checked[digest] = self._checked.pop(digest)
        return True

    def check(self, password: str, salted_hash: str) -> Errand[bool]:
        """Whether it is right; `remember` it where it is."""
        return self._workers.errand(lambda: _hashed(password, salted_hash.encode()) == salted_hash)

    def remember(self, password: str, salted_hash: str) -> None:
        if len(self._checked) >= CHECKED_MAX:
            del self._checked[next(iter(self._checked))]
        self._checked[self._digest(password, salted_hash)] = None

    def _digest(self, password: str, salted_hash: str) -> bytes:
        return hashlib.blake2b(f"{salted_hash}\0{password}".encode("utf-8", "surrogatepass"), key=self._key).digest()


def _hashed(password: str, salt: bytes) -> str:
    import bcrypt

    try:
        return bcrypt.hashpw(password.encode("utf-8", "replace")[:PASSWORD_BYTES_MAX], salt).decode()
    except ValueError:  # no hash of jBCrypt's: nothing fits it
        return ""
