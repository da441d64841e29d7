"""What the bot says: one router with commands, buttons, and the form of an order."""
from aiogram import Bot, F, Router
from aiogram.filters import Command, CommandStart
from aiogram.filters.callback_data import CallbackData
from aiogram.fsm.context import FSMContext
from aiogram.fsm.state import State, StatesGroup
from aiogram.types import BufferedInputFile, CallbackQuery, Message
from aiogram.utils.deep_linking import create_start_link
from aiogram.utils.formatting import Bold, Text
from aiogram.utils.i18n import I18n
from aiogram.utils.i18n import gettext as _
from aiogram.utils.keyboard import InlineKeyboardBuilder
from babel.numbers import format_currency

PRICES = {"apple": 0.5, "pear": 0.75}
router = Router(name="shop")


class Order(StatesGroup):
    amount = State()


class Pick(CallbackData, prefix="pick"):
    item: str


@router.message(CommandStart())
async def start(message: Message, state: FSMContext):
    keys = InlineKeyboardBuilder()
    for item in PRICES:
        keys.button(text=item.title(), callback_data=Pick(item=item))
    await state.clear()
    await message.answer(_("Good day, {name}! What would you like?").format(name=message.from_user.first_name), reply_markup=keys.as_markup())


@router.callback_query(Pick.filter(F.item.in_(PRICES)))
async def picked(query: CallbackQuery, callback_data: Pick, state: FSMContext):
    await state.set_state(Order.amount)
    await state.update_data(item=callback_data.item)
    await query.answer()
    await query.message.answer(_("How many?"))


@router.message(Order.amount, F.text.regexp(r"^\d+$").as_("number"))
async def amount(message: Message, state: FSMContext, i18n: I18n, number):
    n, item = int(number.group()), (await state.get_data())["item"]
    total = format_currency(n * PRICES[item], "EUR", locale=i18n.current_locale)
    line = _("{n} piece for {sum}", "{n} pieces for {sum}", n).format(n=n, sum=total)
    await message.answer(**Text(Bold(item.title()), ": ", line).as_kwargs())
    await message.answer_document(BufferedInputFile(f"{item};{n}".encode(), "bill.csv"))
    await state.clear()


@router.message(Order.amount)
async def not_a_number(message: Message):
    await message.answer(_("Please send a number."))


@router.message(F.document)
async def stock(message: Message, bot: Bot):
    rows = (await bot.download(message.document)).read().decode().split()
    await message.reply(f"<b>{len(rows)}</b> rows")


@router.message(Command("link"))
async def link(message: Message, bot: Bot):
    await message.answer(await create_start_link(bot, "gift 1", encode=True))
