"""A reader for seed packets (TOML) and a generator for the sowing calendar."""
import calendar
import json
import tomllib
from pathlib import Path

from pelican import signals
from pelican.generators import Generator
from pelican.readers import BaseReader


class SeedReader(BaseReader):
    enabled = True
    file_extensions = ["seed"]

    def read(self, source_path):
        data = tomllib.loads(Path(source_path).read_text())
        raw = {"title": data["title"], "date": str(data["date"]), "category": data["category"],
               "tags": ",".join(data["tags"]), "slug": data["title"].lower()}
        metadata = {key: self.process_metadata(key, value) for key, value in raw.items()}
        metadata["sow"] = data["sow"]
        months = ", ".join(calendar.month_name[m] for m in data["sow"])
        return f"<p>Sow {data['depth_cm']} cm deep in {months}.</p>", metadata


class CalendarGenerator(Generator):
    def generate_output(self, writer):
        table = {a.slug: a.sow for a in self.context["articles"] if hasattr(a, "sow")}
        Path(self.output_path, "sowing.json").write_text(json.dumps(table))


def add_reader(readers):
    readers.reader_classes["seed"] = SeedReader


def get_generators(pelican):
    return CalendarGenerator


def register():
    signals.readers_init.connect(add_reader)
    signals.get_generators.connect(get_generators)
