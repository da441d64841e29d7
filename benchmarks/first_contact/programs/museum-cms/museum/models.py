"""The pages of a museum."""
from django.db import models
from modelcluster.fields import ParentalKey
from wagtail import blocks
from wagtail.admin.panels import FieldPanel, InlinePanel
from wagtail.api import APIField
from wagtail.contrib.settings.models import BaseSiteSetting, register_setting
from wagtail.fields import RichTextField, StreamField
from wagtail.images.blocks import ImageChooserBlock
from wagtail.models import Orderable, Page
from wagtail.search import index
from wagtail.snippets.models import register_snippet


@register_setting
class OpeningHours(BaseSiteSetting):
    text = models.CharField(max_length=80, default="10-18")


@register_snippet
class Artist(index.Indexed, models.Model):
    name = models.CharField(max_length=80)
    search_fields = [index.SearchField("name"), index.AutocompleteField("name")]

    def __str__(self):
        return self.name


class HomePage(Page):
    intro = RichTextField(blank=True)
    subpage_types = ["museum.ExhibitPage"]
    content_panels = [*Page.content_panels, FieldPanel("intro")]
    api_fields = [APIField("intro")]


class ExhibitPage(Page):
    year = models.PositiveIntegerField()
    artist = models.ForeignKey(Artist, null=True, on_delete=models.SET_NULL, related_name="+")
    body = StreamField([("heading", blocks.CharBlock()), ("text", blocks.RichTextBlock()), ("picture", ImageChooserBlock())], blank=True)
    search_fields = [*Page.search_fields, index.SearchField("body"), index.FilterField("year")]
    content_panels = [*Page.content_panels, FieldPanel("year"), FieldPanel("artist"), FieldPanel("body"), InlinePanel("facts", label="Facts")]
    api_fields = [APIField("year"), APIField("body")]


class Fact(Orderable):
    page = ParentalKey(ExhibitPage, on_delete=models.CASCADE, related_name="facts")
    text = models.CharField(max_length=120)
