from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.packet import Frame
from gateway.recordings.recording import Header, RecordingError, RecordingReader, RecordingWriter

HEADER = Header({"site": {"site": "test"}}, {"bed-01": "bed-01-1"}, 1_000, 1_700_000_000_000_000, "0")
FRAMES = st.lists(
    st.tuples(
        st.integers(0, 65535),
        st.builds(Frame, st.integers(0, 2**62), st.text(max_size=20), st.binary(max_size=300)),
    ),
    max_size=8,
)


def write(path: Path, steps: list[list[tuple[int, Frame]]]) -> None:
    with RecordingWriter(path, HEADER) as writer:
        for number, frames in enumerate(steps):
            writer.step(2_000 + number, frames)


@given(steps=st.lists(FRAMES, max_size=50))
def test_what_is_read_is_what_was_written(
    tmp_path_factory: pytest.TempPathFactory, steps: list[list[tuple[int, Frame]]]
) -> None:
    path = tmp_path_factory.mktemp("recording") / "r.rgrec"
    write(path, steps)
    reader = RecordingReader(path)
    assert reader.header == HEADER
    assert [f for _, frames in reader.blocks() for f in frames] == [f for frames in steps for f in frames]
    assert reader.whole
    reader.close()


def test_a_recording_torn_anywhere_gives_its_whole_blocks(tmp_path: Path) -> None:
    path = tmp_path / "r.rgrec"
    write(path, [[(1, Frame(n, "data", bytes([n % 256]) * 20))] for n in range(100)])
    data = path.read_bytes()
    reader = RecordingReader(path)
    complete = [end for end, _ in reader.blocks()]
    reader.close()
    torn = tmp_path / "torn.rgrec"
    for size in range(len(data)):
        torn.write_bytes(data[:size])
        try:
            reader = RecordingReader(torn)
        except RecordingError as problem:
            assert str(torn) in str(problem)  # noqa: PT017 - most sizes do not raise
            continue
        ends = [end for end, _ in reader.blocks()]
        assert ends == complete[: len(ends)]
        assert not reader.whole
        reader.close()


def test_a_flipped_bit_ends_the_recording_there(tmp_path: Path) -> None:
    path = tmp_path / "r.rgrec"
    write(path, [[(1, Frame(n, "data", bytes(20)))] for n in range(100)])
    data = bytearray(path.read_bytes())
    data[-60] ^= 1
    path.write_bytes(data)
    reader = RecordingReader(path)
    assert len(list(reader.blocks())) < 5
    assert not reader.whole
    reader.close()


def test_other_files_are_refused_in_one_sentence(tmp_path: Path) -> None:
    other = tmp_path / "notes.txt"
    other.write_text("not a recording")
    with pytest.raises(RecordingError, match=r"notes\.txt: not a recording"):
        RecordingReader(other)
    with pytest.raises(RecordingError, match="cannot be read"):
        RecordingReader(tmp_path / "missing")
