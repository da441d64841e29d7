"""Report of a sky survey: coverage, the night above the observatory, file formats, measurements and a finding chart."""
import os
import tempfile
from pathlib import Path

HERE = Path(__file__).parent


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ.update(XDG_CACHE_HOME=name, XDG_CONFIG_HOME=name, MPLCONFIGDIR=name)
        (folder / "astropy").mkdir()

        import footprint as sky
        import observe
        from astropy.coordinates import SkyCoord
        from astropy.table import QTable
        from astropy.utils import iers

        iers.conf.auto_download = False
        table = QTable.read(HERE / "stars.ecsv")
        stars = SkyCoord(table["ra"], table["dec"], distance=table["distance"])
        covered = sky.combine(folder)
        print("coverage:", covered)
        north, south = sky.fields()
        seen = [str(n) for n in table["name"][north.union(south).contains_skycoords(stars)]]
        print("seen:", seen)
        cone, ring, offset = sky.cells(stars)
        shapes = sky.shapes(folder)
        up, constellation = observe.night(stars, list(table["name"]))
        print("night:", [str(n) for n in up], constellation)
        rows, stored = observe.formats(table, folder)
        period, slope, distance, cosmologies = observe.measure()
        print("measured:", period, slope, distance, cosmologies)
        place, charts = observe.picture(folder)
        print("chart:", place, charts)
        absolute = table["vmag"].value - stars.distance.distmod.value
    print(
        f"OK sky {covered['sky']} {covered['common']} {covered['hours']}h, {len(seen)} seen, cells {cone} {ring} {offset}, {shapes} shapes, {len(up)} up moon in {constellation}, "
        f"{rows} rows {stored} stored, period {period} slope {slope} H {distance}, {cosmologies} cosmologies, {place}, {charts} charts, brightest {absolute.min():.2f}"
    )


if __name__ == "__main__":
    main()
