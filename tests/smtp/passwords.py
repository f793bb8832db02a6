"""Password hashes that are quick to check, for tests that log in."""

import base64
import hashlib


def quick_hash(password: str) -> str:
    """As `hash_password`, at a cost that is too low for real use."""
    salt = b"saltsalt"
    key = hashlib.scrypt(password.encode(), salt=salt, n=2, r=1, p=1, dklen=32)
    parts = [base64.b64encode(octets).rstrip(b"=").decode() for octets in (salt, key)]
    return f"$scrypt$ln=1,r=1,p=1${parts[0]}${parts[1]}"
