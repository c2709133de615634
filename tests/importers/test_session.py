"""A recorded session, imported: the same metrics as straight from the device, and nothing lost without a word."""

from __future__ import annotations

import subprocess
import sys
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from config.pseudonym import check_digit
from drivers.contract import decoded
from drivers.packet import Flag, Packet
from drivers.registry import make_driver
from gateway.model.measurement import Measurement
from importers.errors import ImportProblem
from importers.mapping import load_mapping
from importers.report import Report
from importers.session import Wanted, import_session
from tests.importers.sessions import direct, frames_of, header_of, mapping, measured, walk, write_csv

NHS_NUMBER = f"943-476-591{check_digit('943476591')}"
RESOLUTION = {"deg": 0.011, "deg/s": 0.11, "N.m": 0.011, "%": 0.6, "1": 0.01}


def imported(csv: Path, columns: Path, output: Path, shares: list[float] | None = None) -> Report:
    shares = [] if shares is None else shares
    return import_session(csv, load_mapping(columns), output, Wanted("p-0172", "gym-2"), shares.append)


def exoskeleton(path: Path) -> dict[str, Packet]:
    decoder = make_driver("exo_frame").decoder()
    got = decoded(decoder, [[frame for number, frame in frames_of(path) if number == 0]])
    assert not decoder.faults
    return got


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Report]:
    folder = tmp_path_factory.mktemp("session")
    shares: list[float] = []
    report = imported(write_csv(folder / "walk.csv"), mapping(folder / "columns.toml"), folder / "walk.rec", shares)
    assert shares == sorted(shares)
    assert shares[-1] > 0.99
    return folder / "walk.rec", report


def by_kind(measurements: Sequence[Measurement]) -> dict[tuple[str, str], list[Measurement]]:
    found: dict[tuple[str, str], list[Measurement]] = defaultdict(list)
    for each in measurements:
        found[each.metric, each.side].append(each)
    return found


def test_an_imported_session_gives_the_metrics_that_the_device_gives(
    session: tuple[Path, Report], tmp_path: Path
) -> None:
    """Within what a step of the frame is."""
    recording, report = session
    assert report.spotless
    again = by_kind(measured(recording))
    live = by_kind(measured(direct(tmp_path / "direct.rec", header_of(recording))))
    assert len(live) > 8
    assert again.keys() == live.keys()
    for kind, wanted in live.items():
        got = again[kind]
        assert [each.quality for each in got] == [each.quality for each in wanted], kind
        assert [each.subject for each in got] == ["p-0172"] * len(wanted)
        for one, other in zip(got, wanted, strict=True):
            assert abs(one.start_us - other.start_us) <= 1, kind
            assert one.unit == other.unit
            if other.value is not None:
                assert one.value == pytest.approx(other.value, abs=RESOLUTION.get(one.unit, 0.02)), kind


def test_units_and_signs_are_those_of_the_gateway(session: tuple[Path, Report]) -> None:
    motion, got = walk(), exoskeleton(session[0])["exoskeleton"]
    columns = list(make_and_announce(session[0]))
    assert len(got) == len(motion)
    for side, name in enumerate(("left", "right")):
        for j, joint in enumerate(("hip", "knee")):
            for what, truth, step in (
                ("angle", motion.angle, 0.01), ("velocity", motion.velocity, 0.1), ("torque", motion.torque, 0.01),
            ):  # fmt: skip
                column = got.samples[:, columns.index(f"{name}_{joint}_{what}")]
                assert np.abs(column - truth[:, side, j]).max() <= 0.51 * step
            assert np.isnan(got.samples[:, columns.index(f"{name}_{joint}_interaction")]).all()
        states = got.samples[:, columns.index(f"{name}_gait_state")]
        assert states.tolist() == np.where(motion.stance[:, side], 1, 2).tolist()
        assert np.abs(got.samples[:, columns.index(f"{name}_gait_phase")] - motion.phase[:, side]).max() <= 0.0026
    assert not got.flags.any()
    assert np.abs(np.diff(got.ticks) - 10_000).max() <= 1


def make_and_announce(recording: Path) -> tuple[str, ...]:
    decoder = make_driver("exo_frame").decoder()
    decoder.decode([frame for number, frame in frames_of(recording)[:3] if number == 0])
    return decoder.streams["exoskeleton"].channels


