"""The browser of the newcomer's machine: `python3 browser.py URL` opens it, signs in as
wp@contoso.com, consents, and waits for the page that says Authorized.

It runs there with Debian's Python, chromium, python3-aiohttp and python3-pytest.
"""

import asyncio
import sys
import tempfile
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.e2e.person import person


async def main(url: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        async with person(Path(folder)) as newcomer:
            await newcomer.opens(url)
            await newcomer.signs_in("wp@contoso.com")
            await newcomer.presses("#accept")
            print(await newcomer.reads("Authorized"))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
