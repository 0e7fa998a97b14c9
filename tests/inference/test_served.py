"""Generation through a real `transformers serve` on loopback equals local generation."""

import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from manyshot.errors import EvaluationError
from manyshot.inference import Endpoint, Reader
from tests import tiny

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """A tiny model's folder and the address it is served at."""
    for name in ("openai", "fastapi", "uvicorn"):
        pytest.importorskip(name)
    folder = tmp_path_factory.mktemp("served")
    tiny.model("llama").save_pretrained(folder)
    tiny.tokenizer().save_pretrained(folder)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [
        str(Path(sys.executable).parent / "transformers"),
        "serve",
        str(folder),
        "--device",
        "cpu",
        "--port",
        str(port),
    ]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(120):
            time.sleep(1)
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=2).read()
                break
            except OSError:
                assert server.poll() is None, "transformers serve ended by itself"
        yield folder, f"http://127.0.0.1:{port}/v1"
    finally:
        server.kill()


def test_generated_answers_are_those_of_the_local_model(served):
    folder, url = served
    task = tiny.copy_task()
    queries = [e.input for e in task.test[:3]]
    mine = Reader(tiny.model("llama"), tiny.tokenizer()).prime(task, task.train[:3]).answer(queries, max_new_tokens=5)
    theirs = Endpoint(url, str(folder)).prime(task, task.train[:3]).answer(queries, max_new_tokens=5)
    assert [a.output for a in theirs] == [a.output for a in mine]


def test_its_silence_on_logprobs_is_noticed(served):
    folder, url = served
    task = tiny.word_task()
    with pytest.raises(EvaluationError, match="echo with logprobs"):
        Endpoint(url, str(folder)).prime(task).answer([task.test[0].input])
