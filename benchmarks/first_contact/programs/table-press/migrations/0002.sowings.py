from yoyo import step

__depends__ = {"0001.create-plants"}

steps = [
    step(
        "CREATE TABLE sowings (id INTEGER PRIMARY KEY, plant_id INTEGER REFERENCES plants(id), bed TEXT, packets INTEGER, link TEXT)",
        "DROP TABLE sowings",
    ),
    step("CREATE INDEX sowings_bed ON sowings(bed)", "DROP INDEX sowings_bed"),
]
