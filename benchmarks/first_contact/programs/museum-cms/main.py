"""A museum's website: Wagtail pages with stream fields, images, search, the editor's admin, and the headless APIs, all served in process."""
import io
import os
import sys
import tempfile
from pathlib import Path

import django
import nh3
import orjson
from PIL import Image as PILImage


def picture(color):
    buffer = io.BytesIO()
    PILImage.new("RGB", (120, 80), color).save(buffer, "PNG")
    buffer.seek(0)
    return buffer


def fill():
    """Put the pages in, as the editors would do it."""
    from django.contrib.auth import get_user_model
    from django.core.files.images import ImageFile
    from museum.models import Artist, ExhibitPage, Fact, HomePage
    from wagtail.images.models import Image
    from wagtail.models import Page, Site

    get_user_model().objects.create_superuser("ada", "ada@example.org", "secret")
    root = Page.objects.get(depth=1)
    root.get_children().get(slug="home").delete()
    root = Page.objects.get(depth=1)
    intro = nh3.clean('<p>Welcome <b>all</b><script>alert("x")</script></p>')
    home = root.add_child(instance=HomePage(title="Museum", slug="museum", intro=intro))
    Site.objects.create(hostname="localhost", root_page=home, is_default_site=True, site_name="Museum")
    artist = Artist.objects.create(name="Hilma af Klint")
    image = Image.objects.create(title="Blue", file=ImageFile(picture("blue"), name="blue.png"))
    body = [("heading", "The ten largest"), ("text", "<p>Painted in <i>tempera</i></p>"), ("picture", image)]
    for i, title in enumerate(["Childhood", "Youth", "Adulthood"]):
        page = ExhibitPage(title=title, year=1907 + i, artist=artist, body=body if i == 0 else [])
        page.facts = [Fact(text=f"{title} is large")]
        home.add_child(instance=page)
        page.save_revision().publish()
    return home


def editor(client):
    """Log in, see the explorer, change a page through the form of the admin."""
    from museum.models import ExhibitPage
    from wagtail.test.utils.form_data import inline_formset, nested_form_data, streamfield

    assert client.login(username="ada", password="secret")
    page = ExhibitPage.objects.get(slug="youth")
    codes = [client.get(url).status_code for url in ("/admin/", "/admin/pages/", f"/admin/pages/{page.pk}/edit/", "/admin/images/", "/admin/snippets/museum/artist/")]
    data = nested_form_data({
        "title": "Youth", "slug": "youth", "year": "1910", "artist": str(page.artist_id), "comments": inline_formset([]),
        "body": streamfield([("heading", "Edited")]), "facts": inline_formset([{"text": "new", "id": "", "ORDER": "1"}]), "action-publish": "1",
    })
    codes.append(client.post(f"/admin/pages/{page.pk}/edit/", data).status_code)
    page.refresh_from_db()
    return codes, page.year, page.body[0].value, page.revisions.count()


def main():
    folder = tempfile.TemporaryDirectory()
    os.environ["MUSEUM_DATA"] = folder.name
    os.environ["DJANGO_SETTINGS_MODULE"] = "museum.settings"
    django.setup()
    from django.core.management import call_command
    from django.test import Client

    call_command("migrate", verbosity=0)
    home = fill()
    call_command("rebuild_references_index", stdout=io.StringIO())
    call_command("update_index", stdout=io.StringIO())
    call_command("collectstatic", verbosity=0, interactive=False)
    client = Client(SERVER_NAME="localhost")
    front = client.get("/").content.decode()
    page = client.get("/childhood/").content.decode()
    v2 = orjson.loads(client.get("/api/v2/pages/?type=museum.ExhibitPage&fields=year&order=-title").content)
    v3 = orjson.loads(client.get("/api/v3/pages/").content)
    spec = orjson.loads(client.get("/api/v3/openapi.json").content)
    from museum.models import Artist, ExhibitPage
    from wagtail.search.backends import get_search_backend

    found = [p.title for p in ExhibitPage.objects.live().search("tempera")]
    artists = [a.name for a in get_search_backend().autocomplete("hil", Artist)]
    edited = editor(client)
    webp = [p.name.rpartition(".")[0] for p in (Path(folder.name) / "media" / "images").glob("*.webp")]
    static = (Path(folder.name) / "static" / "wagtailadmin" / "js").is_dir()
    print("OK", home.get_children().count(), front.count("<a "), "script" in front, "10-18" in front, page.count("<img"), [(i["title"], i["year"]) for i in v2["items"]],
          sorted(v3)[:2], len(v3["items"]), "ExhibitPage" in str(sorted(spec["components"]["schemas"])), found, artists, edited, [w.split(".")[0] for w in webp], static,
          client.get("/sitemap.xml").content.count(b"<loc>"), sys.version_info[:2])
    folder.cleanup()


if __name__ == "__main__":
    main()
