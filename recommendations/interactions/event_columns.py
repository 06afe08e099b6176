"""Checked events column by column: a file's rows are too many for an object each."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime

from recommendations.interactions.event_schema import Event


@dataclass(slots=True)
class EventColumns:
    """Lists of equal length. `stamps` are the times in UTC as `isoformat` writes them, which sort like times.

    `odd` holds the events, by their place, that have a context, or came without a time.
    """

    users: list[str] = field(default_factory=list)
    items: list[str] = field(default_factory=list)
    types: list[str] = field(default_factory=list)
    values: list[float | None] = field(default_factory=list)
    stamps: list[str] = field(default_factory=list)
    event_ids: list[str | None] = field(default_factory=list)
    recommendation_ids: list[str | None] = field(default_factory=list)
    odd: dict[int, Event] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.users)

    def __getitem__(self, part: slice) -> "EventColumns":
        return self.take(range(*part.indices(len(self))))

    def append(self, event: Event) -> None:
        """Appends an event."""
        if event.context is not None or not event.timed:
            self.odd[len(self)] = event
        self.users.append(event.user_id)
        self.items.append(event.item_id)
        self.types.append(event.type)
        self.values.append(event.value)
        self.stamps.append(event.occurred_at.isoformat())
        self.event_ids.append(event.event_id)
        self.recommendation_ids.append(event.recommendation_id)

    def extend(self, others: "EventColumns") -> None:
        """Appends events."""
        first = len(self)
        self.odd |= {first + place: event for place, event in others.odd.items()}
        for name in _LISTS:
            getattr(self, name).extend(getattr(others, name))

    def take(self, places: Sequence[int]) -> "EventColumns":
        """The events at these places."""
        columns = {name: [getattr(self, name)[place] for place in places] for name in _LISTS}
        odd = {new: self.odd[old] for new, old in enumerate(places) if old in self.odd}
        return EventColumns(**columns, odd=odd)

    def event(self, place: int) -> Event:
        """One of the events."""
        return self.odd.get(place) or Event(
            self.users[place],
            self.items[place],
            self.types[place],
            self.values[place],
            datetime.fromisoformat(self.stamps[place]),
            self.event_ids[place],
            self.recommendation_ids[place],
            None,
            timed=True,
        )

    def events(self, places: Iterable[int] | None = None) -> dict[int, Event]:
        """The events at these places, or all, by their place."""
        return {place: self.event(place) for place in (range(len(self)) if places is None else places)}

    @classmethod
    def of(cls, events: Iterable[Event]) -> "EventColumns":
        """Columns of these events."""
        columns = cls()
        for event in events:
            columns.append(event)
        return columns


_LISTS: tuple[str, ...] = tuple(each.name for each in fields(EventColumns) if each.name != "odd")
