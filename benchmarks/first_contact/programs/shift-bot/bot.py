"""The bot's handlers: a conversation, inline buttons, a job and stored sign-ups."""
import pathlib

import emoji
import humanize
import yaml
from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict
from telegram import InlineKeyboardButton, InlineKeyboardMarkup, Update
from telegram.constants import ParseMode
from telegram.ext import CallbackQueryHandler, CommandHandler, ContextTypes, ConversationHandler, MessageHandler, filters
from telegram.helpers import escape_markdown
from tinydb import Query, TinyDB
from tinydb.storages import MemoryStorage

DAY, HOURS = range(2)
REPLIES = yaml.safe_load((pathlib.Path(__file__).parent / "replies.yaml").read_text(encoding="utf-8"))


class Settings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="SHIFT_BOT_")
    token: str = "12345:TESTING"
    admins: list[int] = [7]
    longest: int = Field(default=12, le=24)


settings = Settings()
shifts = TinyDB(storage=MemoryStorage)


def say(key, **values):
    return emoji.emojize(REPLIES[key].format(**values))


async def start(update: Update, context: ContextTypes.DEFAULT_TYPE):
    await update.message.reply_text(say("start", name=update.effective_user.first_name))


async def shift(update, context):
    days = [[InlineKeyboardButton(d, callback_data=("day", d)) for d in ("Mon", "Tue")]]
    await update.message.reply_text(say("ask_day"), reply_markup=InlineKeyboardMarkup(days))
    return DAY


async def day(update, context):
    await update.callback_query.answer()
    context.user_data["day"] = update.callback_query.data[1]
    await update.callback_query.edit_message_text("How many hours?")
    return HOURS


async def hours(update, context):
    amount = int(update.message.text)
    if amount > settings.longest:
        raise ValueError(f"{amount} hours is too long")
    shifts.insert({"user": update.effective_user.id, "day": context.user_data["day"], "hours": amount})
    await update.message.reply_text(say("done", day=context.user_data["day"], hours=humanize.apnumber(amount)))
    return ConversationHandler.END


async def cancel(update, context):
    await update.message.reply_text(say("cancel"))
    return ConversationHandler.END


async def listing(update, context):
    rows = shifts.search(Query().hours > 0)
    text = "\n".join(escape_markdown(f"* {r['day']}: {r['hours']}h", version=2) for r in rows) or "nobody"
    await update.message.reply_text(text, parse_mode=ParseMode.MARKDOWN_V2)


async def remind(context):
    await context.bot.send_message(context.job.chat_id, f"Reminder {context.job.data}")


async def later(update, context):
    context.job_queue.run_once(remind, 0, chat_id=update.effective_chat.id, data=" ".join(context.args), name="remind")


async def failed(update, context):
    context.bot_data.setdefault("errors", []).append(str(context.error))
    await context.bot.send_message(settings.admins[0], f"{type(context.error).__name__}: {context.error}")


def register(app):
    app.add_handler(CommandHandler("start", start))
    app.add_handler(ConversationHandler(
        entry_points=[CommandHandler("shift", shift)],
        states={DAY: [CallbackQueryHandler(day)], HOURS: [MessageHandler(filters.Regex(r"^\d+$") & ~filters.COMMAND, hours)]},
        fallbacks=[CommandHandler("cancel", cancel)], name="signup", persistent=True, per_message=False))
    app.add_handler(CommandHandler("list", listing, filters=filters.User(settings.admins) | filters.ChatType.PRIVATE))
    app.add_handler(CommandHandler("later", later))
    app.add_error_handler(failed)
