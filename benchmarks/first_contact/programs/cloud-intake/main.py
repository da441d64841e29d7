"""An intake on AWS, all of it played by Moto: S3, SQS, DynamoDB and KMS, and a Lambda handler with Powertools' parser."""
import json
import os

os.environ.update(AWS_DEFAULT_REGION="eu-central-1", AWS_ACCESS_KEY_ID="x", AWS_SECRET_ACCESS_KEY="y", POWERTOOLS_SERVICE_NAME="intake", POWERTOOLS_TRACE_DISABLED="1")
import boto3
import orjson
from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.parser import BaseModel, parse
from aws_lambda_powertools.utilities.parser.models import SqsRecordModel
from boto3.dynamodb.conditions import Key
from moto import mock_aws
from pydantic import Json


class Parcel(BaseModel):
    id: int
    weight: float
    to: str


class ParcelRecord(SqsRecordModel):
    body: Json[Parcel]


processor = BatchProcessor(event_type=EventType.SQS, model=ParcelRecord)


def store(record: ParcelRecord):
    p = record.body
    if p.weight > 30:
        raise ValueError("too heavy")
    table = boto3.resource("dynamodb").Table("parcels")
    table.put_item(Item={"to": p.to, "id": p.id, "grams": int(p.weight * 1000)})


def handler(event, context):
    return process_partial_response(event=event, record_handler=store, processor=processor, context=context)


@mock_aws
def work():
    s3, sqs, kms = boto3.client("s3"), boto3.client("sqs"), boto3.client("kms")
    s3.create_bucket(Bucket="intake", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    queue = sqs.create_queue(QueueName="parcels")["QueueUrl"]
    boto3.client("dynamodb").create_table(
        TableName="parcels", BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "to", "KeyType": "HASH"}, {"AttributeName": "id", "KeyType": "RANGE"}],
        AttributeDefinitions=[{"AttributeName": "to", "AttributeType": "S"}, {"AttributeName": "id", "AttributeType": "N"}],
    )
    key = kms.create_key(Description="k")["KeyMetadata"]["KeyId"]
    parcels = [{"id": i, "weight": w, "to": t} for i, (w, t) in enumerate([(1.5, "ann"), (40, "bob"), (2, "ann")])]
    s3.put_object(Bucket="intake", Key="day/1.json", Body=orjson.dumps(parcels))
    for p in orjson.loads(s3.get_object(Bucket="intake", Key="day/1.json")["Body"].read()):
        sqs.send_message(QueueUrl=queue, MessageBody=json.dumps(p))
    got = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10, AttributeNames=["All"])["Messages"]
    records = [{
        "messageId": m["MessageId"], "receiptHandle": m["ReceiptHandle"], "body": m["Body"], "attributes": m["Attributes"], "messageAttributes": {},
        "md5OfBody": m["MD5OfBody"], "eventSource": "aws:sqs", "eventSourceARN": "arn:aws:sqs:eu-central-1:123456789012:parcels", "awsRegion": "eu-central-1",
    } for m in got]
    failed = handler({"Records": records}, None)["batchItemFailures"]
    rows = boto3.resource("dynamodb").Table("parcels").query(KeyConditionExpression=Key("to").eq("ann"))["Items"]
    blob = kms.encrypt(KeyId=key, Plaintext=b"secret")["CiphertextBlob"]
    plain = kms.decrypt(CiphertextBlob=blob)["Plaintext"]
    data = kms.get_public_key(KeyId=kms.create_key(KeyUsage="SIGN_VERIFY", KeySpec="ECC_NIST_P256")["KeyMetadata"]["KeyId"])["PublicKey"]
    url = s3.generate_presigned_url("get_object", Params={"Bucket": "intake", "Key": "day/1.json"})
    return len(got), len(failed), [int(r["grams"]) for r in rows], plain, len(data) > 50, "X-Amz" in url or "Signature" in url


def main():
    print("OK", *work(), parse(event={"id": 1, "weight": 2, "to": "z"}, model=Parcel).to)


if __name__ == "__main__":
    main()
