from contextlib import asynccontextmanager
from pathlib import Path
from typing import AsyncIterator

from fastapi import Depends, FastAPI
from sqladmin import Admin, BaseView, ModelView, action, expose
from sqladmin.authentication import AuthenticationBackend
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from wtforms import validators

from club.models import Base, Member, Team, User
from club.users import UserCreate, UserRead, Users, UserUpdate


class Door(AuthenticationBackend):
    async def login(self, request: Request) -> bool:
        form = await request.form()
        request.session["admin"] = form["username"]
        return form["password"] == "whistle"

    async def logout(self, request: Request) -> bool:
        request.session.clear()
        return True

    async def authenticate(self, request: Request) -> bool:
        return "admin" in request.session


class TeamAdmin(ModelView, model=Team):
    column_list = [Team.id, Team.name, Team.members]
    form_excluded_columns = [Team.members]
    icon = "fa-solid fa-people-group"


class MemberAdmin(ModelView, model=Member):
    column_list = [Member.id, Member.name, Member.joined, Member.fee, Member.team]
    column_searchable_list = [Member.name]
    column_sortable_list = [Member.fee]
    column_formatters = {Member.fee: lambda member, _: f"EUR {member.fee:.2f}"}
    form_args = {"fee": {"validators": [validators.NumberRange(min=1, max=500)]}}
    can_export, export_types = True, ["csv", "json"]

    @action("raise_fee", label="Raise the fee", add_in_list=True)
    async def raise_fee(self, request: Request) -> Response:
        async with self.session_maker() as session:
            for key in request.query_params.get("pks", "").split(","):
                member = await session.get(Member, int(key))
                member.fee += 10
            await session.commit()
        return RedirectResponse(request.url_for("admin:list", identity=self.identity))


class UserAdmin(ModelView, model=User):
    column_list = [User.email, User.nickname, User.is_verified]
    can_create = False


class FeesView(BaseView):
    name = "Fees"
    sessions: async_sessionmaker[AsyncSession]

    @expose("/fees", methods=["GET"])
    async def fees(self, request: Request) -> Response:
        async with self.sessions() as session:
            rows = (await session.execute(select(Team.name, func.sum(Member.fee)).join(Member.team).group_by(Team.name).order_by(Team.name))).all()
        return await self.templates.TemplateResponse(request, "fees.html", {"rows": rows})


def create(url: str) -> FastAPI:
    engine = create_async_engine(url)
    sessions: async_sessionmaker[AsyncSession] = async_sessionmaker(engine, expire_on_commit=False)

    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with engine.begin() as connection:
            await connection.run_sync(Base.metadata.create_all)
        yield
        await engine.dispose()

    app = FastAPI(title="Club", lifespan=asynccontextmanager(lifespan))
    users = Users(sessions)
    app.include_router(users.api.get_auth_router(users.bearer), prefix="/auth/jwt")
    app.include_router(users.api.get_auth_router(users.cookie), prefix="/auth/cookie")
    app.include_router(users.api.get_register_router(UserRead, UserCreate), prefix="/auth")
    app.include_router(users.api.get_verify_router(UserRead), prefix="/auth")
    app.include_router(users.api.get_users_router(UserRead, UserUpdate), prefix="/users")

    @app.get("/teams")
    async def teams(user: User = Depends(users.api.current_user(active=True, verified=True))) -> dict[str, int]:
        async with sessions() as session:
            return {name: count for name, count in (await session.execute(select(Team.name, func.count(Member.id)).join(Member.team).group_by(Team.name))).all()}

    FeesView.sessions = sessions
    admin = Admin(app, session_maker=sessions, title="Club desk", authentication_backend=Door("another secret"), templates_dir=str(Path(__file__).with_name("templates")))
    for view in (TeamAdmin, MemberAdmin, UserAdmin, FeesView):
        admin.add_view(view)
    return app
