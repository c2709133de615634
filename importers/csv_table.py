"""Tables of text: the comma, semicolon, tab or bar between columns, the decimal sign and the encoding are found out.

Each can be said in ``[csv]`` of the mapping instead; what is found is the same for the whole file.
"""

from __future__ import annotations

import codecs
import csv
import math
import re
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any, Final

from config import plain_file
from importers.errors import ImportProblem
from importers.mapping import PER_SECOND, TimeUnit
from importers.report import Report
from importers.table import Row, Table

DELIMITERS: Final = (",", ";", "\t", "|")
LOOKED_AT: Final = 200  # rows, to find the decimal sign
NOT_UTF_8: Final = "It is not UTF-8 and was read as Windows-1252; say its encoding in [csv] if that is wrong."
NO_ZONE: Final = "Times in its time column have no zone, and were read as UTC: write them as 2026-03-01T10:00:00+01:00."
PIECE: Final = 1 << 20  # bytes, to find the encoding
LONGEST_FIELD: Final = 1 << 16
NOTHING: Final = frozenset({"", "nan", "na", "n/a", "null", "none", "-", "--"})
_BOMS: Final = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
_NUMBER: Final = re.compile(r"[+-]?(\d+([.,]\d*)?|[.,]\d+)([eE][+-]?\d+)?")
_OPTIONS: Final = frozenset({"delimiter", "decimal", "encoding", "header", "skip_lines"})


