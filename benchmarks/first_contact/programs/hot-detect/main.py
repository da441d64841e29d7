"""hot-detect: detection rules checked and translated, and the TLS of a service audited."""
import csv
import json
import re
import ssl
import sys
import tempfile
from pathlib import Path

from cvss import CVSS3, CVSS4
from sigma.collection import SigmaCollection
from sigma.correlations import SigmaCorrelationRule
from sigma.exceptions import SigmaError
from sigma.plugins import InstalledSigmaPlugins
from sigma.processing.pipeline import ProcessingPipeline
from sigma.validation import SigmaValidator
from sslyze import (
    ScanCommand,
    ScanCommandAttemptStatusEnum,
    Scanner,
    ServerNetworkLocation,
    ServerScanRequest,
    SslyzeOutputAsJson,
)
from sslyze.json.json_output import ServerScanResultAsJson
from sslyze.mozilla_tls_profile.tls_config_checker import (
    SCAN_COMMANDS_NEEDED_BY_MOZILLA_CHECKER,
    MozillaTlsConfiguration,
    ServerNotCompliantWithTlsConfiguration,
    TlsConfigurationEnum,
    check_server_against_tls_configuration,
)

from desk.models import RuleCard
from desk.tlsfarm import TlsServer, make_certificate

HERE = Path(__file__).resolve().parent


def discover():
    plugins = InstalledSigmaPlugins.autodiscover()
    print("backends:", ", ".join(sorted(plugins.backends)))
    resolver = plugins.get_pipeline_resolver()
    names = sorted(name for name, _ in resolver.list_pipelines())
    print(f"pipelines: {len(names)}:", ", ".join(names[:6]))
    print("validators:", len(plugins.validators))
    return plugins, resolver


def validate(plugins, rules):
    chosen = {
        key: value
        for key, value in plugins.validators.items()
        if value.__module__ != "sigma.validators.core.tags"  # these ask MITRE's server
    }
    validator = SigmaValidator(chosen.values())
    issues = validator.validate_rules(rules)
    for name in sorted({f"{type(i).__name__} ({i.severity.name})" for i in issues}):
        print("   issue:", name)
    return len(issues)


def translate(plugins, resolver, rules):
    cards = {}
    targets = [
        ("lucene", ["ecs_windows"], "default"),
        ("eql", ["ecs_windows"], "default"),
        ("splunk", ["splunk_windows"], "savedsearches"),
        ("splunk", ["splunk_windows"], "default"),
    ]
    own = ProcessingPipeline.from_yaml((HERE / "pipelines" / "desk.yml").read_text())
    for name, wanted, fmt in targets:
        pipeline = resolver.resolve(wanted) + own
        backend = plugins.backends[name](processing_pipeline=pipeline, collect_errors=True)
        for rule in rules:
            if isinstance(rule, SigmaCorrelationRule) or rule.title.islower():
                continue
            query = backend.convert(SigmaCollection.from_dicts([rule.to_dict()]), output_format=fmt)
            card = cards.setdefault(
                rule.title,
                RuleCard(title=rule.title, level=rule.level.name.lower(), techniques=sorted(
                    t.name for t in rule.tags if re.match(r"t\d+", t.name))),
            )
            card.queries[f"{name}:{fmt}"] = query if isinstance(query, str) else "; ".join(map(str, query))
        for rule, error in backend.errors:
            print(f"{name}/{fmt}: {rule.title}: {error}")
    return cards


def correlate(plugins, resolver):
    backend = plugins.backends["splunk"](resolver.resolve(["splunk_windows"]))
    rules = SigmaCollection.from_yaml((HERE / "rules" / "logon.yml").read_text())
    query = backend.convert(rules)[-1]
    print("correlation:", " ".join(query.split()))
    return query


