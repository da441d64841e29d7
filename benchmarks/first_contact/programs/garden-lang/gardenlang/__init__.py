"""The garden language: irrigation zones, sensors and schedules."""
from importlib.resources import as_file, files

from textx import GeneratorDesc, LanguageDesc, metamodel_from_file, register_generator, register_language
from textx.scoping import providers

from .processors import MODEL_PROCESSORS, OBJECT_PROCESSORS, Duration


def garden_metamodel():
    with as_file(files(__name__) / "grammar") as folder:
        mm = metamodel_from_file(folder / "garden.tx", classes=[Duration], use_regexp_group=True)
    mm.register_scope_providers({
        "*.*": providers.FQN(),
        "Rule.sensor": providers.FQNImportURI(),
        "Schedule.zones": providers.FQNImportURI(),
    })
    mm.register_obj_processors(OBJECT_PROCESSORS)
    for processor in MODEL_PROCESSORS:
        mm.register_model_processor(processor)
    return mm


def register():
    from .generators import generate_arduino, generate_manifest
    register_language(LanguageDesc("garden", pattern="*.garden", description="Irrigation", metamodel=garden_metamodel))
    register_generator(GeneratorDesc("garden", "arduino", description="C headers", generator=generate_arduino))
    register_generator(GeneratorDesc("garden", "manifest", description="JSON manifest", generator=generate_manifest))