class CsvTable(Table):
    """A CSV file, read as it comes.

    Args:
        path: The file.
        options: ``delimiter``, ``decimal``, ``encoding``, ``header`` (a row of names, by default true) and
            ``skip_lines`` (above it).
        time_unit: Of its time column.
        report: Takes what cannot be read.

    Raises:
        ImportProblem: it cannot be opened, or not be understood.
    """

    def __init__(self, path: Path, options: Mapping[str, Any], time_unit: TimeUnit, report: Report) -> None:
        if unknown := next((key for key in options if key not in _OPTIONS), None):
            raise ImportProblem(f"[csv] has no '{unknown}': known are {', '.join(sorted(_OPTIONS))}")
        self._path, self._report, self._time_unit = path, report, time_unit
        try:
            self._size = max(1, plain_file.look(path).st_size)
            self._encoding = str(options.get("encoding") or _encoding(path, report))
            path.open(encoding=self._encoding).close()  # a codec that is for other things than text fails here only
        except OSError as problem:
            raise ImportProblem(f"{path} cannot be read ({(problem.strerror or str(problem)).lower()})") from None
        except (LookupError, ValueError):
            raise ImportProblem(f"[csv] encoding: {options['encoding']!r} is not known") from None
        self._skipped, self._header = options.get("skip_lines", 0), options.get("header", True)
        if type(self._skipped) is not int or self._skipped < 0:
            raise ImportProblem(f"[csv] skip_lines is a whole number, not {self._skipped!r}")
        if not isinstance(self._header, bool):
            raise ImportProblem(f"[csv] header is true or false, not {self._header!r}")
        self._read = 0
        with closing(self._lines()) as lines:
            first = next(lines, "")
        self._delimiter = str(options.get("delimiter") or max(DELIMITERS, key=first.count))
        if len(self._delimiter) != 1:
            raise ImportProblem("[csv] delimiter is one character")
        with closing(self._records(skip_header=False)) as records:
            _, names = next(records, (0, list[str]()))
        self._columns = names if self._header else [str(number) for number in range(1, len(names) + 1)]
        self._decimal = str(options.get("decimal") or self._found_decimal())
        if self._decimal not in {".", ","}:
            raise ImportProblem(f'[csv] decimal is "." or ",", not {self._decimal!r}')

    @property
    def columns(self) -> Sequence[str]:
        """Names in the first row, or numbers from 1."""
        return self._columns

    @property
    def share_read(self) -> float:
        """By characters, which are bytes or nearly so."""
        return min(1.0, self._read / self._size)

    def rows(self, time_column: str, columns: Sequence[str]) -> Iterator[Row]:
        """Yield rows in order; one with too few or too many columns is left out."""
        at_time, places = self.place_of(time_column), [(self.place_of(name), name) for name in columns]
        self._read = 0
        for line, cells in self._records(skip_header=self._header):
            place = f"line {line}"
            if not any(cells):
                continue  # an empty line, as many files end with
            if len(cells) != len(self._columns):
                self._report.leave_out(f"other than {len(self._columns)} columns", place)
                continue
            values = [self._number(cells[at], name, place) for at, name in places]
            yield Row(place, self._time(cells[at_time]), values)

    def _number(self, cell: str, name: str, place: str) -> float:
        value = self._parsed(cell)
        if value is None:
            self._report.miss(f"no number in '{name}'", f"{place}: '{cell[:20]}'")
            return math.nan
        return value

    def _parsed(self, cell: str) -> float | None:
        """Return a number, NaN where nothing stands there, None for anything else."""
        text = cell.strip()
        if text.lower() in NOTHING:
            return math.nan
        other = "." if self._decimal == "," else ","
        if other in text or not _NUMBER.fullmatch(text):
            return None
        value = float(text.replace(",", "."))
        return value if math.isfinite(value) else None

    def _time(self, cell: str) -> float | None:
        if self._time_unit != "iso":
            value = self._parsed(cell)
            return None if value is None or math.isnan(value) else value / PER_SECOND[self._time_unit]
        try:
            moment = datetime.fromisoformat(cell.strip().replace(",", "."))
        except ValueError:
            return None
        if moment.tzinfo is None:
            if NO_ZONE not in self._report.remarks:
                self._report.remarks.append(NO_ZONE)
            moment = moment.replace(tzinfo=UTC)
        return moment.timestamp()

    def _found_decimal(self) -> str:
        """Return the decimal sign; a file with both in its numbers is asked about."""
        with closing(self._records(skip_header=self._header)) as records:
            looked_at = [cell for _, cells in islice(records, LOOKED_AT) for cell in cells if _NUMBER.fullmatch(cell)]
        signs = {sign for cell in looked_at for sign in ".," if sign in cell}
        if len(signs) > 1:
            raise ImportProblem(
                f"{self._path}: numbers with a point and numbers with a comma: say which is the decimal sign,"
                ' decimal = "." or ","'
            )
        return signs.pop() if signs else "."

    def _records(self, *, skip_header: bool) -> Generator[tuple[int, list[str]], None, None]:
        """Yield (line, cells)."""
        csv.field_size_limit(LONGEST_FIELD)
        reader = csv.reader(self._lines(), delimiter=self._delimiter, skipinitialspace=True)
        first = True
        while True:
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as problem:
                self._report.leave_out(f"not CSV: {problem}", f"line {reader.line_num + self._skipped}")
                continue
            if first and skip_header:
                first = False
                continue
            first = False
            yield reader.line_num + self._skipped, [cell.strip() for cell in cells]

    def _lines(self) -> Generator[str, None, None]:
        try:
            with self._path.open(encoding=self._encoding, newline="") as file:
                for number, line in enumerate(file):
                    self._read += len(line)
                    if number >= self._skipped:
                        yield line
        except UnicodeError as problem:
            raise ImportProblem(f"{self._path} is not {self._encoding}: {problem}; say its encoding in [csv]") from None


def _encoding(path: Path, report: Report) -> str:
    """Return what a file is written in: by its mark, UTF-8 if all of it is, or else that of Windows, with a remark."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    with path.open("rb") as file:
        begin = file.read(4)
        for mark, name in _BOMS:
            if begin.startswith(mark):
                return name
        file.seek(0)
        try:
            while piece := file.read(PIECE):
                decoder.decode(piece)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            report.remarks.append(NOT_UTF_8)
            return "cp1252"
    return "utf-8"
