"""What every test needs: no network, one thread a process, and the places of the optional real files."""

import os
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest

SHARED = Path(os.environ.get("MANYSHOT_SHARED", Path(__file__).resolve().parents[2] / "shared"))


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real tasks and models, where there is one."""
    if not (SHARED / "data" / "suite.json").exists():
        pytest.skip(f"real tasks and models are not at {SHARED} (set MANYSHOT_SHARED to their folder)")
    return SHARED
