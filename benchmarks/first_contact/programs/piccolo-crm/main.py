"""Customers in Piccolo: tables in SQLite made by a migration that is written to a file, joins and aggregates, a Pydantic model of a table, a mock data builder, users with hashed passwords from Piccolo's own app."""
import asyncio
import os
import sys
import tempfile
from pathlib import Path

CONF = '''
from piccolo.conf.apps import AppRegistry
from piccolo.engine.sqlite import SQLiteEngine
DB = SQLiteEngine(path=%r)
APP_REGISTRY = AppRegistry(apps=["crm.piccolo_app", "piccolo.apps.user.piccolo_app"])
'''
APP = '''
import os
from piccolo.conf.apps import AppConfig, table_finder
HERE = os.path.dirname(os.path.abspath(__file__))
APP_CONFIG = AppConfig(app_name="crm", migrations_folder_path=os.path.join(HERE, "piccolo_migrations"),
                       table_classes=table_finder(modules=["crm.tables"], exclude_imported=True), migration_dependencies=[], commands=[])
'''
TABLES = '''
from piccolo.columns import Boolean, ForeignKey, Numeric, Timestamp, Varchar, JSON
from piccolo.table import Table
class Company(Table):
    name = Varchar(length=80, unique=True)
    active = Boolean(default=True)
class Deal(Table):
    company = ForeignKey(references=Company)
    title = Varchar()
    value = Numeric(digits=(9, 2))
    made = Timestamp()
    extra = JSON()
'''


async def run(folder):
    from piccolo.apps.migrations.commands.forwards import run_forwards
    from piccolo.apps.migrations.commands.new import new
    from piccolo.apps.user.tables import BaseUser
    from piccolo.query.functions import Count, Sum
    from piccolo.testing.model_builder import ModelBuilder
    from piccolo.utils.pydantic import create_pydantic_model

    await new(app_name="crm", auto=True, desc="first", auto_input="y")
    written = sorted(p.name for p in (folder / "crm" / "piccolo_migrations").glob("*.py"))
    await run_forwards(app_name="crm")
    await run_forwards(app_name="user")
    from crm.tables import Company, Deal

    await Company.insert(Company(name="Abel"), Company(name="Baker"))
    first = await Company.objects().get(Company.name == "Abel")
    await Deal.insert(*(Deal(company=first.id, title=f"d{i}", value=i * 10, extra={"n": i}) for i in range(1, 4)))
    total = await Deal.select(Deal.company.name, Sum(Deal.value).as_alias("total"), Count().as_alias("n")).group_by(Deal.company.name)
    model = create_pydantic_model(Deal, nested=False)
    checked = model(company=1, title="x", value="3.50", made="2026-01-01T10:00:00", extra="{}")
    built = await ModelBuilder.build(Company)
    user = await BaseUser.create_user(username="ada", password="a-long-secret")
    login = await BaseUser.login("ada", "a-long-secret"), await BaseUser.login("ada", "wrong-secret")
    print("OK", len(written) >= 1, total, str(checked.value), type(built.id).__name__, user.username, login[0] is not None, login[1])


def main():
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "piccolo_conf.py").write_text(CONF % str(folder / "crm.sqlite"))
        (folder / "crm" / "piccolo_migrations").mkdir(parents=True)
        (folder / "crm" / "__init__.py").touch()
        (folder / "crm" / "piccolo_migrations" / "__init__.py").touch()
        (folder / "crm" / "piccolo_app.py").write_text(APP)
        (folder / "crm" / "tables.py").write_text(TABLES)
        sys.path.insert(0, name)
        os.environ["PICCOLO_CONF"] = "piccolo_conf"
        os.chdir(name)
        asyncio.run(run(folder))
        os.chdir("/")


main()
