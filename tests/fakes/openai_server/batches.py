"""``/v1/files`` and ``/v1/batches``: a file of questions in, a file of answers out, after a while or never."""

import json
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from email import message_from_bytes
from typing import Any

from tests.fakes.openai_server import wire
from tests.fakes.openai_server.faults import Fault, Faults

ENDPOINT = "batches"
Complete = Callable[[Mapping[str, Any], Fault | None], wire.Answer]


class Batches:
    """Files and batches of one server. A batch ends at the first look after its time.

    Faults for the endpoint ``batches`` say how: ``batch_slow`` (seconds until it ends), ``batch_expired`` (share of the
    lines that were answered), ``batch_failed``, ``batch_partly`` (share of the lines that failed). Faults for
    ``chat/completions`` spoil single lines as they spoil single calls.
    """

    def __init__(self, faults: Faults, complete: Complete) -> None:
        self._faults = faults
        self._complete = complete
        self._lock = threading.Lock()
        self._files: dict[str, bytes] = {}
        self._batches: dict[str, dict[str, Any]] = {}
        self._hidden: dict[str, tuple[Fault | None, float]] = {}

    def upload(self, content_type: str, raw: bytes) -> wire.Answer:
        """Take a multipart upload."""
        parts = message_from_bytes(b"Content-Type: " + content_type.encode() + b"\r\n\r\n" + raw).get_payload()
        named: dict[Any, bytes] = {}
        for part in parts if isinstance(parts, list) else []:
            content = part.get_payload(decode=True)  # type: ignore[union-attr]
            named[part.get_param("name", header="content-disposition")] = content  # type: ignore[union-attr, assignment]
        if named.get("purpose") != b"batch" or "file" not in named:
            return wire.error(400, "Give 'file' and 'purpose' batch", kind="invalid_request_error")
        return wire.Answer(200, self._file(named["file"]))

    def content(self, file_id: str) -> wire.Answer:
        """Return a file."""
        with self._lock:
            raw = self._files.get(file_id)
        if raw is None:
            return wire.error(404, f"No such File object: {file_id}", kind="invalid_request_error")
        return wire.Answer(200, raw.decode())

    def create(self, body: Mapping[str, Any]) -> wire.Answer:
        """Begin a batch."""
        with self._lock:
            known = body.get("input_file_id") in self._files
        if not known or body.get("endpoint") != "/v1/chat/completions" or body.get("completion_window") != "24h":
            return wire.error(400, "Invalid batch", kind="invalid_request_error")
        fault = self._faults.take(ENDPOINT)
        now = time.time()
        batch = {
            "id": f"batch_{uuid.uuid4().hex}",
            "object": "batch",
            "endpoint": body["endpoint"],
            "input_file_id": body["input_file_id"],
            "completion_window": "24h",
            "status": "in_progress",
            "output_file_id": None,
            "error_file_id": None,
            "created_at": int(now),
            "expires_at": int(now) + 86_400,
            "metadata": body.get("metadata") or {},
            "errors": None,
            "request_counts": {"total": 0, "completed": 0, "failed": 0},
        }
        seconds = fault.number("seconds", 3600) if fault and fault.kind == "batch_slow" else 0.0
        with self._lock:
            self._batches[batch["id"]] = batch
            self._hidden[batch["id"]] = (fault, now + seconds)
        return wire.Answer(200, dict(batch))

    def retrieve(self, batch_id: str) -> wire.Answer:
        """Return a batch, which may have ended by now."""
        with self._lock:
            batch = self._batches.get(batch_id)
        if batch is None:
            return wire.error(404, f"No batch found with id '{batch_id}'.", kind="invalid_request_error")
        fault, at = self._hidden[batch_id]
        if batch["status"] == "in_progress" and time.time() >= at:
            self._finish(batch, fault)
        return wire.Answer(200, dict(batch))

    def cancel(self, batch_id: str) -> wire.Answer:
        """Stop a batch at once."""
        answer = self.retrieve(batch_id)
        if answer.status == 200 and answer.body["status"] == "in_progress":
            self._batches[batch_id]["status"] = "cancelled"
            return self.retrieve(batch_id)
        return answer

    def listed(self) -> wire.Answer:
        """Return all batches, the latest first."""
        with self._lock:
            data = [dict(each) for each in reversed(self._batches.values())]
        return wire.Answer(200, {"object": "list", "data": data, "has_more": False})

    def _finish(self, batch: dict[str, Any], fault: Fault | None) -> None:
        kind = fault.kind if fault else ""
        if kind == "batch_failed":
            error = {"code": "invalid_json_line", "message": "This line is not parseable", "line": 1, "param": None}
            batch.update(status="failed", errors={"object": "list", "data": [error]})
            return
        lines = self._files[batch["input_file_id"]].splitlines()
        share = fault.number("share", 0.5) if fault else 0.0
        bad = round(len(lines) * share) if kind == "batch_partly" else 0
        done = lines[: round(len(lines) * share)] if kind == "batch_expired" else lines[: len(lines) - bad]
        answers = [self._answer(json.loads(line)) for line in done]
        output = self._file("\n".join(json.dumps(each) for each in answers).encode())
        batch.update(
            status="expired" if kind == "batch_expired" else "completed",
            output_file_id=output["id"] if done else None,
            request_counts={"total": len(lines), "completed": len(done), "failed": len(lines) - len(done)},
        )

    def _answer(self, line: Mapping[str, Any]) -> dict[str, Any]:
        answer = self._complete(line["body"], self._faults.take("chat/completions"))
        response = {"status_code": answer.status, "request_id": uuid.uuid4().hex, "body": answer.body}
        ident = f"batch_req_{uuid.uuid4().hex}"
        return {"id": ident, "custom_id": line["custom_id"], "response": response, "error": None}

    def _file(self, raw: bytes) -> dict[str, Any]:
        file_id = f"file-{uuid.uuid4().hex}"
        with self._lock:
            self._files[file_id] = raw
        return {
            "id": file_id,
            "object": "file",
            "bytes": len(raw),
            "created_at": int(time.time()),
            "filename": "batch.jsonl",
            "purpose": "batch",
            "status": "processed",
        }
