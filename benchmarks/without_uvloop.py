"""Runs a module as if uvloop were not installed: `python -m benchmarks.without_uvloop MODULE …`."""

import runpy
import sys

if __name__ == "__main__":
    sys.modules["uvloop"] = None  # type: ignore[assignment]  # import raises ImportError
    del sys.argv[0]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
