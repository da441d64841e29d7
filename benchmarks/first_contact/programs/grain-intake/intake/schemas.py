import dataframely as dy
import polars as pl

SILOS = {"wheat": "A", "barley": "B", "rye": "C"}


class Farm(dy.Schema):
    farm = dy.String(primary_key=True, regex=r"^F-\d\d$")
    owner = dy.String(nullable=False, min_length=2)
    iban_ok = dy.Bool(nullable=False)
    hectares = dy.Int64(nullable=False, min=1, max=5000)


class Delivery(dy.Schema):
    delivery_id = dy.Int64(primary_key=True, unique=True, min=1)
    farm = dy.String(primary_key=True)
    crop = dy.Enum(list(SILOS), nullable=False)
    arrived = dy.Datetime(nullable=False)
    tonnes = dy.Float64(nullable=False, min_exclusive=0, max=40)
    moisture = dy.Float64(nullable=False, min=8, max=25)
    silo = dy.Enum(["A", "B", "C"], nullable=False)

    @dy.rule()
    def silo_matches_crop(cls) -> pl.Expr:
        return pl.col("crop").cast(pl.String).replace(SILOS) == pl.col("silo").cast(pl.String)

    @dy.rule()
    def farm_total_plausible(cls) -> pl.Expr:
        return pl.col("tonnes").sum().over("farm") < 2000


class Harvest(dy.Collection):
    farms: dy.LazyFrame[Farm]
    deliveries: dy.LazyFrame[Delivery]

    @dy.filter()
    def known_farm_with_deliveries(self) -> pl.LazyFrame:
        return dy.functional.require_relationship_one_to_at_least_one(self.farms, self.deliveries, on="farm")
