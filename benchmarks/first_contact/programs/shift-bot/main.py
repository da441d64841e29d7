"""A club's shift bot on python-telegram-bot: with --poll it talks to Telegram, without arguments it plays a scripted chat offline."""
import asyncio
import base64
import json
import pathlib
import sys
import tempfile
import warnings

import emoji
from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from icecream import ic
from telegram import Bot, Update
from telegram.error import BadRequest, InvalidToken as BadToken
from telegram.ext import AIORateLimiter, ApplicationBuilder, Defaults, ExtBot, PicklePersistence
from telegram.request import BaseRequest, HTTPXRequest
from telegram.warnings import PTBUserWarning

import bot

warnings.filterwarnings("ignore", category=PTBUserWarning)
ic.configureOutput(prefix="debug ", outputFunction=print)
ME = {"id": 12345, "is_bot": True, "first_name": "Shift", "username": "shift_bot"}


class Scripted(BaseRequest):
    """Answers like the Bot API and keeps what was sent."""

    def __init__(self):
        self.sent = []

    @property
    def read_timeout(self):
        return 5

    async def initialize(self):
        pass

    async def shutdown(self):
        pass

    async def do_request(self, url, method, request_data=None, **timeouts):
        call = url.rsplit("/", 1)[1]
        data = request_data.parameters if request_data else {}
        if call == "getMe":
            return 200, json.dumps({"ok": True, "result": ME}).encode()
        if call == "sendMessage" and data["chat_id"] == 404:
            return 400, json.dumps({"ok": False, "error_code": 400, "description": "Bad Request: chat not found"}).encode()
        self.sent.append((call, data.get("text", "")))
        if call == "answerCallbackQuery":
            return 200, b'{"ok": true, "result": true}'
        return 200, json.dumps({"ok": True, "result": message(900 + len(self.sent), data.get("text", ""), data.get("reply_markup"))}).encode()


def message(number, text, markup=None):
    made = {"message_id": number, "date": 1700000000, "chat": {"id": 7, "type": "private", "first_name": "Mia"}, "from": {"id": 7, "is_bot": False, "first_name": "Mia"}, "text": text}
    if text.startswith("/"):
        made["entities"] = [{"type": "bot_command", "offset": 0, "length": len(text.split()[0])}]
    if markup:
        made["reply_markup"] = markup
    return made


async def play(folder):
    request = Scripted()
    client = ExtBot(bot.settings.token, request=request, get_updates_request=request, arbitrary_callback_data=True, rate_limiter=AIORateLimiter(max_retries=1), defaults=Defaults(disable_notification=True))
    store = PicklePersistence(folder / "state.pickle")
    app = ApplicationBuilder().bot(client).persistence(store).build()
    bot.register(app)
    async with app:
        await app.start()
        number = 0

        async def write(text=None, press=None):
            nonlocal number
            number += 1
            body = {"update_id": number}
            if press:
                body["callback_query"] = {"id": str(number), "from": message(1, "")["from"], "chat_instance": "1", "message": message(number, "Which day?"), "data": press}
            else:
                body["message"] = message(number, text)
            update = Update.de_json(body, client)
            if press:
                client.callback_data_cache.process_callback_query(update.callback_query)
            await app.process_update(update)

        await write("/start")
        await write("/shift")
        keyboards, _ = client.callback_data_cache.persistence_data
        buttons = [(keyboard, key) for keyboard, _, mapping in keyboards for key, value in mapping.items() if value[1] == "Tue"]
        await write(press="".join(buttons[0]))
        await write("6")
        await write("/shift")
        await write("/cancel")
        await write("/list")
        await write("/shift")
        await write(press="".join([(k, key) for k, _, m in client.callback_data_cache.persistence_data[0] for key, v in m.items() if v[1] == "Mon"][-1]))
        await write("20")
        await write("/later bring keys")
        await asyncio.sleep(0.5)
        try:
            await client.send_message(404, "anyone?")
        except BadRequest as error:
            print("refused", error.message)
        print("errors", app.bot_data["errors"], "state", app.user_data[7], "jobs", len(app.job_queue.jobs()))
        await app.stop()
    for call, text in request.sent:
        print(f"  {call}: {emoji.demojize(text)}")
    again = PicklePersistence(folder / "state.pickle")
    print("persisted", dict(await again.get_user_data()), sorted((await again.get_conversations("signup")).values(), key=str))


def vault():
    key = Fernet(base64.urlsafe_b64encode(b"k" * 32))
    token = key.encrypt_at_time(b"12345:TESTING", 0)
    print("sealed", key.decrypt(token).decode() == bot.settings.token)
    try:
        Fernet(Fernet.generate_key()).decrypt(token)
    except InvalidToken as error:
        print("wrong key", type(error).__name__)
    pem = rsa.generate_private_key(65537, 2048).private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    passport = Bot(bot.settings.token, private_key=pem)
    print("passport key", passport.private_key.key_size)
    try:
        Bot("")
    except BadToken as error:
        print("no token", error.message)


def main():
    if "--poll" in sys.argv:
        app = ApplicationBuilder().token(bot.settings.token).request(HTTPXRequest(http_version="2")).build()
        bot.register(app)
        return app.run_polling()
    print("http2", HTTPXRequest(http_version="2").http_version)
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(play(pathlib.Path(folder)))
    vault()
    ic(bot.shifts.all())
    print("OK shift-bot")


if __name__ == "__main__":
    main()
