"""Rows as a test has them mapped."""

from recommendations.imports.formats.rows import Record
from recommendations.imports.mapping import column_mapping
from recommendations.imports.mapping.row_mapping import RowMapping
from recommendations.imports.models import Import


def plan(kind="items", **said):
    return RowMapping(Import.Kind(kind), column_mapping.parse_mapping(kind=Import.Kind(kind), **said))


def rows_of(which, *cells):
    """The rows of one record of a table."""
    names = list(cells[0])
    return which.rows(which.table(names)(Record(2, list(cells[0].values()))))


def row_of(which, cells):
    (line,) = rows_of(which, cells)
    return line


def codes(line):
    return [(error.pointer, error.code) for error in line.errors]