@pytest.mark.parametrize(
    ("delimiter", "decimal", "encoding"),
    [(";", ",", "utf-8"), (";", ",", "utf-8-sig"), ("\t", ",", "utf-16"), ("|", ".", "utf-8"), (",", ".", "utf-8-sig")],
)
def test_how_a_table_is_written_is_found_out(
    session: tuple[Path, Report], tmp_path: Path, delimiter: str, decimal: str, encoding: str
) -> None:
    csv = write_csv(tmp_path / "walk.csv", delimiter=delimiter, decimal=decimal, encoding=encoding)
    report = imported(csv, mapping(tmp_path / "columns.toml"), tmp_path / "walk.rec")
    assert report.spotless
    assert frames_of(tmp_path / "walk.rec") == frames_of(session[0])


# --- what is wrong with a file ---

COLUMNS = """
[exoskeleton.columns]
left_knee_angle = "knee"
left_knee_torque = { column = "torque", sign = -1 }
"""


def small(tmp_path: Path, text: str | bytes, columns: str = COLUMNS, name: str = "s.csv") -> tuple[Report, Path]:
    csv, toml, output = tmp_path / name, tmp_path / "c.toml", tmp_path / "out.rec"
    csv.write_bytes(text.encode() if isinstance(text, str) else text)
    toml.write_text(columns, "utf-8")
    return imported(csv, toml, output), output


def lines(*rows: str) -> str:
    return "\n".join(["time,knee,torque", *rows]) + "\n"


GOOD = [f"{k / 100},{k},{k / 10}" for k in range(20)]


def test_bad_rows_are_left_out_and_named_with_their_lines(tmp_path: Path) -> None:
    rows = [*GOOD]
    rows[3] = "0.03,3"  # a column short
    rows[5] = "oops,5,1"
    rows[7] = "0.05,7,1"  # goes back
    rows[9] = rows[8]
    rows[11] = "0.11,n/a,1e400"
    rows[13] = "0.13,1.2.3,NaN"
    rows[15] = ",15,1"
    report, output = small(tmp_path, lines(*rows, "", ""))
    assert report.rows == {
        "other than 3 columns": 1, "no time": 2, "its time goes back": 1, "its time stands still": 1,
    }  # fmt: skip
    assert report.values == {"no number in 'torque'": 1, "no number in 'knee'": 1}
    said = "\n".join(report.sentences())
    for words in (
        "1 row left out: other than 3 columns (line 5)", "2 rows left out: no time (line 7, line 17)",
        "its time goes back (line 9)", "its time stands still (line 11)", "no number in 'knee' (line 15: '1.2.3')",
    ):  # fmt: skip
        assert words in said
    got = exoskeleton(output)["exoskeleton"]
    assert len(got) == report.samples == 15
    assert np.isnan(got.samples).all(axis=1).sum() == 0
    gaps = got.flags & Flag.MISSING
    assert np.count_nonzero(gaps) == 5  # each row that is left out shows as a loss


def test_many_bad_rows_are_counted_and_a_few_named(tmp_path: Path) -> None:
    report, _ = small(tmp_path, lines(*GOOD, *["0.01,1,1"] * 1000))
    (said,) = [sentence for sentence in report.sentences() if "left out" in sentence]
    assert said == ("1,000 rows left out: its time goes back (line 22, line 23, line 24, line 25, line 26, …)")


def test_values_beyond_the_frame_are_held_and_said(tmp_path: Path) -> None:
    report, output = small(tmp_path, lines(*GOOD[:10], "0.1,1000,-5000", *GOOD[11:]))
    assert set(report.changed.values()) == {1}
    assert len(report.changed) == 2
    assert exoskeleton(output)["exoskeleton"].flags[10] == Flag.CLIPPED


def test_a_time_that_slips_hides_nothing_that_follows(tmp_path: Path) -> None:
    for slip in ("1e9", "1e12", "1e300"):
        report, output = small(tmp_path, lines(*GOOD[:10], f"{slip},1,1", *GOOD[10:]))
        assert report.rows == {"its time is more than a day ahead": 1}
        assert len(exoskeleton(output)["exoskeleton"]) == len(GOOD)
        output.unlink()


