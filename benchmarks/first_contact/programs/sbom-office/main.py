"""An office of parts lists: CycloneDX documents in JSON and XML, checked against their schemas, licenses parsed and compared, package URLs, ranges of versions of several ecosystems, settings in TOML."""
import datetime
import uuid

import rtoml
from cyclonedx.builder.this import this_component
from cyclonedx.factory.license import LicenseFactory
from cyclonedx.model import ExternalReference, ExternalReferenceType, HashAlgorithm, HashType, XsUri
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.contact import OrganizationalEntity
from cyclonedx.output import make_outputter
from cyclonedx.schema import OutputFormat, SchemaVersion
from cyclonedx.validation import make_schemabased_validator
from license_expression import get_spdx_licensing
from packageurl import PackageURL
from univers.version_range import RANGE_CLASS_BY_SCHEMES, VersionRange
from univers.versions import PypiVersion

PARTS = """
[[part]]
name = "orjson"
version = "3.11.4"
license = "Apache-2.0 OR MIT"
[[part]]
name = "numpy"
version = "2.3.0"
license = "BSD-3-Clause"
"""


def main():
    licenses = LicenseFactory()
    bom = Bom(serial_number=uuid.UUID(int=7))
    bom.metadata.timestamp = datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc)
    bom.metadata.tools.components.add(this_component())
    root = Component(name="shop", type=ComponentType.APPLICATION, bom_ref="shop", supplier=OrganizationalEntity(name="Ada & Co"))
    bom.metadata.component = root
    for part in rtoml.loads(PARTS)["part"]:
        purl = PackageURL("pypi", None, part["name"], part["version"])
        component = Component(
            name=part["name"], version=part["version"], bom_ref=part["name"], purl=purl,
            licenses=[licenses.make_from_string(part["license"])],
            hashes=[HashType(alg=HashAlgorithm.SHA_256, content="0" * 64)],
            external_references=[ExternalReference(type=ExternalReferenceType.WEBSITE, url=XsUri("https://example.org"))],
        )
        bom.components.add(component)
        bom.register_dependency(root, [component])
    valid = {}
    for form in (OutputFormat.JSON, OutputFormat.XML):
        text = make_outputter(bom, form, SchemaVersion.V1_6).output_as_string(indent=2)
        validator = make_schemabased_validator(form, SchemaVersion.V1_6)
        valid[form.name] = validator.validate_str(text) is None, validator.validate_str(text.replace("application", "applikation")) is None
    spdx = get_spdx_licensing()
    same = spdx.is_equivalent("MIT or Apache-2.0", "Apache-2.0 OR MIT")
    unknown = spdx.validate("MIT AND Nonsense-9").invalid_symbols
    inside = [str(v) for v in map(PypiVersion, ("1.0", "2.1b1", "3.0")) if v in VersionRange.from_string("vers:pypi/>=1.5|<3.0")]
    gem = RANGE_CLASS_BY_SCHEMES["npm"].from_native("^1.2.3 || ~2.0")
    back = PackageURL.from_string("pkg:npm/%40angular/core@1.2.3?arch=x#sub").to_dict()
    print("OK", valid, same, unknown, inside, str(gem), back["namespace"], len(spdx.known_symbols) > 500, len(rtoml.dumps({"a": [1]})))


main()
