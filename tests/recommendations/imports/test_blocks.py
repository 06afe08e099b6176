"""Files that are read in blocks give what they give when each record is read by itself."""

from datetime import timedelta

import pytest

from accounts.tenancy import scope
from core import clock
from recommendations.imports import chunks
from recommendations.imports.formats import decompression
from recommendations.imports.formats.rows import Block
from recommendations.imports.mapping.row_mapping import RowMapping
from recommendations.imports.models import ImportRowError
from recommendations.models import EndUser, Interaction
from recommendations.privacy.erase import erase_end_user
from tests.recommendations.imports.started import counts, run, start

HEADER = "user_id,item_id,type,occurred_at,value,event_id,recommendation_id\n"


def row(number, **more):
    cells = {
        "user_id": f"user-{number % 9}",
        "item_id": f"item-{number % 13}",
        "type": ("view", "Rating", "cart")[number % 3],
        "occurred_at": f"2026-01-{number % 28 + 1:02d}T08:30:00{('.5', '')[number % 5 > 0]}Z",
        "value": f"{number % 5}.5" if number % 4 else "",
        "event_id": f"e {number}" if number % 2 else "",
        "recommendation_id": "r1" if number % 50 == 0 else "",
    } | more
    return ",".join(cells.values())


def content():
    """Rows of each kind among usual ones."""
    future = (clock.now() + timedelta(days=9)).strftime("%Y-%m-%dT%H:%M:%SZ")
    odd = {
        90: row(90, occurred_at=future),
        120: row(120, user_id="erased", occurred_at="2020-01-01T00:00:00Z"),
        150: row(149),
        180: row(179, item_id="other"),
        210: row(210, value="much"),
        240: "",
        270: row(270) + ",,",
        300: HEADER.strip(),
        330: row(330, item_id='"a, b"'),
        360: row(360, occurred_at=""),
        390: row(390, type="x" * 65),
        420: "too,few",
    }
    lines = [odd.get(number, row(number)) for number in range(500)]
    return HEADER + "\n".join(lines)


def outcome(tenant_id, job):
    with scope.tenant(tenant_id):
        rows = Interaction.objects.order_by("id").values_list(
            *("end_user__user_id", "item__item_id", "type__name", "value", "occurred_at", "event_id", "digest"),
            *("recommendation_id", "context"),
        )
        untimed = {name: value for name, value in job.summary.items() if not name.startswith("occurred_")}
        errors = ImportRowError.objects.filter(job=job).order_by("id").values_list("line", "field", "code", "detail")
        marked = EndUser.objects.filter(dirty_at__isnull=False).order_by("user_id").values_list("user_id", flat=True)
        # The row without a time got that of its import.
        stored = [each for each in rows if each[4] < job.created_at]
        return counts(job), job.line, untimed, list(errors), stored, list(marked)


@pytest.mark.parametrize("chunk", [7, 10_000])
def test_blocks_and_records_have_one_outcome(cast, monkeypatch, chunk):
    monkeypatch.setattr(decompression, "BLOCK", 700)
    monkeypatch.setattr(chunks, "CHUNK_ROWS", chunk)
    text, outcomes, blocks = content(), [], []
    original = chunks._Reading.take_block

    def counted(self, block):
        blocks.append(block)
        return original(self, block)

    monkeypatch.setattr(chunks._Reading, "take_block", counted)
    for member, in_blocks in ((cast.acme, True), (cast.globex, False)):
        tenant_id = member.tenant.pk
        with scope.tenant(tenant_id):
            EndUser.objects.create(tenant_id=tenant_id, user_id="erased")
        erase_end_user(tenant_id=tenant_id, user_id="erased", now=clock.now())
        with monkeypatch.context() as patch:
            if not in_blocks:
                patch.setattr(RowMapping, "block_table", lambda *_: None)
            first = run(start(tenant_id, text))
            outcomes.append([outcome(tenant_id, first), counts(run(start(tenant_id, text)))])

    assert outcomes[0] == outcomes[1]
    codes = {code for _, _, code, _ in outcomes[0][0][3]}
    assert codes >= {"in_future", "erased_person", "event_id_reused", "bad_cell", "bad_csv", "bad_type"}
    assert len(blocks) > 20
    assert all(isinstance(block, Block) for block in blocks)