def test_what_a_unit_makes_too_large_is_left_out_and_what_is_held_is_said(tmp_path: Path) -> None:
    columns = (
        COLUMNS + "battery = {column = 'torque', unit = '1'}\nright_knee_angle = {column = 'knee', unit = 'rad'}\n"
    )
    report, output = small(tmp_path, lines("0,1,0.5", "0.01,1e308,1e308", "1.5,2,-0.05"), columns)
    assert report.values == {"'torque' is too large in its unit": 1, "'knee' is too large in its unit": 1}
    assert report.changed["battery beyond what the frame holds, held at its end"] == 1
    assert exoskeleton(output)["battery"].samples[:, 0].tolist() == [50.0, 0.0]


def test_another_encoding_is_read_with_a_word(tmp_path: Path) -> None:
    columns = COLUMNS.replace('"knee"', '"Kniewinkel °"')
    text = lines(*GOOD).replace("knee", "Kniewinkel °")
    report, _ = small(tmp_path, text.encode("cp1252"), columns)
    assert any("Windows-1252" in remark for remark in report.remarks)
    said = "[csv]\nencoding = 'cp1252'\n" + columns
    (tmp_path / "out.rec").unlink()
    report, _ = small(tmp_path, text.encode("cp1252"), said)
    assert not any("Windows-1252" in remark for remark in report.remarks)


@pytest.mark.parametrize(
    ("text", "columns", "words"),
    [
        (lines(*GOOD), COLUMNS.replace('knee"', 'Knee"'), "no column 'Knee': the file has 'time', 'knee', 't"),
        (lines(*GOOD), COLUMNS.replace("left_knee_angle", "left_knee_angel"), "no channel 'left_knee_angel'"),
        (lines(*GOOD), COLUMNS.replace("sign = -1", 'unit = "lbf"'), "torque cannot be in 'lbf': known are N.m"),
        (lines(*GOOD), COLUMNS.replace("sign = -1", "sign = 2"), "sign is 1 or -1"),
        (lines(*GOOD), COLUMNS + "[time]\nunit = 'h'", "unit is one of s, ms, us, ns, iso"),
        (lines(*GOOD), "[exoskeleton.columns]\nmode = 2", "names no channel of a joint or a leg"),
        (lines(*GOOD), COLUMNS + "[time]\nunit = 'ns'", "is its unit right?"),
        (lines(*GOOD), COLUMNS + "[csv]\nencoding = 'klingon'", "'klingon' is not known"),
        (lines(*GOOD), COLUMNS + "[csv]\nseparator = ';'", "[csv] has no 'separator': known are decimal, delimiter"),
        (lines(*GOOD), "x =", "is not TOML"),
        (lines(), COLUMNS, "not two rows with a time that can be used"),
        (lines("a,b,c", "d,e,f"), COLUMNS, "2 rows left out: no time (line 2, line 3)"),
        ("", COLUMNS, "there is no column"),
        ("time;knee;torque\n0,1;1.5;2\n0,2;1.5;2\n", COLUMNS, "numbers with a point and numbers with a comma"),
        (lines(*GOOD), COLUMNS + "[csv]\nencoding = 'base64'", "'base64' is not known"),
        (lines(*GOOD), COLUMNS + "[csv]\nskip_lines = 'two'", "skip_lines is a whole number, not 'two'"),
        (lines(*GOOD), COLUMNS + "[csv]\nheader = 'false'", "header is true or false, not 'false'"),
        (lines(*GOOD), COLUMNS + "[csv]\ndecimal = 'x'", """decimal is "." or ",", not 'x'"""),
        (lines(*GOOD), "imu = 5\n" + COLUMNS, "[[imu]] is a table for each sensor"),
        (lines(*GOOD), "imu = [5]\n" + COLUMNS, "[[imu]] is a table for each sensor"),
        (lines(*(f"{1.7e12 + 10 * k},1,1" for k in range(9))), "[exoskeleton]\nrate_hz = 100\n" + COLUMNS,
         "is [time] unit right"),
        (lines(*GOOD), COLUMNS + "[time]\nstart = 0001-01-01T00:00:00+14:00", "or [time] start"),
        (lines(*GOOD).encode("utf-8") + b"\xff", "[csv]\nencoding = 'utf-8'\n" + COLUMNS, "is not utf-8"),
    ],
)  # fmt: skip
def test_a_file_that_cannot_be_used_is_refused_in_a_sentence_and_leaves_nothing(
    tmp_path: Path, text: str | bytes, columns: str, words: str
) -> None:
    with pytest.raises(ImportProblem) as refused:
        small(tmp_path, text, columns)
    assert words in str(refused.value)
    assert not (tmp_path / "out.rec").exists()


