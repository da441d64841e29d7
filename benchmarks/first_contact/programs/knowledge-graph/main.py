"""A knowledge graph: RDFLib over the Oxigraph store (found as a plugin), SHACL validation, SPARQL, JSON-LD and RDF/XML, named graphs."""
import io
import logging
import tempfile

import pyoxigraph as ox
from pyshacl import validate
from rdflib import RDF, RDFS, XSD, Dataset, Graph, Literal, Namespace, URIRef
from rdflib.namespace import FOAF, SKOS
from rdflib.plugin import plugins
from rdflib.serializer import Serializer

logging.disable(logging.WARNING)
EX = Namespace("https://example.org/")
DATA = """
@prefix ex: <https://example.org/> . @prefix foaf: <http://xmlns.com/foaf/0.1/> . @prefix xsd: <http://www.w3.org/2001/XMLSchema#> .
ex:ann a ex:Author ; foaf:name "Ann" ; ex:born "1980"^^xsd:gYear ; ex:wrote ex:b1, ex:b2 .
ex:bob a ex:Author ; ex:wrote ex:b3 .
ex:b1 a ex:Book ; ex:pages 120 . ex:b2 a ex:Book ; ex:pages 300 . ex:b3 a ex:Book ; ex:pages -1 .
"""
SHAPES = """
@prefix sh: <http://www.w3.org/ns/shacl#> . @prefix ex: <https://example.org/> . @prefix foaf: <http://xmlns.com/foaf/0.1/> .
ex:AuthorShape a sh:NodeShape ; sh:targetClass ex:Author ; sh:property [ sh:path foaf:name ; sh:minCount 1 ] .
ex:BookShape a sh:NodeShape ; sh:targetClass ex:Book ; sh:property [ sh:path ex:pages ; sh:minInclusive 1 ] .
"""
QUERY = """
PREFIX ex: <https://example.org/>
SELECT ?a (SUM(?p) AS ?total) (COUNT(?b) AS ?n) WHERE { ?a ex:wrote ?b . ?b ex:pages ?p } GROUP BY ?a ORDER BY DESC(?total)
"""


def main():
    g = Graph(store="Oxigraph")
    g.parse(data=DATA, format="ox-turtle")
    plain = Graph().parse(data=DATA, format="turtle")
    rows = [(str(r.a).rsplit("/", 1)[-1], int(r.total), int(r.n)) for r in g.query(QUERY)]
    same = [(str(r.a).rsplit("/", 1)[-1], int(r.total), int(r.n)) for r in plain.query(QUERY)]
    assert rows == same, (rows, same)
    g.add((EX.ann, SKOS.prefLabel, Literal("Anna", lang="de")))
    g.update("INSERT { ?b <https://example.org/long> true } WHERE { ?b <https://example.org/pages> ?p FILTER(?p > 200) }")
    conforms, results, text = validate(plain, shacl_graph=Graph().parse(data=SHAPES, format="turtle"), inference="rdfs", advanced=True)
    jsonld = g.serialize(format="json-ld", context={"ex": str(EX), "foaf": str(FOAF)})
    xml = Graph().parse(data=g.serialize(format="pretty-xml"), format="xml")
    ds = Dataset(store="Oxigraph")
    ds.graph(EX.g1).add((EX.x, RDF.type, RDFS.Class)); ds.graph(EX.g2).add((EX.y, RDFS.label, Literal("1", datatype=XSD.integer)))
    trig = ds.serialize(format="ox-trig")
    with tempfile.TemporaryDirectory() as t:
        s = ox.Store(t)
        s.load(io.BytesIO(DATA.encode()), format=ox.RdfFormat.TURTLE)
        asked = bool(s.query("ASK { ?s a <https://example.org/Book> }"))
        nt = len(ox.serialize(s.quads_for_pattern(None, None, None), format=ox.RdfFormat.N_QUADS).splitlines())
        del s
    formats = {p.name for p in plugins(kind=Serializer)}
    print("OK", rows, conforms, text.count("Constraint Violation"), "@context" in jsonld, len(xml) == len(g), trig.count("{"), asked, nt,
          (URIRef(EX.b2), EX.long, None) in g, "ox-nq" in formats or sorted(formats)[:3])


if __name__ == "__main__":
    main()
