"""A bridge for a support desk: a Slack Bolt app takes commands, refunds by Stripe, files issues by PyGithub as a GitHub app, tells Sentry about what went wrong. All four services are a stand-in on a local port."""
import asyncio
import hashlib
import hmac
import logging
import sys
import time
from urllib.parse import urlencode

import jwt
import orjson
import sentry_sdk
import stripe
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from github import Auth, Github, GithubException, GithubIntegration, UnknownObjectException
from pydantic import BaseModel, ConfigDict, SecretStr, ValidationError, field_validator
from sentry_sdk.integrations.logging import LoggingIntegration
from slack_bolt import App, BoltRequest
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError
from slack_sdk.http_retry.builtin_handlers import RateLimitErrorRetryHandler
from slack_sdk.models.blocks import ActionsBlock, ButtonElement, MarkdownTextObject, SectionBlock
from slack_sdk.signature import SignatureVerifier
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.webhook import WebhookClient
from tenacity import retry, retry_if_exception_type, stop_after_attempt, wait_none

import standin


class Settings(BaseModel):
    model_config = ConfigDict(frozen=True)
    base: str
    stripe_key: SecretStr = SecretStr("sk_test_local")
    slack_token: SecretStr = SecretStr("xoxb-local")
    slack_secret: SecretStr = SecretStr("slack-local")
    hook_secret: SecretStr = SecretStr("whsec_local")


class Refund(BaseModel):
    charge: str
    amount: int

    @field_validator("amount", mode="before")
    @classmethod
    def cents(cls, value):
        return round(float(value) * 100)


def payments(settings):
    return stripe.StripeClient(settings.stripe_key.get_secret_value(), base_addresses={"api": settings.base}, max_network_retries=0)


def tracker(settings, pem):
    auth = Auth.AppAuth(4711, pem)
    issued = GithubIntegration(auth=auth, base_url=settings.base)
    token = issued.get_access_token(99).token
    return token, Github(auth=Auth.Token(token), base_url=settings.base, retry=None, seconds_between_requests=None, seconds_between_writes=None)


def build(settings, shop, repo):
    """The Bolt app: a slash command, a button, an event, an error handler."""
    client = WebClient(token=settings.slack_token.get_secret_value(), base_url=settings.base + "/slack/api/", retry_handlers=[RateLimitErrorRetryHandler(max_retry_count=1)])
    app = App(client=client, signing_secret=settings.slack_secret.get_secret_value(), process_before_response=True, logger=logging.getLogger("bolt"))

    @app.middleware
    def count(context, next):
        context["desk"] = "mill"
        next()

    @app.command("/refund")
    def refund(ack, command, respond, context):
        try:
            wanted = Refund(**dict(zip(("charge", "amount"), command["text"].split())))
        except (ValidationError, ValueError):
            return ack("usage: /refund CHARGE AMOUNT")
        charge = shop.v1.charges.retrieve(wanted.charge, {"expand": ["customer"]})
        text = f"Refund {wanted.amount / 100:.2f} {charge.currency.upper()} to {charge.customer.name} at {context['desk']}?"
        button = ButtonElement(text="Refund", action_id="do_refund", value=orjson.dumps(wanted.model_dump()).decode(), style="danger")
        ack(text=text, blocks=[SectionBlock(text=MarkdownTextObject(text=text)), ActionsBlock(elements=[button])])

    @app.action("do_refund")
    def do_refund(ack, action, respond):
        wanted = orjson.loads(action["value"])
        ack()
        made = shop.v1.refunds.create(wanted, {"idempotency_key": f"{wanted['charge']}-{wanted['amount']}"})
        respond(f"{made.id} {made.status}: {made.amount}")

    @app.event("app_mention")
    def mention(event, say):
        made = repo.create_issue(title=event["text"].partition(">")[2].strip(), labels=["support"])
        say(f"filed as #{made.number}")

    @app.error
    def failed(error, logger):
        logger.error("bridge: %s", type(error).__name__, exc_info=error)
        return None

    return app


def signed(settings, body, kind="application/x-www-form-urlencoded", secret=None):
    stamp = str(int(time.time()))
    signature = SignatureVerifier(secret or settings.slack_secret.get_secret_value()).generate_signature(timestamp=stamp, body=body)
    return BoltRequest(body=body, headers={"content-type": [kind], "x-slack-signature": [signature], "x-slack-request-timestamp": [stamp]})


