"""What devices have sent before, handed from one run to the next: one that cannot be read costs no other its own."""

from __future__ import annotations

import orjson
import pytest

from drivers.kept_records import Came
from gateway.intake.frames import Origin
from gateway.intake.sent import Sent, sent_frame

ORIGIN = Origin(1_000_000_000, 1_800_000_000_000_000_000)


def told() -> dict[str, str]:
    """Return what a scale and a cuff sent in a run, as the outbox keeps it."""
    sent = Sent()
    for device in ("scale", "cuff"):
        sent[device].take(ORIGIN.monotonic_ns, device.encode(), "2026-11-30 10:00:00")
    return sent.drain(ORIGIN)


@pytest.mark.parametrize("spoilt", ["", "{", "[[", '{"a": 1}', "null", "\x00"])
def test_records_that_are_spoilt_cost_no_other_device_its_own(spoilt: str, caplog: pytest.LogCaptureFixture) -> None:
    _, frame = sent_frame(ORIGIN.monotonic_ns, told() | {"scale": spoilt})
    sent = Sent()
    sent.remember(frame.data, ORIGIN)
    sent["cuff"].connected()
    assert sent["cuff"].take(ORIGIN.monotonic_ns + 1, b"cuff", "2026-11-30 10:00:00") is Came.TWICE
    assert sent["scale"].take(ORIGIN.monotonic_ns + 1, b"scale", "2026-11-30 10:00:00") is Came.NEW
    assert "what scale has sent before cannot be read" in caplog.text


@pytest.mark.parametrize("payload", [b"", b"[]", b"[1]", b"null", b'{"cuff": 1}', b'{"cuff": [1, [2]]}'])
def test_a_frame_of_a_recording_that_is_spoilt_stops_nothing(payload: bytes) -> None:
    sent = Sent()
    sent.remember(payload, ORIGIN)
    assert sent["cuff"].take(ORIGIN.monotonic_ns, b"cuff") is Came.NEW
    assert orjson.loads(sent.drain(ORIGIN)["cuff"])
