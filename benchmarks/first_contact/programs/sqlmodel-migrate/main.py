"""A member list: SQLModel on SQLite, migrations made and run by Alembic, hashed passwords, figures from DuckDB's dialect, a Typer command."""
import tempfile
from datetime import date
from pathlib import Path

import bcrypt
import typer
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from pydantic import EmailStr
from pydantic_settings import BaseSettings
from sqlalchemy import create_engine, text
from sqlmodel import Field, Relationship, Session, SQLModel, select
from typer.testing import CliRunner

root = Path(tempfile.mkdtemp())
app = typer.Typer()


class Settings(BaseSettings, env_prefix="CLUB_"):
    url: str = f"sqlite:///{root / 'club.db'}"


class Team(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)
    name: str = Field(index=True, unique=True)
    members: list["Member"] = Relationship(back_populates="team")


class MemberIn(SQLModel):
    name: str = Field(min_length=2)
    email: EmailStr
    since: date


class Member(MemberIn, table=True):
    id: int | None = Field(default=None, primary_key=True)
    password: bytes
    team_id: int | None = Field(default=None, foreign_key="team.id")
    team: Team | None = Relationship(back_populates="members")


settings = Settings()
engine = create_engine(settings.url)
ENV = """
from alembic import context
config = context.config
with config.attributes["engine"].connect() as c:
    context.configure(connection=c, target_metadata=config.attributes["metadata"])
    with context.begin_transaction():
        context.run_migrations()
"""


def migrate():
    cfg = Config(str(root / "alembic.ini"), stdout=open("/dev/null", "w"))
    command.init(cfg, str(root / "mig"))
    (root / "mig" / "env.py").write_text(ENV)
    mako = root / "mig" / "script.py.mako"
    mako.write_text(mako.read_text().replace("import sqlalchemy as sa", "import sqlalchemy as sa\nimport sqlmodel"))
    cfg = Config(str(root / "alembic.ini"), stdout=open("/dev/null", "w"))
    cfg.attributes.update(engine=engine, metadata=SQLModel.metadata)
    command.revision(cfg, "first", autogenerate=True, rev_id="0001")
    command.upgrade(cfg, "head")
    with engine.connect() as c:
        return len(compare_metadata(MigrationContext.configure(c), SQLModel.metadata))


@app.command()
def add(name: str, email: str, team: str = "red"):
    data = MemberIn.model_validate({"name": name, "email": email, "since": "2026-02-01"})
    with Session(engine) as s:
        t = s.exec(select(Team).where(Team.name == team)).first() or Team(name=team)
        s.add(Member(**data.model_dump(), password=bcrypt.hashpw(b"pw", bcrypt.gensalt(4)), team=t))
        s.commit()
    typer.echo(f"{name} joined {team}")


def main():
    left = migrate()
    r = CliRunner()
    said = [r.invoke(app, [n, f"{n}@example.com", "--team", t]).output.strip() for n, t in (("ann", "red"), ("bob", "red"), ("cyd", "blue"))]
    bad = r.invoke(app, ["x", "nope"])
    with Session(engine) as s:
        teams = {t.name: len(t.members) for t in s.exec(select(Team))}
        good = all(bcrypt.checkpw(b"pw", m.password) for m in s.exec(select(Member)))
    duck = create_engine("duckdb:///:memory:")
    with duck.connect() as c:
        c.execute(text("create table m as select * from (values ('red', 2), ('blue', 1)) t(team, n)"))
        top = c.execute(text("select team from m order by n desc")).scalars().first()
    print("OK", left, said[0], type(bad.exception).__name__, teams, good, top)


if __name__ == "__main__":
    main()
