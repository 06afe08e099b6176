"""A list of words in a form: one in a line."""

from typing import Any

from django import forms


class LinesField(forms.CharField):
    """Takes and shows a list; blanks around a line and empty lines do not count."""

    widget = forms.Textarea(attrs={"rows": 6, "cols": 60, "spellcheck": "false"})

    def prepare_value(self, value: Any) -> Any:
        """The list as text."""
        return "\n".join(value) if isinstance(value, list) else value

    def to_python(self, value: Any) -> Any:
        """The text as a list."""
        return [line.strip() for line in (super().to_python(value) or "").splitlines() if line.strip()]

    def has_changed(self, initial: Any, data: Any) -> bool:
        """Whether the lists differ."""
        return bool(list(initial or []) != self.to_python(data))
