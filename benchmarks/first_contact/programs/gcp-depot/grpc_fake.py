"""Local stand-in of the gRPC services: Pub/Sub, Firestore and Secret Manager."""
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Callable, Iterator

import google_crc32c
import grpc
from google.cloud.firestore_v1.types import firestore, write
from google.cloud.secretmanager_v1.types import AccessSecretVersionRequest, AccessSecretVersionResponse
from google.protobuf import empty_pb2
from google.protobuf.timestamp_pb2 import Timestamp
from google.pubsub_v1 import types as pubsub


class GrpcFake:
    def __init__(self, secrets: dict[str, bytes]) -> None:
        self.secrets, self.documents, self.acknowledged = secrets, {}, set()
        self.messages: list[pubsub.PubsubMessage] = []
        self.arrived = threading.Condition()
        self.server = grpc.server(ThreadPoolExecutor(8))
        one, many = grpc.unary_unary_rpc_method_handler, grpc.stream_stream_rpc_method_handler
        self.serve("google.pubsub.v1.Publisher", {
            "CreateTopic": self.method(one, pubsub.Topic, pubsub.Topic, lambda request, context: request),
            "Publish": self.method(one, pubsub.PublishRequest, pubsub.PublishResponse, self.publish),
        })
        self.serve("google.pubsub.v1.Subscriber", {
            "CreateSubscription": self.method(one, pubsub.Subscription, pubsub.Subscription, lambda request, context: request),
            "StreamingPull": self.method(many, pubsub.StreamingPullRequest, pubsub.StreamingPullResponse, self.pull),
            "Acknowledge": one(self.acknowledge, pubsub.AcknowledgeRequest.deserialize, empty_pb2.Empty.SerializeToString),
            "ModifyAckDeadline": one(lambda request, context: empty_pb2.Empty(), pubsub.ModifyAckDeadlineRequest.deserialize, empty_pb2.Empty.SerializeToString),
        })
        self.serve("google.firestore.v1.Firestore", {
            "Commit": self.method(one, firestore.CommitRequest, firestore.CommitResponse, self.commit),
            "BatchGetDocuments": self.method(grpc.unary_stream_rpc_method_handler, firestore.BatchGetDocumentsRequest, firestore.BatchGetDocumentsResponse, self.get_documents),
        })
        self.serve("google.cloud.secretmanager.v1.SecretManagerService", {
            "AccessSecretVersion": self.method(one, AccessSecretVersionRequest, AccessSecretVersionResponse, self.access),
        })
        self.address = f"127.0.0.1:{self.server.add_insecure_port('127.0.0.1:0')}"
        self.server.start()

    def serve(self, service: str, handlers: dict) -> None:
        self.server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(service, handlers)])

    @staticmethod
    def method(kind: Callable, request: type, response: type, behaviour: Callable) -> grpc.RpcMethodHandler:
        return kind(behaviour, request_deserializer=request.deserialize, response_serializer=response.serialize)

    def publish(self, request: pubsub.PublishRequest, context: grpc.ServicerContext) -> pubsub.PublishResponse:
        with self.arrived:
            first = len(self.messages)
            for offset, message in enumerate(request.messages):
                message.message_id = str(first + offset)
                self.messages.append(message)
            self.arrived.notify_all()
        return pubsub.PublishResponse(message_ids=[str(first + i) for i in range(len(request.messages))])

    def pull(self, requests: Iterator[pubsub.StreamingPullRequest], context: grpc.ServicerContext) -> Iterator[pubsub.StreamingPullResponse]:
        next(requests)
        sent = 0
        while context.is_active():
            with self.arrived:
                self.arrived.wait_for(lambda: len(self.messages) > sent, timeout=0.2)
                fresh, sent = self.messages[sent:], len(self.messages)
            if fresh:
                yield pubsub.StreamingPullResponse(received_messages=[pubsub.ReceivedMessage(ack_id=f"ack-{m.message_id}", message=m) for m in fresh])

    def acknowledge(self, request: pubsub.AcknowledgeRequest, context: grpc.ServicerContext) -> empty_pb2.Empty:
        self.acknowledged.update(request.ack_ids)
        return empty_pb2.Empty()

    def commit(self, request: firestore.CommitRequest, context: grpc.ServicerContext) -> firestore.CommitResponse:
        for change in request.writes:
            self.documents[change.update.name] = change.update
        now = Timestamp(seconds=1_700_000_000)
        return firestore.CommitResponse(write_results=[write.WriteResult(update_time=now) for _ in request.writes], commit_time=now)

    def get_documents(self, request: firestore.BatchGetDocumentsRequest, context: grpc.ServicerContext) -> Iterator[firestore.BatchGetDocumentsResponse]:
        now = Timestamp(seconds=1_700_000_001)
        for name in request.documents:
            if name in self.documents:
                yield firestore.BatchGetDocumentsResponse(found=self.documents[name], read_time=now)
            else:
                yield firestore.BatchGetDocumentsResponse(missing=name, read_time=now)

    def access(self, request: AccessSecretVersionRequest, context: grpc.ServicerContext) -> AccessSecretVersionResponse:
        data = self.secrets[request.name]
        return AccessSecretVersionResponse(name=request.name, payload={"data": data, "data_crc32c": google_crc32c.value(data)})
