"""Who is who: people made by Faker in three locales, numbers and addresses checked, likeness by RapidFuzz, TextDistance and Jellyfish, groups by NetworkX, an Avro file."""
import io

import fastavro
import geopy.distance
import jellyfish
import networkx as nx
import phonenumbers
import polars as pl
import textdistance
from email_validator import EmailNotValidError, validate_email
from faker import Faker
from phonenumbers import carrier, geocoder, timezone
from rapidfuzz import fuzz, process


def main():
    Faker.seed(7)
    fake = Faker(["en_GB", "de_DE", "it_IT"])
    people = [{"id": i, "name": fake.name(), "city": fake.city(), "mail": f"p{i}@example.org"} for i in range(20)]
    people += [{**p, "id": p["id"] + 100, "name": p["name"].upper().replace("E", "E ")} for p in people[:5]]
    graph = nx.Graph()
    graph.add_nodes_from(p["id"] for p in people)
    names = {p["id"]: p["name"].lower() for p in people}
    for key, name in names.items():
        for _, score, other in process.extract(name, names, scorer=fuzz.token_sort_ratio, limit=3):
            if key != other and score > 75 and textdistance.jaro_winkler(name, names[other]) > 0.8:
                graph.add_edge(key, other)
    groups = [c for c in nx.connected_components(graph) if len(c) > 1]
    number = phonenumbers.parse("+442083661177")
    said = geocoder.description_for_number(number, "en"), timezone.time_zones_for_number(number), carrier.name_for_number(phonenumbers.parse("+40721234567"), "en")
    try:
        validate_email("nobody@", check_deliverability=False)
    except EmailNotValidError as error:
        wrong = type(error).__name__
    schema = {"type": "record", "name": "P", "fields": [{"name": "id", "type": "int"}, {"name": "name", "type": "string"}]}
    out = io.BytesIO()
    fastavro.writer(out, schema, people, codec="deflate")
    out.seek(0)
    back = pl.DataFrame(list(fastavro.reader(out)))
    km = round(geopy.distance.geodesic((52.52, 13.4), (48.86, 2.35)).km)
    print("OK", len(groups), said, wrong, back.height, km, jellyfish.metaphone("Schmidt"), textdistance.levenshtein("kitten", "sitting"))


main()
