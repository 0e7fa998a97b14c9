"""An endpoint must give what the local model gives; one that leaves log-probabilities out is refused by name."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import torch

from manyshot.errors import EvaluationError
from manyshot.inference import Endpoint, Reader
from tests import tiny

pytest.importorskip("openai")


class StandIn(BaseHTTPRequestHandler):
    """A small completions server over a tiny model, with prompt log-probabilities as vLLM gives them."""

    model = tiny.model("qwen3")
    with_logprobs = True
    failures_left = 0
    n_seen = 0

    def log_message(self, *_):
        """Stay quiet."""

    def do_POST(self):
        cls = type(self)
        cls.n_seen += 1
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if cls.failures_left:
            cls.failures_left -= 1
            self.send_error(503)
            return
        tokenizer = tiny.tokenizer()
        ids = tokenizer(asked["prompt"], return_tensors="pt").input_ids
        choice = {"index": 0, "finish_reason": "length", "logprobs": None}
        with torch.no_grad():
            if asked.get("echo") and self.with_logprobs:
                steps = torch.log_softmax(self.model(ids).logits[0].float(), -1)
                tokens = [tokenizer.decode([i]) for i in ids[0].tolist()]
                offsets = [len(tokenizer.decode(ids[0, :i].tolist())) for i in range(ids.shape[1])]
                values = [None, *steps[:-1].gather(1, ids[0, 1:, None])[:, 0].tolist()]
                choice["logprobs"] = {"tokens": tokens, "token_logprobs": values, "text_offset": offsets}
                choice["text"] = asked["prompt"]
            else:
                new = []
                while len(new) < asked["max_tokens"]:
                    new.append(
                        int(
                            self.model(torch.cat([ids, torch.tensor([new], dtype=torch.long)], 1))
                            .logits[0, -1]
                            .argmax()
                        )
                    )
                    if any(stop in tokenizer.decode(new) for stop in asked.get("stop") or []) or new[-1] == 0:
                        break
                text = tokenizer.decode([i for i in new if i != 0])
                choice["text"] = text.split((asked.get("stop") or ["\0"])[0])[0]
        body = json.dumps(
            {"id": "x", "object": "text_completion", "created": 0, "model": "m", "choices": [choice]}
        ).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture
def server():
    """The stand-in's class and address, on loopback."""
    kind = type("Fresh", (StandIn,), {"n_seen": 0})
    httpd = ThreadingHTTPServer(("127.0.0.1", 0), kind)
    threading.Thread(target=httpd.serve_forever, daemon=True).start()
    yield kind, f"http://127.0.0.1:{httpd.server_address[1]}/v1"
    httpd.shutdown()


def test_labels_and_texts_are_those_of_the_local_model(server):
    _, url = server
    local, remote = Reader(StandIn.model, tiny.tokenizer()), Endpoint(url, "m")
    for task in (tiny.word_task(), tiny.copy_task()):
        queries = [e.input for e in task.test[:3]]
        mine = local.prime(task, task.train[:3]).answer(queries, max_new_tokens=6, full=task.labels is not None)
        theirs = remote.prime(task, task.train[:3]).answer(queries, max_new_tokens=6, full=task.labels is not None)
        assert [a.output for a in mine] == [a.output for a in theirs]
        for a, b in zip(mine, theirs, strict=True):
            if a.logprobs is not None:
                assert a.logprobs == pytest.approx(b.logprobs, abs=1e-3)


def test_a_server_without_prompt_logprobs_is_refused_by_name(server):
    kind, url = server
    kind.with_logprobs = False
    task = tiny.word_task()
    with pytest.raises(EvaluationError, match=r"echo with logprobs") as caught:
        Endpoint(url, "m").prime(task).answer([task.test[0].input])
    assert url in str(caught.value)


def test_a_failed_request_is_tried_again_and_nothing_is_asked_twice(server):
    kind, url = server
    kind.failures_left = 2
    task, endpoint = tiny.copy_task(), Endpoint(url, "m")
    first = endpoint.prime(task).answer([task.test[0].input], max_new_tokens=2)
    assert kind.n_seen == 3
    assert endpoint.prime(task).answer([task.test[0].input], max_new_tokens=2)[0].output == first[0].output
    assert kind.n_seen == 3


def test_a_server_that_is_not_there_is_named():
    task = tiny.copy_task()
    with pytest.raises(EvaluationError, match="check that the server runs"):
        Endpoint("http://127.0.0.1:9/v1", "m", retries=0).prime(task).answer([task.test[0].input])