def slack_day(settings, app):
    def command(text):
        form = {"command": "/refund", "text": text, "team_id": "T1", "user_id": "U1", "channel_id": "C1", "response_url": settings.base + "/slack/response", "token": "x"}
        return app.dispatch(signed(settings, urlencode(form)))

    asked = command("ch_1 12.50")
    body = orjson.loads(asked.body)
    print("command", asked.status, body["text"], [b["type"] for b in body["blocks"]])
    print("usage", command("ch_1 lots").body, "| unknown charge", command("ch_9 1").status)
    button = body["blocks"][1]["elements"][0]
    for _ in range(2):
        payload = {"type": "block_actions", "team": {"id": "T1"}, "user": {"id": "U1"}, "actions": [{**button, "block_id": "b"}], "response_url": settings.base + "/slack/response"}
        print("action", app.dispatch(signed(settings, urlencode({"payload": orjson.dumps(payload).decode()}))).status)
    event = {"type": "event_callback", "team_id": "T1", "event": {"type": "app_mention", "user": "U1", "text": "<@U0> loom stops at night", "channel": "C1", "ts": "1.1"}}
    print("event", app.dispatch(signed(settings, orjson.dumps(event).decode(), "application/json")).status)
    print("forged", app.dispatch(signed(settings, "a=b", secret="guess")).status)


async def announce(settings):
    client = AsyncWebClient(token=settings.slack_token.get_secret_value(), base_url=settings.base + "/slack/api/")
    names = [m["name"] async for page in await client.users_list(limit=1) for m in page["members"]]
    await asyncio.gather(*(client.chat_postMessage(channel="@" + n, text="closed on Monday") for n in names))
    return names


def money(settings, shop):
    everyone = [c.name for c in shop.v1.customers.list({"limit": 2}).auto_paging_iter()]
    try:
        shop.v1.refunds.create({"charge": "ch_2", "amount": 900})
    except stripe.CardError as error:
        print("declined", error.code, error.http_status)
    try:
        shop.v1.charges.retrieve("ch_9")
    except stripe.InvalidRequestError as error:
        print("missing", error.param, error.request_id, error.user_message)
    body = orjson.dumps({"id": "evt_1", "object": "event", "type": "charge.refunded", "data": {"object": {"id": "ch_1", "object": "charge", "amount_refunded": 1250}}}).decode()
    stamp, secret = int(time.time()), settings.hook_secret.get_secret_value()
    mac = hmac.new(secret.encode(), f"{stamp}.{body}".encode(), hashlib.sha256).hexdigest()
    event = shop.construct_event(body, f"t={stamp},v1={mac}", secret)
    try:
        shop.construct_event(body + " ", f"t={stamp},v1={mac}", secret)
    except stripe.SignatureVerificationError:
        print("hook", event.type, type(event.data.object).__name__, event.data.object.amount_refunded, "| forged one refused")
    return everyone


def main():
    logging.getLogger("bolt").addHandler(logging.NullHandler())
    logging.getLogger("bolt").propagate = False
    server = standin.start()
    settings = Settings(base=server.base)
    sentry_sdk.init(dsn=server.base.replace("//", "//public@") + "/1", release="bridge@1.0", environment="desk", integrations=[LoggingIntegration(event_level=logging.ERROR)], traces_sample_rate=0, send_default_pii=False)
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()).decode()
    token, hub = tracker(settings, pem)
    claims = jwt.decode(server.told["jwt"][0], key.public_key(), algorithms=["RS256"])
    repo = hub.get_repo("mill/loom")
    print("github", token, claims["iss"], repo.full_name, [(i.number, [label.name for label in i.labels]) for i in repo.get_issues(state="open")])
    for call in (lambda: repo.create_issue(" "), lambda: hub.get_repo("mill/gone")):
        try:
            call()
        except UnknownObjectException as error:
            print("unknown", error.status)
        except GithubException as error:
            print("invalid", error.status, error.data["errors"][0]["code"])

    shop = payments(settings)
    app = build(settings, shop, repo)
    slack_day(settings, app)
    print("told", asyncio.run(announce(settings)))
    print("customers", money(settings, shop))

    @retry(retry=retry_if_exception_type(SlackApiError), stop=stop_after_attempt(2), wait=wait_none(), reraise=True)
    def post(channel):
        return app.client.chat_postMessage(channel=channel, text="report is ready")["ok"]

    print("busy channel", post("#busy"))
    try:
        post("#gone")
    except SlackApiError as error:
        print("slack error", error.response["error"])
        sentry_sdk.capture_exception(error)
    print("hook", WebhookClient(settings.base + "/slack/response").send(text="bye").status_code)
    sentry_sdk.flush(5)
    events = [orjson.loads(e.split(b"\n")[2]) for e in server.told["envelopes"] if b'"type":"event"' in e.split(b"\n")[1].replace(b" ", b"")]
    print("sentry", sorted({v["type"] for e in events for v in e["exception"]["values"]}), {e["release"] for e in events}, sorted({e.get("logger") or "-" for e in events}))
    print("posts", sorted(server.told["posts"]))
    assert len(server.told["refunds"]) == 1 and server.told["issues"][0]["labels"] == ["support"]
    print("OK", len(events), server.told["issues"], list(server.told["refunds"]))


if __name__ == "__main__":
    sys.exit(main())
