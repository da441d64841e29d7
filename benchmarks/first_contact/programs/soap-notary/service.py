"""The notary's side: a SOAP 1.2 service on CherryPy."""
import base64
import datetime as dt
import hashlib
from decimal import Decimal
from pathlib import Path

import cherrypy
from lxml import etree
from lxml.builder import ElementMaker

CONTRACTS = Path(__file__).parent / "contracts"
ENVELOPE, NOTARY = "http://www.w3.org/2003/05/soap-envelope", "urn:example:notary"
SECURITY = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"
NS = {"s": ENVELOPE, "n": NOTARY, "w": SECURITY}


class Notary:
    def __init__(self) -> None:
        self.schema = etree.XMLSchema(etree.parse(CONTRACTS / "notary.xsd"))
        self.users: list[str] = []

    @cherrypy.expose
    def soap(self, **query: str) -> bytes:
        if cherrypy.request.method == "GET":
            cherrypy.response.headers["Content-Type"] = "text/xml"
            return (CONTRACTS / "notary.wsdl").read_bytes().replace(b"http://127.0.0.1/soap", cherrypy.url().encode())
        envelope = etree.fromstring(cherrypy.request.body.read())
        register = envelope.find("s:Body/n:Register", NS)
        soap = ElementMaker(namespace=ENVELOPE, nsmap={"s": ENVELOPE, "n": NOTARY})
        cherrypy.response.headers["Content-Type"] = "application/soap+xml"
        if not self.schema.validate(register):
            fault = soap.Fault(soap.Code(soap.Value("s:Sender")), soap.Reason(soap.Text(str(self.schema.error_log.last_error.message))))
            return etree.tostring(soap.Envelope(soap.Body(fault)))
        self.users.append(envelope.findtext(".//w:Username", namespaces=NS))
        make = ElementMaker(namespace=NOTARY)
        answer, total = make.RegisterResponse(), Decimal(0)
        for number, document in enumerate(register.findall("n:document", NS), 1):
            issued = dt.date.fromisoformat(document.findtext("n:issued", namespaces=NS))
            digest = hashlib.sha256(base64.b64decode(document.findtext("n:content", namespaces=NS))).hexdigest()
            years = 10 if document.get("level") == "qualified" else 2
            answer.append(make.entry(make.number(str(number)), make.digest(digest.upper()), make.validUntil(issued.replace(year=issued.year + years).isoformat())))
            total += Decimal(document.findtext("n:amount", namespaces=NS))
        answer.append(make.total(str(total)))
        return etree.tostring(soap.Envelope(soap.Body(answer)), xml_declaration=True, encoding="utf-8")

    @cherrypy.expose
    def notary_xsd(self) -> bytes:
        return (CONTRACTS / "notary.xsd").read_bytes()

