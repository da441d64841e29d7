"""A planner of days: free dates in several languages, holidays of countries, quantities with units, times over zones by whenever, words by Babel."""
from datetime import date, datetime

import dateparser
import holidays
import humanize
import pint
from babel.dates import format_date
from babel.numbers import format_currency
from dateparser.search import search_dates
from whenever import Instant, ZonedDateTime, hours


def main():
    base = {"RELATIVE_BASE": datetime(2026, 3, 1, 12)}
    texts = {"en": "tomorrow at 5pm", "de": "in 3 Tagen", "fr": "12 juin 2026", "es": "hace 2 semanas", "ru": "5 мая 2026"}
    parsed = {k: dateparser.parse(v, languages=[k], settings=base).date().isoformat() for k, v in texts.items()}
    unknown = dateparser.parse("13 août 2015").date()
    found = search_dates("We meet on 4 May 2026 and part on June 6th, 2026.", languages=["en"])
    free = [n for c in ("DE", "FR", "JP") for n in [holidays.country_holidays(c, years=2026).get(date(2026, 5, 1), "-")]]
    market = date(2026, 12, 25) in holidays.financial_holidays("NYSE", years=2026)
    ureg = pint.UnitRegistry()
    speed = (42.195 * ureg.km / (2 * ureg.hour + 1 * ureg.minute)).to("mile/hour")
    heat = ureg.Quantity(20, "degC").to("degF")
    meeting = ZonedDateTime(2026, 3, 29, 1, 30, tz="Europe/Berlin")
    later = meeting + hours(1)
    utc = Instant.from_utc(2026, 7, 1, 12).to_tz("Asia/Tokyo")
    long = format_date(date(2026, 3, 1), "full", locale="pl")
    money = format_currency(1234.5, "EUR", locale="de_DE")
    humanize.i18n.activate("fr_FR")
    ago = humanize.naturaldelta(90000)
    humanize.i18n.deactivate()
    print("OK", parsed, unknown, len(found), free, market, f"{speed:.2f~P}", round(heat.magnitude, 1), later.hour, utc.hour, long, money.replace("\xa0", " "), ago)


main()
