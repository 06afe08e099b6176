"""Form field for a list of texts, one per line."""

from typing import Any

from django import forms


class LinesField(forms.CharField):
    """Edits a list as lines; surrounding blanks and empty lines are ignored."""

    widget = forms.Textarea(attrs={"rows": 6, "cols": 60, "spellcheck": "false"})

    def prepare_value(self, value: Any) -> Any:
        """Returns the list as text."""
        return "\n".join(value) if isinstance(value, list) else value

    def to_python(self, value: Any) -> Any:
        """Returns the text as a list."""
        return [line.strip() for line in (super().to_python(value) or "").splitlines() if line.strip()]

    def has_changed(self, initial: Any, data: Any) -> bool:
        """Returns true if the lists differ."""
        return bool(list(initial or []) != self.to_python(data))
