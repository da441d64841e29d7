"""The archive of a club: Advanced Alchemy services over async SQLAlchemy, with encrypted columns, hashed passwords, stored files and Alembic migrations."""
import asyncio
import contextlib
import io
import tempfile
from datetime import date, datetime, timezone
from pathlib import Path

from advanced_alchemy.alembic.commands import AlembicCommands
from advanced_alchemy.config import AlembicAsyncConfig, SQLAlchemyAsyncConfig
from advanced_alchemy.exceptions import DuplicateKeyError, NotFoundError
from advanced_alchemy.filters import CollectionFilter, LimitOffset, OrderBy, SearchFilter
from advanced_alchemy.service import OffsetPagination
from advanced_alchemy.types import FileObject, storages
from advanced_alchemy.types.file_object.backends.obstore import ObstoreBackend
from obstore.store import LocalStore
from sqlalchemy import text

from models import Member
from services import MemberIn, MemberOut, MemberService, PaperService

ROWS = [
    MemberIn(name="Ada Lovelace", born=date(1975, 12, 10), iban="DE89370400440532013000", password="engine", tags={"board": True}),
    MemberIn(name="Émile Zola", born=date(1980, 4, 2), iban="FR1420041010050500013M02606", password="germinal"),
    MemberIn(name="Ada Lovelace", born=date(2001, 1, 5), iban="GB29NWBK60161331926819", password="younger"),
]


def migrate(config, folder):
    """Create the scripts folder, autogenerate the first revision, apply it."""
    with contextlib.redirect_stdout(io.StringIO()):
        commands = AlembicCommands(sqlalchemy_config=config)
        commands.init(directory=str(folder / "migrations"))
        commands.revision(message="first", autogenerate=True, rev_id="0001")
        commands.upgrade(revision="head")
    return sorted(p.name.split("_")[-1] for p in (folder / "migrations" / "versions").glob("*.py"))


async def work(config, files):
    async with config.get_session() as session:
        members, papers = MemberService(session=session), PaperService(session=session)
        ids = [(await members.create(row, auto_commit=True)).id for row in ROWS]
        note = FileObject(backend="papers", filename="statutes.txt", content="§1 The club is called Analytic.".encode(), metadata={"lang": "en"})
        when = datetime(2026, 3, 1, 9, 30, tzinfo=timezone.utc)
        await papers.create({"title": "Statutes", "filed": when, "file": note, "member_id": ids[0]}, auto_commit=True)
    async with config.get_session() as session:
        members, papers = MemberService(session=session), PaperService(session=session)
        found, total = await members.list_and_count(
            SearchFilter("name", "ada", ignore_case=True), OrderBy("slug", "desc"), LimitOffset(5, 0)
        )
        page = members.to_schema(found, total, filters=[LimitOffset(5, 0)], schema_type=MemberOut)
        assert isinstance(page, OffsetPagination)
        ada = await members.get_one(CollectionFilter("slug", ["ada-lovelace-1975"]))
        paper = await papers.get_one(title="Statutes")
        stored = (await paper.file.get_content_async()).decode()
        raw = (await session.execute(text("select iban, password from member where slug = 'emile-zola-1980'"))).one()
        result = (
            [(m.slug, m.tags) for m in page.items], page.total, ada.iban[-4:], ada.password.verify("engine"), ada.password.verify("no"),
            ada.id.version, stored, paper.filed.isoformat(), paper.member.slug, raw.iban.startswith("DE"), "argon2id" in raw.password,
        )
        await papers.delete(paper.id, auto_commit=True)
        errors = []
        try:
            await members.get_one(slug="nobody")
        except NotFoundError as e:
            errors.append(type(e).__name__)
        try:
            await members.repository.add(Member(name="Twin", slug="ada-lovelace-1975"), auto_commit=True)
        except DuplicateKeyError as e:
            errors.append(type(e).__name__)
            await session.rollback()
        zola = await members.upsert({"name": "Émile Zola", "tags": {"paid": 2026}}, match_fields=["name"], item_id=None, auto_commit=True)
    return (*result, errors, zola.tags), sorted(p.name for p in files.iterdir())


def main():
    with tempfile.TemporaryDirectory() as t:
        t = Path(t)
        (t / "papers").mkdir()
        storages.register_backend(ObstoreBackend(key="papers", fs=LocalStore(str(t / "papers"))))
        config = SQLAlchemyAsyncConfig(
            connection_string=f"sqlite+aiosqlite:///{t / 'club.db'}",
            alembic_config=AlembicAsyncConfig(script_location=str(t / "migrations"), script_config=str(t / "alembic.ini")),
        )
        versions = migrate(config, t)
        result, left = asyncio.run(work(config, t / "papers"))
    print("OK", versions, *result, left)


if __name__ == "__main__":
    main()
