"""A family's calendar: iCalendar events that recur, expanded over a daylight-saving change, dates in four languages read by dateparser, instants by Whenever, a Rich table."""
import io

import humanize
import icalendar
import orjson
import recurring_ical_events
from dateparser import parse
from pydantic import AwareDatetime, BaseModel
from rich.console import Console
from rich.table import Table
from whenever import Instant, ZonedDateTime

TEXT = """BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//family//en
BEGIN:VEVENT
UID:swim
SUMMARY:Swimming
DTSTART;TZID=Europe/Berlin:20250320T170000
DTEND;TZID=Europe/Berlin:20250320T180000
RRULE:FREQ=WEEKLY;COUNT=4
EXDATE;TZID=Europe/Berlin:20250327T170000
END:VEVENT
BEGIN:VEVENT
UID:choir
SUMMARY:Choir
DTSTART:20250331T180000Z
DURATION:PT1H30M
END:VEVENT
END:VCALENDAR
"""


class Event(BaseModel):
    title: str
    start: AwareDatetime


def main():
    calendar = icalendar.Calendar.from_ical(TEXT)
    found = recurring_ical_events.of(calendar).between((2025, 3, 1), (2025, 5, 1))
    events = sorted((Event(title=str(e["SUMMARY"]), start=e["DTSTART"].dt) for e in found), key=lambda e: e.start)
    offsets = [e.start.utcoffset().seconds // 3600 for e in events]
    words = {"12 mars 2024": "fr", "3. Mai 2024 14:00": "de", "5 de junio de 2023": "es", "2 days ago": "en"}
    dates = [parse(text, languages=[code]) for text, code in words.items()]
    start = ZonedDateTime(2025, 3, 29, 17, tz="Europe/Berlin")
    later = start.add(hours=24)
    humanize.i18n.activate("de_DE")
    said = humanize.naturaldelta(int((later.to_instant() - Instant.from_utc(2025, 3, 29, 16)).total("seconds")))
    table = Table("title", "start")
    for event in events:
        table.add_row(event.title, event.start.isoformat())
    out = io.StringIO()
    Console(file=out, width=70).print(table)
    again = orjson.loads(orjson.dumps([e.model_dump() for e in events]))
    print("OK", len(events), offsets, [d.year for d in dates[:3]], dates[3] is not None, later.hour, said, out.getvalue().count("Swimming"), again[0]["title"])


main()