def test_a_recording_that_is_there_is_not_written_over(tmp_path: Path) -> None:
    (tmp_path / "out.rec").write_bytes(b"mine")
    with pytest.raises(ImportProblem, match="is there already"):
        small(tmp_path, lines(*GOOD))
    assert (tmp_path / "out.rec").read_bytes() == b"mine"


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        (Wanted(NHS_NUMBER.replace("-", ""), "x"), "--subject has the form of an NHS number: use a pseudonym"),
        (Wanted(f"p-{NHS_NUMBER}", "x"), "--subject has the form of an NHS number: use a pseudonym"),
        (Wanted("p-0172", NHS_NUMBER), "--slot has the form of an NHS number: use a pseudonym"),
        (Wanted("Mr Smith", "x"), "--subject = 'Mr Smith' must be lower-case letters"),
        (Wanted("p-0172", "Bed 1"), "--slot = 'Bed 1' must be lower-case letters"),
    ],
)
def test_who_it_was_is_a_pseudonym_and_no_number_of_a_patient(tmp_path: Path, wanted: Wanted, words: str) -> None:
    csv, columns, output = tmp_path / "s.csv", tmp_path / "c.toml", tmp_path / "out.rec"
    csv.write_text(lines(*GOOD))
    columns.write_text(COLUMNS)
    with pytest.raises(ImportProblem) as refused:
        import_session(csv, load_mapping(columns), output, wanted, lambda _: None)
    assert str(refused.value).startswith(words)
    assert not output.exists()


def test_columns_may_be_numbers_where_there_are_no_names(tmp_path: Path) -> None:
    columns = """
[time]
column = 1
unit = "ms"
[csv]
header = false
skip_lines = 2
[exoskeleton.columns]
right_ankle_angle = { column = 3, unit = "rad" }
"""
    rows = [f"{10 * k} x {k / 100}".replace(" ", ";") for k in range(20)]
    report, output = small(tmp_path, "made by us\n\n" + "\n".join(rows), columns)
    assert report.spotless
    got = exoskeleton(output)["exoskeleton"]
    assert np.nanmax(got.samples) == pytest.approx(np.degrees(0.19), abs=0.006)


def test_times_of_day_are_the_times_of_the_recording(tmp_path: Path) -> None:
    columns = '[time]\nunit = "iso"\n' + COLUMNS
    rows = [f"2026-03-01T10:00:00.{k:02}0+01:00,{k},1" for k in range(20)]
    report, output = small(tmp_path, lines(*rows), columns)
    assert report.spotless
    assert header_of(output).origin_us == 1772355600_000_000
    (tmp_path / "out.rec").unlink()
    _, output = small(tmp_path, lines(*(f"{1772355600 + k / 100},{k},1" for k in range(20))))
    assert header_of(output).origin_us == 1772355600_000_000


def test_times_without_a_zone_are_utc_with_a_word(tmp_path: Path) -> None:
    report, output = small(tmp_path, lines(*GOOD), "[time]\nstart = 2026-03-01T10:00:00\n" + COLUMNS)
    assert header_of(output).origin_us == 1772359200_000_000
    assert [remark for remark in report.remarks if "[time] start has no zone, and was read as UTC" in remark]
    output.unlink()
    rows = [f"2026-03-01T10:00:00.{k:02}0,{k},1" for k in range(20)]
    report, output = small(tmp_path, lines(*rows), '[time]\nunit = "iso"\n' + COLUMNS)
    assert header_of(output).origin_us == 1772359200_000_000
    assert len([remark for remark in report.remarks if "have no zone, and were read as UTC" in remark]) == 1
    output.unlink()
    report, _ = small(tmp_path, lines(*GOOD), "[time]\nstart = 2026-03-01T10:00:00Z\n" + COLUMNS)
    assert not [remark for remark in report.remarks if "zone" in remark]


