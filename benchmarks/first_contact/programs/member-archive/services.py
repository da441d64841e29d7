"""What is asked of the tables, and in which form it goes in and out."""
from datetime import date
from uuid import UUID

from advanced_alchemy.repository import SQLAlchemyAsyncRepository, SQLAlchemyAsyncSlugRepository
from advanced_alchemy.service import SQLAlchemyAsyncRepositoryService
from pydantic import BaseModel, ConfigDict, Field

from models import Member, Paper


class MemberOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)
    id: UUID
    slug: str
    name: str
    tags: dict


class MemberIn(BaseModel):
    name: str = Field(min_length=2)
    born: date
    iban: str = Field(pattern=r"^[A-Z]{2}\d{2}[A-Z0-9]{10,30}$")
    password: str
    tags: dict = {}


class MemberService(SQLAlchemyAsyncRepositoryService[Member]):
    class Repo(SQLAlchemyAsyncSlugRepository[Member]):
        model_type = Member

    repository_type = Repo

    async def to_model_on_create(self, data):
        data = data.model_dump() if isinstance(data, BaseModel) else dict(data)
        data["slug"] = await self.repository.get_available_slug(f"{data['name']} {data['born'].year}")
        return data


class PaperService(SQLAlchemyAsyncRepositoryService[Paper]):
    class Repo(SQLAlchemyAsyncRepository[Paper]):
        model_type = Paper

    repository_type = Repo
