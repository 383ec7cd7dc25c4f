"""What goes wrong on purpose."""

from __future__ import annotations

import socket
import threading
from contextlib import closing

import pytest
import requests

from tap_instantly.sandbox import Sandbox
from tap_instantly.sandbox.http.faults import Fault
from tests.sandbox.requesting import get, page, statuses


class TestFaults:
    @pytest.mark.parametrize(
        "status", [302, 400, 401, 402, 403, 404, 413, 429, 500, 502, 503, 504]
    )
    def test_a_status(self, sandbox: Sandbox, status: int) -> None:
        sandbox.fail("/lead-labels", status)
        response = get(sandbox, "/lead-labels")
        assert response.status_code == sandbox.requests[0].status == status
        body = response.json()
        assert set(body) == {"statusCode", "error", "message"}
        assert body["statusCode"] == status
        assert ("Location" in response.headers) == (status == 302)
        assert get(sandbox, "/lead-lists").status_code == 200
        sandbox.heal()
        assert get(sandbox, "/lead-labels").status_code == 200

    def test_headers_and_body(self, sandbox: Sandbox) -> None:
        sandbox.fail("/lead-labels", 429, headers={"Retry-After": "3"}, times=1)
        sandbox.fail("/lead-labels", 200, body=b'{"items": [')
        assert get(sandbox, "/lead-labels").headers["Retry-After"] == "3"
        response = get(sandbox, "/lead-labels")
        assert (response.status_code, response.content) == (200, b'{"items": [')
        sandbox.fail("/lead-lists", 502, body=b"Bad gateway")
        response = get(sandbox, "/lead-lists")
        assert (response.status_code, response.text) == (502, "Bad gateway")

    def test_after_and_times(self, sandbox: Sandbox) -> None:
        sandbox.fail("/lead-labels", 503, after=2, times=1)
        assert statuses(sandbox, 5) == [200, 200, 503, 200, 200]

    def test_several_in_turn(self, sandbox: Sandbox) -> None:
        sandbox.fail("lead-labels", 503, times=2)
        sandbox.fail("lead-labels", 402, after=1, times=1)
        assert statuses(sandbox, 5) == [503, 503, 200, 402, 200]

    @pytest.mark.parametrize(
        ("kind", "status", "content_type", "part"),
        [
            ("html403", 403, "text/html", "Cloudflare"),
            ("not-json", 200, "text/html", "<!DOCTYPE"),
            ("no-items", 200, "application/json", '{"'),
            ("items-null", 200, "application/json", '{"items":null}'),
            ("not-object", 200, "application/json", "[]"),
        ],
    )
    def test_a_strange_body(
        self, sandbox: Sandbox, kind: str, status: int, content_type: str, part: str
    ) -> None:
        sandbox.faults.append(Fault.parse(f"lead-labels:{kind}"))
        response = get(sandbox, "/lead-labels")
        assert response.status_code == status
        assert response.headers["Content-Type"].startswith(content_type)
        assert part in response.text
        assert '"items":[' not in response.text

    def test_reset(self, sandbox: Sandbox) -> None:
        sandbox.fail("/lead-labels", "reset", times=1)
        with pytest.raises(requests.ConnectionError, match="reset by peer"):
            get(sandbox, "/lead-labels")
        assert sandbox.requests[0].status == 0
        assert get(sandbox, "/lead-labels").status_code == 200

    def test_truncate(self, sandbox: Sandbox) -> None:
        sandbox.fail("/lead-labels", "truncate", times=1)
        with pytest.raises(requests.exceptions.ChunkedEncodingError):
            get(sandbox, "/lead-labels")
        assert get(sandbox, "/lead-labels").status_code == 200

    def test_hang_does_not_hold_up_the_end(self) -> None:
        with Sandbox() as sandbox:
            sandbox.fail("/lead-labels", "hang")
            with closing(
                socket.create_connection(("127.0.0.1", sandbox.port), timeout=5)
            ) as client:
                arrived = threading.Event()
                sandbox.on_request = lambda _: arrived.set()
                client.sendall(
                    b"GET /api/v2/lead-labels HTTP/1.1\r\n"
                    b"Host: x\r\nUser-Agent: x\r\n\r\n"
                )
                assert arrived.wait(5)
                sandbox.stop()
                with pytest.raises(ConnectionResetError):
                    client.recv(1)

    def test_hang_leaves_the_others_alone(self, sandbox: Sandbox) -> None:
        sandbox.fail("/lead-labels", "hang")
        url = sandbox.url + "/lead-labels"
        with pytest.raises(requests.ReadTimeout):
            requests.get(url, timeout=0.05)
        assert get(sandbox, "/lead-lists").status_code == 200

    @pytest.mark.parametrize(
        ("text", "after", "times"),
        [
            ("lead-labels:503", 0, None),
            ("lead-labels:503@2", 2, None),
            ("lead-labels:503x3", 0, 3),
            ("lead-labels:503@12x1", 12, 1),
        ],
    )
    def test_in_text(self, text: str, after: int, times: int | None) -> None:
        fault = Fault.parse(text)
        assert (fault.path, fault.kind) == ("lead-labels", 503)
        assert (fault.after, fault.times) == (after, times)
        assert Fault.parse("lists:html403x3").kind == "html403"
        assert Fault.parse("lists:hangx3").kind == "hang"

    @pytest.mark.parametrize(
        "text", ["", "503", "a:", "a:nonsense", "a:503@", "a:503xx"]
    )
    def test_in_bad_text(self, text: str) -> None:
        with pytest.raises(ValueError, match=r"\.$"):
            Fault.parse(text)


class TestServer:
    def test_leaves_nothing_behind(self) -> None:
        before = threading.enumerate()
        arrived = threading.Event()
        with requests.Session() as idle:
            with Sandbox(on_request=lambda _: arrived.set()) as sandbox:
                assert len(threading.enumerate()) == len(before) + 1
                idle.get(sandbox.url, timeout=10)
                sandbox.latency = 3600
                arrived.clear()
                waiting = socket.create_connection(("127.0.0.1", sandbox.port))
                waiting.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
                assert arrived.wait(5)
            waiting.close()
        assert threading.enumerate() == before
        with pytest.raises(requests.ConnectionError):
            requests.get(sandbox.url, timeout=1)

    def test_two_at_once(self, sandbox: Sandbox) -> None:
        with Sandbox(seed=2) as other:
            assert other.url != sandbox.url
            assert page(other)["items"] != page(sandbox)["items"]

    def test_port_in_use(self, sandbox: Sandbox) -> None:
        with pytest.raises(OSError, match="in use"):
            Sandbox(port=sandbox.port).start()
