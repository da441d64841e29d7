"""A depot behind gRPC: messages described at run time, health and reflection services, interceptors, a client that discovers the service, bodies checked by Pydantic, logs by structlog in JSON."""
from concurrent import futures

import grpc
import orjson
import structlog
from google.protobuf import descriptor_pb2, descriptor_pool, json_format, message_factory, struct_pb2, timestamp_pb2
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase
from pydantic import BaseModel, Field, ValidationError

SERVICE = "depot.Stock"


class Item(BaseModel):
    name: str = Field(min_length=2)
    count: int = Field(ge=0)


def describe():
    file = descriptor_pb2.FileDescriptorProto(name="depot.proto", package="depot", syntax="proto3")
    item = file.message_type.add(name="Item")
    for number, (name, kind) in enumerate((("name", 9), ("count", 5)), 1):
        item.field.add(name=name, number=number, type=kind, label=1)
    service = file.service.add(name="Stock")
    service.method.add(name="Put", input_type=".depot.Item", output_type=".depot.Item")
    pool = descriptor_pool.Default()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("depot.Item"))


class Log(grpc.ServerInterceptor):
    def __init__(self, log):
        self.log, self.seen = log, []

    def intercept_service(self, continuation, details):
        self.seen.append(details.method.rpartition("/")[2])
        self.log.info("call", method=details.method)
        return continuation(details)


def main():
    lines = []
    structlog.configure(
        processors=[structlog.processors.add_log_level, structlog.processors.JSONRenderer(serializer=lambda v, **_: orjson.dumps(v).decode())],
        logger_factory=lambda *_: type("L", (), {"info": lambda self, m: lines.append(m), "error": lambda self, m: lines.append(m)})(),
    )
    log = structlog.get_logger()
    message = describe()
    stock = {}

    def put(request, context):
        try:
            item = Item.model_validate(json_format.MessageToDict(request, always_print_fields_with_no_presence=True))
        except ValidationError as error:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, orjson.dumps(error.errors(include_url=False, include_context=False)).decode())
        stock[item.name] = stock.get(item.name, 0) + item.count
        return message(name=item.name, count=stock[item.name])

    interceptor = Log(log)
    server = grpc.server(futures.ThreadPoolExecutor(4), interceptors=[interceptor])
    handler = grpc.unary_unary_rpc_method_handler(put, message.FromString, lambda m: m.SerializeToString())
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, {"Put": handler}),))
    checks = health.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(checks, server)
    checks.set(SERVICE, health_pb2.HealthCheckResponse.SERVING)
    reflection.enable_server_reflection((SERVICE, reflection.SERVICE_NAME, health.SERVICE_NAME), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        call = channel.unary_unary(f"/{SERVICE}/Put", lambda m: m.SerializeToString(), message.FromString)
        counts = [call(message(name="bolt", count=n)).count for n in (3, 4)]
        try:
            call(message(name="x", count=1))
        except grpc.RpcError as error:
            wrong = error.code().name, orjson.loads(error.details())[0]["type"]
        status = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(service=SERVICE)).status
        found = ProtoReflectionDescriptorDatabase(channel)
        pool = descriptor_pool.DescriptorPool(found)
        methods = [m.name for m in pool.FindServiceByName(SERVICE).methods]
        services = sorted(found.get_services())
    server.stop(0)
    struct = struct_pb2.Struct()
    struct.update({"at": timestamp_pb2.Timestamp(seconds=1).ToJsonString()})
    print("OK", counts, wrong, status, methods, services, len(lines), struct["at"], len(interceptor.seen) >= 4)


main()
