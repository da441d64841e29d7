CREATE TABLE plants (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    family TEXT NOT NULL,
    height_cm INTEGER,
    notes_markdown TEXT
);
