"""The counter of a shop on Telegram: an aiogram bot with a form, keyboards, translations and a webhook, against a stand-in for the Bot API."""
import asyncio
import base64
import logging
import time
from contextlib import AsyncExitStack
from pathlib import Path
from urllib.parse import urlencode

import orjson
from aiogram import Bot, Dispatcher
from aiogram.client.default import DefaultBotProperties
from aiogram.client.session.aiohttp import AiohttpSession
from aiogram.client.telegram import TelegramAPIServer
from aiogram.enums import ParseMode
from aiogram.exceptions import TelegramForbiddenError
from aiogram.fsm.storage.memory import MemoryStorage
from aiogram.utils.i18n import I18n, SimpleI18nMiddleware
from aiogram.utils.web_app_signature import check_webapp_signature
from aiogram.webhook.aiohttp_server import SimpleRequestHandler, setup_application
from aiohttp import ClientSession, test_utils, web
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

import shop
import telegram

HERE = Path(__file__).resolve().parent
TOKEN, SECRET = "42:TEST", "hook-secret"


def update(i, lang, **more):
    user = {"id": 7, "is_bot": False, "first_name": "Ada", "language_code": lang}
    message = {"message_id": i, "date": 1767225600, "chat": {"id": 7, "type": "private"}, "from": user}
    if "data" in more:
        return {"update_id": i, "callback_query": {"id": str(i), "from": user, "chat_instance": "c", "message": message, **more}}
    return {"update_id": i, "message": {**message, **more}}


async def run():
    async with AsyncExitStack() as stack:
        api = await stack.enter_async_context(test_utils.TestServer(telegram.app()))
        session = AiohttpSession(api=TelegramAPIServer.from_base(str(api.make_url("")).rstrip("/")), json_loads=orjson.loads, json_dumps=lambda x: orjson.dumps(x).decode())
        bot = await stack.enter_async_context(Bot(TOKEN, session=session, default=DefaultBotProperties(parse_mode=ParseMode.HTML)).context())
        dp = Dispatcher(storage=MemoryStorage())
        dp.include_router(shop.router)
        i18n = I18n(path=HERE / "locales", default_locale="en", domain="messages")
        SimpleI18nMiddleware(i18n).setup(dp)
        app = web.Application()
        SimpleRequestHandler(dp, bot, secret_token=SECRET, handle_in_background=False).register(app, path="/hook")
        setup_application(app, dp, bot=bot)
        hook = await stack.enter_async_context(test_utils.TestServer(app))
        client = await stack.enter_async_context(ClientSession(headers={"X-Telegram-Bot-Api-Secret-Token": SECRET}))
        talk = [{"text": "/start"}, {"data": shop.Pick(item="pear").pack()}, {"text": "many"}, {"text": "2"}, {"text": "/link"}]
        statuses = set()
        for i, (lang, part) in enumerate([(lang, part) for lang in ("de", "en") for part in talk], 1):
            async with client.post(hook.make_url("/hook"), json=update(i, lang, **part)) as reply:
                statuses.add(reply.status)
        doc = {"document": {"file_id": "f1", "file_unique_id": "u1", "file_name": "list.csv"}}
        await dp.feed_raw_update(bot, update(99, "en", **doc))
        async with client.post(hook.make_url("/hook"), json={}, headers={"X-Telegram-Bot-Api-Secret-Token": "no"}) as reply:
            statuses.add(reply.status)
        try:
            blocked = await bot.send_message(13, "hello")
        except TelegramForbiddenError as e:
            blocked = e.message
        return sorted(statuses), blocked, i18n.available_locales


def web_app_login():
    """Check the signature of a mini app's data, as a third party does."""
    key = Ed25519PrivateKey.generate()
    data = {"auth_date": str(int(time.time())), "user": '{"id":7}'}
    text = "42:WebAppData\n" + "\n".join(f"{k}={v}" for k, v in sorted(data.items()))
    data["signature"] = base64.urlsafe_b64encode(key.sign(text.encode())).decode().rstrip("=")
    public = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    return check_webapp_signature(42, urlencode(data), public), check_webapp_signature(43, urlencode(data), public)


def main():
    logging.basicConfig(level=logging.ERROR)
    statuses, blocked, locales = asyncio.run(run())
    texts = [d["text"] for m, d in telegram.SENT if m == "sendMessage"]
    files = [v for m, d in telegram.SENT if m == "sendDocument" for k, v in d.items() if k not in ("chat_id", "document", "parse_mode")]
    print("OK", statuses, texts, files, blocked, locales, web_app_login())


if __name__ == "__main__":
    main()