@pytest.mark.parametrize(
    ("column", "said"),
    [
        ("", "No column tells fault and emergency_stop:"),
        ('fault = "knee"\n', "No column tells emergency_stop:"),
        ('fault = "knee"\nemergency_stop = "torque"\n', ""),
    ],
)
def test_what_no_column_tells_of_faults_is_said(tmp_path: Path, column: str, said: str) -> None:
    report, _ = small(tmp_path, lines(*GOOD), COLUMNS + column)
    found = [remark for remark in report.remarks if remark.startswith("No column tells")]
    assert [remark.startswith(said) for remark in found] == ([True] if said else [])


def test_faults_and_the_emergency_stop_are_told_at_once(tmp_path: Path) -> None:
    columns = COLUMNS + 'fault = "f"\nemergency_stop = "stop"\nmode = "m"\nbattery = "b"\n'
    rows = [f"{k / 100},{k},0,{4 if k >= 150 else 0},{int(k >= 120)},{k if k < 5 else 2},{90}" for k in range(200)]
    report, output = small(tmp_path, "time,knee,torque,f,stop,m,b\n" + "\n".join(rows), columns)
    assert report.spotless
    got = exoskeleton(output)
    assert got["exoskeleton_fault"].samples[:, [0, 2]].tolist() == [[0, 0], [0, 0], [0, 1], [4, 1]]
    assert got["battery"].samples[-1, 0] == 90


def test_inertial_sensors_in_the_same_file(tmp_path: Path) -> None:
    columns = (
        COLUMNS
        + """
[[imu]]
id = "shank"
placement = "left_shank"
[imu.columns]
acc_x = { column = "ax", unit = "g" }
acc_y = { column = "ay", unit = "g", sign = -1 }
acc_z = { column = "az", unit = "g" }
gyr_x = { column = "gx", unit = "deg/s" }
gyr_y = { column = "gy", unit = "deg/s" }
gyr_z = { column = "gz", unit = "deg/s" }
"""
    )
    rows = [f"{k / 100},{k},0,0,0.5,1,{k},{-k},{'' if k == 7 else 3}" for k in range(50)]
    report, output = small(tmp_path, "time,knee,torque,ax,ay,az,gx,gy,gz\n" + "\n".join(rows), columns)
    assert report.values == {"a measurement of shank that is not whole": 1}
    decoder = make_driver("movella_dot", {"mode": "rate"}).decoder()
    got = decoded(decoder, [[frame for number, frame in frames_of(output) if number == 1]])["imu"]
    assert decoder.streams["imu"].rate_hz == 100
    assert got.samples[10] == pytest.approx([0, -4.903325, 9.80665, *np.radians([11, -11, 3])], rel=1e-6)
    assert len(got) == 49
    assert measured(output)


def test_the_command_line(tmp_path: Path) -> None:
    """As a user would: import, then replay; status 2 and a sentence for what cannot be used."""
    csv, columns = write_csv(tmp_path / "walk.csv"), mapping(tmp_path / "columns.toml")

    def rehab_gateway(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "gateway", *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)

    done = rehab_gateway("import", "exoskeleton", csv, "--columns", columns, "-o", tmp_path / "walk.rec")
    assert done.returncode == 0, done.stderr
    assert "6,001 samples at 100 Hz" in done.stderr
    shown = rehab_gateway("replay", tmp_path / "walk.rec")
    assert "imported" in shown.stdout, shown.stderr
    spoilt = tmp_path / "spoilt.csv"
    spoilt.write_text(csv.read_text("utf-8") + "1,2,3\n", "utf-8")
    done = rehab_gateway("import", "exoskeleton", spoilt, "--columns", columns, "-o", tmp_path / "s.rec", "--strict")
    assert done.returncode == 1
    assert "1 row left out: other than 22 columns (line 6003)" in done.stderr.replace("\n", " ")
    assert not (tmp_path / "s.rec").exists()
    done = rehab_gateway("import", "exoskeleton", tmp_path / "none.csv", "--columns", columns, "-o", tmp_path / "n.rec")
    assert done.returncode == 2
    assert "none.csv cannot be read" in done.stderr.replace("\n", " ")
