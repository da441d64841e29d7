"""Plans for a cluster: HCL variables, a chart by Jinja, objects of the Kubernetes client made and serialized, a kubeconfig loaded, the API answered by a local server, an OpenAPI document checked, versions compared."""
import json
import tempfile
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import hcl2
import jinja2
import semver
import yaml
from kubernetes import client, config, dynamic, watch
from kubernetes.utils import parse_quantity
from openapi_spec_validator import OpenAPIV31SpecValidator, validate
from openapi_spec_validator.validation.exceptions import OpenAPIValidationError

HCL = '''
variable "replicas" { default = 3 }
locals { image = "shop:1.4.2" }
resource "shop" "web" { port = 8080 }
'''
CHART = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {app: web}}
spec:
  replicas: {{ replicas }}
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: "{{ image }}", resources: {limits: {memory: 1.5Gi}}}]}
"""
POD = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web-1", "namespace": "shop", "creationTimestamp": "2026-01-02T03:04:05Z"}, "spec": {"containers": [{"name": "web"}]}}


class Api(BaseHTTPRequestHandler):
    def log_message(self, *_): ...

    def do_GET(self):
        path = self.path.partition("?")[0]
        if "watch=True" in self.path:
            body = json.dumps({"type": "ADDED", "object": POD}) + "\n"
        elif path.endswith("/pods"):
            body = json.dumps({"apiVersion": "v1", "kind": "PodList", "metadata": {"resourceVersion": "1"}, "items": [POD]})
        elif path == "/version":
            body = json.dumps({"gitVersion": "v1.31.0", "major": "1", "minor": "31"})
        elif path == "/api":
            body = json.dumps({"kind": "APIVersions", "versions": ["v1"]})
        elif path == "/apis":
            body = json.dumps({"kind": "APIGroupList", "apiVersion": "v1", "groups": []})
        else:
            rows = [{"name": "pods", "singularName": "pod", "namespaced": True, "kind": "Pod", "verbs": ["get", "list"]}]
            body = json.dumps({"kind": "APIResourceList", "groupVersion": "v1", "resources": rows})
        data = body.encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


def main():
    values = hcl2.loads(HCL)
    said = str(values)
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined)
    body = yaml.safe_load(environment.from_string(CHART).render(replicas=3, image="shop:1.4.2"))
    memory = parse_quantity(body["spec"]["template"]["spec"]["containers"][0]["resources"]["limits"]["memory"])
    server = HTTPServer(("127.0.0.1", 0), Api)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "config"
        path.write_text(yaml.safe_dump({
            "apiVersion": "v1", "kind": "Config", "current-context": "c",
            "clusters": [{"name": "k", "cluster": {"server": f"http://127.0.0.1:{server.server_port}"}}],
            "users": [{"name": "u", "user": {"token": "secret"}}],
            "contexts": [{"name": "c", "context": {"cluster": "k", "user": "u"}}],
        }))
        config.load_kube_config(str(path))
    core = client.CoreV1Api()
    pods = core.list_namespaced_pod("shop").items
    seen = [e["object"].metadata.name for e in watch.Watch().stream(core.list_namespaced_pod, "shop", timeout_seconds=1, _request_timeout=2)][:1]
    found = dynamic.DynamicClient(client.ApiClient()).resources.get(api_version="v1", kind="Pod")
    listed = found.get(namespace="shop").items[0].metadata.name
    made = client.V1Deployment(spec=client.V1DeploymentSpec(selector=client.V1LabelSelector(match_labels={"a": "b"}), template=client.V1PodTemplateSpec()))
    plain = client.ApiClient().sanitize_for_serialization(made)
    version = semver.Version.parse("1.31.0") > semver.Version.parse("1.4.2")
    document = {"openapi": "3.1.0", "info": {"title": "t", "version": "1"}, "paths": {"/a": {"get": {"responses": {"200": {"description": "ok"}}}}}}
    validate(document, cls=OpenAPIV31SpecValidator)
    try:
        validate({**document, "info": {}})
    except OpenAPIValidationError as error:
        wrong = type(error).__name__
    server.shutdown()
    print("OK", "8080" in said, int(memory), [p.metadata.creation_timestamp.year for p in pods], seen, listed, plain, version, wrong)


main()