def rate():
    worst = 0
    for name, vector in csv.reader((HERE / "scores.csv").open()):
        score = CVSS4(vector) if vector.startswith("CVSS:4") else CVSS3(vector)
        base = score.scores()[0] if isinstance(score, CVSS3) else score.base_score
        print(f"{name}: {base} {score.severities()[0] if isinstance(score, CVSS3) else score.severity}")
        worst = max(worst, float(base))
    return worst


def audit(tmp):
    pem = make_certificate(tmp, "desk.example.test")
    servers = {
        "modern": TlsServer(pem, ssl.TLSVersion.TLSv1_3, ssl.TLSVersion.TLSv1_3),
        "wide": TlsServer(pem, ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3),
    }
    scanner = Scanner()
    commands = SCAN_COMMANDS_NEEDED_BY_MOZILLA_CHECKER
    ports = {server.port: name for name, server in servers.items()}
    scanner.queue_scans([
        ServerScanRequest(
            server_location=ServerNetworkLocation("desk.example.test", port, "127.0.0.1"),
            scan_commands=commands)
        for port in ports
    ])
    lines, results = [], []
    for result in scanner.get_results():
        results.append(result)
        name, scan = ports[result.server_location.port], result.scan_result
        assert scan.heartbleed.status == ScanCommandAttemptStatusEnum.COMPLETED
        deployment = scan.certificate_info.result.certificate_deployments[0]
        cert = deployment.received_certificate_chain[0]
        old = len(scan.tls_1_2_cipher_suites.result.accepted_cipher_suites)
        new = sorted(s.cipher_suite.name for s in scan.tls_1_3_cipher_suites.result.accepted_cipher_suites)
        trusted = [p.trust_store.name for p in deployment.path_validation_results if p.was_validation_successful]
        lines.append(
            f"{name}: {cert.subject.rfc4514_string()} trusted={trusted} tls1.2={old > 0} "
            f"tls1.3={len(new)} heartbleed={scan.heartbleed.result.is_vulnerable_to_heartbleed}"
        )
    for server in servers.values():
        server.close()
    print("\n".join(sorted(lines)))
    stamp = results[0].connectivity_status.name
    parsed = [ServerScanResultAsJson.model_validate(r) for r in results]
    print("stores:", len(results[0].scan_result.certificate_info.result
                         .certificate_deployments[0].path_validation_results), "state:", stamp)
    text = SslyzeOutputAsJson.model_json_schema()
    print("schema definitions:", len(text["$defs"]) > 20)
    profile = MozillaTlsConfiguration.get(TlsConfigurationEnum.MOZILLA_MODERN)
    for result in sorted(results, key=lambda r: ports[r.server_location.port]):
        try:
            check_server_against_tls_configuration(result, profile)
        except ServerNotCompliantWithTlsConfiguration as exc:
            print(f"mozilla {ports[result.server_location.port]}:", ", ".join(sorted(exc.issues)))
    return len(parsed)


def main():
    plugins, resolver = discover()
    rules = SigmaCollection.load_ruleset([HERE / "rules"], collect_errors=True)
    issues = validate(plugins, sorted(rules.rules, key=lambda r: r.title))
    ordered = sorted(rules.rules, key=lambda r: r.title)
    cards = translate(plugins, resolver, ordered)
    for card in sorted(cards.values(), key=lambda c: -c.weight):
        data = json.loads(card.model_dump_json())
        print(f"{data['title']} [{data['level']}] weight {data['weight']} {data['techniques']}")
        for name, query in data["queries"].items():
            print(f"   {name}: {' '.join(query.split())[:150]}")
    correlate(plugins, resolver)
    try:
        SigmaCollection.from_yaml("title: x\nlogsource: {}\ndetection: {}\n")
    except SigmaError as exc:
        print("refused:", type(exc).__name__)
    assert rate() == 10.0
    with tempfile.TemporaryDirectory() as tmp:
        audited = audit(Path(tmp))
    assert issues and len(cards) == 3
    print(f"OK {len(cards)} rules in 4 languages, {audited} servers audited")
    return 0


if __name__ == "__main__":
    sys.exit(main())
