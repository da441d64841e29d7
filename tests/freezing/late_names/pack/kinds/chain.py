"""Imports what it is handed, two calls further on."""

from importlib import import_module


class Importer:
    def import_thing(self, name):
        return self._import(name)

    def _import(self, name):
        return import_module(name)
